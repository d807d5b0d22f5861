use super::*;

/// The secret of RFC 6238, "12345678901234567890", in base32.
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn at(seconds: i64) -> NaiveDateTime {
    let time = chrono::DateTime::from_timestamp(seconds, 0).expect("a time of the vectors");
    time.naive_utc()
}

fn fits(given: &str, secret: &str, seconds: i64, earlier: u32) -> bool {
    let secret = Secret::from(secret);
    is_code(given.as_bytes(), &secret, at(seconds), earlier).into()
}

#[test]
fn codes_are_those_of_the_standard() {
    // Appendix B has eight digits, of which these are the last six.
    for (seconds, expected) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ] {
        assert!(fits(expected, SECRET, seconds, 0), "{seconds}");
        assert!(!fits(&format!("0{expected}"), SECRET, seconds, 0));
        assert!(!fits(&expected[1..], SECRET, seconds, 0));
    }
}

#[test]
fn a_code_is_good_for_its_window_and_as_many_more_as_configured() {
    let begin = 1_234_567_890 / 30 * 30;
    for (seconds, earlier, expected) in [
        (begin - 1, 0, false),
        (begin - 1, 10, false),
        (begin, 0, true),
        (begin + 29, 0, true),
        (begin + 30, 0, false),
        (begin + 30, 1, true),
        (begin + 59, 1, true),
        (begin + 60, 1, false),
        (begin + 329, 10, true),
        (begin + 330, 10, false),
    ] {
        assert_eq!(
            fits("005924", SECRET, seconds, earlier),
            expected,
            "{seconds}"
        );
    }
}

#[test]
fn secrets_are_read_as_python_reads_them() {
    for (text, expected) in [
        ("", Some(Vec::new())),
        ("MY", Some(b"f".to_vec())),
        ("MY======", Some(b"f".to_vec())),
        ("MZXQ", Some(b"fo".to_vec())),
        ("MZXW6===", Some(b"foo".to_vec())),
        ("MZXW6YQ", Some(b"foob".to_vec())),
        ("MZXW6YTB", Some(b"fooba".to_vec())),
        ("MZXW6YTBOI", Some(b"foobar".to_vec())),
        // Bits left over, as Python drops them.
        ("MZ", Some(b"f".to_vec())),
        ("M", None),
        ("MZX", None),
        ("MZXW6Y", None),
        ("my======", None),
        ("MY=A====", None),
        ("MY======\n", None),
        ("M Y=====", None),
        ("M1======", None),
        ("========", None),
        ("MZXW6YTB========", None),
        ("\u{e9}A", None),
    ] {
        assert_eq!(from_base32(text), expected, "{text:?}");
    }
}

#[test]
fn a_secret_that_is_short_or_unreadable_has_no_codes() {
    let short = "GEZDGNBVGY3TQOJQGEZDGNBV";
    assert_eq!(from_base32(short).map(|key| key.len()), Some(15));
    for secret in [short, "", "gezdgnbvgy3tqojqgezdgnbvgy3tqojq"] {
        let code = code(&from_base32(secret).unwrap_or_default(), 1_234_567_890 / 30);
        assert!(!fits(&code, secret, 1_234_567_890, 1), "{secret:?}");
    }
    assert!(!fits("", SECRET, 1_234_567_890, 1));
}
