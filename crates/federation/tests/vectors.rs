//! Answers of Keystone's mapping engine against this crate's. `vectors.json` was made by running Keystone 30.0.0; of its
//! vectors those with an environment are the engine's.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

use std::sync::LazyLock;

use keystone_federation::{Assertion, Mapped, Mapping, MappingError};
use proptest::prelude::*;
use serde_json::{Value, json};

static VECTORS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let vectors: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let engine = vectors["engine"].as_array().unwrap().iter();
    let engine = engine.filter(|vector| vector.get("environment").is_some());
    engine.cloned().collect()
});

/// Where this engine is better on purpose, as the README says: the vector, and the answer here.
fn on_purpose(id: &str) -> Option<Value> {
    let groups = |names: &[&str]| {
        let groups = names
            .iter()
            .map(|name| json!({ "name": name, "domain": { "id": "default" } }));
        let groups: Vec<Value> = groups.collect();
        Some(json!({
            "user": { "name": "bob", "type": "ephemeral" }, "group_ids": [], "group_names": groups, "projects": [],
        }))
    };
    match id {
        // Attributes of Python's objects, fields within fields, and a list that Python can't read.
        "format-26" | "format-32" | "groups-30" => Some(json!("broken")),
        // Values that look like lists, numbers or JSON are texts.
        "groups-11" => groups(&["[1, 2]"]),
        "groups-12" => groups(&["['a','b']"]),
        "groups-27" => groups(&["surname-team"]),
        "groups-28" => groups(&["name-domain-admins"]),
        "groups-29" => groups(&["g1", "hostname"]),
        "groups-31" => groups(&["[[1],{'a': None}, True]"]),
        "groups-32" => groups(&["[b'a', r'b\\n', u'c', 'd' 'e']"]),
        "groups-33" => groups(&["['\\x41\\u00e9\\n\\N{BULLET}\\101']"]),
        "groups-34" => groups(&["[-1, +2, 1+2j, 0x10, 1_000, 1e3]"]),
        "group_ids-09" => Some(json!({
            "user": { "name": "bob", "type": "ephemeral" }, "group_ids": ["[['a']]"], "group_names": [], "projects": [],
        })),
        _ => None,
    }
}

#[test]
fn every_vector_of_the_engine_is_answered_alike() {
    let mut wrong = Vec::new();
    for vector in VECTORS.iter() {
        let id = vector["id"].as_str().unwrap();
        let given = answer(&apply(vector));
        let theirs = match vector.get("result") {
            Some(result) => comparable(result),
            None => failure(&vector["error"]),
        };
        let better = on_purpose(id).map(|answer| comparable(&answer));
        if better.as_ref() == Some(&theirs) {
            wrong.push(format!("{id} is as in Keystone, but listed as different"));
        }
        let expected = better.unwrap_or(theirs);
        if given != expected {
            wrong.push(format!("{id}: {given}, not {expected}"));
        }
    }
    assert!(VECTORS.len() > 250);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn apply(vector: &Value) -> Result<Mapped, MappingError> {
    let mapping = &vector["mapping"];
    let version = mapping.get("schema_version");
    let version = version.map_or("1.0", |version| version.as_str().unwrap());
    let environment = vector["environment"].as_object().unwrap();
    let texts = environment
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_str()?)));
    Mapping::new("m", version, mapping["rules"].clone())?.apply(&texts.collect())
}

/// What a result or a failure is in the terms of a vector.
fn answer(applied: &Result<Mapped, MappingError>) -> Value {
    match applied {
        Ok(mapped) => comparable(&serde_json::to_value(mapped).unwrap()),
        Err(MappingError::Unmapped | MappingError::Refused(_)) => {
            let text = applied.as_ref().unwrap_err().to_string();
            refused(&text)
        }
        Err(MappingError::OutOfRange { .. }) => json!("out of range"),
        Err(MappingError::Broken(_)) => json!("broken"),
    }
}

fn failure(error: &Value) -> Value {
    if error["unhandled"] == true {
        return json!("broken");
    }
    match error["class"].as_str().unwrap() {
        "DirectMappingError" => json!("out of range"),
        "ValidationError" | "SchemaValidationError" => refused(error["message"].as_str().unwrap()),
        other => panic!("a {other}"),
    }
}

/// The text too, but for those about the schema of projects in JSON, which end in a line end.
fn refused(text: &str) -> Value {
    let is_about_schema = text.ends_with('\n') || text.starts_with("projects_json");
    json!({ "refused": if is_about_schema { "by the schema" } else { text } })
}

/// A result without `null`, and with the names of groups once each and in order: Keystone repeats some.
fn comparable(result: &Value) -> Value {
    let mut result = without_null(result);
    if let Some(names) = result.get_mut("group_names").and_then(Value::as_array_mut) {
        for name in names.iter_mut() {
            // Members that nobody reads.
            if let Some(group) = name.as_object_mut() {
                group.retain(|member, _| member == "name" || member == "domain");
            }
        }
        names.sort_by_key(ToString::to_string);
        names.dedup();
    }
    result
}

fn without_null(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let some = members.iter().filter(|(_, value)| !value.is_null());
            some.map(|(name, value)| (name.clone(), without_null(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_null).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_value_that_looks_like_a_list_passes_no_blacklist() {
    let rules = json!([{
        "remote": [{ "type": "NAME" }, { "type": "GROUPS", "blacklist": ["admin"] }],
        "local": [{ "user": { "name": "{0}" } }, { "groups": "{1}", "domain": { "id": "d" } }, { "group_ids": "{1}" }],
    }]);
    let mapping = Mapping::new("m", "1.0", rules).unwrap();
    let assertion: Assertion = [("NAME", "bob"), ("GROUPS", "['a','admin']")]
        .into_iter()
        .collect();
    let mapped = mapping.apply(&assertion).unwrap();
    assert_eq!(mapped.group_names.len(), 1);
    assert_eq!(mapped.group_names[0].name, "['a','admin']");
    assert_eq!(
        mapped.group_ids.into_iter().collect::<Vec<_>>(),
        ["['a','admin']"]
    );
}

/// JSON of any shape, with the names and templates that mean something in a mapping.
fn value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        "[a-c{}0-9:!\\[\\].'\" ]{0,8}".prop_map(String::from),
        prop::sample::select(vec![
            "{0}", "{1}", "{}", "['{0}']", "JSON:{{", "local", "2.0", "(a+)+$"
        ])
        .prop_map(String::from),
    ];
    let key = prop::sample::select(vec![
        "type",
        "any_one_of",
        "not_any_of",
        "blacklist",
        "whitelist",
        "regex",
        "user",
        "group",
        "groups",
        "group_ids",
        "domain",
        "projects",
        "projects_json",
        "name",
        "id",
        "email",
        "roles",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4).prop_map(|members| {
                members
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()
            }),
        ]
    })
}

proptest! {
    /// Also for rules that no check has seen, and values of any kind.
    #[test]
    fn no_rules_and_no_assertion_make_the_engine_panic(
        local in prop::collection::vec(value(), 0..3),
        condition in value(),
        value in any::<String>(),
        version in prop::sample::select(vec!["1.0", "2.0", "3.0"]),
    ) {
        let mut condition = condition;
        if let Some(members) = condition.as_object_mut() {
            members.insert("type".to_owned(), json!("b"));
        }
        let rules = json!([{ "remote": [{ "type": "a" }, condition], "local": local }]);
        let assertion: Assertion = [("a", value.as_str()), ("b", "x;JSON:{}")].into_iter().collect();
        if let Ok(mapping) = Mapping::new("m", version, rules) {
            let _ = mapping.apply(&assertion);
        }
    }

    #[test]
    fn values_reach_the_user_unchanged(value in "[^;]*") {
        let rules = json!([{ "remote": [{ "type": "a" }], "local": [{ "user": { "name": "{0}" } }] }]);
        let mapping = Mapping::new("m", "1.0", rules).unwrap();
        let assertion: Assertion = [("a", value.as_str())].into_iter().collect();
        prop_assert_eq!(mapping.apply(&assertion).unwrap().user.name, Some(value));
    }
}
