//! The file's fixed parts: header, slots, manifest, chunk references. `FORMAT.md` has the byte tables.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]

use super::error::StoreError;
use super::media::Media;

// A host's feature flags for rkyv could change the archives silently.
const _: () = {
    assert!(
        size_of::<ArchivedChunkRef>() == 64,
        "rkyv's format features changed: the store's archives need the default ones"
    );
    assert!(
        align_of::<ArchivedChunkRef>() == 8,
        "rkyv's format features changed: the store's archives need the default ones"
    );
    assert!(size_of::<rkyv::Archived<usize>>() == 4, "rkyv's pointer width changed: the store's archives need 32 bits");
};

/// Stores are little-endian and are read in place: a host that isn't is refused before it reads or writes anything.
pub(crate) fn host() -> Result<(), StoreError> {
    if cfg!(target_endian = "little") { Ok(()) } else { Err(StoreError::UnsupportedHost) }
}

/// PNG style: the eighth bit and the line ends catch text-mode copies.
pub(crate) const MAGIC: [u8; 16] = *b"\x89SV0\r\n\x1a\nGRAPH\0\0\0";
pub(crate) const VERSION: u32 = 2;
/// The oldest version that this build reads. Version 1 was never released.
pub(crate) const OLDEST: u32 = 2;
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
    /// A column of a group's nodes.
    NodeColumn = 2,
    /// Rows of it that later commits set.
    NodePatch = 3,
    /// Rows and ends of the edges of one type that start in a group.
    Out = 4,
    /// Edges taken from it and added to it.
    OutPatch = 5,
    /// Rows, starts and ordinals of the edges of one type that end in a group.
    In = 6,
    /// Edges taken from it and added to it.
    InPatch = 7,
    /// A column in `Out`'s order.
    EdgeColumn = 8,
    /// Ordinals of it that later commits set.
    EdgePatch = 9,
    /// The rows of each value of a node column.
    ValueIndex = 10,
    /// A partition of the key index.
    KeyIndex = 11,
    /// Keys that later commits added.
    KeyDelta = 12,
    /// Source records, one JSON document each.
    Records = 13,
    /// The schema, an rkyv archive.
    Schema = 14,
    /// Counts for the planner, an rkyv archive.
    Statistics = 15,
    /// What the commit added, changed and removed of one type.
    Changes = 16,
    /// Pages of source records, compressed.
    Pages = 17,
}

/// Columns that every node has.
pub(crate) mod node_column {
    pub(crate) const EXTERNAL_ID: u16 = 0xffff;
    pub(crate) const SOURCE: u16 = 0xfffe;
    pub(crate) const ORIGINS: u16 = 0xfffd;
}

/// Columns that every edge has.
pub(crate) mod edge_column {
    pub(crate) const KEY: u16 = 0xffff;
    pub(crate) const SOURCES: u16 = 0xfffe;
    pub(crate) const ORIGINS: u16 = 0xfffd;
    pub(crate) const CONDITION: u16 = 0xfffc;
    pub(crate) const EVIDENCE: u16 = 0xfffb;
    pub(crate) const STATE: u16 = 0xfffa;
}

impl Kind {
    pub(crate) const ALL: [Self; 17] = [
        Self::Alive,
        Self::NodeColumn,
        Self::NodePatch,
        Self::Out,
        Self::OutPatch,
        Self::In,
        Self::InPatch,
        Self::EdgeColumn,
        Self::EdgePatch,
        Self::ValueIndex,
        Self::KeyIndex,
        Self::KeyDelta,
        Self::Records,
        Self::Schema,
        Self::Statistics,
        Self::Changes,
        Self::Pages,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::NodeColumn => "node_column",
            Self::NodePatch => "node_patch",
            Self::Out => "adjacency_out",
            Self::OutPatch => "adjacency_out_patch",
            Self::In => "adjacency_in",
            Self::InPatch => "adjacency_in_patch",
            Self::EdgeColumn => "edge_column",
            Self::EdgePatch => "edge_patch",
            Self::ValueIndex => "value_index",
            Self::KeyIndex => "key_index",
            Self::KeyDelta => "key_delta",
            Self::Records => "records",
            Self::Schema => "schema",
            Self::Statistics => "statistics",
            Self::Changes => "changes",
            Self::Pages => "pages",
        }
    }

    /// The chunk's sort key: kind, two parameters (type, property), group or ordinal.
    pub(crate) fn key(self, a: u16, b: u16, group: u16) -> u64 {
        u64::from(self as u16) << 48 | u64::from(a) << 32 | u64::from(b) << 16 | u64::from(group)
    }

    pub(crate) fn of(key: u64) -> Option<Self> {
        let n = usize::try_from(key >> 48).ok()?;
        Self::ALL.get(n.checked_sub(1)?).copied()
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

    /// As [`Manifest::decode`], of bytes that needn't be aligned.
    pub(crate) fn decode_copy(bytes: &[u8], offset: u64, committed: u64) -> Result<Self, StoreError> {
        let mut aligned = rkyv::util::AlignedVec::<16>::new();
        aligned.extend_from_slice(bytes);
        Self::decode(&aligned, offset, committed)
    }

    /// The chunks of one kind, in order of their keys.
    pub(crate) fn chunks_of(&self, kind: Kind) -> &[ChunkRef] {
        let from = self.chunks.partition_point(|c| c.key >> 48 < u64::from(kind as u16));
        let to = self.chunks.partition_point(|c| c.key >> 48 <= u64::from(kind as u16));
        self.chunks.get(from..to).unwrap_or(&[])
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
        if m.node_counts.len() != crate::schema::NodeType::ALL.len() {
            return Err(bad("counts"));
        }
        if m.number == u32::MAX
            || m.group_types.len() >= 1 << 16
            || sums.iter().any(|l| l.iter().any(|n| *n >> 40 != 0))
        {
            return Err(bad("counts"));
        }
        if m.key_partitions > 1 << 16 || (m.key_partitions != 0 && !m.key_partitions.is_power_of_two()) {
            return Err(bad("key partitions"));
        }
        // Records are found by the running number at which a section begins.
        let mut records = 0u32;
        for c in m.chunks_of(Kind::Records) {
            if c.aux != records {
                return Err(bad("record order"));
            }
            records = records.checked_add(c.rows).ok_or_else(|| bad("record order"))?;
        }
        if records != m.records {
            return Err(bad("number of records"));
        }
        // Alive is the first kind: a group's number is its section's place.
        let alive = m.chunks_of(Kind::Alive);
        // Counts of nodes come from these: each has a bit a row.
        if alive.iter().zip(&m.group_rows).any(|(c, rows)| c.rows != *rows || c.len < u64::from(rows.div_ceil(64)) * 8)
        {
            return Err(bad("rows of a group"));
        }
        if alive.len() != m.group_types.len() || alive.iter().zip(0u64..).any(|(c, g)| c.key & 0xffff_ffff_ffff != g) {
            return Err(bad("a group without its sections"));
        }
        for c in &m.chunks {
            let end = c.offset.checked_add(c.len).ok_or_else(|| bad("chunk range"))?;
            if c.offset < DATA || end > committed || !c.offset.is_multiple_of(ALIGN) {
                return Err(bad("chunk range"));
            }
            let Some(kind) = Kind::of(c.key) else { return Err(bad("unknown section")) };
            // An edge has four bytes at least: what runs along edges is bounded by their section.
            if matches!(kind, Kind::Out | Kind::In) && u64::from(c.aux).saturating_mul(4) > c.len {
                return Err(bad("edge count"));
            }
        }
        // No byte belongs to two sections: what a file can claim is bounded by its length.
        let mut ranges: Vec<(u64, u64)> = m.chunks.iter().map(|c| (c.offset, c.offset.saturating_add(c.len))).collect();
        ranges.sort_unstable();
        if ranges.windows(2).any(|w| matches!(*w, [(_, end), (start, _)] if end > start)) {
            return Err(bad("sections share bytes"));
        }
        if !m.history.is_sorted_by(|a, b| a.number < b.number) {
            return Err(bad("history order"));
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

    /// The slot's page, with both copies.
    pub(crate) fn page(&self) -> Vec<u8> {
        let one = self.encode();
        let mut page = one.to_vec();
        page.resize(usize::try_from(SLOT_COPY).unwrap_or(512), 0);
        page.extend_from_slice(&one);
        page.resize(usize::try_from(PAGE).unwrap_or(4096), 0);
        page
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
    host()?;
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
    // The hash comes first where the version is one that has it there, so that a flipped bit isn't a newer version.
    let sealed = blake3::hash(body).as_bytes() == hash;
    if !(OLDEST..=VERSION).contains(&n(16)) && (sealed || n(16) > VERSION) {
        return Err(StoreError::UnsupportedVersion { found: n(16), min: OLDEST, max: VERSION });
    }
    if head == begun() {
        // A creation that never came to its end.
        return Err(StoreError::NotAStore);
    }
    if !sealed {
        return Err(StoreError::corrupt("header", 0, "hash"));
    }
    if u64::from(n(28)) != PAGE {
        return Err(StoreError::corrupt("header", 28, "page size"));
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
        let (mut slot, mut broken) = (None, true);
        for copy in [at, at.saturating_add(SLOT_COPY)] {
            let mut b = [0u8; 96];
            media.read_at(copy, &mut b)?;
            broken &= b != [0; 96];
            slot = slot.or(Slot::decode(&b));
        }
        // A writer makes one copy durable before it writes the other, so a torn write leaves one whole, or never written.
        // Two that say something else are damage.
        if slot.is_none() && broken {
            return Err(StoreError::corrupt("header slots", at, "neither copy is valid"));
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
    let size = usize::try_from(len).map_err(|_| StoreError::OutOfMemory { bytes: len })?;
    let mut words: Vec<u128> = Vec::new();
    words.try_reserve_exact(size.div_ceil(16)).map_err(|_| StoreError::OutOfMemory { bytes: len })?;
    words.resize(size.div_ceil(16), 0);
    let bytes = bytemuck::cast_slice_mut::<u128, u8>(&mut words).get_mut(..size).unwrap_or_default();
    media.read_at(offset, bytes)?;
    if blake3::hash(bytes).as_bytes() != hash {
        return Err(StoreError::corrupt("manifest", offset, "hash"));
    }
    Manifest::decode(bytes, offset, committed)
}

/// The next multiple of the alignment.
pub(crate) fn align(n: u64) -> u64 {
    n.next_multiple_of(ALIGN)
}

/// What a creation writes and makes durable first: a header whose hash isn't there yet.
pub(crate) fn begun() -> [u8; 64] {
    let mut out = header();
    if let Some(hash) = out.get_mut(32..) {
        hash.fill(0);
    }
    out
}

/// Whether a file was begun and never became a store: empty, as short as a creation first makes it and all zero, or with
/// the header of one that was begun. A store whose header is damaged isn't blank, nor is anybody else's file that happens
/// to begin with zeros.
pub(crate) fn is_blank(media: &Media) -> Result<bool, StoreError> {
    let len = media.len()?;
    let mut head = vec![0u8; usize::try_from(len.min(DATA)).unwrap_or(0)];
    media.read_at(0, &mut head)?;
    let zero = len <= DATA && head.iter().all(|b| *b == 0);
    Ok(zero || head.get(..64) == Some(&begun()))
}

/// The header as it stands, to be written once more.
pub(crate) fn read_header(media: &Media) -> Result<[u8; 64], StoreError> {
    let mut head = [0u8; 64];
    media.read_at(0, &mut head)?;
    Ok(head)
}
