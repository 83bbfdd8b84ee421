//! `diff`, `compact`.

use std::process::ExitCode;

use serde_json::{Value as Json, json};
use sv0_graph::{Diff, EdgeChange, EdgeClass, EdgeTypeId, GraphView, Keep, Snapshot, State};
use sv0_query::time;

use crate::args::{CompactArgs, DiffArgs, DocumentFormat};
use crate::failure::Failure;
use crate::{load, output};

fn is_json(format: Option<DocumentFormat>) -> bool {
    let default = if output::stdout_is_terminal() { DocumentFormat::Table } else { DocumentFormat::Json };
    format.unwrap_or(default) == DocumentFormat::Json
}

/// An edge that carries authority, in both snapshots.
struct Authority {
    ty: String,
    from: String,
    to: String,
    key: String,
    before: Option<State>,
    after: Option<State>,
}

impl Authority {
    fn read(d: &Diff, ty: EdgeTypeId, e: &EdgeChange) -> Result<Self, Failure> {
        let state = |s: &Snapshot, id| -> Result<State, Failure> { Ok(s.edge(id).map_err(Failure::from)?.state) };
        let before = e.old.map(|id| state(&d.from, id)).transpose()?;
        let after = e.new.map(|id| state(&d.to, id)).transpose()?;
        // A node that is gone is read where it was.
        let key = |n: u32| -> Result<String, Failure> {
            let s = if e.new.is_some() { &d.to } else { &d.from };
            Ok(s.key(n)?.to_string())
        };
        Ok(Self {
            ty: d.to.schema().edge_type(ty).name.clone(),
            from: key(e.from)?,
            to: key(e.to)?,
            key: e.key.to_string(),
            before,
            after,
        })
    }

    /// Stronger states come first in their order; none is weaker than any.
    fn gained(&self) -> bool {
        match (self.before, self.after) {
            (None, Some(_)) => true,
            (Some(b), Some(a)) => a < b,
            _ => false,
        }
    }

    fn lost(&self) -> bool {
        match (self.before, self.after) {
            (Some(_), None) => true,
            (Some(b), Some(a)) => a > b,
            _ => false,
        }
    }

    fn json(&self) -> Json {
        let name = |s: Option<State>| s.map(State::name);
        json!({"type": self.ty, "from": self.from, "to": self.to, "key": self.key,
            "before": name(self.before), "after": name(self.after)})
    }

    fn row(&self) -> Vec<String> {
        let name = |s: Option<State>| s.map_or("-", State::name);
        vec![
            format!("  {}", self.ty),
            output::short(&self.from, 60),
            output::short(&self.to, 60),
            format!("{} → {}", name(self.before), name(self.after)),
        ]
    }
}

pub(crate) fn diff(a: &DiffArgs) -> Result<ExitCode, Failure> {
    let store = load::open(&a.store)?;
    let from = load::snapshot(&store, Some(&a.from))?;
    let to = load::snapshot(&store, a.to.as_deref())?;
    if from.number() > to.number() {
        return Err(Failure::input(format!(
            "snapshot {} is later than {}: name the earlier one first",
            from.number(),
            to.number()
        )));
    }
    let d = store.diff(from.number(), to.number())?;
    let carries = |c: EdgeClass| matches!(c, EdgeClass::Authority | EdgeClass::Hierarchy | EdgeClass::Escalation);
    let mut all = Vec::new();
    for (ty, list) in d.edges.iter().filter(|(ty, _)| carries(d.to.schema().edge_type(**ty).class)) {
        for e in list {
            all.push(Authority::read(&d, *ty, e)?);
        }
    }
    all.sort_by(|x, y| (&x.ty, &x.from, &x.to, &x.key).cmp(&(&y.ty, &y.from, &y.to, &y.key)));
    let counts = d.counts();
    if is_json(a.format) {
        let side =
            |s: &Snapshot| json!({"snapshot": s.number(), "name": s.name(), "time": time::format_timestamp(s.time())});
        let changes: serde_json::Map<String, Json> = counts
            .iter()
            .map(|(t, n)| (t.clone(), json!({"added": n.added, "changed": n.changed, "removed": n.removed})))
            .collect();
        let list = |f: fn(&Authority) -> bool| all.iter().filter(|x| f(x)).map(Authority::json).collect::<Vec<_>>();
        output::json(
            &json!({"from": side(&d.from), "to": side(&d.to), "changes": changes,
                "authority_gained": list(Authority::gained), "authority_lost": list(Authority::lost)}),
            true,
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let side = |s: &Snapshot| format!("{} ({})", s.number(), output::clean(s.name()));
    let mut out = format!("From snapshot {} to {}\n", side(&d.from), side(&d.to));
    if counts.is_empty() {
        out += "Nothing changed.\n";
    } else {
        let rows = counts
            .iter()
            .map(|(t, n)| vec![format!("  {t}"), n.added.to_string(), n.changed.to_string(), n.removed.to_string()])
            .collect();
        out += &output::table(&["  type", "added", "changed", "removed"], rows);
    }
    for (title, f) in
        [("Authority gained", Authority::gained as fn(&Authority) -> bool), ("Authority lost", Authority::lost)]
    {
        let rows: Vec<Vec<String>> = all.iter().filter(|x| f(x)).map(Authority::row).collect();
        if !rows.is_empty() {
            out += &format!("\n{title}: {}\n", rows.len());
            out += &output::table(&["  edge", "from", "to", "state"], rows);
        }
    }
    output::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn compact(a: &CompactArgs) -> Result<ExitCode, Failure> {
    if !a.store.exists() {
        return Err(Failure::input(format!("{}: no such store", a.store.display())));
    }
    let mut store = load::open_for_writing(&a.store)?;
    let keep = match a.keep.as_str() {
        "all" => Keep::All,
        k => match k.strip_prefix("newest:") {
            Some(n) => Keep::Newest(n.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
                Failure::input(format!("--keep: `{n}` isn't a number of snapshots; write newest:12"))
            })?),
            None => {
                let numbers = k.split(',').map(|w| Ok(load::snapshot(&store, Some(w.trim()))?.number()));
                Keep::Numbers(numbers.collect::<Result<Vec<_>, Failure>>()?)
            }
        },
    };
    let c = store.compact(&keep)?;
    if is_json(a.format) {
        output::json(
            &json!({"kept": c.kept, "dropped": c.dropped, "bytes_before": c.before, "bytes_after": c.after}),
            true,
        )?;
    } else {
        output::print(&format!(
            "{} snapshots kept, {} dropped; {} bytes before, {} after\n",
            c.kept, c.dropped, c.before, c.after
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
