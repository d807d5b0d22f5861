use serde_json::json;

use super::*;

/// What Python's `json` makes of texts: `json.dumps(json.loads(text))`.
const PYTHON: [(&str, &str); 48] = [
    ("NaN", "NaN"),
    ("Infinity", "Infinity"),
    ("-Infinity", "-Infinity"),
    ("1e999", "Infinity"),
    ("-1E+999", "-Infinity"),
    ("1e-999", "0.0"),
    ("0", "0"),
    ("-0", "0"),
    ("-0.0", "-0.0"),
    ("1.0", "1.0"),
    ("1e5", "100000.0"),
    ("1e15", "1000000000000000.0"),
    ("1e16", "1e+16"),
    ("1E-4", "0.0001"),
    ("1E-5", "1e-05"),
    ("0.1e1", "1.0"),
    ("123456789.123456789123", "123456789.12345679"),
    ("5e-324", "5e-324"),
    ("1.7976931348623157e308", "1.7976931348623157e+308"),
    ("9223372036854775807", "9223372036854775807"),
    ("18446744073709551615", "18446744073709551615"),
    ("18446744073709551616", "18446744073709551616"),
    ("-9223372036854775808", "-9223372036854775808"),
    ("-9223372036854775809", "-9223372036854775809"),
    (
        "123456789012345678901234567890123456789012345678901234567890",
        "123456789012345678901234567890123456789012345678901234567890",
    ),
    (r#""\ud800""#, r#""\ud800""#),
    (r#""\uDFFFx""#, r#""\udfffx""#),
    (r#""\udc00\ud800""#, r#""\udc00\ud800""#),
    (r#""\ud800\ud800\udc00""#, r#""\ud800\ud800\udc00""#),
    (r#""\ud800\u0041""#, r#""\ud800A""#),
    (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
    ("\"😀é\"", r#""\ud83d\ude00\u00e9""#),
    ("\"\u{10ffff}\"", r#""\udbff\udfff""#),
    (r#""\udbff\udfff\ud800""#, r#""\udbff\udfff\ud800""#),
    ("\"\u{10ffff}\u{f0000}\"", r#""\udbff\udfff\udb80\udc00""#),
    (
        "\"\u{10ffff}\u{f0800}NaN\"",
        r#""\udbff\udfff\udb82\udc00NaN""#,
    ),
    (
        "{\"\u{10ffff}\u{f0801}\": 1}",
        r#"{"\udbff\udfff\udb82\udc01": 1}"#,
    ),
    (r#""\u0000\b\f\n\r\t\"\\\/""#, r#""\u0000\b\f\n\r\t\"\\/""#),
    ("\"\u{7f}\"", r#""\u007f""#),
    (r#"{"\ud800": [1,{ }]}"#, r#"{"\ud800": [1, {}]}"#),
    (r#"{"b":1,"a":2,"b":3}"#, r#"{"b": 3, "a": 2}"#),
    (" [ ] ", "[]"),
    ("[\t1 ,\r\n2 ]", "[1, 2]"),
    ("{ }", "{}"),
    ("null", "null"),
    ("true", "true"),
    ("false", "false"),
    (
        r#"{"x": [NaN, -Infinity, 18446744073709551616]}"#,
        r#"{"x": [NaN, -Infinity, 18446744073709551616]}"#,
    ),
];

#[test]
fn values_are_what_python_makes_of_them() {
    for (text, expected) in PYTHON {
        let value = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(write(&value), expected, "{text}");
        assert_eq!(read(expected), Ok(value), "{text}");
    }
}

#[test]
fn serde_passes_every_value_on() {
    #[derive(serde::Deserialize, serde::Serialize)]
    struct Resource {
        id: u64,
        #[serde(flatten)]
        other: serde_json::Map<String, Value>,
    }

    for (text, expected) in PYTHON {
        let body = json!({"id": 1, "x": read(text).unwrap()});
        let resource: Resource = serde_json::from_value(body).unwrap();
        let again = serde_json::to_value(resource).unwrap();
        assert_eq!(write(&again), format!(r#"{{"id": 1, "x": {expected}}}"#));
    }
}

#[test]
fn what_python_refuses_is_refused() {
    for text in [
        "",
        " ",
        "nope",
        "nan",
        "infinity",
        "+1",
        "-",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "1 2",
        "[1,]",
        "[,]",
        "[1",
        "{",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "{1:2}",
        "{a:1}",
        "'a'",
        r#"""#,
        r#""\x""#,
        r#""\u12""#,
        r#""\u+123""#,
        "\"\u{1}\"",
        "\"\n\"",
        "[1]]",
        "tru",
        "Nan",
        "-Inf",
        "\u{feff}1",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    for bytes in [
        b"\"\xff\"".as_slice(),
        b"\"\xed\xa0\"",
        b"\"\xc0\x80\"",
        b"\xed\xa0\x80",
    ] {
        assert!(read(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn halves_in_utf8_are_read_as_python_reads_them() {
    let value = read(b"\"a\xed\xa0\x80b\xed\xbf\xbf\"").unwrap();
    assert_eq!(write(&value), r#""a\ud800b\udfff""#);
}

#[test]
fn integers_are_as_long_as_python_takes_them() {
    let longest = "1".repeat(4300);
    assert_eq!(write(&read(&longest).unwrap()), longest);
    assert_eq!(
        write(&read(format!("-{longest}")).unwrap()),
        format!("-{longest}")
    );
    assert!(read(format!("{longest}1")).is_err());
    assert_eq!(write(&read(format!("{longest}1.0")).unwrap()), "Infinity");
}

#[test]
fn nesting_has_a_bound_and_takes_no_stack() {
    let lists = |depth| "[".repeat(depth) + &"]".repeat(depth);
    let objects = |depth: usize| r#"{"é": "#.repeat(depth) + "NaN" + &"}".repeat(depth);
    // Far less than any thread has.
    let work = move || {
        for depth in [1, 99, 100, 101, 200, MAX_DEPTH] {
            let value = read(lists(depth)).unwrap();
            assert_eq!(write(&value), lists(depth), "{depth}");
            let value = read(objects(depth)).unwrap();
            assert_eq!(
                write(&value),
                objects(depth).replace('é', "\\u00e9"),
                "{depth}"
            );
        }
        for depth in [MAX_DEPTH + 1, 100_000] {
            assert!(read(lists(depth)).is_err());
            assert!(read(objects(depth)).is_err());
            assert!(read("[".repeat(depth)).is_err());
        }
        let mixed = format!(
            "{}[1, {{\"a\": [], \"b\": {{}}}}, \"\\ud800\"], 2{}",
            "[".repeat(120),
            "]".repeat(120)
        );
        assert_eq!(write(&read(&mixed).unwrap()), mixed);
        for broken in ["[1,]", "[1 2]", r#"{"a" 1}"#, r#"{"a": 1, }"#, "{]", "[}"] {
            assert!(
                read("[".repeat(120) + broken + &"]".repeat(120)).is_err(),
                "{broken}"
            );
        }
    };
    let thread = std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(work);
    thread.unwrap().join().unwrap();
}

#[test]
fn a_text_from_elsewhere_never_becomes_broken_json() {
    for text in [
        "\u{10ffff}\u{f0800}",
        "\u{10ffff}\u{f0800}]",
        "\u{10ffff}\u{f0800}1, 2",
        "\u{10ffff}",
        "\u{10ffff}x",
    ] {
        let written = write(&json!([text]));
        assert!(read(&written).unwrap()[0].is_string(), "{written}");
    }
    assert_eq!(write(&json!("\u{10ffff}x")), r#""\udbff\udfffx""#);
}

#[test]
fn every_value_has_its_kind() {
    for (text, kind) in [
        ("null", Kind::Null),
        ("true", Kind::Bool),
        ("1", Kind::Integer),
        ("1.0", Kind::Integer),
        ("1e999", Kind::Number),
        ("NaN", Kind::Number),
        ("1.5", Kind::Number),
        ("18446744073709551616", Kind::Integer),
        (r#""1""#, Kind::String),
        (r#""\ud800""#, Kind::String),
        ("[]", Kind::Array),
        ("{}", Kind::Object),
    ] {
        assert_eq!(Kind::of(&read(text).unwrap()), kind, "{text}");
    }
    let mut deep = read("[".repeat(150) + &"]".repeat(150)).unwrap();
    while let Value::Array(items) = &mut deep {
        deep = items.remove(0);
    }
    assert_eq!(Kind::of(&deep), Kind::Array);
}

#[test]
fn only_whole_texts_can_be_stored() {
    let text = |json: &str| read(json).unwrap().as_str().unwrap().to_owned();
    assert_eq!(plain(&text("\"a\"")).as_deref(), Some("a"));
    assert_eq!(
        plain(&text("\"a\u{10ffff}\"")).as_deref(),
        Some("a\u{10ffff}")
    );
    assert_eq!(
        plain(&text("\"\u{10ffff}\u{f0000}\"")).as_deref(),
        Some("\u{10ffff}\u{f0000}")
    );
    assert_eq!(plain(&text(r#""a\ud800""#)), None);
    assert_eq!(plain(&text("NaN")), None);
}

#[test]
fn every_encoding_of_unicode_is_taken() {
    let text = "{\"é😀\": 1}";
    let units: Vec<u16> = text.encode_utf16().collect();
    let chars: Vec<u32> = text.chars().map(u32::from).collect();
    let big16: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let little16: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big32: Vec<u8> = chars.iter().flat_map(|c| c.to_be_bytes()).collect();
    let little32: Vec<u8> = chars.iter().flat_map(|c| c.to_le_bytes()).collect();
    for (mark, bytes) in [
        (b"\xef\xbb\xbf".as_slice(), text.as_bytes()),
        (b"\xfe\xff", &big16),
        (b"\xff\xfe", &little16),
        (b"\0\0\xfe\xff", &big32),
        (b"\xff\xfe\0\0", &little32),
    ] {
        let with_mark = [mark, bytes].concat();
        assert_eq!(decoded(&with_mark), text.as_bytes(), "{mark:?}");
        assert_eq!(decoded(bytes), text.as_bytes(), "without {mark:?}");
    }
    for bytes in [b"".as_slice(), b"1", b"{}", b"\xef\xbb\xbf"] {
        assert_eq!(
            decoded(bytes),
            bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
        );
    }
    assert_eq!(decoded(b"1\0"), b"1".as_slice());
    // Half of a pair passes, half of a unit does not.
    assert_eq!(read(decoded(b"\"\0\0\xd8\"\0")), read(r#""\ud800""#));
    assert!(read(decoded(b"\"\0\"\0\0")).is_err());
}
