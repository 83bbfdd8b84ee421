//! Finds out what files hold, and reads them: "auto-detected by connector".

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sv0_graph::{GraphBatch, Schema};

use crate::contract::{self, LineError};
use crate::{aws, text};

/// A JSON document longer than this isn't read whole.
const MAX_DOCUMENT: u64 = 1 << 30;

/// Why sources couldn't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The system's.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Nothing in there is understood.
    #[error("{}: nothing here that sv0 understands; it reads the ingestion contract (NDJSON with a `sv0` header) and AWS \
             `get-account-authorization-details` (JSON){}", path.display(), seen(.skipped))]
    NothingUnderstood {
        /// The file or folder.
        path: PathBuf,
        /// What was looked at.
        skipped: Vec<String>,
    },
    /// Lines of contract files that can't be read.
    #[error("{}", lines(.0))]
    Lines(Vec<(PathBuf, LineError)>),
    /// A JSON document that can't be read.
    #[error("{}: {reason}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A connector that doesn't exist.
    #[error("unknown connector `{0}`; known are `contract`, `aws`")]
    UnknownConnector(String),
}

fn seen(skipped: &[String]) -> String {
    match skipped {
        [] => String::new(),
        s => format!("; looked at {}", s.iter().take(5).cloned().collect::<Vec<_>>().join(", ")),
    }
}

fn lines(errors: &[(PathBuf, LineError)]) -> String {
    errors.iter().map(|(p, e)| format!("{}:{}: {}", p.display(), e.line, e.reason)).collect::<Vec<_>>().join("\n")
}

/// What was read.
#[derive(Debug, Default)]
pub struct Sources {
    /// Batches by observation time: each becomes a snapshot.
    pub observations: BTreeMap<i64, Vec<GraphBatch>>,
    /// What was read, and as what.
    pub understood: Vec<String>,
    /// Files that weren't understood.
    pub skipped: Vec<String>,
    /// What within an understood file wasn't.
    pub notes: Vec<String>,
}

/// How to read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Read every file with this connector.
    pub connector: Option<String>,
    /// The observation's time for inputs that don't say one, microseconds since 1970, UTC.
    pub observed_at: Option<i64>,
}

/// Reads files and folders.
///
/// # Errors
/// [`SourceError`]: everything that is wrong with contract lines at once.
pub fn read(paths: &[PathBuf], schema: &Schema, options: &ReadOptions) -> Result<Sources, SourceError> {
    let mut out = Sources::default();
    let mut bad_lines: Vec<(PathBuf, LineError)> = Vec::new();
    if let Some(c) = &options.connector
        && !["contract", "aws"].contains(&c.as_str())
    {
        return Err(SourceError::UnknownConnector(c.clone()));
    }
    for path in paths {
        let meta = std::fs::metadata(path).map_err(|source| SourceError::Io { path: path.clone(), source })?;
        let mut files = Vec::new();
        if meta.is_dir() {
            walk(path, &mut files)?
        } else {
            files.push(path.clone())
        }
        files.sort();
        let (mut any, before) = (false, out.skipped.len());
        for f in files {
            match one(&f, schema, options, &mut out)? {
                Read1::Understood => any = true,
                Read1::Lines(e) => {
                    any = true;
                    bad_lines.extend(e.into_iter().map(|e| (f.clone(), e)));
                }
                Read1::Skipped(why) => out.skipped.push(format!("{} ({why})", f.display())),
            }
        }
        if !any {
            let skipped = out.skipped.split_off(before);
            return Err(SourceError::NothingUnderstood { path: path.clone(), skipped });
        }
    }
    if !bad_lines.is_empty() {
        return Err(SourceError::Lines(bad_lines));
    }
    Ok(out)
}

enum Read1 {
    Understood,
    Lines(Vec<LineError>),
    Skipped(&'static str),
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    let err = |source| SourceError::Io { path: dir.to_owned(), source };
    for entry in std::fs::read_dir(dir).map_err(err)? {
        let entry = entry.map_err(err)?;
        let kind = entry.file_type().map_err(err)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // Links aren't followed: a folder of responses may come from anywhere.
        if kind.is_dir() {
            walk(&entry.path(), out)?;
        } else if kind.is_file() {
            out.push(entry.path());
        }
    }
    Ok(())
}

fn one(path: &Path, schema: &Schema, options: &ReadOptions, out: &mut Sources) -> Result<Read1, SourceError> {
    let io = |source| SourceError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut start = Vec::new();
    file.by_ref().take(64 * 1024).read_to_end(&mut start).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    let forced = options.connector.as_deref();
    if forced == Some("contract") || (forced.is_none() && (contract::looks_like(&start) || extension == "ndjson")) {
        let hash = hash_file(&mut file).map_err(io)?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        return Ok(match contract::read(&mut BufReader::new(file), &hash, schema) {
            Ok(batch) => {
                out.understood.push(format!("{}: contract, source `{}`", path.display(), batch.source));
                out.observations.entry(batch.observed_at).or_default().push(batch);
                Read1::Understood
            }
            Err(e) => Read1::Lines(e),
        });
    }
    let first = start.iter().find(|b| !b.is_ascii_whitespace());
    if forced.is_none() && first != Some(&b'{') {
        return Ok(Read1::Skipped("not JSON"));
    }
    // A JSON document: only AWS is known so far, and its lists' names stand at the top.
    let len = file.metadata().map_err(io)?.len();
    if len > MAX_DOCUMENT {
        let reason = format!("a JSON document of {len} bytes; at most {MAX_DOCUMENT} are read");
        return Err(SourceError::Document { path: path.to_owned(), reason });
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io)?;
    let doc: serde_json::Value = match serde_json::from_slice(&bytes) {
        Ok(d) => d,
        Err(e) if forced.is_some() || looks_like_aws_text(&bytes) => {
            return Err(SourceError::Document { path: path.to_owned(), reason: format!("malformed JSON: {e}") });
        }
        Err(_) => return Ok(Read1::Skipped("malformed JSON")),
    };
    if !aws::looks_like(&doc) {
        if forced.is_some() {
            let reason = "no `UserDetailList`, `GroupDetailList` or `RoleDetailList` in it".to_owned();
            return Err(SourceError::Document { path: path.to_owned(), reason });
        }
        return Ok(Read1::Skipped("unknown JSON"));
    }
    let (batches, notes) = aws::transform(&doc, &text::sha256(&bytes), options.observed_at);
    let accounts: Vec<&str> = batches.iter().map(|b| &*b.source).collect();
    out.understood.push(format!("{}: AWS account authorization details, {}", path.display(), accounts.join(", ")));
    out.notes.extend(notes.into_iter().map(|n| format!("{}{n}", path.display())));
    for b in batches {
        out.observations.entry(b.observed_at).or_default().push(b);
    }
    Ok(Read1::Understood)
}

fn looks_like_aws_text(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(bytes.get(..bytes.len().min(4096)).unwrap_or(&[])).into_owned();
    ["\"UserDetailList\"", "\"RoleDetailList\"", "\"GroupDetailList\""].iter().any(|n| start.contains(n))
}

fn hash_file(f: &mut File) -> std::io::Result<String> {
    use sha2::{Digest, Sha256};
    let mut h = Sha256::new();
    let mut buf = vec![0u8; 1 << 16];
    loop {
        let n = f.read(&mut buf)?;
        if n == 0 {
            break;
        }
        h.update(buf.get(..n).unwrap_or(&[]));
    }
    Ok(h.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// Resolves the ends of edges between sources and joins batches of one source and time: two files of one listing.
pub fn link(mut batches: Vec<GraphBatch>, known: &[Arc<str>]) -> Vec<GraphBatch> {
    contract::resolve_ends(&mut batches, known);
    let mut by_source: BTreeMap<Arc<str>, GraphBatch> = BTreeMap::new();
    for mut b in batches {
        match by_source.entry(b.source.clone()) {
            std::collections::btree_map::Entry::Vacant(v) => {
                v.insert(b);
            }
            std::collections::btree_map::Entry::Occupied(mut o) => {
                let a = o.get_mut();
                let shift = u32::try_from(a.records.len()).unwrap_or(u32::MAX);
                let origins = b
                    .nodes
                    .iter_mut()
                    .flat_map(|n| &mut n.origins)
                    .chain(b.edges.iter_mut().flat_map(|e| &mut e.origins));
                origins.for_each(|o| o.record += shift);
                a.records.append(&mut b.records);
                a.nodes.append(&mut b.nodes);
                a.edges.append(&mut b.edges);
                a.complete.append(&mut b.complete);
                a.legacy_identities += b.legacy_identities;
            }
        }
    }
    by_source.into_values().collect()
}
