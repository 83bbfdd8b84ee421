//! Machines with another width or byte order. Under the gate's `.ci/foreign` these run on 32 bits, and under emulation on
//! a big-endian machine.

use std::path::Path;

use sv0_graph::{Schema, Store, StoreError};

#[test]
fn a_store_of_another_machine_opens_whole_or_is_refused_by_name() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v2.sv0");
    let opened = Store::open(&golden);
    let created = Store::in_memory(Schema::canonical());
    if cfg!(target_endian = "little") {
        assert_eq!(opened.unwrap().verify().unwrap().problems, Vec::<String>::new());
        assert_eq!(created.unwrap().snapshots(), vec![]);
    } else {
        assert!(matches!(opened, Err(StoreError::UnsupportedHost)), "{opened:?}");
        assert!(matches!(created, Err(StoreError::UnsupportedHost)), "{created:?}");
    }
}
