//! What a service registers: its rules, its kinds of checks, and the files that are written from them.

use std::fs;

use keystone_policy::{
    CustomCheck, DefaultRule, Denied, Deprecated, Enforcer, Flaw, LoadError, Overrides, Registry,
    Request, Rules, ScopeType, Settings,
};
use serde_json::{Value, json};

fn with_default(rule: DefaultRule) -> Result<Enforcer, LoadError> {
    let others = vec![DefaultRule::new("default", "!"), rule];
    Enforcer::with_defaults(others, Settings::default())
}

#[test]
fn a_service_that_registers_nonsense_is_refused() {
    let twice = with_default(DefaultRule::new("default", "@")).unwrap_err();
    assert_eq!(twice.to_string(), "rule \"default\" is registered twice");
    let mut silent = DefaultRule::new("old", "@");
    silent.for_removal = true;
    let silent = with_default(silent).unwrap_err();
    assert!(matches!(&silent, LoadError::Rules(faults) if faults[0].flaws == [Flaw::Unexplained]));
    with_default(DefaultRule::new("old", "@").for_removal("It is of no use.", "3.0")).unwrap();
    // As in oslo.policy, a check string that does not parse denies.
    let wrong = with_default(DefaultRule::new("wrong", "role:a or or role:b")).unwrap();
    let answer = wrong.enforce("wrong", &json!({}), &json!({"roles": ["a"]}));
    assert!(matches!(answer, Err(Denied::Check { .. })));
}

#[test]
fn rules_that_no_service_registered_are_not_authorized() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.yaml");
    fs::write(&file, "extra: '@'\ndefault: '@'\n").unwrap();
    let settings = Settings {
        file: Some(file),
        ..Settings::default()
    };
    let enforcer = Enforcer::with_defaults(vec![DefaultRule::new("known", "@")], settings).unwrap();
    let ask = |rule| enforcer.authorize(rule, &json!({}), &json!({}));
    assert!(ask("known").is_ok());
    for rule in ["extra", "default", "unknown"] {
        let rule_of = rule.to_owned();
        assert_eq!(ask(rule), Err(Denied::Unknown { rule: rule_of }));
        assert!(enforcer.enforce(rule, &json!({}), &json!({})).is_ok());
    }
}

/// `weekday:DAY`, which is read once, and asks for a day in the target.
struct Weekday(String);

impl CustomCheck for Weekday {
    fn holds(&self, request: &Request<'_>) -> Result<bool, String> {
        assert_eq!(request.rule, "open");
        match request.target_value("at.day") {
            Some(Value::String(day)) => Ok(*day == self.0),
            Some(other) => Err(format!("{other} is no day")),
            None => Ok(false),
        }
    }
}

fn shop() -> Registry {
    let rules = [
        DefaultRule::new("open", "rule:weekdays and not weekday:sunday"),
        DefaultRule::new("weekdays", "weekday:monday or weekday:sunday or role:owner"),
    ];
    Registry::new(rules).check("weekday", |day| match day {
        "monday" | "sunday" => Ok(Weekday(day.to_owned())),
        _ => Err(format!("there is no {day}")),
    })
}

#[test]
fn checks_of_the_service_decide_and_their_errors_deny() {
    let rules = Rules::over(&shop(), &Overrides::default(), &Settings::default());
    let rules = rules.strict().unwrap();
    let ask = |day: Value| {
        let credentials = json!({"roles": ["owner"]});
        let target = json!({"at": {"day": day}});
        let answer = rules.enforce("open", &target, &credentials);
        let explained = rules.explain("open", &target, &credentials);
        assert_eq!(explained.answer, answer, "{explained}");
        answer
    };
    assert!(ask(json!("monday")).is_ok());
    assert!(ask(json!("tuesday")).is_ok());
    assert!(matches!(ask(json!("sunday")), Err(Denied::Check { .. })));
    let undecided = ask(json!(5)).unwrap_err();
    let expected = "open could not be decided: 5 is no day";
    assert_eq!(undecided.to_string(), expected);
    let check = rules.check("open").unwrap().to_string();
    assert_eq!(check, "(rule:weekdays and not weekday:sunday)");
    assert!(rules.may_read("open", &["user_id"]));
    assert!(!rules.depends_only_on_owner("open", "user_id", "owner"));
}

#[test]
fn a_check_that_the_service_can_not_make_is_a_flaw_of_the_rule() {
    let given = json!({"open": "role:owner or not weekday:doomsday"});
    let overrides = Overrides::from(given.as_object().unwrap().clone());
    let loaded = Rules::over(&shop(), &overrides, &Settings::default());
    let faults: Vec<_> = loaded.faults.iter().map(ToString::to_string).collect();
    let expected = "rule \"open\" does not parse at \"weekday:doomsday\": there is no doomsday";
    assert_eq!(faults, [expected]);
    let ask = |role| {
        loaded
            .rules
            .enforce("open", &json!({}), &json!({"roles": [role]}))
    };
    assert!(ask("owner").is_ok());
    assert!(matches!(ask("guest"), Err(Denied::Check { .. })));
}

#[test]
fn defaults_are_read_from_data_with_either_names() {
    let ours = json!({
        "name": "new", "check": "role:x", "scope_types": ["system"], "operations": ["GET /v1/x"],
        "deprecated": {"name": "old", "check": "@", "reason": "It was open.", "since": "2"},
    });
    let theirs = json!({
        "name": "new", "check_str": "role:x", "scope_types": ["system"], "description": null,
        "operations": [{"method": "GET", "path": "/v1/x"}],
        "deprecated_rule": {"name": "old", "check_str": "@", "deprecated_reason": "It was open.", "deprecated_since": "2"},
        "deprecated_for_removal": false, "deprecated_reason": null, "deprecated_since": null,
    });
    let built = DefaultRule::new("new", "role:x")
        .scope_types([ScopeType::System])
        .operation("GET", "/v1/x")
        .replaces(Deprecated::new("old", "@").because("It was open.", "2"));
    for data in [ours, theirs] {
        assert_eq!(serde_json::from_value::<DefaultRule>(data).unwrap(), built);
    }
    for wrong in [
        json!({"name": "new"}),
        json!({"name": "new", "check": "@", "scopes": []}),
        json!({"name": "new", "check": "@", "operations": ["GET"]}),
        json!({"name": "new", "check": "@", "scope_types": ["galaxy"]}),
    ] {
        assert!(serde_json::from_value::<DefaultRule>(wrong).is_err());
    }
}

#[test]
fn comments_are_wrapped_as_in_oslo_policy() {
    let rows: Vec<(String, String)> =
        serde_json::from_str(include_str!("services/comments.json")).unwrap();
    assert_eq!(rows.len(), 80);
    for (text, comment) in rows {
        let rule = DefaultRule::new("a", "").description(&text);
        let head = if text.is_empty() {
            String::new()
        } else {
            comment + "\n"
        };
        let sample = Registry::new([rule]).sample();
        assert_eq!(sample, format!("{head}#\"a\": \"\"\n\n"), "{text:?}");
    }
}

#[test]
fn written_rules_mean_the_same_when_they_are_read() {
    let rules = [
        DefaultRule::new("quotes", "'a\"b':%(c)s or \"x\\y\":%(d)s"),
        DefaultRule::new("lines", "role:a\nor role:b"),
        DefaultRule::new("list", "!"),
        DefaultRule::new("none", "!"),
    ];
    let registry = Registry::new(rules);
    let given = json!({"none": null, "list": [["role:a", "role:b"], "role:c"]});
    let overrides = Overrides::from(given.as_object().unwrap().clone());
    let written = registry.policy(&overrides);
    assert!(written.starts_with("\"none\": \"\"\n\"list\": \"((role:a and role:b) or role:c)\"\n"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    let trees = |overrides: &Overrides| {
        let loaded = Rules::over(&registry, overrides, &Settings::default());
        let names = ["quotes", "lines", "list", "none"];
        names.map(|name| loaded.rules.check(name).unwrap().to_string())
    };
    fs::write(&path, &written).unwrap();
    assert_eq!(
        trees(&Overrides::from_file(&path).unwrap()),
        trees(&overrides)
    );
    let open = registry.sample().replace("#\"", "\"");
    fs::write(&path, open).unwrap();
    let defaults = Overrides::default();
    assert_eq!(
        trees(&Overrides::from_file(&path).unwrap()),
        trees(&defaults)
    );
}

#[test]
fn what_is_deprecated_can_be_left_out_of_a_sample() {
    let registry = Registry::new([
        DefaultRule::new("new", "role:x")
            .replaces(Deprecated::new("old", "@").because("Why.", "2")),
        DefaultRule::new("gone", "@").for_removal("It is of no use.", "3"),
    ]);
    let all = registry.sample();
    assert!(all.contains("\"old\":\"@\" has been deprecated since 2 in favor of"));
    assert!(all.contains(
        "# \"gone\" has been deprecated since 3.\n# It is of no use.\n#\"gone\": \"@\"\n"
    ));
    let short = "#\"new\": \"role:x\"\n\n#\"gone\": \"@\"\n\n";
    assert_eq!(registry.sample_without_deprecated(), short);
}
