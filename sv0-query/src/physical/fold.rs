//! Groupings over the ends of a chain: where what they take of the ends can be summed up by start, no row is made for each.

use std::collections::BTreeSet;

use crate::ast::CmpOp;
use crate::plan::{AggKind, CExpr, EndArg, Grouping, Linear, MatchOp, Op, OverEnds, PairTest, Project, Slot, Whole};
use crate::rewrite::slots;

/// Notes it at the first projection that gathers, if all before it is a chain and projections that rename its ends.
pub(super) fn over_ends(l: &mut Linear) {
    let Some(at) = l.ops.iter().position(|o| matches!(o, Op::Project(p) if p.gathers())) else { return };
    let whole = match l.ops.split_at(at) {
        (before, [Op::Project(Project { grouping: Some(g), .. }), ..]) => {
            find(before, g).map(Whole::Ends).or_else(|| by_texts(before, g).map(Whole::Texts))
        }
        _ => None,
    };
    if let Some(Op::Project(Project { grouping: Some(g), .. })) = l.ops.get_mut(at) {
        g.whole = whole.map(Box::new);
    }
}

/// The variable of the one node pattern before, if its nodes are only counted, by properties of theirs.
fn by_texts(before: &[Op], g: &Grouping) -> Option<Slot> {
    let [Op::Match(m)] = before else { return None };
    let [p] = m.patterns.as_slice() else { return None };
    let slot = p.elems[p.lone?].slot.filter(|s| p.binds.contains(s))?;
    let own = |e: &CExpr| matches!(e, CExpr::Slot(s) if *s == slot);
    let property = |e: &CExpr| matches!(e, CExpr::Prop { base, node: Some(_), .. } if own(base));
    let counts = g.aggregates.iter().all(|a| a.kind == AggKind::Count && !a.distinct && a.arg.as_ref().is_none_or(own));
    let plain = !m.optional && m.filter.is_empty() && !g.keys.is_empty();
    (plain && counts && g.keys.iter().all(|(_, e)| property(e))).then_some(slot)
}

fn find(before: &[Op], g: &Grouping) -> Option<OverEnds> {
    let (Op::Match(m), renaming) = before.split_first()? else { return None };
    let [p] = m.patterns.as_slice() else { return None };
    let chain = p.chain.as_ref().filter(|c| !c.back && c.stable.iter().all(|s| *s))?;
    let slot = |station: Option<&Option<usize>>| station.copied().flatten().and_then(|i| p.elems[i].slot);
    let (start, end) = (slot(chain.stations.first()), slot(chain.stations.last())?);
    if m.optional || p.path_slot.is_some() || start == Some(end) || !p.binds.contains(&end) {
        return None;
    }
    let mut out = OverEnds {
        start,
        end,
        aliases: vec![end],
        firsts: Vec::new(),
        pairs: Vec::new(),
        apart: false,
        args: Vec::new(),
    };
    filters(m, start, &mut out)?;
    for op in renaming {
        let Op::Project(r) = op else { return None };
        if r.distinct || r.gathers() || r.skip.is_some() || r.limit.is_some() || r.filter.is_some() {
            return None;
        }
        for (slot, e) in &r.items {
            match e {
                CExpr::Slot(s) if out.aliases.contains(s) => out.aliases.push(*slot),
                e if reads(e, &out.aliases) || slots::has_subquery(e) => return None,
                _ => {}
            }
        }
    }
    if g.keys.iter().any(|(_, e)| reads(e, &out.aliases) || slots::has_subquery(e)) {
        return None;
    }
    for a in &g.aggregates {
        out.args.push(match &a.arg {
            None => EndArg::Number,
            Some(e) if slots::has_subquery(e) => return None,
            // Of what is the same for all only the number counts, or that there is one.
            Some(e) if !reads(e, &out.aliases) => match a.kind {
                AggKind::Count | AggKind::Min | AggKind::Max => EndArg::Start,
                _ if a.distinct => EndArg::Start,
                _ => return None,
            },
            Some(_) if a.distinct || a.kind == AggKind::Collect => return None,
            Some(CExpr::Slot(_)) if a.kind == AggKind::Count => EndArg::Number,
            Some(e @ CExpr::Prop { base, .. }) if matches!(&**base, CExpr::Slot(_)) => {
                let mut e = e.clone();
                rename(&mut e, &out.aliases, end);
                EndArg::Prop(e)
            }
            Some(_) => return None,
        });
    }
    Some(out)
}

fn filters(m: &MatchOp, start: Option<Slot>, out: &mut OverEnds) -> Option<()> {
    let is = |e: &CExpr, s: Option<Slot>| matches!(e, CExpr::Slot(c) if Some(*c) == s);
    for (i, f) in m.filter.iter().enumerate() {
        if slots::has_subquery(f) {
            return None;
        }
        if !reads(f, &[out.end]) {
            out.firsts.push(i);
            continue;
        }
        if let CExpr::Cmp(CmpOp::Ne, a, b) = f
            && (is(a, start) && is(b, Some(out.end)) || is(b, start) && is(a, Some(out.end)))
        {
            out.apart = true;
            continue;
        }
        let (mut of_start, mut of_end, mut others) = (Vec::new(), Vec::new(), false);
        properties(f, &mut |e| match e {
            CExpr::Prop { base, .. } if is(base, start) => of_start.push(e.clone()),
            CExpr::Prop { base, .. } if is(base, Some(out.end)) => of_end.push(e.clone()),
            _ => others = true,
        });
        if others {
            return None;
        }
        out.pairs.push(PairTest { filter: i, of_start, of_end });
    }
    Some(())
}

/// The properties of variables in an expression, and the variables that stand for themselves.
fn properties<'e>(e: &'e CExpr, f: &mut dyn FnMut(&'e CExpr)) {
    match e {
        CExpr::Slot(_) => f(e),
        CExpr::Prop { base, .. } if matches!(**base, CExpr::Slot(_)) => f(e),
        // Variables of their own.
        CExpr::ListPred { .. } | CExpr::ListComp { .. } => f(e),
        e => e.children().into_iter().for_each(|c| properties(c, f)),
    }
}

fn reads(e: &CExpr, of: &[Slot]) -> bool {
    let mut all = BTreeSet::new();
    slots::of_expr(e, &mut all);
    of.iter().any(|s| all.contains(s))
}

fn rename(e: &mut CExpr, aliases: &[Slot], to: Slot) {
    if let CExpr::Slot(s) = e
        && aliases.contains(s)
    {
        *s = to;
    }
    e.children_mut().into_iter().for_each(|c| rename(c, aliases, to));
}
