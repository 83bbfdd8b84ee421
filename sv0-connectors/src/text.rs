//! Timestamps as the platforms write them, and hashes of inputs.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use sha2::{Digest, Sha256};

/// Microseconds since 1970: RFC 3339, `2022-08-07 12:56:48+00:00` or without an offset (UTC), or a date.
pub(crate) fn timestamp(s: &str) -> Option<i64> {
    let s = s.trim();
    if let Ok(t) = s.parse::<Timestamp>() {
        return Some(t.as_microsecond());
    }
    if let Ok(d) = s.parse::<DateTime>() {
        return Offset::UTC.to_timestamp(d).ok().map(|t| t.as_microsecond());
    }
    let d = s.parse::<Date>().ok()?;
    Offset::UTC.to_timestamp(d.at(0, 0, 0, 0)).ok().map(|t| t.as_microsecond())
}

pub(crate) fn format_timestamp(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |t| t.to_string())
}

/// SHA-256, lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(64);
    for b in Sha256::digest(bytes) {
        use std::fmt::Write;
        let _ = write!(out, "{b:02x}");
    }
    out
}
