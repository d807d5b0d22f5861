//! Properties of rules and policy files: no text makes loading, evaluating or printing panic, and a printed rule parses
//! to the same rule.

use std::sync::LazyLock;

use keystone_policy::{DefaultRule, Loaded, Overrides, Registry, Rules, Settings};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const RULE: &str = "get_server";

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let defaults = json!([
        {"name": "admin_required", "check": "role:admin"},
        {"name": RULE, "check": "rule:admin_required"},
    ]);
    let defaults: Vec<DefaultRule> = serde_json::from_value(defaults).expect("a list of rules");
    defaults.into()
});

fn load(rule: Value) -> Loaded {
    let rules = Map::from_iter([(RULE.to_owned(), rule)]);
    Rules::over(&REGISTRY, &Overrides::from(rules), &Settings::default())
}

/// Loads, prints, evaluates and explains a rule; one that asks another server is not evaluated.
fn evaluate(rule: Value) {
    let Loaded { rules, faults } = load(rule);
    for fault in faults {
        assert!(!fault.to_string().is_empty());
    }
    let _ = rules.list();
    if !rules.calls_out(RULE) {
        let target = json!({"a": 1, "target": {"user": {"id": "a"}}});
        let credentials = json!({"roles": ["admin"], "user_id": "a", "a": [null, {"b": 0.5}]});
        let _ = rules.enforce(RULE, &target, &credentials);
        let _ = rules.explain(RULE, &target, &credentials).to_string();
    }
}

/// A text of the words and characters that have a meaning in rules.
fn noise() -> impl Strategy<Value = String> {
    "(and|or|not|rule:|role:|http:|None:|'|\"|[(]|[)]|%|[(]a[)]s|@|!|:|[a-z.0-9-]| |\t|\u{e9}){0,40}"
}

/// A check string of the grammar.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        1 => Just("@".to_owned()),
        1 => Just("!".to_owned()),
        8 => "(role|user_id|target\\.user|None|True|'admin'|1\\.5):([a-z_]{1,8}|%\\([a-z.]{1,8}\\)s)",
        2 => Just("rule:admin_required".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let next = (
            prop::sample::select(vec!["and", "or", "AND"]),
            inner.clone(),
        );
        let chain = (inner.clone(), prop::collection::vec(next, 1..4));
        prop_oneof![
            inner.clone().prop_map(|part| format!("not ({part})")),
            inner.prop_map(|part| format!("({part})")),
            chain.prop_map(|(first, rest)| {
                let rest = rest.iter().map(|(word, part)| format!(" {word} {part}"));
                first + &rest.collect::<String>()
            }),
        ]
    })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        noise().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]", inner, 0..3)
                .prop_map(|map| Value::from(Map::from_iter(map))),
        ]
    })
}

proptest! {
    #[test]
    fn evaluating_any_text_returns(rule in any::<String>()) {
        evaluate(rule.into());
    }

    #[test]
    fn evaluating_any_words_returns(rule in noise()) {
        evaluate(rule.into());
    }

    #[test]
    fn evaluating_any_json_returns(rule in json_value()) {
        evaluate(rule);
    }

    #[test]
    fn a_printed_rule_parses_to_the_same_rule(rule in expression()) {
        let Loaded { rules, faults } = load(rule.clone().into());
        prop_assert!(faults.is_empty(), "{}: {:?}", rule, faults);
        let check = rules.check(RULE).unwrap();
        let again = load(check.to_string().into());
        prop_assert!(again.faults.is_empty(), "{}: {:?}", check, again.faults);
        prop_assert_eq!(again.rules.check(RULE).unwrap(), check);
    }

    #[test]
    fn reading_any_policy_file_returns(
        text in prop_oneof![
            any::<String>(),
            "([a-z'\"{}\\[\\]:,!&*|>#@-]|[ \n\t]|: |- |\u{e9}){0,60}",
        ],
    ) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        if let Ok(overrides) = Overrides::from_file(file.path()) {
            Rules::over(&REGISTRY, &overrides, &Settings::default());
        }
    }
}
