//! The functions.

use std::sync::Arc;

use sv0_graph::{Evidence, GraphView, SourceRecord};

use super::Exec;
use super::eval::{V, cast, text, value_error};
use crate::ast::Span;
use crate::elements::{edge_properties, labels, node_properties};
use crate::plan::{Cast, Func};
use crate::time;
use crate::val::Val;

fn strings<'a>(items: impl IntoIterator<Item = &'a str>) -> Val {
    Val::List(items.into_iter().map(Val::str).collect())
}

fn each_char(s: &str) -> Vec<char> {
    s.chars().collect()
}

impl<G: GraphView> Exec<'_, G> {
    pub(super) fn call(&self, f: Func, args: &[Val], span: Span) -> V {
        let first = args.first().cloned().unwrap_or_default();
        match f {
            Func::Coalesce => return Ok(args.iter().find(|v| !v.is_null()).cloned().unwrap_or_default()),
            Func::NullIf => {
                let b = args.get(1).cloned().unwrap_or_default();
                return Ok(if self.equal(&first, &b)? == Some(true) { Val::Null } else { first });
            }
            Func::AllDifferent | Func::Same => {
                for (i, a) in args.iter().enumerate() {
                    for b in args.get(i + 1..).unwrap_or(&[]) {
                        self.step(1)?;
                        match self.equal(a, b)? {
                            None => return Ok(Val::Null),
                            Some(e) if e == (f == Func::AllDifferent) => return Ok(Val::Bool(false)),
                            Some(_) => {}
                        }
                    }
                }
                return Ok(Val::Bool(true));
            }
            _ => {}
        }
        if args.iter().any(Val::is_null) {
            return Ok(Val::Null);
        }
        let wrong = || value_error(span, format!("this function doesn't take a {}", first.kind()));
        let string = |i: usize| args.get(i).and_then(|v| if let Val::Str(s) = v { Some(s.clone()) } else { None });
        let int = |i: usize| args.get(i).and_then(|v| if let Val::Int(n) = v { Some(*n) } else { None });
        let len = |n: usize| Val::Int(i64::try_from(n).unwrap_or(i64::MAX));
        Ok(match (f, &first) {
            (Func::Size, Val::List(l)) => len(l.len()),
            (Func::Size, Val::Str(s)) => len(s.chars().count()),
            (Func::PathLength, Val::Path(p)) => len(p.edges.len()),
            (Func::PathLength, Val::List(l)) => len(l.len()),
            (Func::Nodes, Val::Path(p)) => Val::List(p.nodes.iter().map(|n| Val::Node(p.graph, *n)).collect()),
            (Func::Edges, Val::Path(p)) => Val::List(p.edges.iter().map(|e| Val::Edge(p.graph, *e)).collect()),
            (Func::Elements, Val::Path(p)) => {
                let mut out = Vec::new();
                for (i, n) in p.nodes.iter().enumerate() {
                    out.push(Val::Node(p.graph, *n));
                    out.extend(p.edges.get(i).map(|e| Val::Edge(p.graph, *e)));
                }
                Val::List(out.into())
            }
            (Func::Labels, Val::Node(g, n)) => strings(labels(self.graph(*g), *n)?.iter().map(|s| &**s)),
            (Func::Type, Val::Edge(g, e)) => {
                let graph = self.graph(*g);
                Val::str(graph.schema().edge_type(graph.edge(*e)?.ty).name.as_str())
            }
            (Func::Id, Val::Node(g, n)) if self.is_open(*g) => Val::Str(self.graph(*g).key(*n)?.id),
            (Func::Id, Val::Edge(g, e)) if self.is_open(*g) => Val::Str(self.graph(*g).edge(*e)?.key),
            (Func::Id, Val::Node(g, n)) => Val::str(self.graph(*g).key(*n)?.to_string()),
            (Func::Id, Val::Edge(g, e)) => {
                let graph = self.graph(*g);
                let r = graph.edge(*e)?;
                let ty = &graph.schema().edge_type(r.ty).name;
                Val::str(format!("{} -{ty}[{}]-> {}", graph.key(r.from)?, r.key, graph.key(r.to)?))
            }
            (Func::Evidence, Val::Node(..) | Val::Edge(..) | Val::Path(_)) => self.evidence(&first)?,
            (Func::Keys, Val::Node(g, n)) => strings(node_properties(self.graph(*g), *n)?.iter().map(|(k, _)| &**k)),
            (Func::Keys, Val::Edge(g, e)) => strings(edge_properties(self.graph(*g), *e)?.iter().map(|(k, _)| &**k)),
            (Func::Properties, Val::Node(g, n)) => Val::Record(node_properties(self.graph(*g), *n)?.into()),
            (Func::Properties, Val::Edge(g, e)) => Val::Record(edge_properties(self.graph(*g), *e)?.into()),
            (Func::StartNode, Val::Edge(g, e)) => Val::Node(*g, self.graph(*g).edge(*e)?.from),
            (Func::EndNode, Val::Edge(g, e)) => Val::Node(*g, self.graph(*g).edge(*e)?.to),
            (Func::Head, Val::List(l)) => l.first().cloned().unwrap_or_default(),
            (Func::Last, Val::List(l)) => l.last().cloned().unwrap_or_default(),
            (Func::Tail, Val::List(l)) => Val::List(l.get(1..).unwrap_or(&[]).into()),
            (Func::IsEmpty, Val::List(l)) => Val::Bool(l.is_empty()),
            (Func::IsEmpty, Val::Str(s)) => Val::Bool(s.is_empty()),
            (Func::Flatten, Val::List(l)) => {
                let all = l.iter().map(|x| if let Val::List(i) = x { i.len() } else { 1 }).sum::<usize>();
                self.step(all as u64)?;
                self.room((all * size_of::<Val>()) as u64, span)?;
                let mut out = Vec::new();
                for x in l.iter() {
                    match x {
                        Val::List(i) => out.extend(i.iter().cloned()),
                        v => out.push(v.clone()),
                    }
                }
                self.list(out, span)?
            }
            (Func::Split, Val::Str(s)) => {
                let d = string(1).ok_or_else(wrong)?;
                let parts = if d.is_empty() { s.len() } else { s.matches(&*d).count() + 1 };
                // A text of its own each: the value, two counters, the bytes.
                self.room((parts * (size_of::<Val>() + 16) + s.len()) as u64, span)?;
                if d.is_empty() {
                    Val::List(s.chars().map(|c| Val::str(c.to_string())).collect())
                } else {
                    strings(s.split(&*d))
                }
            }
            (Func::Replace, Val::Str(s)) => {
                let (a, b) = (string(1).ok_or_else(wrong)?, string(2).ok_or_else(wrong)?);
                if !a.is_empty() {
                    self.room((s.len() + s.matches(&*a).count() * b.len()) as u64, span)?;
                }
                if a.is_empty() { first.clone() } else { Val::str(s.replace(&*a, &b)) }
            }
            (Func::Substring, Val::Str(s)) => {
                let from = int(1).ok_or_else(wrong)?;
                let n = if args.len() > 2 { int(2).ok_or_else(wrong)? } else { i64::MAX };
                let (Ok(from), Ok(n)) = (usize::try_from(from), usize::try_from(n)) else {
                    return Err(value_error(span, "substring takes numbers that aren't negative"));
                };
                Val::str(s.chars().skip(from).take(n).collect::<String>())
            }
            (Func::Left | Func::Right, Val::Str(s)) => {
                let n = int(1).and_then(|n| usize::try_from(n).ok());
                let n = n.ok_or_else(|| value_error(span, "left and right take a number that isn't negative"))?;
                let c = each_char(s);
                let skip = if f == Func::Left { 0 } else { c.len().saturating_sub(n) };
                Val::str(c.into_iter().skip(skip).take(n).collect::<String>())
            }
            (Func::Trim, Val::Str(s)) => Val::str(s.trim()),
            (Func::LTrim, Val::Str(s)) => Val::str(s.trim_start()),
            (Func::RTrim, Val::Str(s)) => Val::str(s.trim_end()),
            (Func::Upper, Val::Str(s)) => Val::str(s.to_uppercase()),
            (Func::Lower, Val::Str(s)) => Val::str(s.to_lowercase()),
            (Func::Reverse, Val::Str(s)) => Val::str(s.chars().rev().collect::<String>()),
            (Func::Reverse, Val::List(l)) => Val::List(l.iter().rev().cloned().collect()),
            (
                Func::ToString,
                Val::Str(_)
                | Val::Int(_)
                | Val::Float(_)
                | Val::Bool(_)
                | Val::Timestamp(_)
                | Val::Date(_)
                | Val::Duration { .. },
            ) => Val::str(text(&first)),
            (Func::ToInteger, Val::Str(_) | Val::Int(_) | Val::Float(_) | Val::Bool(_)) => {
                cast(first, Cast::Int, span)?
            }
            (Func::ToFloat, Val::Str(_) | Val::Int(_) | Val::Float(_)) => cast(first, Cast::Float, span)?,
            (Func::ToBoolean, Val::Str(_) | Val::Bool(_) | Val::Int(_)) => cast(first, Cast::Bool, span)?,
            (Func::Range, Val::Int(a)) => {
                let (b, step) = (int(1).ok_or_else(wrong)?, if args.len() > 2 { int(2).ok_or_else(wrong)? } else { 1 });
                if step == 0 {
                    return Err(value_error(span, "range takes a step other than 0"));
                }
                let numbers = if (step > 0) == (*a <= b) { b.abs_diff(*a) / step.unsigned_abs() } else { 0 };
                if (step > 0) != (*a <= b) && *a != b {
                    return Ok(Val::List([].into()));
                }
                if numbers >= 1_000_000 {
                    return Err(value_error(span, "range of more than 1,000,000 numbers"));
                }
                self.room((numbers + 1) * size_of::<Val>() as u64, span)?;
                self.step(numbers + 1)?;
                // Of a known length, so made in its place; none of its numbers lies beyond `b`.
                Val::List((0..=numbers).map(|i| Val::Int(a.wrapping_add(step.wrapping_mul(i.cast_signed())))).collect())
            }
            (Func::Abs, Val::Int(n)) => {
                Val::Int(n.checked_abs().ok_or_else(|| value_error(span, "the integer overflows"))?)
            }
            (Func::Abs, Val::Float(x)) => Val::Float(x.abs()),
            (Func::Sign, Val::Int(n)) => Val::Int(n.signum()),
            (Func::Sign, Val::Float(x)) => Val::Int(if *x > 0.0 {
                1
            } else if *x < 0.0 {
                -1
            } else {
                0
            }),
            (Func::Ceil | Func::Floor | Func::Round | Func::Sqrt, Val::Int(_) | Val::Float(_)) => {
                let Val::Float(x) = cast(first, Cast::Float, span)? else { return Ok(Val::Null) };
                Val::Float(match f {
                    Func::Ceil => x.ceil(),
                    Func::Floor => x.floor(),
                    Func::Round => (x + 0.5).floor(),
                    _ => x.sqrt(),
                })
            }
            (Func::Timestamp, Val::Str(_) | Val::Timestamp(_) | Val::Date(_)) => cast(first, Cast::Timestamp, span)?,
            (Func::Date, Val::Str(_) | Val::Timestamp(_) | Val::Date(_)) => cast(first, Cast::Date, span)?,
            (Func::Duration, Val::Duration { .. }) => first,
            (Func::Duration, Val::Str(s)) => {
                time::parse_duration(s).ok_or_else(|| value_error(span, format!("`{s}` isn't a duration")))?
            }
            (Func::DurationBetween, a) => match (a.moment(), args.get(1).and_then(Val::moment)) {
                (Some(a), Some(b)) => {
                    let micros = b.checked_sub(a).ok_or_else(|| value_error(span, "the duration overflows"))?;
                    Val::Duration { months: 0, micros }
                }
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        })
    }

    /// The weakest class and the source records of an element, or of a path's elements.
    fn evidence(&self, v: &Val) -> V {
        let mut weakest: Option<Evidence> = None;
        let mut records: Vec<(SourceRecord, String)> = Vec::new();
        let (g, nodes, edges) = match v {
            Val::Node(g, n) => (*g, vec![*n], Vec::new()),
            Val::Edge(g, e) => (*g, Vec::new(), vec![*e]),
            Val::Path(p) => (p.graph, p.nodes.clone(), p.edges.clone()),
            _ => return Ok(Val::Null),
        };
        let graph = self.graph(g);
        for n in nodes {
            self.step(1)?;
            records.extend(graph.node_records(n)?);
        }
        for e in edges {
            self.step(1)?;
            weakest = weakest.max(Some(graph.edge(e)?.evidence));
            records.extend(graph.edge_records(e)?);
        }
        records.sort();
        records.dedup();
        let text = |name: &str, s: &str| -> (Arc<str>, Val) { (name.into(), Val::str(s)) };
        let record = |(r, pointer): &(SourceRecord, String)| {
            Val::Record(
                [
                    text("sha256", &r.sha256),
                    text("file_sha256", &r.file_sha256),
                    text("connector", &r.connector),
                    text("operation", &r.operation),
                    text("params", &r.params),
                    text("account", &r.account),
                    text("region", &r.region),
                    text("fetched_at", &r.fetched_at),
                    text("pointer", pointer),
                ]
                .into(),
            )
        };
        // A node's own records are what an API said.
        let class = weakest.map_or(Evidence::Direct.name(), Evidence::name);
        let list = Val::List(records.iter().map(record).collect());
        Ok(Val::Record([("class".into(), Val::str(class)), ("records".into(), list)].into()))
    }
}
