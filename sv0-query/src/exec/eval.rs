//! Evaluation of expressions on a row.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use sv0_graph::{GraphView, Value};

use super::{Exec, Row, finished};
use crate::ast::{ArithOp, CmpOp, Quant, Span, TextOp};
use crate::bind::expr::compile_regex;
use crate::diag::{Code, QueryError};
use crate::plan::{CExpr, CLabel, Cast, Sub};
use crate::time;
use crate::val::Val;

pub(super) type V = Result<Val, QueryError>;

pub(super) fn value_error(span: Span, message: impl Into<String>) -> QueryError {
    QueryError::run(Code::Value, Some(span), message)
}

fn bool3(b: Option<bool>) -> Val {
    b.map_or(Val::Null, Val::Bool)
}

impl<G: GraphView> Exec<'_, G> {
    pub(crate) fn eval(&self, e: &CExpr, row: &mut Row) -> V {
        Ok(match e {
            CExpr::Const(v) => v.clone(),
            CExpr::Now(g) => Val::Timestamp(self.now.unwrap_or_else(|| self.graph(*g).time())),
            CExpr::Param(i) => self.params.get(*i).cloned().unwrap_or_default(),
            CExpr::Slot(s) => finished(&row[*s]),
            CExpr::Prop { base, name, node, edge } => {
                let v = self.eval(base, row)?;
                match v {
                    Val::Node(g, n) => self.node_field(g, n, name, *node)?,
                    Val::Edge(g, e) => match edge {
                        Some(p) => self.stored(g, self.graph(g).edge_prop(e, *p)?),
                        None => self.edge_field(g, e, name)?,
                    },
                    Val::Record(r) => r.iter().find(|(n, _)| n == name).map_or(Val::Null, |(_, v)| v.clone()),
                    Val::Timestamp(_) | Val::Date(_) => {
                        let part = v.moment().and_then(|t| time::part(t, &name.to_lowercase()));
                        part.map_or(Val::Null, Val::Int)
                    }
                    Val::Duration { months, micros } => match &*name.to_lowercase() {
                        "months" => Val::Int(months),
                        "days" => Val::Int(micros / 86_400_000_000),
                        "hours" => Val::Int(micros / 3_600_000_000),
                        "seconds" => Val::Int(micros / 1_000_000),
                        _ => Val::Null,
                    },
                    _ => Val::Null,
                }
            }
            CExpr::Index(a, i, span) => {
                let (a, i) = (self.eval(a, row)?, self.eval(i, row)?);
                match (&a, &i) {
                    (a, i) if a.is_null() || i.is_null() => Val::Null,
                    (Val::List(l), Val::Int(n)) => at(l.len(), *n).map_or(Val::Null, |i| l[i].clone()),
                    (Val::List(_), i) => {
                        return Err(value_error(*span, format!("a list is indexed by an int, not a {}", i.kind())));
                    }
                    (Val::Node(g, n), Val::Str(s)) => {
                        self.node_field(*g, *n, s, self.graph(*g).schema().node_prop(s))?
                    }
                    (Val::Edge(g, e), Val::Str(s)) => match self.graph(*g).schema().edge_prop(s) {
                        Some(p) => self.stored(*g, self.graph(*g).edge_prop(*e, p)?),
                        None => self.edge_field(*g, *e, s)?,
                    },
                    (a, _) => return Err(value_error(*span, format!("a {} can't be indexed", a.kind()))),
                }
            }
            CExpr::Slice(a, f, t) => {
                let a = self.eval(a, row)?;
                let bound = |e: &Option<Box<CExpr>>, row: &mut Row| e.as_ref().map(|e| self.eval(e, row)).transpose();
                let (f, t) = (bound(f, row)?, bound(t, row)?);
                self.reads(&a)?;
                let Val::List(l) = a else { return Ok(Val::Null) };
                let len = i64::try_from(l.len()).unwrap_or(i64::MAX);
                let edge = |v: Option<Val>, default: i64| match v {
                    None => Some(default),
                    Some(Val::Int(n)) => Some(if n < 0 { (len + n).max(0) } else { n.min(len) }),
                    Some(_) => None,
                };
                let (Some(f), Some(t)) = (edge(f, 0), edge(t, len)) else { return Ok(Val::Null) };
                let (f, t) = (usize::try_from(f).unwrap_or(0), usize::try_from(t).unwrap_or(0));
                Val::List(l.get(f..t.max(f)).unwrap_or(&[]).into())
            }
            CExpr::List(items) => {
                self.step(items.len() as u64)?;
                Val::List(items.iter().map(|i| self.eval(i, row)).collect::<Result<Vec<_>, _>>()?.into())
            }
            CExpr::Cmp(op, a, b) => {
                let (a, b) = (self.eval(a, row)?, self.eval(b, row)?);
                self.reads(&a)?;
                bool3(self.compare(*op, &a, &b)?)
            }
            CExpr::Arith(op, a, b, span) => {
                let (a, b) = (self.eval(a, row)?, self.eval(b, row)?);
                // What is put together is as long as both.
                match (&a, &b) {
                    (Val::Str(a), Val::Str(b)) => self.room((a.len() + b.len()) as u64, *span)?,
                    (Val::List(a), Val::List(b)) => {
                        self.step((a.len() + b.len()) as u64)?;
                        self.room(((a.len() + b.len()) * size_of::<Val>()) as u64, *span)?;
                    }
                    (Val::List(l), _) | (_, Val::List(l)) => {
                        self.step(l.len() as u64)?;
                        self.room((l.len() * size_of::<Val>()) as u64, *span)?;
                    }
                    _ => {}
                }
                arithmetic(*op, a, b, *span)?
            }
            CExpr::Neg(a, span) => match self.eval(a, row)? {
                Val::Null => Val::Null,
                Val::Int(n) => Val::Int(n.checked_neg().ok_or_else(|| value_error(*span, "the integer overflows"))?),
                Val::Float(f) => Val::Float(-f),
                Val::Duration { months, micros } => match (months.checked_neg(), micros.checked_neg()) {
                    (Some(months), Some(micros)) => Val::Duration { months, micros },
                    _ => return Err(value_error(*span, "the duration overflows")),
                },
                v => return Err(value_error(*span, format!("a {} has no negative", v.kind()))),
            },
            CExpr::And(a, b) => match self.eval(a, row)?.truth() {
                Some(false) => Val::Bool(false),
                x => match (x, self.eval(b, row)?.truth()) {
                    (_, Some(false)) => Val::Bool(false),
                    (Some(true), Some(true)) => Val::Bool(true),
                    _ => Val::Null,
                },
            },
            CExpr::Or(a, b) => match self.eval(a, row)?.truth() {
                Some(true) => Val::Bool(true),
                x => match (x, self.eval(b, row)?.truth()) {
                    (_, Some(true)) => Val::Bool(true),
                    (Some(false), Some(false)) => Val::Bool(false),
                    _ => Val::Null,
                },
            },
            CExpr::Xor(a, b) => match (self.eval(a, row)?.truth(), self.eval(b, row)?.truth()) {
                (Some(a), Some(b)) => Val::Bool(a != b),
                _ => Val::Null,
            },
            CExpr::Not(a) => bool3(self.eval(a, row)?.truth().map(|b| !b)),
            CExpr::IsNull(a, negated) => Val::Bool(self.eval(a, row)?.is_null() != *negated),
            CExpr::IsTruth(a, v, negated) => Val::Bool((self.eval(a, row)?.truth() == *v) != *negated),
            CExpr::HasLabel(a, l) => match self.eval(a, row)? {
                Val::Node(g, n) => Val::Bool(self.node_has(l, g, n)?),
                Val::Edge(g, e) => {
                    let ty = self.graph(g).edge(e)?.ty;
                    Val::Bool(edge_has(l, ty, &|| self.graph(g).edge_change(e)))
                }
                _ => Val::Null,
            },
            CExpr::IsEnd { node, edge, source, negated } => match (self.eval(node, row)?, self.eval(edge, row)?) {
                (Val::Node(g, n), Val::Edge(h, e)) => {
                    let r = self.graph(h).edge(e)?;
                    let end = if *source { r.from } else { r.to };
                    Val::Bool((self.same_node(g, n, h)? == Some(end)) != *negated)
                }
                _ => Val::Null,
            },
            CExpr::In(a, l) if matches!(**l, CExpr::Const(_) | CExpr::Param(_)) => {
                let a = self.eval(a, row)?;
                match self.member(&a, l) {
                    Some(found) => found,
                    None => {
                        let l = self.eval(l, row)?;
                        self.is_in(&a, &l)?
                    }
                }
            }
            CExpr::In(a, l) => {
                let (a, l) = (self.eval(a, row)?, self.eval(l, row)?);
                self.is_in(&a, &l)?
            }
            CExpr::Text(op, a, b) => match (self.read(a, row)?, self.eval(b, row)?) {
                (Val::Str(a), Val::Str(b)) => Val::Bool(match op {
                    TextOp::StartsWith => a.starts_with(&*b),
                    TextOp::EndsWith => a.ends_with(&*b),
                    _ => a.contains(&*b),
                }),
                // A list contains a value: lists of texts such as actions are asked this way too.
                (Val::List(l), b @ Val::Str(_)) if *op == TextOp::Contains => Val::Bool(l.contains(&b)),
                _ => Val::Null,
            },
            CExpr::Regex(a, r) => match self.read(a, row)? {
                Val::Str(s) => Val::Bool(r.is_match(&s)),
                _ => Val::Null,
            },
            CExpr::DynRegex(a, b, span) => match (self.read(a, row)?, self.eval(b, row)?) {
                (Val::Str(s), Val::Str(p)) => {
                    let cached = self.regexes.borrow().get(&p).cloned();
                    let r = match cached {
                        Some(r) => r,
                        None => {
                            let r = compile_regex(&p).map_err(|m| QueryError::run(Code::Regex, Some(*span), m))?;
                            let r = Some(Arc::new(r));
                            // One may hold a megabyte.
                            let mut all = self.regexes.borrow_mut();
                            self.step(1024)?;
                            if all.len() < 8 {
                                all.insert(p.clone(), r.clone());
                            }
                            r
                        }
                    };
                    bool3(r.map(|r| r.is_match(&s)))
                }
                _ => Val::Null,
            },
            CExpr::Call(f, args, span) => {
                let args = args.iter().map(|a| self.eval(a, row)).collect::<Result<Vec<_>, _>>()?;
                args.iter().try_for_each(|a| self.reads(a))?;
                self.call(*f, &args, *span)?
            }
            CExpr::Cast(a, c, span) => {
                let v = self.eval(a, row)?;
                cast(v, *c, *span)?
            }
            CExpr::Case { subject, arms, otherwise } => {
                let subject = subject.as_ref().map(|s| self.eval(s, row)).transpose()?;
                for (when, then) in arms {
                    let w = self.eval(when, row)?;
                    let hit = match &subject {
                        Some(s) => self.equal(s, &w)? == Some(true),
                        None => w.truth() == Some(true),
                    };
                    if hit {
                        return self.eval(then, row);
                    }
                }
                match otherwise {
                    Some(o) => self.eval(o, row)?,
                    None => Val::Null,
                }
            }
            CExpr::ListPred { quant, slot, list, pred } => match self.eval(list, row)? {
                Val::List(l) => {
                    let (mut yes, mut unknown) = (0u64, 0u64);
                    for x in l.iter() {
                        self.step(1)?;
                        row[*slot] = x.clone();
                        match self.eval(pred, row)?.truth() {
                            Some(true) => yes += 1,
                            None => unknown += 1,
                            Some(false) => {}
                        }
                    }
                    row[*slot] = Val::Unset;
                    let len = l.len() as u64;
                    bool3(match quant {
                        Quant::Any if yes > 0 => Some(true),
                        Quant::None if yes > 0 => Some(false),
                        Quant::All if yes + unknown < len => Some(false),
                        Quant::Single if yes > 1 => Some(false),
                        _ if unknown > 0 => None,
                        Quant::Any => Some(false),
                        Quant::None | Quant::All => Some(true),
                        Quant::Single => Some(yes == 1),
                    })
                }
                _ => Val::Null,
            },
            CExpr::ListComp { slot, list, filter, map } => match self.eval(list, row)? {
                Val::List(l) => {
                    let (mut out, mut bytes) = (Vec::new(), 0);
                    for x in l.iter() {
                        self.step(1)?;
                        row[*slot] = x.clone();
                        let keep = match filter {
                            Some(f) => self.eval(f, row)?.truth() == Some(true),
                            None => true,
                        };
                        if keep {
                            let made = match map {
                                Some(m) => self.eval(m, row)?,
                                None => x.clone(),
                            };
                            // Its place twice: while the list grows, and while it's copied at its end.
                            let weight = made.weight() + size_of::<Val>() as u64;
                            self.charge(weight)?;
                            bytes += weight;
                            out.push(made);
                        }
                    }
                    self.release(bytes);
                    row[*slot] = Val::Unset;
                    Val::List(out.into())
                }
                _ => Val::Null,
            },
            CExpr::Exists(s) => Val::Bool(self.counted(s, Some(1), row)? > 0),
            CExpr::Count(s) => Val::Int(self.counted(s, None, row)?),
            CExpr::CountAtLeast(s, least) => Val::Bool(self.counted(s, Some((*least).max(0)), row)? >= *least),
            CExpr::Value(s) => {
                let mut v = Val::Null;
                self.subquery(s, row, &mut |r, out| {
                    v = out.first().map_or(Val::Null, |s| finished(&r[*s]));
                    true
                })?;
                v
            }
        })
    }

    /// A value that is read through.
    fn read(&self, e: &CExpr, row: &mut Row) -> V {
        let v = self.eval(e, row)?;
        self.reads(&v)?;
        Ok(v)
    }

    /// Whether a list holds a value, read through.
    fn is_in(&self, a: &Val, l: &Val) -> V {
        let Val::List(l) = l else { return Ok(Val::Null) };
        self.step(l.len() as u64)?;
        let mut unknown = false;
        for x in l.iter() {
            match self.equal(a, x)? {
                Some(true) => return Ok(Val::Bool(true)),
                None => unknown = true,
                Some(false) => {}
            }
        }
        Ok(if unknown { Val::Null } else { Val::Bool(false) })
    }

    /// The same of a list that stays the same for the whole run, by a set that is made once; `None` where the values are
    /// none that a set tells apart as `=` does.
    fn member(&self, a: &Val, l: &CExpr) -> Option<Val> {
        let plain = |v: &Val| matches!(v, Val::Str(_) | Val::Int(_) | Val::Bool(_));
        if !plain(a) {
            return None;
        }
        let place = std::ptr::from_ref(l).addr();
        let mut sets = self.members.borrow_mut();
        let set = sets.entry(place).or_insert_with(|| {
            let list = match l {
                CExpr::Const(v) => v,
                CExpr::Param(i) => self.params.get(*i)?,
                _ => return None,
            };
            let Val::List(list) = list else { return None };
            if list.len() < 8 || !list.iter().all(|v| plain(v) || v.is_null()) {
                return None;
            }
            let key = |v: &Val| {
                let mut k = Vec::new();
                v.group_key(&mut k);
                k
            };
            let set = list.iter().filter(|v| !v.is_null()).map(key).collect();
            Some((set, list.iter().any(Val::is_null)))
        });
        let (set, unknown): &(HashSet<Vec<u8>>, bool) = set.as_ref()?;
        let mut key = Vec::new();
        a.group_key(&mut key);
        Some(match (set.contains(&key), unknown) {
            (true, _) => Val::Bool(true),
            (false, true) => Val::Null,
            (false, false) => Val::Bool(false),
        })
    }

    /// Runs a subquery; `f` answers whether it has seen enough.
    pub(super) fn subquery(
        &self,
        s: &Sub,
        row: &mut Row,
        f: &mut dyn FnMut(&Row, &[usize]) -> bool,
    ) -> Result<(), QueryError> {
        // What it sets nobody else reads.
        self.ops(&s.linear.ops, row, &mut |r| {
            Ok(if f(r, &s.linear.output) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .map(|_| ())
    }

    fn node_field(&self, g: u8, n: u32, name: &str, prop: Option<sv0_graph::PropId>) -> V {
        let graph = self.graph(g);
        if let Some(p) = prop {
            return Ok(self.stored(g, graph.node_prop(n, p)?));
        }
        Ok(match name {
            // In a graph that was written down every name is a property's.
            _ if self.open[usize::from(g)] => Val::Null,
            "id" => Val::Str(graph.key(n)?.id),
            "source" => Val::Str(graph.key(n)?.source),
            "type" => graph.node_type(n).map_or(Val::Null, |t| Val::str(t.name())),
            _ => Val::Null,
        })
    }

    fn edge_field(&self, g: u8, e: sv0_graph::EdgeId, name: &str) -> V {
        let graph = self.graph(g);
        if self.open[usize::from(g)] {
            return Ok(Val::Null);
        }
        let r = graph.edge(e)?;
        let ty = graph.schema().edge_type(r.ty);
        Ok(match name {
            "type" => Val::str(ty.name.as_str()),
            "class" => Val::str(ty.class.name()),
            "key" => Val::Str(r.key),
            "evidence" => Val::str(r.evidence.name()),
            "state" => Val::str(r.state.name()),
            "condition" => r.condition.map_or(Val::Null, Val::Str),
            _ => Val::Null,
        })
    }

    /// Whether a node carries the labels.
    pub(super) fn node_has(&self, l: &CLabel, g: u8, n: u32) -> Result<bool, QueryError> {
        let graph = self.graph(g);
        Ok(match l {
            // Every node has a type but those of an open schema.
            CLabel::Any => {
                !self.open[usize::from(g)] || !graph.prop(n, graph.schema().labels_column())?.as_list().is_empty()
            }
            CLabel::Type(t) => graph.node_type(n) == Some(*t),
            CLabel::Kind(k) => matches!(graph.prop(n, "kind")?, Value::Str(s) if s == *k),
            CLabel::Tag(t) => graph.prop(n, graph.schema().labels_column())?.as_list().contains(t),
            CLabel::Change(c) => graph.node_change(n) == Some(*c),
            CLabel::Nothing | CLabel::EdgeTypes(_) => false,
            CLabel::Not(a) => !self.node_has(a, g, n)?,
            CLabel::And(a, b) => self.node_has(a, g, n)? && self.node_has(b, g, n)?,
            CLabel::Or(a, b) => self.node_has(a, g, n)? || self.node_has(b, g, n)?,
        })
    }

    /// `a = b`; nodes of different graphs are equal where their keys are.
    pub(super) fn equal(&self, a: &Val, b: &Val) -> Result<Option<bool>, QueryError> {
        if let (Val::Node(g, n), Val::Node(h, m)) = (a, b)
            && g != h
        {
            return Ok(Some(self.same_node(*g, *n, *h)? == Some(*m)));
        }
        Ok(a.equals(b))
    }

    fn compare(&self, op: CmpOp, a: &Val, b: &Val) -> Result<Option<bool>, QueryError> {
        Ok(match op {
            CmpOp::Eq => self.equal(a, b)?,
            CmpOp::Ne => self.equal(a, b)?.map(|x| !x),
            _ => {
                // NaN compares false with every number.
                let number = |v: &Val| matches!(v, Val::Int(_) | Val::Float(_));
                match a.compare(b) {
                    None if number(a) && number(b) => Some(false),
                    None => None,
                    Some(o) => Some(match op {
                        CmpOp::Lt => o == Ordering::Less,
                        CmpOp::Le => o != Ordering::Greater,
                        CmpOp::Gt => o == Ordering::Greater,
                        _ => o != Ordering::Less,
                    }),
                }
            }
        })
    }
}

pub(super) fn edge_has(l: &CLabel, ty: sv0_graph::EdgeTypeId, change: &dyn Fn() -> Option<sv0_graph::Change>) -> bool {
    match l {
        CLabel::Any => true,
        CLabel::EdgeTypes(ts) => ts.contains(&ty),
        CLabel::Change(c) => change() == Some(*c),
        CLabel::Not(a) => !edge_has(a, ty, change),
        CLabel::And(a, b) => edge_has(a, ty, change) && edge_has(b, ty, change),
        CLabel::Or(a, b) => edge_has(a, ty, change) || edge_has(b, ty, change),
        _ => false,
    }
}

/// A list index; negative counts from the end.
pub(super) fn at(len: usize, n: i64) -> Option<usize> {
    let len_i = i64::try_from(len).ok()?;
    let i = if n < 0 { n.checked_add(len_i)? } else { n };
    usize::try_from(i).ok().filter(|i| *i < len)
}

#[expect(clippy::cast_precision_loss, reason = "mixed arithmetic is float arithmetic")]
fn arithmetic(op: ArithOp, a: Val, b: Val, span: Span) -> V {
    use Val::{Date, Duration, Float, Int, List, Null, Str, Timestamp};
    let overflow = || value_error(span, "the integer overflows");
    if a.is_null() || b.is_null() {
        return Ok(Null);
    }
    Ok(match (op, a, b) {
        (ArithOp::Add, Int(a), Int(b)) => Int(a.checked_add(b).ok_or_else(overflow)?),
        (ArithOp::Sub, Int(a), Int(b)) => Int(a.checked_sub(b).ok_or_else(overflow)?),
        (ArithOp::Mul, Int(a), Int(b)) => Int(a.checked_mul(b).ok_or_else(overflow)?),
        (ArithOp::Div | ArithOp::Mod, Int(_), Int(0)) => return Err(value_error(span, "division by zero")),
        (ArithOp::Div, Int(a), Int(b)) => Int(a.checked_div(b).ok_or_else(overflow)?),
        (ArithOp::Mod, Int(a), Int(b)) => Int(a.checked_rem(b).ok_or_else(overflow)?),
        (op, Float(a), Float(b)) if op != ArithOp::Concat => Float(float(op, a, b)),
        (op, Int(a), Float(b)) if op != ArithOp::Concat => Float(float(op, a as f64, b)),
        (op, Float(a), Int(b)) if op != ArithOp::Concat => Float(float(op, a, b as f64)),
        (ArithOp::Add | ArithOp::Concat, Str(a), Str(b)) => Val::str(format!("{a}{b}")),
        (ArithOp::Add, Str(a), b @ (Int(_) | Float(_) | Val::Bool(_))) => Val::str(format!("{a}{}", text(&b))),
        (ArithOp::Add, a @ (Int(_) | Float(_) | Val::Bool(_)), Str(b)) => Val::str(format!("{}{b}", text(&a))),
        (ArithOp::Add | ArithOp::Concat, List(a), List(b)) => List(a.iter().chain(b.iter()).cloned().collect()),
        (ArithOp::Add, List(a), b) => List(a.iter().cloned().chain([b]).collect()),
        (ArithOp::Add, a, List(b)) => List([a].into_iter().chain(b.iter().cloned()).collect()),
        (ArithOp::Add, Timestamp(t), Duration { months, micros })
        | (ArithOp::Add, Duration { months, micros }, Timestamp(t)) => Timestamp(
            time::shift(t, months, micros, 1).ok_or_else(|| value_error(span, "the timestamp is out of range"))?,
        ),
        (ArithOp::Sub, Timestamp(t), Duration { months, micros }) => Timestamp(
            time::shift(t, months, micros, -1).ok_or_else(|| value_error(span, "the timestamp is out of range"))?,
        ),
        (ArithOp::Add, Date(d), Duration { months, micros }) | (ArithOp::Add, Duration { months, micros }, Date(d)) => {
            day(time::shift(i64::from(d) * time::DAY, months, micros, 1), micros, span)?
        }
        (ArithOp::Sub, Date(d), Duration { months, micros }) => {
            day(time::shift(i64::from(d) * time::DAY, months, micros, -1), micros, span)?
        }
        (ArithOp::Sub, a @ (Timestamp(_) | Date(_)), b @ (Timestamp(_) | Date(_))) => {
            let micros = a.moment().zip(b.moment()).and_then(|(a, b)| a.checked_sub(b));
            Duration { months: 0, micros: micros.ok_or_else(overflow)? }
        }
        (ArithOp::Add, Duration { months: a, micros: b }, Duration { months: c, micros: d }) => {
            Duration { months: a.checked_add(c).ok_or_else(overflow)?, micros: b.checked_add(d).ok_or_else(overflow)? }
        }
        (ArithOp::Sub, Duration { months: a, micros: b }, Duration { months: c, micros: d }) => {
            Duration { months: a.checked_sub(c).ok_or_else(overflow)?, micros: b.checked_sub(d).ok_or_else(overflow)? }
        }
        (ArithOp::Mul, Duration { months, micros }, Int(n)) | (ArithOp::Mul, Int(n), Duration { months, micros }) => {
            Duration {
                months: months.checked_mul(n).ok_or_else(overflow)?,
                micros: micros.checked_mul(n).ok_or_else(overflow)?,
            }
        }
        (op, a, b) => {
            let sign = match op {
                ArithOp::Add => "+",
                ArithOp::Sub => "-",
                ArithOp::Mul => "*",
                ArithOp::Div => "/",
                ArithOp::Mod => "%",
                ArithOp::Concat => "||",
            };
            return Err(value_error(span, format!("`{sign}` doesn't take a {} and a {}", a.kind(), b.kind())));
        }
    })
}

/// A date that was moved: a date where it was moved by whole days, else a timestamp.
fn day(moved: Option<i64>, micros: i64, span: Span) -> V {
    let moved = moved.ok_or_else(|| value_error(span, "the date is out of range"))?;
    if micros % time::DAY != 0 {
        return Ok(Val::Timestamp(moved));
    }
    time::date_of(moved).map(Val::Date).ok_or_else(|| value_error(span, "the date is out of range"))
}

fn float(op: ArithOp, a: f64, b: f64) -> f64 {
    match op {
        ArithOp::Add => a + b,
        ArithOp::Sub => a - b,
        ArithOp::Mul => a * b,
        ArithOp::Div => a / b,
        _ => a % b,
    }
}

/// A value as text, as `toString` gives it.
pub(super) fn text(v: &Val) -> String {
    match v {
        Val::Str(s) => s.to_string(),
        Val::Int(n) => n.to_string(),
        Val::Float(f) if f.fract() == 0.0 && f.abs() < 1e15 => format!("{f:.1}"),
        Val::Float(f) => f.to_string(),
        Val::Bool(b) => b.to_string(),
        Val::Timestamp(t) => time::format_timestamp(*t),
        Val::Date(d) => time::format_date(*d),
        Val::Duration { months, micros } => time::format_duration(*months, *micros),
        _ => String::new(),
    }
}

pub(super) fn cast(v: Val, c: Cast, span: Span) -> V {
    if v.is_null() {
        return Ok(Val::Null);
    }
    let bad = |v: &Val| value_error(span, format!("a {} can't be cast so", v.kind()));
    Ok(match (c, &v) {
        (_, Val::Node(..) | Val::Edge(..) | Val::Path(_) | Val::List(_) | Val::Record(_)) => return Err(bad(&v)),
        (Cast::Str, _) => Val::str(text(&v)),
        (Cast::Int, Val::Int(_)) | (Cast::Float, Val::Float(_)) | (Cast::Bool, Val::Bool(_)) => v,
        (Cast::Timestamp, Val::Timestamp(_)) | (Cast::Date, Val::Date(_)) => v,
        (Cast::Timestamp, Val::Date(_)) => v.moment().map_or(Val::Null, Val::Timestamp),
        (Cast::Date, Val::Timestamp(t)) => time::date_of(*t).map_or(Val::Null, Val::Date),
        (Cast::Date, Val::Str(s)) => match time::parse_date(s) {
            Some(d) => Val::Date(d),
            None => return Err(value_error(span, format!("`{s}` isn't a date"))),
        },
        (Cast::Int, Val::Float(f)) => truncate(*f),
        (Cast::Int, Val::Bool(b)) => Val::Int(i64::from(*b)),
        (Cast::Int, Val::Str(s)) => match s.trim().parse::<i64>() {
            Ok(n) => Val::Int(n),
            Err(_) => s.trim().parse::<f64>().map_or(Val::Null, truncate),
        },
        #[expect(clippy::cast_precision_loss, reason = "a cast to float says so")]
        (Cast::Float, Val::Int(n)) => Val::Float(*n as f64),
        (Cast::Float, Val::Str(s)) => s.trim().parse::<f64>().map_or(Val::Null, Val::Float),
        (Cast::Bool, Val::Str(s)) => match s.trim().to_lowercase().as_str() {
            "true" => Val::Bool(true),
            "false" => Val::Bool(false),
            _ => Val::Null,
        },
        (Cast::Bool, Val::Int(n)) => Val::Bool(*n != 0),
        (Cast::Timestamp, Val::Str(s)) => match time::parse_timestamp(s) {
            Some(t) => Val::Timestamp(t),
            None => return Err(value_error(span, format!("`{s}` isn't a timestamp"))),
        },
        _ => return Err(bad(&v)),
    })
}

fn truncate(f: f64) -> Val {
    #[expect(clippy::cast_possible_truncation, reason = "checked against the range first")]
    if f.is_finite() && f.abs() < 9.2e18 { Val::Int(f.trunc() as i64) } else { Val::Null }
}
