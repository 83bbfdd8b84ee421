//! The file's fixed parts: header, slots, manifest, chunk references. `FORMAT.md` has the byte tables.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]

use super::error::StoreError;
use super::media::Media;

#[cfg(target_endian = "big")]
compile_error!("sv0 stores are little-endian and are read in place; big-endian hosts aren't supported");

/// PNG style: the eighth bit and the line ends catch text-mode copies.
pub(crate) const MAGIC: [u8; 16] = *b"\x89SV0\r\n\x1a\nGRAPH\0\0\0";
pub(crate) const VERSION: u32 = 1;
pub(crate) const PAGE: u64 = 4096;
pub(crate) const SLOTS: [u64; 2] = [PAGE, 2 * PAGE];
/// Where the slot's second copy stands, from the first.
pub(crate) const SLOT_COPY: u64 = 512;
/// Where chunks begin.
pub(crate) const DATA: u64 = 3 * PAGE;
/// Chunks and manifests start at multiples of this.
pub(crate) const ALIGN: u64 = 16;
/// An archive (the manifest) is at most this.
pub(crate) const MAX_MANIFEST: u64 = 1 << 31;
/// Reader feature flags that this build knows.
pub(crate) const READER_FLAGS: u32 = 0;
/// Writer feature flags that this build knows.
pub(crate) const WRITER_FLAGS: u32 = 0;

/// What a chunk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub(crate) enum Kind {
    /// Live nodes of a group, one bit a row.
    Alive = 1,
    /// External ids of a group.
    ExternalId = 2,
    /// Source codes of a group.
    Source = 3,
    /// A property column of a group.
    NodeProp = 4,
    /// Where nodes of a group were found.
    NodeOrigin = 5,
    /// Rows and ends of the edges of one type that start in a group.
    Out = 6,
    /// Rows, starts and positions of the edges of one type that end in a group.
    In = 7,
    /// State, evidence, key, condition and source of the edges in `Out`'s order.
    EdgeMeta = 8,
    /// A property column in `Out`'s order.
    EdgeProp = 9,
    /// Where edges were found, in `Out`'s order.
    EdgeOrigin = 10,
    /// Sorted strings that one commit added.
    Dictionary = 11,
    /// A partition of the key index.
    KeyIndex = 12,
    /// Source records, one JSON document each.
    Records = 13,
    /// The schema, JSON.
    Schema = 14,
}

impl Kind {
    pub(crate) const ALL: [Self; 14] = [
        Self::Alive,
        Self::ExternalId,
        Self::Source,
        Self::NodeProp,
        Self::NodeOrigin,
        Self::Out,
        Self::In,
        Self::EdgeMeta,
        Self::EdgeProp,
        Self::EdgeOrigin,
        Self::Dictionary,
        Self::KeyIndex,
        Self::Records,
        Self::Schema,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::ExternalId => "external_id",
            Self::Source => "source",
            Self::NodeProp => "node_property",
            Self::NodeOrigin => "node_origin",
            Self::Out => "adjacency_out",
            Self::In => "adjacency_in",
            Self::EdgeMeta => "edge_meta",
            Self::EdgeProp => "edge_property",
            Self::EdgeOrigin => "edge_origin",
            Self::Dictionary => "dictionary",
            Self::KeyIndex => "key_index",
            Self::Records => "records",
            Self::Schema => "schema",
        }
    }

    /// The chunk's sort key: kind, two parameters (type, property), group or ordinal.
    pub(crate) fn key(self, a: u16, b: u16, group: u16) -> u64 {
        u64::from(self as u16) << 48 | u64::from(a) << 32 | u64::from(b) << 16 | u64::from(group)
    }

    pub(crate) fn of(key: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|k| u64::from(*k as u16) == key >> 48)
    }
}

/// The parameters of a chunk key.
pub(crate) fn key_parts(key: u64) -> (u16, u16, u16) {
    let part = |shift: u32| u16::try_from((key >> shift) & 0xffff).unwrap_or(0);
    (part(32), part(16), part(0))
}

/// A chunk's name in messages.
pub(crate) fn section(key: u64) -> String {
    let (a, b, group) = key_parts(key);
    match Kind::of(key) {
        Some(k) => format!("{}[{a},{b},{group}]", k.name()),
        None => format!("unknown[{key:#x}]"),
    }
}

/// Where a chunk is, how long, and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub(crate) struct ChunkRef {
    pub key: u64,
    pub offset: u64,
    pub len: u64,
    pub rows: u32,
    pub aux: u32,
    pub hash: [u8; 32],
}

/// A source as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub(crate) struct SourceEntry {
    pub name: String,
    pub system: String,
    pub observed_at: i64,
    pub complete: Vec<String>,
    pub records: u32,
    pub legacy: u64,
}

/// An earlier snapshot.
#[derive(Debug, Clone, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub(crate) struct History {
    pub number: u32,
    pub time: i64,
    pub name: String,
    pub offset: u64,
    pub len: u64,
    pub hash: [u8; 32],
}

/// One snapshot: everything that is needed to find its chunks.
#[derive(Debug, Clone, PartialEq, Eq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub(crate) struct Manifest {
    pub number: u32,
    pub time: i64,
    pub name: String,
    pub group_types: Vec<u8>,
    pub group_rows: Vec<u32>,
    pub node_counts: Vec<u64>,
    pub edge_counts: Vec<u64>,
    pub records: u32,
    pub dictionary: u32,
    pub key_partitions: u32,
    pub sources: Vec<SourceEntry>,
    pub history: Vec<History>,
    pub chunks: Vec<ChunkRef>,
}

impl Manifest {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let limit = StoreError::Limit { which: "a manifest's size", max: MAX_MANIFEST };
        match rkyv::to_bytes::<rkyv::rancor::Error>(self) {
            Ok(v) if v.len() as u64 <= MAX_MANIFEST => Ok(v.to_vec()),
            _ => Err(limit),
        }
    }

    /// Reads and checks a manifest: rkyv's checked access, then everything that a reader relies on.
    pub(crate) fn decode(bytes: &[u8], offset: u64, committed: u64) -> Result<Self, StoreError> {
        let bad = |reason| StoreError::corrupt("manifest", offset, reason);
        let archived =
            rkyv::access::<ArchivedManifest, rkyv::rancor::Error>(bytes).map_err(|_| bad("malformed archive"))?;
        let m: Self = rkyv::deserialize::<Self, rkyv::rancor::Error>(archived).map_err(|_| bad("malformed archive"))?;
        if m.group_types.len() != m.group_rows.len() || m.group_types.len() > 1 << 16 {
            return Err(bad("group table"));
        }
        if m.group_types.iter().any(|t| crate::schema::NodeType::from_u8(*t).is_none()) {
            return Err(bad("unknown node type"));
        }
        if m.group_rows.iter().any(|r| *r > 1 << 16) {
            return Err(bad("more rows than a group has"));
        }
        if !m.chunks.is_sorted_by(|a, b| a.key < b.key) {
            return Err(bad("chunk order"));
        }
        let sums = [&m.node_counts, &m.edge_counts];
        if m.number == u32::MAX
            || m.group_types.len() >= 1 << 16
            || sums.iter().any(|l| l.iter().any(|n| *n >> 40 != 0))
        {
            return Err(bad("counts"));
        }
        if m.key_partitions > 1 << 16 || (m.key_partitions != 0 && !m.key_partitions.is_power_of_two()) {
            return Err(bad("key partitions"));
        }
        // Strings are found by the running number at which a section of the dictionary begins.
        let mut codes = 0u32;
        for c in m.chunks.iter().filter(|c| Kind::of(c.key) == Some(Kind::Dictionary)) {
            if c.aux != codes {
                return Err(bad("dictionary order"));
            }
            codes = codes.checked_add(c.rows).ok_or_else(|| bad("dictionary order"))?;
        }
        if codes != m.dictionary {
            return Err(bad("dictionary length"));
        }
        for (g, _) in (0u16..=u16::MAX).zip(&m.group_types) {
            for k in [Kind::Alive, Kind::ExternalId, Kind::Source] {
                if m.chunks.binary_search_by_key(&k.key(0, 0, g), |c| c.key).is_err() {
                    return Err(bad("a group without its sections"));
                }
            }
        }
        for c in &m.chunks {
            let end = c.offset.checked_add(c.len).ok_or_else(|| bad("chunk range"))?;
            if c.offset < DATA || end > committed || !c.offset.is_multiple_of(ALIGN) {
                return Err(bad("chunk range"));
            }
            if Kind::of(c.key).is_none() {
                return Err(bad("unknown section"));
            }
        }
        for h in &m.history {
            let end = h.offset.checked_add(h.len).ok_or_else(|| bad("history range"))?;
            if h.offset < DATA || end > offset || h.number >= m.number {
                return Err(bad("history range"));
            }
        }
        Ok(m)
    }
}

/// One of the two header slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub sequence: u64,
    pub offset: u64,
    pub len: u64,
    pub committed: u64,
    pub manifest_hash: [u8; 32],
}

impl Slot {
    pub(crate) fn encode(&self) -> [u8; 96] {
        let mut out = Vec::with_capacity(96);
        for n in [self.sequence, self.offset, self.len, self.committed] {
            out.extend_from_slice(&n.to_le_bytes());
        }
        out.extend_from_slice(&self.manifest_hash);
        let hash = blake3::hash(&out);
        out.extend_from_slice(hash.as_bytes());
        out.try_into().unwrap_or([0; 96])
    }

    /// `None` where the slot's own hash doesn't hold: never written, or torn.
    pub(crate) fn decode(b: &[u8; 96]) -> Option<Self> {
        let (body, hash) = b.split_at(64);
        if blake3::hash(body).as_bytes() != hash {
            return None;
        }
        let n = |i: usize| Some(u64::from_le_bytes(*body.get(i..)?.first_chunk()?));
        Some(Self {
            sequence: n(0)?,
            offset: n(8)?,
            len: n(16)?,
            committed: n(24)?,
            manifest_hash: *body.get(32..)?.first_chunk()?,
        })
    }
}

pub(crate) fn header() -> [u8; 64] {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(&MAGIC);
    for n in [VERSION, READER_FLAGS, WRITER_FLAGS, 4096u32] {
        out.extend_from_slice(&n.to_le_bytes());
    }
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    out.try_into().unwrap_or([0; 64])
}

/// Reads the header and the newest valid slot. `writer` also checks the flags that only a writer must know.
pub(crate) fn read_head(media: &Media, writer: bool) -> Result<(Slot, usize), StoreError> {
    let len = media.len()?;
    let mut head = [0u8; 64];
    if len < 64 {
        return Err(StoreError::NotAStore);
    }
    media.read_at(0, &mut head)?;
    let (body, hash) = head.split_at(32);
    if !body.starts_with(&MAGIC) {
        return Err(StoreError::NotAStore);
    }
    let n = |i: usize| body.get(i..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b));
    if n(16) > VERSION {
        return Err(StoreError::UnsupportedVersion { found: n(16), max: VERSION });
    }
    if blake3::hash(body).as_bytes() != hash {
        return Err(StoreError::corrupt("header", 0, "hash"));
    }
    let unknown = n(20) & !READER_FLAGS | if writer { n(24) & !WRITER_FLAGS } else { 0 };
    if unknown != 0 {
        return Err(StoreError::UnsupportedFeatures { unknown });
    }
    if len < DATA {
        return Err(StoreError::Truncated { expected: DATA, found: len });
    }
    let mut best: Option<(Slot, usize)> = None;
    for (i, at) in SLOTS.into_iter().enumerate() {
        // Each slot stands twice in its page, so that one damaged byte never brings an older snapshot back.
        let mut slot = None;
        for copy in [at, at.saturating_add(SLOT_COPY)] {
            let mut b = [0u8; 96];
            media.read_at(copy, &mut b)?;
            slot = slot.or(Slot::decode(&b));
        }
        if let Some(slot) = slot
            && best.as_ref().is_none_or(|(s, _)| s.sequence < slot.sequence)
        {
            best = Some((slot, i));
        }
    }
    let Some((slot, i)) = best else { return Err(StoreError::corrupt("header slots", PAGE, "neither slot is valid")) };
    // The file may have grown since its length was read: a writer grows it before it flips the slot.
    let len = media.len()?;
    let expected = slot.committed.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
    if expected > len {
        return Err(StoreError::Truncated { expected, found: len });
    }
    Ok((slot, i))
}

/// Reads and checks the manifest at a place.
pub(crate) fn read_manifest(
    media: &Media,
    offset: u64,
    len: u64,
    hash: &[u8; 32],
    committed: u64,
) -> Result<Manifest, StoreError> {
    let end = offset.checked_add(len);
    if offset < DATA || len > MAX_MANIFEST || end.is_none_or(|e| e > committed) {
        return Err(StoreError::corrupt("manifest", offset, "range"));
    }
    let mut bytes = rkyv::util::AlignedVec::<16>::new();
    bytes.resize(usize::try_from(len).unwrap_or(0), 0);
    media.read_at(offset, &mut bytes)?;
    if blake3::hash(&bytes).as_bytes() != hash {
        return Err(StoreError::corrupt("manifest", offset, "hash"));
    }
    Manifest::decode(&bytes, offset, committed)
}

/// The next multiple of the alignment.
pub(crate) fn align(n: u64) -> u64 {
    n.next_multiple_of(ALIGN)
}

/// Whether a file was begun and never became a store: its first bytes are zero.
pub(crate) fn is_blank(media: &Media) -> Result<bool, StoreError> {
    let mut head = [0u8; 64];
    let n = usize::try_from(media.len()?.min(64)).unwrap_or(64);
    if let Some(h) = head.get_mut(..n) {
        media.read_at(0, h)?;
    }
    Ok(head == [0; 64])
}
