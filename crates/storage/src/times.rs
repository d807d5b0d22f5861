//! Times in `SQLite`, where they are texts and compared as such.
//!
//! `SQLAlchemy` writes six decimals and earlier versions of this server wrote none, so one time may be stored in several
//! formats. Sorted as texts, all of them lie between the format without trailing zeros (the first) and the one with six
//! decimals (the last), and those of other times lie outside. So a comparison is right for every stored format if it binds
//! the outer one of the two, which the comparison operator determines.

use chrono::NaiveDateTime;

use crate::Arg;

/// Replaces each time by the text that its placeholder needs: the first or last format in a comparison, six decimals in
/// a stored value.
pub(crate) fn format_times(text: &str, mut args: Vec<Arg>) -> Vec<Arg> {
    let places = text.match_indices('?').map(|(at, _)| text[..at].trim_end());
    for (arg, before) in args.iter_mut().zip(places) {
        let Arg::Time(time) = arg else { continue };
        debug_assert!(
            !is_equality(before),
            "a time is stored in several formats: compare it with <= and >= instead of =: {text}"
        );
        let lower_bound = before.ends_with(">=") || before.ends_with('<');
        let format = if lower_bound { first } else { last };
        *arg = Arg::Text(time.map(format));
    }
    args
}

/// The format that sorts last, which is the one that is stored.
fn last(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// The format that sorts first.
fn first(time: NaiveDateTime) -> String {
    let last = last(time);
    last.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Whether the text before a placeholder ends with an equality comparison: `=` is one only after `WHERE`.
fn is_equality(before: &str) -> bool {
    let ordered = ["<=", ">="].iter().any(|end| before.ends_with(end));
    before.ends_with("<>") || before.ends_with('=') && !ordered && before.contains(" WHERE ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap()
    }

    fn bound(text: &str, at: &str) -> String {
        let args = format_times(text, vec![Arg::Int(Some(1)), Arg::Time(Some(time(at)))]);
        match args.as_slice() {
            [Arg::Int(_), Arg::Text(Some(text))] => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn holds<T: Ord + Copy>(one: T, operator: &str, other: T) -> bool {
        match operator {
            "<" => one < other,
            "<=" => one <= other,
            ">" => one > other,
            _ => one >= other,
        }
    }

    #[test]
    fn comparisons_hold_for_every_stored_format() {
        // Times in order, each in all its formats.
        let times = [
            vec!["2029-12-31 23:59:59", "2029-12-31 23:59:59.000000"],
            vec!["2029-12-31 23:59:59.999999"],
            vec![
                "2030-01-01 00:00:00",
                "2030-01-01 00:00:00.000",
                "2030-01-01 00:00:00.000000",
            ],
            vec!["2030-01-01 00:00:00.000001"],
            vec![
                "2030-01-01 00:00:00.5",
                "2030-01-01 00:00:00.500",
                "2030-01-01 00:00:00.500000",
            ],
            vec!["2030-01-01 00:00:10", "2030-01-01 00:00:10.000000"],
        ];
        let formats = || {
            times
                .iter()
                .enumerate()
                .flat_map(|(i, all)| all.iter().map(move |text| (i, *text)))
        };
        for operator in ["<", "<=", ">", ">="] {
            let text = format!("SELECT 1 FROM x WHERE a = ? AND t {operator} ?");
            for (one, row) in formats() {
                for (other, value) in formats() {
                    let value = bound(&text, value);
                    let expected = holds(one, operator, other);
                    assert_eq!(
                        holds(row, operator, &value),
                        expected,
                        "{row} {operator} {value}"
                    );
                }
            }
        }
    }

    #[test]
    fn stored_times_have_six_decimals() {
        for text in [
            "INSERT INTO x (a, t) VALUES (?, ?)",
            "UPDATE x SET a = ?, t = ? WHERE b = ?",
        ] {
            assert_eq!(
                bound(text, "2030-01-01 00:00:00"),
                "2030-01-01 00:00:00.000000"
            );
            assert_eq!(
                bound(text, "2030-01-01 00:00:00.5"),
                "2030-01-01 00:00:00.500000"
            );
        }
        let none = format_times("UPDATE x SET t = ?", vec![Arg::Time(None)]);
        assert!(matches!(none.as_slice(), [Arg::Text(None)]));
    }

    #[test]
    fn comparing_times_for_equality_panics() {
        for text in [
            "SELECT 1 FROM x WHERE a = ? AND t = ?",
            "SELECT 1 FROM x WHERE a = ? AND t <> ?",
        ] {
            std::panic::catch_unwind(|| bound(text, "2030-01-01 00:00:00")).unwrap_err();
        }
    }
}
