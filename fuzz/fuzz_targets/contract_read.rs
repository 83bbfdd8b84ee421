//! The contract's reader is total on any bytes.
#![no_main]

use sv0_connectors::contract;
use sv0_graph::Schema;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut input = data;
    let _ = contract::read(&mut input, "", &Schema::canonical());
});
