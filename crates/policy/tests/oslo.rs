//! Answers of the real oslo.policy, as `oslo_fixture.py` recorded them, against this crate's.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

mod letter;

use std::fs;
use std::sync::LazyLock;

use keystone_policy::{DefaultRule, Deprecated, Overrides, Registry, Rules, ScopeType, Settings};
use keystone_python::json as python_json;
use serde_json::{Map, Value, json};

use letter::letter;

/// Checks that allow in oslo.policy because what they negate is wrong.
const FAIL_CLOSED: [&str; 3] = ["not rule:missing", "not foo", "role:admin and not foo"];

static FIXTURE: LazyLock<Value> =
    LazyLock::new(|| python_json::read(include_str!("fixtures/oslo.json")).unwrap());

fn rows(key: &str) -> &'static [Value] {
    FIXTURE[key].as_array().unwrap()
}

/// The letters for each target within each set of credentials; `explain` must agree with `enforce`.
fn letters(rules: &Rules, rule: &str, targets: &[Value], credentials: &[Value]) -> String {
    let mut letters = String::new();
    for creds in credentials {
        for target in targets {
            let answer = rules.enforce(rule, target, creds);
            let explained = rules.explain(rule, target, creds);
            assert_eq!(explained.answer, answer, "{rule}\n{explained}");
            letters.push(letter(&answer));
        }
    }
    letters
}

fn flat(prefix: &str, value: &Value, out: &mut Map<String, Value>) {
    for (key, item) in value.as_object().unwrap() {
        if item.is_object() {
            flat(&format!("{prefix}{key}."), item, out);
        } else {
            out.insert(format!("{prefix}{key}"), item.clone());
        }
    }
}

#[test]
fn check_strings_parse_and_answer_alike() {
    let mut wrong = Vec::new();
    for row in rows("checks") {
        let mut rules = FIXTURE["shared"].as_object().unwrap().clone();
        rules.insert("case".to_owned(), row[0].clone());
        let loaded = Rules::over(
            &Registry::default(),
            &Overrides::from(rules),
            &Settings::default(),
        );
        let tree = loaded.rules.check("case").unwrap().to_string();
        if tree != row[1] {
            wrong.push(format!("{}: tree {tree}, not {}", row[0], row[1]));
        }
        if row[2] == true && loaded.faults.is_empty() {
            wrong.push(format!("{}: no fault found", row[0]));
        }
        let answers = letters(&loaded.rules, "case", rows("targets"), rows("credentials"));
        let mut expected = row[3].as_str().unwrap().to_owned();
        if row[0]
            .as_str()
            .is_some_and(|text| FAIL_CLOSED.contains(&text))
        {
            expected = expected.replace('T', "F");
        }
        if answers != expected {
            wrong.push(format!("{}: {answers}, not {expected}", row[0]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_that_depend_only_on_the_owner_are_recognised() {
    let (key, owner) = ("user_id", "target.credential.user_id");
    for (rule, expected) in [
        ("", true),
        ("!", true),
        ("role:admin or user_id:%(target.credential.user_id)s", true),
        ("not user_id:%(target.credential.user_id)s", true),
        ("rule:other and system_scope:all", true),
        ("user_id:%(target.credential.project_id)s", false),
        ("project_id:%(target.credential.user_id)s", false),
        ("user_id:x%(target.credential.user_id)s", false),
        ("role:%(target.credential.type)s", false),
        ("'cert':%(target.credential.type)s", false),
        ("role:admin and (role:x or rule:more)", false),
        ("http://policy.test/ask", false),
    ] {
        let rules = Map::from_iter([
            ("case".to_owned(), rule.into()),
            (
                "other".to_owned(),
                "user_id:%(target.credential.user_id)s".into(),
            ),
            (
                "more".to_owned(),
                "project_id:%(target.credential.project_id)s".into(),
            ),
        ]);
        let loaded = Rules::over(
            &Registry::default(),
            &Overrides::from(rules),
            &Settings::default(),
        );
        let found = loaded.rules.depends_only_on_owner("case", key, owner);
        assert_eq!(found, expected, "{rule}");
    }
    let loaded = Rules::over(
        &Registry::keystone(),
        &Overrides::default(),
        &Settings::default(),
    );
    for rule in ["identity:get_credential", "identity:list_credentials"] {
        assert!(loaded.rules.depends_only_on_owner(rule, key, owner));
    }
}

#[test]
fn mixtures_of_words_make_the_same_trees() {
    for row in rows("mixtures") {
        let rules = Map::from_iter([("case".to_owned(), row[0].clone())]);
        let loaded = Rules::over(
            &Registry::default(),
            &Overrides::from(rules),
            &Settings::default(),
        );
        let tree = loaded.rules.check("case").unwrap().to_string();
        assert_eq!(tree, row[1], "{}", row[0]);
        assert_eq!(loaded.faults.is_empty(), row[2] == false, "{}", row[0]);
    }
}

#[test]
fn the_defaults_answer_alike_for_flat_and_nested_targets() {
    let nested = rows("nested");
    let flat: Vec<_> = nested
        .iter()
        .map(|target| {
            let mut out = Map::new();
            flat("", target, &mut out);
            Value::Object(out)
        })
        .collect();
    for run in rows("defaults") {
        let settings = Settings {
            enforce_new_defaults: run["new_defaults"].as_bool().unwrap(),
            ..Settings::default()
        };
        let loaded = Rules::over(&Registry::keystone(), &Overrides::default(), &settings);
        let rules = loaded.strict().unwrap();
        let expected = run["answers"].as_object().unwrap();
        assert_eq!(expected.len(), 204);
        assert!(rules.names().eq(sorted(expected)));
        for (rule, answers) in expected {
            assert_eq!(
                letters(&rules, rule, &flat, rows("personas")),
                *answers,
                "{rule}"
            );
            assert_eq!(
                letters(&rules, rule, nested, rows("personas")),
                *answers,
                "{rule}"
            );
        }
    }
}

fn sorted(map: &Map<String, Value>) -> Vec<&str> {
    let mut names: Vec<_> = map.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn service() -> Vec<DefaultRule> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rule = |row: &Value| {
        let scopes: Option<Vec<ScopeType>> = serde_json::from_value(row[2].clone()).unwrap();
        let rule = DefaultRule::new(text(&row[0]), text(&row[1]));
        let rule = rule.scope_types(scopes.unwrap_or_default());
        match row[3].as_array() {
            Some(old) => {
                rule.replaces(Deprecated::new(text(&old[0]), text(&old[1])).because("r", "s"))
            }
            None => rule,
        }
    };
    rows("service").iter().map(rule).collect()
}

#[test]
fn files_override_and_deprecated_names_still_count() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("policy.yaml");
    let target = [json!({"user_id": "u"})];
    for case in rows("files") {
        fs::write(&path, case["text"].as_str().unwrap()).unwrap();
        let settings = Settings {
            enforce_new_defaults: case["new_defaults"].as_bool().unwrap(),
            ..Settings::default()
        };
        let overrides = Overrides::from_file(&path).unwrap();
        let rules = Rules::over(&service().into(), &overrides, &settings).rules;
        for (rule, answers) in case["answers"].as_object().unwrap() {
            let got = letters(&rules, rule, &target, rows("file_personas"));
            assert_eq!(got, *answers, "{rule} of {case}");
        }
    }
}
