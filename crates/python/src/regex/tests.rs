//! Against what Python says: `vectors.py` writes `vectors.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vectors {
    texts: Vec<String>,
    r#match: BTreeMap<String, Vec<String>>,
    search: BTreeMap<String, Vec<String>>,
}

/// Wrong in Python too, or not carried over.
const REFUSED: [&str; 22] = [
    r"(",
    r"[a",
    r"a)",
    r"*a",
    r"(?x)a b",
    r"(?a)\w",
    r"(?L)a",
    r"a(?i)b",
    r"\q",
    r"[z-a]",
    r"[\w-z]",
    r"[a-\d]",
    r"\N{DIGIT ONE}",
    r"(?m:a$)",
    r"(?P<n",
    r"\",
    r"\x4",
    r"\1",
    r"(?<=a*)b",
    r"\400",
    r"[\8]",
    r"(?P=n)",
];

#[test]
fn patterns_match_what_they_match_in_python() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors.json")).unwrap();
    check(&vectors.texts, vectors.r#match, Regex::matching);
}

#[test]
fn patterns_are_found_where_python_finds_them() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors.json")).unwrap();
    check(&vectors.texts, vectors.search, Regex::searching);
}

fn check(
    texts: &[String],
    expected: BTreeMap<String, Vec<String>>,
    read: fn(&str) -> Result<Regex, InvalidPattern>,
) {
    for (pattern, expected) in expected {
        let regex = read(&pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        let found = texts.iter().filter(|text| regex.is_match(text).unwrap());
        let ours = Translation::new(&pattern).run();
        assert!(found.eq(&expected), "{pattern} as {ours:?}");
    }
}

#[test]
fn wrong_patterns_and_those_that_cant_be_carried_over_are_refused() {
    for pattern in REFUSED {
        assert!(Regex::matching(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn a_pattern_that_takes_for_ever_is_undecided() {
    let regex = Regex::matching(r"^((a+)\2?)+!$").unwrap();
    assert!(regex.is_match(&"a".repeat(4000)).is_err());
}
