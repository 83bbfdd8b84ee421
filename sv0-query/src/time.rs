//! Timestamps and durations in text (RFC 3339, ISO 8601). No clock.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{Span, Timestamp};

use crate::val::Val;

/// Reads a timestamp: with an offset, without one (then UTC), or a date (its midnight in UTC).
#[must_use]
pub fn parse_timestamp(s: &str) -> Option<i64> {
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

/// A day in microseconds.
pub const DAY: i64 = 86_400_000_000;

/// Reads a date, or the date of a timestamp in UTC: days since 1970.
#[must_use]
pub fn parse_date(s: &str) -> Option<i32> {
    parse_timestamp(s).and_then(date_of)
}

/// The date of a timestamp in UTC: days since 1970.
#[must_use]
pub fn date_of(micros: i64) -> Option<i32> {
    i32::try_from(micros.div_euclid(DAY)).ok()
}

/// `2026-05-14`.
#[must_use]
pub fn format_date(days: i32) -> String {
    let t = Timestamp::from_microsecond(i64::from(days).saturating_mul(DAY));
    t.map_or_else(|_| days.to_string(), |t| Offset::UTC.to_datetime(t).date().to_string())
}

/// RFC 3339, UTC, without a fraction that is zero.
#[must_use]
pub fn format_timestamp(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |t| t.to_string())
}

/// Reads an ISO 8601 duration or words such as `180 days`.
#[must_use]
pub fn parse_duration(s: &str) -> Option<Val> {
    let span: Span = s.trim().parse().ok()?;
    let months = i64::from(span.get_years()) * 12 + i64::from(span.get_months());
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let micros = days
        .checked_mul(86_400_000_000)?
        .checked_add(i64::from(span.get_hours()).checked_mul(3_600_000_000)?)?
        .checked_add(span.get_minutes().checked_mul(60_000_000)?)?
        .checked_add(span.get_seconds().checked_mul(1_000_000)?)?
        .checked_add(span.get_milliseconds().checked_mul(1000)?)?
        .checked_add(span.get_microseconds())?;
    Some(Val::Duration { months, micros })
}

/// ISO 8601 text of a duration.
#[must_use]
pub fn format_duration(months: i64, micros: i64) -> String {
    if (months, micros) == (0, 0) {
        return "PT0S".to_owned();
    }
    let mut out = "P".to_owned();
    let part = |n: i64, unit: char| if n == 0 { String::new() } else { format!("{n}{unit}") };
    out += &part(months / 12, 'Y');
    out += &part(months % 12, 'M');
    out += &part(micros / 86_400_000_000, 'D');
    let rest = micros % 86_400_000_000;
    if rest != 0 {
        out.push('T');
        out += &part(rest / 3_600_000_000, 'H');
        out += &part(rest / 60_000_000 % 60, 'M');
        let s = rest % 60_000_000;
        if s % 1_000_000 == 0 {
            out += &part(s / 1_000_000, 'S');
        } else {
            let sign = if s < 0 { "-" } else { "" };
            let t = format!("{sign}{}.{:06}", s.abs() / 1_000_000, s.abs() % 1_000_000);
            out += t.trim_end_matches('0');
            out.push('S');
        }
    }
    out
}

/// A part of a timestamp by its name, in lower case: `year` … `second`, `epochseconds`, `epochmillis`.
#[must_use]
pub fn part(ts: i64, name: &str) -> Option<i64> {
    match name {
        "epochseconds" => return Some(ts.div_euclid(1_000_000)),
        "epochmillis" => return Some(ts.div_euclid(1000)),
        _ => {}
    }
    let t = Offset::UTC.to_datetime(Timestamp::from_microsecond(ts).ok()?);
    Some(match name {
        "year" => t.year().into(),
        "month" => t.month().into(),
        "day" => t.day().into(),
        "hour" => t.hour().into(),
        "minute" => t.minute().into(),
        "second" => t.second().into(),
        _ => return None,
    })
}

/// `timestamp + sign * duration`; months keep the day where the month has it.
#[must_use]
pub fn shift(ts: i64, months: i64, micros: i64, sign: i64) -> Option<i64> {
    let mut t = ts;
    if months != 0 {
        let z = Offset::UTC.to_datetime(Timestamp::from_microsecond(t).ok()?);
        let span = Span::new().try_months(months.checked_mul(sign)?).ok()?;
        t = Offset::UTC.to_timestamp(z.checked_add(span).ok()?).ok()?.as_microsecond();
    }
    t.checked_add(micros.checked_mul(sign)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("P180D"), parse_duration("180 days"));
        assert_eq!(parse_duration("PT90M"), Some(Val::Duration { months: 0, micros: 5_400_000_000 }));
        assert_eq!(format_duration(14, 86_400_000_000 + 5_400_000_000), "P1Y2M1DT1H30M");
        let t = parse_timestamp("2026-03-31T00:00:00Z").unwrap();
        assert_eq!(format_timestamp(shift(t, 1, 0, -1).unwrap()), "2026-02-28T00:00:00Z");
        assert_eq!(parse_timestamp("2026-03-31"), Some(t));
        assert_eq!(parse_timestamp("2022-08-07 12:56:48+00:00"), parse_timestamp("2022-08-07T12:56:48Z"));
    }
}
