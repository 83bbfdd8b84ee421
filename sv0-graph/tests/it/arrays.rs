//! What searches read instead of single nodes: neighbours in one array, values as codes, indexes by type.

use sv0_graph::{
    Direction, EdgeInput, Graph, GraphBatch, GraphView, NodeInput, NodeKey, NodeType, PropId, Schema, Snapshot, Store,
    Value,
};

fn key(n: usize) -> NodeKey {
    NodeKey::new("t", format!("n{n:05}"))
}

fn node(n: usize, ty: NodeType, status: Option<&str>) -> NodeInput {
    let mut node = NodeInput::new(key(n), ty, "k");
    if let Some(s) = status {
        node.props.push(("status".into(), Value::str(s)));
    }
    node.props.push(("members".into(), Value::Int(i64::try_from(n).unwrap())));
    node
}

/// Identities and roles, and edges between them; then a commit that takes some away and adds others as patches.
fn two() -> (Snapshot, Snapshot) {
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let mut b = GraphBatch::new("t", 1);
    for n in 0..3000 {
        let ty = if n % 3 == 0 { NodeType::Role } else { NodeType::Identity };
        b.nodes.push(node(n, ty, [Some("active"), Some("disabled"), None][n / 3 % 3]));
        if n > 0 {
            b.edges.push(EdgeInput::new("MEMBER_OF", key(n), key(n / 5 / 3 * 3)));
        }
    }
    let mut txn = store.begin().unwrap();
    txn.stage(vec![b]).unwrap();
    let first = txn.commit("first").unwrap().snapshot;
    let mut c = GraphBatch::new("t", 2);
    c.nodes.extend((1..30).filter(|n| n % 3 != 0).map(|n| node(n, NodeType::Identity, Some("rotated"))));
    for n in (1..60).filter(|n| n % 3 != 0) {
        c.edges.push(EdgeInput::new("MEMBER_OF", key(n), key(2997)));
    }
    let mut txn = store.begin().unwrap();
    txn.stage(vec![c]).unwrap();
    (first, txn.commit("second").unwrap().snapshot)
}

fn neighbours(g: &Snapshot, node: u32, dir: Direction) -> Vec<u32> {
    let ty = g.schema().edge_type_id("MEMBER_OF").unwrap();
    let mut out = Vec::new();
    g.expand(node, ty, dir, &mut |o, _| out.push(o)).unwrap();
    out
}

#[test]
fn arrays_are_kept_once_they_pay_and_say_what_the_sections_say() {
    let (first, second) = two();
    for g in [&first, &second] {
        let ty = g.schema().edge_type_id("MEMBER_OF").unwrap();
        for dir in [Direction::Out, Direction::In] {
            let steps = [(ty, dir)];
            assert!(g.adjacency(&steps, false).unwrap().is_none());
            g.visited(&steps, g.id_bound() as u64 / 4 - 1);
            assert!(g.adjacency(&steps, false).unwrap().is_none());
            g.visited(&steps, 1);
            let a = g.adjacency(&steps, false).unwrap().unwrap();
            let b = g.adjacency(&steps, false).unwrap().unwrap();
            assert!(std::sync::Arc::ptr_eq(&a, &b), "made once");
            assert_eq!(a.edges() as u64, g.info().edges);
            for n in g.nodes(None).unwrap() {
                assert_eq!(a.of(n), neighbours(g, n, dir), "{n}");
            }
            let odd = a.filtered(|o| o % 2 == 1);
            for n in g.nodes(None).unwrap() {
                let all: Vec<u32> = a.of(n).iter().copied().filter(|o| o % 2 == 1).collect();
                assert_eq!(odd.of(n), all);
            }
            assert!(a.of(u32::MAX).is_empty() && odd.of(u32::MAX).is_empty());
        }
    }
    // Other steps, other arrays; those used last stay.
    let ty = second.schema().edge_type_ids().collect::<Vec<_>>();
    let last = [(ty[0], Direction::Out)];
    for t in &ty {
        assert!(second.adjacency(&[(*t, Direction::Out)], true).unwrap().is_some());
    }
    assert!(second.adjacency(&[(ty[ty.len() - 1], Direction::Out)], false).unwrap().is_some());
    assert!(second.adjacency(&last, false).unwrap().is_none());
}

#[test]
fn codes_and_indexes_say_what_the_values_say() {
    let (first, second) = two();
    for g in [&first, &second] {
        let all = Graph::from(g.clone());
        let status = g.schema().node_prop("status").unwrap();
        let members = g.schema().node_prop("members").unwrap();
        for ty in [None, Some(NodeType::Identity), Some(NodeType::Role), Some(NodeType::Owner)] {
            let nodes = g.nodes(ty).unwrap();
            let codes = GraphView::codes(&all, ty, status).unwrap().unwrap();
            for a in nodes.iter().take(200) {
                let v = g.node_prop(*a, status).unwrap();
                assert_eq!(codes.of(*a) == 0, v.is_null());
                assert!(codes.of(*a) < codes.bound());
                for b in nodes.iter().step_by(97) {
                    assert_eq!(codes.of(*a) == codes.of(*b), v == g.node_prop(*b, status).unwrap());
                }
            }
            for value in ["active", "disabled", "rotated", "nothing"] {
                let plain: Vec<u32> = nodes
                    .iter()
                    .copied()
                    .filter(|n| g.node_prop(*n, status).unwrap().as_str() == Some(value))
                    .collect();
                assert_eq!(all.indexed(ty, status, value).unwrap().unwrap(), plain, "{ty:?} {value}");
                assert!(nodes.iter().all(|n| all.text_is(*n, status, value).unwrap() == plain.contains(n)));
                if g.number() == 1 {
                    assert_eq!(all.indexed_rows(ty, status, value).unwrap(), Some(plain.len() as u64));
                }
            }
        }
        // A column that isn't coded, and what isn't a text.
        assert!(g.codes(None, members).unwrap().is_none());
        assert!(all.indexed(None, PropId(members.0), "1").unwrap().is_none());
        for n in g.nodes(None).unwrap() {
            let Value::Int(v) = g.node_prop(n, members).unwrap() else { panic!() };
            assert_eq!(all.number_of(n, members).unwrap(), Some(v));
            assert_eq!(all.number_of(n, status).unwrap(), None);
        }
    }
}
