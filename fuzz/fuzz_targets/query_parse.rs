//! Any text: the parser, the binder, the printer and the executor end, and what is printed is read as the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| sv0_testkit::fuzz::query(text));
