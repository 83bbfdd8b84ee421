//! A store that was changed and sealed again with right hashes hurts nobody.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sv0_testkit::fuzz::resealed(data));
