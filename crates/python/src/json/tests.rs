use serde_json::json;

use super::*;

#[test]
fn serde_passes_every_value_on() {
    #[derive(serde::Deserialize, serde::Serialize)]
    struct Resource {
        id: u64,
        #[serde(flatten)]
        other: serde_json::Map<String, Value>,
    }

    for text in [
        "NaN",
        "-Infinity",
        "18446744073709551616",
        r#""\ud800""#,
        r#""\udbff\udfff""#,
        r#"{"\ud800": [1.5, -1, null, true, {}]}"#,
    ] {
        let body = json!({"id": 1, "x": read(text).unwrap()});
        let resource: Resource = serde_json::from_value(body).unwrap();
        let again = serde_json::to_value(resource).unwrap();
        assert_eq!(write(&again), format!(r#"{{"id": 1, "x": {text}}}"#));
    }
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

/// A resource with attributes of its own and others.
#[derive(serde::Serialize)]
struct Mixed {
    #[serde(flatten)]
    other: serde_json::Map<String, Value>,
    id: &'static str,
    count: Option<i64>,
    share: f64,
    parts: Vec<(bool, char)>,
}

impl Mixed {
    fn with(other: Value) -> Self {
        let Value::Object(other) = other else {
            panic!("no object: {other}");
        };
        Self {
            other,
            id: "a",
            count: None,
            share: 2.0,
            parts: vec![(true, '"'), (false, 'é')],
        }
    }

    /// The text with `links`, by way of a value; and without one, where that goes.
    fn written(&self) -> (String, Option<String>) {
        let links = json!({ "self": "http://é" });
        let mut value = serde_json::to_value(self).unwrap();
        value["links"] = links.clone();
        let mut direct = "[".to_owned();
        let done = append_with(self, "links", &links, &mut direct);
        assert!(done || direct == "[", "{direct}");
        (write(&value), done.then(|| direct.split_off(1)))
    }
}

#[test]
fn resources_are_written_as_their_values_are() {
    for other in [
        "{}",
        r#"{"email": "e\u00e9\"\\", "n": [1, -2.5, 1e20, {}, []], "o": {"links": null, "o": true}}"#,
        r#"{"x": NaN, "y": -Infinity, "z": 18446744073709551616, "\ud800": "\udbff\udfff", "": ""}"#,
    ] {
        let (expected, direct) = Mixed::with(read(other).unwrap()).written();
        assert_eq!(direct.as_deref(), Some(&*expected));
    }
    let deep = format!("{{\"deep\": {}1{}}}", "[".repeat(150), "]".repeat(150));
    let (expected, direct) = Mixed::with(read(deep).unwrap()).written();
    assert_eq!(direct.as_deref(), Some(&*expected));
}

#[test]
fn what_takes_a_value_is_not_written_without_one() {
    let many: serde_json::Map<_, _> = (0..100).map(|n| (n.to_string(), n.into())).collect();
    for other in [
        json!({ "id": "b" }),
        json!({ "links": {} }),
        json!({ UNREADABLE: "[]" }),
        json!({ "x": { UNREADABLE: "[]" } }),
        Value::Object(many),
    ] {
        let (_, direct) = Mixed::with(other.clone()).written();
        assert_eq!(direct, None, "{other}");
    }
    for no_object in [json!(null), json!([]), json!("{}"), json!(7)] {
        assert!(!append_with(&no_object, "links", &1, &mut String::new()));
    }
    let mut out = String::new();
    assert!(append_with(&json!({}), "a", &1, &mut out));
    assert_eq!(out, r#"{"a": 1}"#);
}

proptest::proptest! {
    #[test]
    fn any_attributes_are_written_as_their_values_are(
        other in proptest::collection::hash_map(".{0,9}|id|links|count", "\\PC{0,30}|[\\x00-\\x7f]{0,30}", 0..9)
    ) {
        let other = other.into_iter().map(|(name, text)| (name, text.into()));
        let (expected, direct) = Mixed::with(Value::Object(other.collect())).written();
        proptest::prop_assert!(direct.is_none_or(|direct| direct == expected));
    }
}
