//! Times as clients write them.

use std::sync::LazyLock;

use chrono::{Datelike as _, Duration, NaiveDate, NaiveDateTime};
use regex::{Captures, Regex};

/// The pattern of the module `iso8601`: with a hyphen before the month, and without one, where a day must follow.
static FORMS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    const DAY: &str = r"(?P<day>-\d{1,2}|\d{2})";
    const TIME: &str = concat!(
        r"(?:[ T](?P<hour>\d{2})(?::?(?P<minute>\d{2}))?",
        r"(?::?(?P<second>\d{1,2})(?:[.,](?P<fraction>\d+))?)?",
        r"(?:Z|(?P<sign>[-+])(?P<zone_hours>\d{2}):?(?P<zone_minutes>\d{2})?)?)?",
    );
    let form = |date: String| {
        // Python's `$` also matches before a final newline.
        Regex::new(&format!(r"^(?-u)(?P<year>\d{{4}}){date}\n?$"))
            .expect("a literal expression, read in the tests")
    };
    [
        form(format!(r"(?:-(?P<month>\d{{1,2}})(?:{DAY}{TIME})?)?")),
        form(format!(r"(?P<month>\d{{2}}){DAY}{TIME}")),
    ]
});

/// Reads a time as `oslo_utils.timeutils.parse_isotime` does and turns it into UTC; without a zone it is UTC. None too
/// for a time that is not of the years 1 to 9999 in UTC, of which Python has no others.
pub fn parse_isotime(text: &str) -> Option<NaiveDateTime> {
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
    let utc = time.checked_sub_signed(ahead)?;
    let has_year = |time: NaiveDateTime| (1..=9999).contains(&time.year());
    (has_year(time) && has_year(utc)).then_some(utc)
}

fn number(found: &Captures<'_>, name: &str, missing: u32) -> Option<u32> {
    match found.name(name) {
        Some(digits) => digits.as_str().trim_start_matches('-').parse().ok(),
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
