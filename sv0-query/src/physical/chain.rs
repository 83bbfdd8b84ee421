//! Patterns of which only the ends matter as chains of hops, each answered for a whole set of nodes at once.

use std::collections::BTreeSet;

use sv0_graph::{Direction, EdgeTypeId};

use crate::plan::{Chain, ChainHop, Elem, Pattern, Slot, Tree};
use crate::rewrite::slots;

/// The chain of a pattern; `None` where a condition needs more than the nodes that are reached, or a walk that fits might be
/// no trail.
pub(super) fn chain(p: &Pattern) -> Option<Chain> {
    if !p.ends_only || p.looks_back || p.legacy || p.alternatives || !p.post.is_empty() || p.binds.len() > 64 {
        return None;
    }
    let whole = std::slice::from_ref(&p.tree);
    let parts = if let Tree::Seq(ts) = &p.tree { ts.as_slice() } else { whole };
    let (mut stations, mut hops) = (vec![None], Vec::new());
    for t in parts {
        match t {
            Tree::Node(i) => {
                let last = stations.last_mut()?;
                if last.is_some() {
                    return None;
                }
                *last = Some(*i);
            }
            t => {
                hops.push(hop(t, p)?);
                stations.push(None);
            }
        }
    }
    // What an earlier clause bound is looked up at an end, and nowhere between.
    let inner = stations.get(1..stations.len().saturating_sub(1)).unwrap_or(&[]);
    let fresh = |i: &usize| p.elems[*i].slot.is_none_or(|s| p.binds.contains(&s));
    if hops.is_empty() || !inner.iter().flatten().all(fresh) || !trails(p, &stations, &hops) {
        return None;
    }
    let returning = hops.iter().any(|h| returns(h, p));
    // A start of another type is never its own end.
    let back = returning && !apart(p, stations.first().copied().flatten(), stations.last().copied().flatten());
    if returning && hops.len() > 1 || back && p.tally {
        return None;
    }
    let stable = stations.iter().map(|s| s.is_none_or(|i| stable(&p.elems[i], p))).collect();
    Some(Chain { stations, hops, stable, back })
}

/// The one quantified edge of a pattern that asks for shortest paths between two nodes, of any way.
pub(super) fn only_hop(p: &Pattern) -> Option<ChainHop> {
    use crate::ast::Selector as S;
    let shortest = matches!(p.selector, Some(S::Shortest(1) | S::Any(1) | S::AllShortest));
    if !shortest || p.looks_back || p.legacy || p.alternatives || !p.post.is_empty() {
        return None;
    }
    let Tree::Seq(ts) = &p.tree else { return None };
    let [Tree::Node(_), edge, Tree::Node(_)] = ts.as_slice() else { return None };
    hop(edge, p)
}

fn hop(t: &Tree, p: &Pattern) -> Option<ChainHop> {
    let (elem, min, max, reset): (usize, u32, Option<u32>, &[Slot]) = match t {
        Tree::Edge(i) => (*i, 1, Some(1), &[]),
        Tree::Repeat { inner, min, max, check: None, reset } if *min <= 1 => match **inner {
            Tree::Edge(i) => (i, *min, *max, reset),
            _ => return None,
        },
        _ => return None,
    };
    let e = &p.elems[elem];
    let fresh = e.slot.is_none_or(|s| p.binds.contains(&s) || reset.contains(&s));
    (e.filters.is_empty() && fresh).then_some(ChainHop { elem, min, max })
}

/// Whether a hop may come back along the edge that it went.
fn returns(h: &ChainHop, p: &Pattern) -> bool {
    let both = |w: &[(EdgeTypeId, Direction)]| matches!(w, [a, b] if a.0 == b.0);
    h.max != Some(1) && p.elems[h.elem].steps.windows(2).any(both)
}

/// Whether no node fits both elements, because they ask for different types.
fn apart(p: &Pattern, a: Option<usize>, b: Option<usize>) -> bool {
    let ty = |e: Option<usize>| p.elems[e?].label.as_ref().and_then(crate::plan::one_type);
    matches!((ty(a), ty(b)), (Some(x), Some(y)) if x != y)
}

/// Whether a node passes a station or not, whatever stands in the row.
fn stable(e: &Elem, p: &Pattern) -> bool {
    let mut reads = BTreeSet::new();
    e.filters.iter().for_each(|f| slots::of_expr(f, &mut reads));
    e.slot.is_none_or(|s| {
        reads.remove(&s);
        p.binds.contains(&s)
    }) && reads.is_empty()
}

/// Whether between two nodes that a walk along the chain connects there is a trail along it. Within a hop a shortest walk uses
/// no edge twice; hops of different types share none.
fn trails(p: &Pattern, stations: &[Option<usize>], hops: &[ChainHop]) -> bool {
    let types = |h: &ChainHop| p.elems[h.elem].steps.iter().map(|s| s.0).collect::<BTreeSet<EdgeTypeId>>();
    let sets: Vec<_> = hops.iter().map(types).collect();
    for (i, a) in sets.iter().enumerate() {
        for (j, b) in sets.iter().enumerate().skip(i + 1) {
            if a.is_disjoint(b) {
                continue;
            }
            // A shortest walk to a node leaves it nowhere, unless it begins there.
            let single = hops[j].min == 1 && hops[j].max == Some(1);
            let apart = apart(p, stations[i], stations[j]);
            let outward = p.elems[hops[i].elem].steps.iter().all(|s| s.1 == Direction::Out)
                && p.elems[hops[j].elem].steps.iter().all(|s| s.1 == Direction::Out);
            if !(j == i + 1 && single && apart && outward) {
                return false;
            }
        }
    }
    true
}
