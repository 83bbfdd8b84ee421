//! The parser and the binder are total on any text.
#![no_main]

use sv0_graph::Schema;
use sv0_query::{CheckOptions, Query};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(q) = Query::parse(text) {
        let _ = q.check(&Schema::canonical(), &|_| false, &CheckOptions::default());
    }
});
