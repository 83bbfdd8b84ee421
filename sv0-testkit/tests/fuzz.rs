//! The fuzz bodies on bytes from a fixed seed, so that they run without a fuzzer.
#![cfg(target_os = "linux")]

use sv0_testkit::fuzz::resealed;
use sv0_testkit::generate::Rng;

#[test]
fn resealed_stores_hurt_nobody() {
    resealed(&[]);
    let mut r = Rng::new(11);
    for _ in 0..3000 {
        let n = 7 * (1 + r.below(6));
        let data: Vec<u8> = (0..n).map(|_| r.below(256) as u8).collect();
        resealed(&data);
    }
}
