//! Times in `SQLite`, where they are texts and compared as such.
//!
//! `SQLAlchemy` writes six decimals, this server once wrote none: a moment has several spellings. In the order of texts
//! they lie between the one without zeros at its end and the one with all six decimals, and those of other moments lie
//! outside. So a comparison that begins or ends with a moment is right for all of them where it has the outer one of the
//! two; which one that is, the operator tells.

use chrono::NaiveDateTime;

use crate::Arg;

/// Replaces each time by the spelling that its place in the statement asks for: in a comparison as above, in what is
/// stored six decimals.
pub(crate) fn spelt(text: &str, mut args: Vec<Arg>) -> Vec<Arg> {
    let places = text.match_indices('?').map(|(at, _)| text[..at].trim_end());
    for (arg, before) in args.iter_mut().zip(places) {
        let Arg::Time(time) = arg else { continue };
        debug_assert!(
            !is_equality(before),
            "a time has no one spelling that equals: compare it from both sides: {text}"
        );
        let starts_here = before.ends_with(">=") || before.ends_with('<');
        let spelling = if starts_here { first } else { last };
        *arg = Arg::Text(time.map(spelling));
    }
    args
}

/// The greatest spelling, which is the one that is stored.
fn last(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// The least spelling.
fn first(time: NaiveDateTime) -> String {
    let last = last(time);
    last.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Whether what stands before a place compares for equality: `=` is that only behind `WHERE`.
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
        let args = spelt(text, vec![Arg::Int(Some(1)), Arg::Time(Some(time(at)))]);
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
    fn every_comparison_holds_for_every_spelling() {
        // Moments in order, each in all its spellings.
        let moments = [
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
        let spellings = || {
            moments
                .iter()
                .enumerate()
                .flat_map(|(i, all)| all.iter().map(move |text| (i, *text)))
        };
        for operator in ["<", "<=", ">", ">="] {
            let text = format!("SELECT 1 FROM x WHERE a = ? AND t {operator} ?");
            for (one, row) in spellings() {
                for (other, value) in spellings() {
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
    fn six_decimals_are_stored() {
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
        let none = spelt("UPDATE x SET t = ?", vec![Arg::Time(None)]);
        assert!(matches!(none.as_slice(), [Arg::Text(None)]));
    }

    #[test]
    fn equality_is_noticed() {
        for text in [
            "SELECT 1 FROM x WHERE a = ? AND t = ?",
            "SELECT 1 FROM x WHERE a = ? AND t <> ?",
        ] {
            std::panic::catch_unwind(|| bound(text, "2030-01-01 00:00:00")).unwrap_err();
        }
    }
}
