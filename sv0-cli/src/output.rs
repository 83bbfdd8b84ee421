//! Printing. Names come from a tenant and may be an attacker's: nothing that moves a cursor, hides text or turns its
//! direction reaches a terminal.

use std::io::{IsTerminal, Write};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::Value as Json;
use sv0_query::QueryError;

use crate::failure::Failure;

/// Text without control, bidirectional, zero-width or line-breaking characters.
pub(crate) fn clean(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    for c in s.chars() {
        let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{061c}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
        if c.is_control() || hidden {
            out.push_str(&format!("\\u{{{:x}}}", c as u32));
        } else {
            out.push(c);
        }
    }
    out
}

/// [`clean`], but lines stay lines.
pub(crate) fn clean_lines(s: &str) -> String {
    s.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

/// [`clean`], cut at a width.
pub(crate) fn short(s: &str, width: usize) -> String {
    let c = clean(s);
    if c.chars().count() <= width {
        return c;
    }
    let mut t: String = c.chars().take(width.saturating_sub(1)).collect();
    t.push('…');
    t
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// The same, of any bytes.
pub(crate) fn bytes(data: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(data)?;
    out.flush()?;
    Ok(())
}

/// One JSON document, or one a line.
pub(crate) fn json(v: &impl serde::Serialize, pretty: bool) -> Result<(), Failure> {
    let text = if pretty { serde_json::to_string_pretty(v) } else { serde_json::to_string(v) };
    let text = text.map_err(|e| Failure::Run(e.to_string()))?;
    print(&format!("{text}\n"))
}

pub(crate) fn error(text: &str) {
    let mut err = std::io::stderr().lock();
    let lead = if text.starts_with("error") { "" } else { "error: " };
    let _ = writeln!(err, "{lead}{text}");
}

pub(crate) fn note(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{text}");
}

pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// A query's diagnostics with caret, label and help.
pub(crate) fn draw(e: &QueryError, text: &str) -> String {
    let safe: String = text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c }).collect();
    let renderer = if stderr_is_terminal() { Renderer::styled() } else { Renderer::plain() };
    let mut out = Vec::new();
    for d in &e.diagnostics {
        let message = clean(&d.message);
        let help = d.help.as_deref().map(clean);
        let title = Level::ERROR.primary_title(message.as_str()).id(d.code.text());
        let mut group = match d.span {
            Some((a, b)) if b <= safe.len() && safe.is_char_boundary(a) && safe.is_char_boundary(b) => {
                let snippet = Snippet::source(safe.as_str()).annotation(AnnotationKind::Primary.span(a..b.max(a)));
                title.element(snippet)
            }
            _ => title.elements(Vec::<annotate_snippets::Message<'_>>::new()),
        };
        if let Some(h) = &help {
            group = group.element(Level::HELP.message(h.as_str()));
        }
        out.push(renderer.render(&[group]).to_string());
    }
    out.join("\n")
}

/// A table; plain where the output isn't a terminal.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    use comfy_table::{ContentArrangement, Table, presets};
    let mut t = Table::new();
    t.load_style(presets::NOTHING);
    if stdout_is_terminal() {
        t.set_content_arrangement(ContentArrangement::Dynamic);
    }
    t.set_header(head.iter().map(|h| h.to_uppercase()));
    for r in rows {
        t.add_row(r.into_iter().map(|c| clean(&c)));
    }
    let text = t.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n"
}

/// A JSON value as a table's cell.
pub(crate) fn cell(v: &Json) -> String {
    match v {
        Json::Null => String::new(),
        Json::String(s) => s.clone(),
        Json::Array(a) => format!("[{}]", a.iter().map(cell).collect::<Vec<_>>().join(", ")),
        Json::Object(o) => {
            if let Some(k) = o.get("key") {
                // A node by its name, an edge by its type and ends.
                if let (Some(ty), Some(from), Some(to)) = (o.get("type"), o.get("from"), o.get("to")) {
                    return format!("{} -{}-> {}", key(from), cell(ty), key(to));
                }
                let name = o.get("name").map(cell).unwrap_or_default();
                return if name.is_empty() { key(k) } else { name };
            }
            if let (Some(Json::Array(nodes)), Some(Json::Array(edges))) = (o.get("nodes"), o.get("edges")) {
                return path(nodes, edges);
            }
            v.to_string()
        }
        v => v.to_string(),
    }
}

pub(crate) fn key(k: &Json) -> String {
    format!("{}:{}", k.get("source").map(cell).unwrap_or_default(), k.get("id").map(cell).unwrap_or_default())
}

/// A path on one line: `a -[TYPE]-> b <-[TYPE]- c`.
pub(crate) fn path(nodes: &[Json], edges: &[Json]) -> String {
    let mut out = nodes.first().map(cell).unwrap_or_default();
    for (e, n) in edges.iter().zip(nodes.iter().skip(1)) {
        let ty = e.get("type").map(cell).unwrap_or_default();
        let forward = e.get("to") == n.get("key");
        let arrow = if forward { format!(" -[{ty}]-> ") } else { format!(" <-[{ty}]- ") };
        out.push_str(&arrow);
        out.push_str(&cell(n));
    }
    out
}
