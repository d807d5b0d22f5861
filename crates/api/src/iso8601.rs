//! Times as clients write them: ISO 8601 in the breadth that Python's `iso8601` reads.

use std::sync::LazyLock;

use chrono::{Duration, NaiveDate, NaiveDateTime};
use keystone_types::storable;
use regex::{Captures, Regex};

static FORMS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    const TIME: &str = r"(?:[ T](?P<hour>\d{2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{1,2})(?:[.,](?P<fraction>\d+))?)?)?(?P<zone>Z|(?P<sign>[-+])(?P<zone_hours>\d{2}):?(?P<zone_minutes>\d{2})?)?)?";
    let form = |date: &str| {
        Regex::new(&format!("^(?-u){date}{TIME}$"))
            .expect("a literal expression, read in the tests")
    };
    [
        form(r"(?P<year>\d{4})(?:-(?P<month>\d{1,2})(?:-?(?P<day>\d{1,2}))?)?"),
        form(r"(?P<year>\d{4})(?P<month>\d{2})-?(?P<day>\d{2})"),
    ]
});

/// Reads a time and turns it into UTC; without a zone it is UTC.
pub(crate) fn parse(text: &str) -> Option<NaiveDateTime> {
    let found = FORMS.iter().find_map(|form| form.captures(text))?;
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(number(&found, "year", 1)?).ok()?,
        number(&found, "month", 1)?,
        number(&found, "day", 1)?,
    )?;
    let time = date.and_hms_micro_opt(
        number(&found, "hour", 0)?,
        number(&found, "minute", 0)?,
        number(&found, "second", 0)?,
        micros(&found),
    )?;
    let minutes = i64::from(number(&found, "zone_hours", 0)?) * 60
        + i64::from(number(&found, "zone_minutes", 0)?);
    if minutes >= 24 * 60 {
        return None;
    }
    let ahead = Duration::minutes(match found.name("sign").map(|sign| sign.as_str()) {
        Some("-") => -minutes,
        _ => minutes,
    });
    storable(time).and(time.checked_sub_signed(ahead).and_then(storable))
}

fn number(found: &Captures<'_>, name: &str, missing: u32) -> Option<u32> {
    match found.name(name) {
        Some(digits) => digits.as_str().parse().ok(),
        None => Some(missing),
    }
}

/// A fraction of a second, cut after six digits.
fn micros(found: &Captures<'_>) -> u32 {
    let digits = found
        .name("fraction")
        .map_or("", |fraction| fraction.as_str());
    let digits = format!("{digits:0<6}");
    digits[..6].parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_reads() {
        for (text, expected) in [
            ("2026-01-31T12:30:45Z", "2026-01-31T12:30:45"),
            ("2026-01-31T12:30:45.123456Z", "2026-01-31T12:30:45.123456"),
            ("2026-01-31 12:30:45,5", "2026-01-31T12:30:45.500"),
            (
                "2026-01-31T12:30:45.1234567+02:00",
                "2026-01-31T10:30:45.123456",
            ),
            ("2026-01-31T12:30:45-0130", "2026-01-31T14:00:45"),
            ("2026-01-31T12+02", "2026-01-31T10:00:00"),
            ("2026-1-3", "2026-01-03T00:00:00"),
            ("2026-01", "2026-01-01T00:00:00"),
            ("2026", "2026-01-01T00:00:00"),
            ("20260131T123045Z", "2026-01-31T12:30:45"),
        ] {
            let expected: NaiveDateTime = expected.parse().unwrap();
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in [
            "yesterday",
            "",
            "2026-02-30",
            "2026-01-31T25:00:00Z",
            "2026-01-31T12:30:45 00:00",
            "202601",
            "2026-01-31T",
            "1769860000",
            "2026-01-31Z",
            "2026-01-31T12:30:60Z",
            "2026-01-31T12:30:45+25:00",
            "0000-01-01",
            "0000-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
