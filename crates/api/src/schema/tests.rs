use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{SCHEMAS, Schema, body, inline, keys, python, query};

/// Messages of Keystone, made by `tests/schema/generate.py`.
const CASES: &str = include_str!("../../tests/schema/cases.json");

#[derive(Deserialize)]
struct Cases {
    messages: Map<String, Value>,
    pretty: Vec<(Value, String)>,
}

fn cases() -> Cases {
    serde_json::from_str(CASES).unwrap()
}

fn answer(key: &str, value: &Value) -> Result<(), String> {
    match key.split('|').collect::<Vec<_>>()[..] {
        [route, "request"] => body(route, value),
        [route, "request", label] => inline(route, label.strip_prefix("inline:").unwrap(), value),
        [route, "query"] => {
            let pairs: Vec<(String, String)> = serde_json::from_value(value.clone()).unwrap();
            query(route, &pairs)
        }
        _ => panic!("no such key: {key}"),
    }
}

#[test]
fn messages_are_those_of_keystone() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (key, cases) in &cases().messages {
        for case in cases.as_array().unwrap() {
            let expected = case[1].as_str().map(str::to_owned);
            let given = answer(key, &case[0]).err();
            count += 1;
            if given != expected {
                wrong.push(format!("{key} {}\n  {given:?}\n  {expected:?}", case[0]));
            }
        }
    }
    assert!(count >= 1000, "only {count} cases");
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_key_has_cases_and_every_schema_a_key() {
    let cases = cases().messages;
    let tested: BTreeSet<&str> = cases.keys().map(String::as_str).collect();
    assert_eq!(keys().collect::<BTreeSet<_>>(), tested);
    let used: BTreeSet<usize> = SCHEMAS.keys.values().copied().collect();
    assert_eq!(used, (0..SCHEMAS.schemas.len()).collect());
}

#[test]
fn a_route_without_a_schema_takes_anything() {
    assert_eq!(body("DELETE /v3/users/{user_id}", &json!([1])), Ok(()));
    assert_eq!(
        query("POST /v3/users", &[("any".into(), "thing".into())]),
        Ok(())
    );
    assert_eq!(inline("POST /v3/users", "auth", &json!(7)), Ok(()));
}

#[test]
fn head_is_checked_like_get() {
    let pairs = [("colour".to_owned(), "red".to_owned())];
    let message = "Additional properties are not allowed ('colour' was unexpected)";
    assert_eq!(query("GET /v3/regions", &pairs), Err(message.to_owned()));
    assert_eq!(query("HEAD /v3/regions", &pairs), Err(message.to_owned()));
}

#[test]
fn an_empty_body_counts_as_an_empty_object() {
    let message = Err("'user' is a required property".to_owned());
    for nothing in [
        json!(null),
        json!([]),
        json!(""),
        json!(0),
        json!(0.0),
        json!(false),
        json!({}),
    ] {
        assert_eq!(body("POST /v3/users", &nothing), message, "{nothing}");
    }
}

#[test]
fn a_query_with_two_scopes_is_shown_whole() {
    let pairs = [("user.id", "a"), ("group.id", "b"), ("user.id", "c'd")];
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let message = "ImmutableMultiDict([('user.id', 'a'), ('user.id', \"c'd\"), ('group.id', 'b')]) is \
                   valid under each of {'required': ['group.id']}, {'required': ['user.id']}";
    assert_eq!(
        query("GET /v3/role_assignments", &pairs),
        Err(message.to_owned())
    );
}

#[test]
fn values_are_printed_as_python_prints_them() {
    for (value, expected) in cases().pretty {
        assert_eq!(python::schema::pretty(&value), expected, "{value}");
    }
}

/// The places that hold schemas, by keyword.
fn subschemas<'a>(keyword: &str, argument: &'a Value) -> Vec<&'a Value> {
    match keyword {
        "properties" | "definitions" => argument.as_object().unwrap().values().collect(),
        "oneOf" | "allOf" => argument.as_array().unwrap().iter().collect(),
        "items" | "not" | "if" | "then" => vec![argument],
        _ => Vec::new(),
    }
}

fn visit(schema: &Value, look: &mut impl FnMut(&Map<String, Value>)) {
    let keywords = schema
        .as_object()
        .expect("schemas are objects, never booleans");
    look(keywords);
    for (keyword, argument) in keywords {
        for schema in subschemas(keyword, argument) {
            visit(schema, look);
        }
    }
}

fn visit_all(mut look: impl FnMut(&Map<String, Value>)) {
    for (text, _) in &SCHEMAS.schemas {
        visit(Schema::parse(text).document(), &mut look);
    }
}

#[test]
fn schemas_use_known_keywords_only() {
    let evaluated = [
        "type",
        "enum",
        "const",
        "not",
        "oneOf",
        "allOf",
        "if",
        "$ref",
        "properties",
        "additionalProperties",
        "required",
        "dependentRequired",
        "minProperties",
        "maxProperties",
        "items",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "minimum",
        "maximum",
    ];
    // `then` belongs to `if`; the last one is a typing error in Keystone and without effect there.
    let silent = [
        "then",
        "definitions",
        "title",
        "description",
        "x-openstack",
        "additonalProperties",
    ];
    visit_all(|keywords| {
        for (keyword, argument) in keywords {
            let known = [&evaluated[..], &silent[..]]
                .concat()
                .contains(&keyword.as_str());
            assert!(known, "{keyword} in {keywords:?}");
            match keyword.as_str() {
                "additionalProperties" => assert!(argument.is_boolean(), "{keywords:?}"),
                "uniqueItems" => assert_eq!(argument, true),
                "format" => assert_eq!(argument, "uuid"),
                "$ref" => assert!(argument.as_str().unwrap().starts_with("#/definitions/")),
                _ => {}
            }
        }
    });
}

/// The evaluation leaves out what cannot be seen because an earlier keyword refuses it.
#[test]
fn schemas_refuse_early_what_is_not_evaluated() {
    let before = |keywords: &Map<String, Value>, first: &str, second: &str| {
        let place = |name: &str| keywords.keys().position(|keyword| keyword == name);
        place(first).is_some() && place(first) < place(second)
    };
    visit_all(|keywords| {
        // Keystone also compares numbers written as text.
        for bound in ["minimum", "maximum"] {
            if keywords.contains_key(bound) {
                assert!(before(keywords, "type", bound), "{keywords:?}");
                assert!(
                    keywords["type"] == "integer" || keywords["type"] == json!(["integer", "null"])
                );
            }
        }
        // Python holds 1 and 1.0 for equal.
        if keywords.contains_key("uniqueItems") {
            assert!(before(keywords, "items", "uniqueItems"), "{keywords:?}");
            let items = &keywords["items"];
            assert!(
                items["type"] == "string" || items["items"]["type"] == "string",
                "{keywords:?}"
            );
        }
        for value in keywords
            .get("enum")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            assert!(!value.is_number(), "{keywords:?}");
        }
        assert!(
            !keywords.get("const").is_some_and(Value::is_number),
            "{keywords:?}"
        );
    });
}

/// Each of these is known to mean the same in both dialects; look at a new one before adding it.
#[test]
fn patterns_are_known() {
    let mut patterns = BTreeSet::new();
    visit_all(|keywords| {
        patterns.extend(
            keywords
                .get("pattern")
                .map(|pattern| pattern.as_str().unwrap().to_owned()),
        );
    });
    let known = [
        r"[\S]+",
        r"^/\.*",
        "^[^,/]*$",
        "^[a-zA-Z0-9+.-]+:.+",
        "^[a-zA-Z0-9-]+$",
    ]
    .map(str::to_owned);
    assert_eq!(patterns, BTreeSet::from(known));
}
