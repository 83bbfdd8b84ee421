//! The AWS transform is total on any JSON.
#![no_main]

use sv0_connectors::aws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(doc) = serde_json::from_slice(data) {
        let _ = aws::transform(&doc, "", None);
    }
});
