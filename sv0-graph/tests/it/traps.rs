//! What reviews found: each was a way to lose data or to be led astray.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, io};

use sv0_graph::schema::TypeGroup;
use sv0_graph::vfs::{OpenMode, OsVfs, Vfs, VfsFile};
use sv0_graph::{
    EdgeInput, EdgeTypeId, GraphBatch, GraphView, Keep, Layout, NodeInput, NodeKey, NodeType, Origin, Schema, Scope,
    SourceRecord, State, Store, StoreError, Value,
};
use tempfile::TempDir;

use crate::ingest::{batch, key};

fn commit(store: &mut Store, b: GraphBatch) -> sv0_graph::Commit {
    let mut t = store.begin().unwrap();
    t.stage(vec![b]).unwrap();
    t.commit("x").unwrap()
}

#[test]
fn a_schema_that_no_store_can_have_is_refused_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("g.sv0");
    let mut store = Store::open_or_create(&path, Schema::canonical()).unwrap();
    let mut schema = Schema::canonical();
    schema.add_group(TypeGroup { name: "all".into(), types: vec![EdgeTypeId(5000)] });
    let mut t = store.begin().unwrap();
    assert!(matches!(t.extend_schema(&schema), Err(StoreError::SchemaNotExtended)));
    drop(t);
    assert!(matches!(Store::in_memory(schema), Err(StoreError::SchemaNotExtended)));
    commit(&mut store, batch(&[("i", NodeType::Identity)], &[]));
    drop(store);
    assert_eq!(Store::open(&path).unwrap().latest().number(), 1);
}

#[test]
fn a_file_that_begins_with_zeros_is_not_ours_to_begin_anew() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("disk.img");
    let mut image = vec![0u8; 40_000];
    image[35_000] = 7;
    fs::write(&path, &image).unwrap();
    assert!(matches!(Store::open_or_create(&path, Schema::canonical()), Err(StoreError::NotAStore)));
    assert_eq!(fs::read(&path).unwrap(), image);
    // A store whose header a bad sector ate keeps its snapshots for whoever can repair it.
    let path = dir.path().join("g.sv0");
    commit(&mut Store::open_or_create(&path, Schema::canonical()).unwrap(), batch(&[("i", NodeType::Identity)], &[]));
    let mut bytes = fs::read(&path).unwrap();
    bytes[..64].fill(0);
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(Store::open_or_create(&path, Schema::canonical()), Err(StoreError::NotAStore)));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[cfg(unix)]
#[test]
fn compaction_goes_through_links_keeps_permissions_and_touches_nobody_elses_file() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = TempDir::new().unwrap();
    let (real, link) = (dir.path().join("real.sv0"), dir.path().join("link.sv0"));
    drop(Store::open_or_create(&real, Schema::canonical()).unwrap());
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&real, &link).unwrap();
    for name in ["real.sv0.compact", "link.sv0.compact"] {
        fs::write(dir.path().join(name), "mine").unwrap();
    }
    let mut store = Store::open_or_create(&link, Schema::canonical()).unwrap();
    commit(&mut store, batch(&[("i", NodeType::Identity)], &[]));
    store.compact(&Keep::All).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(Store::open_or_create(&real, Schema::canonical()), Err(StoreError::Locked)));
    commit(&mut store, batch(&[("j", NodeType::Identity)], &[]));
    assert_eq!(Store::open(&real).unwrap().latest().number(), 2);
    for name in ["real.sv0.compact", "link.sv0.compact"] {
        assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), "mine");
    }
    fs::hard_link(&real, dir.path().join("other.sv0")).unwrap();
    assert!(matches!(store.compact(&Keep::All), Err(StoreError::HardLinked)));
    commit(&mut store, batch(&[("k", NodeType::Identity)], &[]));
}

/// A file system whose reads fail when it is told to.
#[derive(Debug)]
struct Failing(Arc<AtomicBool>);

#[derive(Debug)]
struct FailingFile(Arc<AtomicBool>, Arc<dyn VfsFile>);

impl VfsFile for FailingFile {
    fn len(&self) -> io::Result<u64> {
        self.1.len()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(io::Error::from_raw_os_error(5)) } else { self.1.read_at(offset, buf) }
    }
    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()> {
        self.1.write_at(offset, buf)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.1.set_len(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.1.sync()
    }
    fn try_lock(&self) -> io::Result<bool> {
        self.1.try_lock()
    }
    fn unlock(&self) {
        self.1.unlock();
    }
}

impl Vfs for Failing {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        Ok(Arc::new(FailingFile(self.0.clone(), OsVfs.open(path, mode)?)))
    }
    fn is_current(&self, _: &Path, _: &dyn VfsFile) -> io::Result<bool> {
        Ok(true)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsVfs.rename(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        OsVfs.unlink(path)
    }
    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        OsVfs.sync_parent(path)
    }
}

#[test]
fn a_stage_that_failed_half_way_cannot_be_committed_and_a_passing_error_passes() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("g.sv0");
    let fails = Arc::new(AtomicBool::new(false));
    let vfs: Arc<dyn Vfs> = Arc::new(Failing(fails.clone()));
    let mut store = Store::open_or_create_in(vfs.clone(), &path, Schema::canonical()).unwrap();
    commit(&mut store, batch(&[("i", NodeType::Identity), ("j", NodeType::Identity)], &[("CAN_ASSUME", "i", "j")]));
    drop(store);
    let mut store = Store::open_or_create_in(vfs, &path, Schema::canonical()).unwrap();
    let mut t = store.begin().unwrap();
    fails.store(true, Ordering::Relaxed);
    let again = || vec![batch(&[("i", NodeType::Identity)], &[])];
    assert!(matches!(t.stage(again()), Err(StoreError::Io { .. })));
    fails.store(false, Ordering::Relaxed);
    assert!(matches!(t.stage(again()), Err(StoreError::BrokenTransaction)));
    assert!(matches!(t.commit("x"), Err(StoreError::BrokenTransaction)));
    // The error was the system's, not the file's: it isn't remembered.
    let s = store.latest();
    fails.store(true, Ordering::Relaxed);
    assert!(s.find(&key("j")).is_err());
    fails.store(false, Ordering::Relaxed);
    assert!(s.find(&key("j")).unwrap().is_some());
    commit(&mut store, batch(&[("k", NodeType::Identity)], &[]));
}

#[test]
fn new_records_alone_are_no_change_in_any_layout() {
    for layout in [Layout::Auto, Layout::Fresh, Layout::Patches] {
        let mut store = Store::in_memory(Schema::canonical()).unwrap();
        let mut last = None;
        for round in 0..2 {
            let mut b = batch(&[("i", NodeType::Identity), ("j", NodeType::Identity)], &[("CAN_ASSUME", "i", "j")]);
            b.records = vec![SourceRecord { operation: format!("GET /{round}"), ..SourceRecord::default() }];
            b.edges[0].origins = vec![Origin { record: 0, pointer: "/0".into() }];
            let mut t = store.begin().unwrap();
            t.stage(vec![b]).unwrap();
            last = Some(t.commit_as("x", layout).unwrap());
        }
        let c = last.unwrap();
        assert!(c.changes.is_empty(), "{layout:?}: {:?}", c.changes);
        let ty = c.snapshot.schema().edge_type_id("CAN_ASSUME").unwrap();
        let mut edge = None;
        let i = c.snapshot.find(&key("i")).unwrap().unwrap();
        c.snapshot.expand(i, ty, sv0_graph::Direction::Out, &mut |_, e| edge = Some(e)).unwrap();
        assert_eq!(c.snapshot.edge_records(edge.unwrap()).unwrap()[0].0.operation, "GET /1");
    }
}

#[test]
fn what_a_lenient_check_refuses_is_not_taken_for_gone() {
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let whole = || {
        let mut b = batch(&[("i", NodeType::Identity), ("j", NodeType::Identity)], &[("CAN_ASSUME", "i", "j")]);
        b.complete.push(Scope { types: NodeType::ALL.to_vec(), scope: "all".into(), within: None });
        b
    };
    commit(&mut store, whole());
    let mut b = whole();
    b.edges[0].props.push(("vai".into(), Value::str("task")));
    let mut t = store.begin().unwrap();
    assert_eq!(t.stage_lenient(vec![b]).unwrap().len(), 1);
    assert_eq!(t.commit("x").unwrap().snapshot.info().edges, 1);
}

#[test]
fn nodes_without_a_source_are_found_and_batches_of_one_call_are_merged() {
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    for _ in 0..2 {
        let mut b = GraphBatch::new("", 0);
        b.nodes.push(NodeInput::new(NodeKey::new("", "x"), NodeType::Identity, "k"));
        assert_eq!(commit(&mut store, b).snapshot.info().nodes, 1);
    }
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
    let one = |name: &str, value: Value| {
        let mut b = GraphBatch::new("t", 0);
        b.nodes.push(NodeInput::new(key("n"), NodeType::Identity, "k").with(name, value));
        b
    };
    let mut t = store.begin().unwrap();
    t.stage(vec![one("name", Value::str("N")), one("status", Value::str("active"))]).unwrap();
    let s = t.commit("x").unwrap().snapshot;
    let n = s.find(&key("n")).unwrap().unwrap();
    assert_eq!((&*s.text(n, "name").unwrap(), &*s.text(n, "status").unwrap()), ("N", "active"));
}

#[test]
fn patches_of_changed_edges_are_folded_in_time() {
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let ids: Vec<String> = (0..4000).map(|i| format!("n{i}")).collect();
    let mut b = GraphBatch::new("t", 0);
    for id in &ids {
        b.nodes.push(NodeInput::new(key(id), NodeType::Identity, "k"));
        b.edges.push(EdgeInput::new("CAN_ASSUME", key(id), key("n0")));
    }
    commit(&mut store, b);
    for round in 0..8 {
        let mut b = GraphBatch::new("t", 0);
        for id in ids.iter().skip(round * 60).take(60) {
            let mut e = EdgeInput::new("CAN_ASSUME", key(id), key("n0"));
            e.state = State::Latent;
            b.edges.push(e);
        }
        commit(&mut store, b);
    }
    let patches = store.info().sections.get("edge_patch").map_or(0, |s| s.bytes);
    assert!(patches < 2000, "{patches} bytes of patches");
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
}
