//! Answers of Python, as `vectors.py` recorded them, against this crate's.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

use std::sync::LazyLock;

use keystone_python as python;
use python::format::{Malformed, Piece};
use python::json;
use python::template::{Template, TemplateError};
use serde_json::Value;

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| json::read(include_str!("vectors.json")).unwrap());

/// Holds the answers to all questions of a kind to Python's, and names each that differs.
fn compare(kind: &str, answer: impl Fn(&str) -> Value) {
    let rows = VECTORS[kind].as_array().unwrap();
    assert!(!rows.is_empty());
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let given = answer(row[0].as_str().unwrap());
            let (question, expected) = (&row[0], &row[1]);
            (given != *expected).then(|| format!("{question}: {given}, not {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A text that Python holds is one that a JSON reader made.
fn held(text: &str) -> Value {
    let escaped = text.replace('\u{10ffff}', "\u{10ffff}\u{10ffff}");
    Value::String(escaped)
}

#[test]
fn json_is_read_written_and_shown_alike() {
    compare("json", |text| {
        let text = json::plain(text).unwrap();
        let Ok(value) = json::read(&*text) else {
            return Value::Null;
        };
        let shown = match json::Kind::of(&value) {
            json::Kind::String => Value::Null,
            _ => python::str(&value).into(),
        };
        let (written, quoted) = (json::write(&value), python::repr(&value));
        assert_eq!(json::read(&written), Ok(value.clone()), "{text}");
        Value::Array(vec![
            written.into(),
            held(&quoted),
            shown,
            python::is_true(&value).into(),
        ])
    });
}

#[test]
fn every_encoding_of_json_is_read_alike() {
    compare("bytes", |text| {
        let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
        match json::read(json::decoded(&bytes)) {
            Ok(value) => json::write(&value).into(),
            Err(_) => Value::Null,
        }
    });
}

#[test]
fn formats_are_filled_alike() {
    let values = VECTORS["values"].as_object().unwrap();
    let fill = |format: &str| {
        let mut out = String::new();
        for piece in python::format::pieces(format) {
            match piece.ok()? {
                Piece::Text(text) => out.push_str(text),
                Piece::Place(place) => place.write(values.get(place.key?)?.as_str()?, &mut out),
            }
        }
        Some(out)
    };
    compare("formats", |format| fill(format).into());
}

#[test]
fn only_a_key_and_an_s_make_a_plain_place() {
    for (format, plain) in [
        ("%(a)s", true),
        ("%()s", true),
        ("%s", false),
        ("%(a)r", false),
        ("%(a)5s", false),
        ("%(a)0s", false),
        ("%(a)-s", false),
        ("%(a).3s", false),
        ("%(a)ls", false),
    ] {
        let piece = python::format::pieces(format).next().unwrap().unwrap();
        assert!(
            matches!(piece, Piece::Place(place) if place.is_plain() == plain),
            "{format}"
        );
    }
}

#[test]
fn a_malformed_placeholder_ends_a_format_and_names_its_key() {
    for (format, key) in [
        ("a%(b)d%(c)s", Some("b")),
        ("a%", None),
        ("a%(b", None),
        ("a%(b)256s", Some("b")),
        ("a%(b).256s", Some("b")),
    ] {
        let pieces: Vec<_> = python::format::pieces(format).collect();
        assert_eq!(
            pieces,
            [Ok(Piece::Text("a")), Err(Malformed { key })],
            "{format}"
        );
    }
}

#[test]
fn bool_from_string_answers_as_oslo_utils() {
    compare("words", |text| python::bool_from_string(text).into());
}

#[test]
fn uuids_are_told_alike() {
    compare("uuids", |text| python::uuid_digits(text).is_some().into());
}

#[test]
fn forms_are_quoted_alike() {
    compare("escaped", |text| python::percent_encode(text).into());
    compare("quoted", |text| python::quote_plus(text).into());
}

#[test]
fn white_space_is_the_same() {
    let spaces: Vec<u32> = ('\0'..=char::MAX)
        .filter(|c| python::is_space(*c))
        .map(u32::from)
        .collect();
    assert_eq!(Value::from(spaces), VECTORS["spaces"]);
}

#[cfg(feature = "time")]
#[test]
fn times_are_read_alike() {
    compare("times", |text| {
        let time = python::parse_isotime(text);
        // `isoformat` writes all six digits of a fraction or none.
        time.map(|time| time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string())
            .map(|text| text.trim_end_matches(".000000").to_owned())
            .into()
    });
}

#[test]
fn templates_are_rendered_alike() {
    let arguments: Vec<Vec<String>> = serde_json::from_value(VECTORS["arguments"].clone()).unwrap();
    compare("templates", |template| {
        let template = Template::parse(template);
        let rendered = template.and_then(|template| template.render(&arguments));
        rendered.map_or(Value::Null, |text| held(&text))
    });
}

#[test]
fn values_decide_on_no_format_and_show_nothing_of_their_making() {
    for template in ["{0:{1}}", "{0.__class__}", "{0[0].x}"] {
        let refused = Template::parse(template).unwrap_err();
        assert!(matches!(refused, TemplateError::Malformed(_)), "{template}");
    }
    let wide = Template::parse("{0:>256}").unwrap_err();
    assert!(matches!(wide, TemplateError::Malformed(_)));
}

#[test]
fn lists_of_texts_are_read_alike() {
    compare("literals", |text| python::text_list(text).into());
}
