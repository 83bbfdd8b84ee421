//! Counts for the planner, taken when an edge type is written anew. They are estimates afterwards: a commit of few
//! changes adjusts the number of edges only.

/// Of the edges of one type between two node types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct TypeStatistics {
    /// The edge type's index in the schema.
    pub edge_type: u16,
    /// The start's node type, as stored.
    pub from: u8,
    /// The end's node type, as stored.
    pub to: u8,
    /// Edges.
    pub edges: u64,
    /// Nodes that have such an edge out.
    pub starts: u64,
    /// Nodes that have such an edge in.
    pub ends: u64,
    /// The most that leave one node.
    pub max_out: u32,
    /// The most that reach one node.
    pub max_in: u32,
}

pub(crate) fn encode(list: &[TypeStatistics]) -> Vec<u8> {
    rkyv::to_bytes::<rkyv::rancor::Error>(&list.to_vec()).map(|v| v.to_vec()).unwrap_or_default()
}

pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<TypeStatistics>> {
    let mut aligned = rkyv::util::AlignedVec::<16>::new();
    aligned.extend_from_slice(bytes);
    rkyv::from_bytes::<Vec<TypeStatistics>, rkyv::rancor::Error>(&aligned).ok()
}
