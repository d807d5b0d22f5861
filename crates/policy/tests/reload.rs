//! Rules follow their files, and stay when the files are wrong.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

use std::fs;
use std::path::Path;

use keystone_policy::{Denied, Enforcer, LoadError, Overrides, Rules, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

const LIST: &str = "identity:list_regions";
const CREATE: &str = "identity:create_region";

struct Site {
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policy.d")).unwrap();
        Self { dir }
    }

    fn settings(&self) -> Settings {
        Settings {
            file: Some(self.path("policy.yaml")),
            dirs: vec![self.path("policy.d"), self.path("absent.d")],
            ..Settings::default()
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }
}

fn allows(enforcer: &Enforcer, rule: &str, who: &str) -> bool {
    let credentials = json!({"roles": [who], "project_id": "p"});
    enforcer.enforce(rule, &json!({}), &credentials).is_ok()
}

#[test]
fn a_file_may_come_change_and_go() {
    let site = Site::new();
    let enforcer = Enforcer::new(site.settings()).unwrap();
    assert!(allows(&enforcer, CREATE, "admin"));
    site.write("policy.yaml", "identity:create_region: role:geographer\n");
    assert!(allows(&enforcer, CREATE, "geographer"));
    assert!(!allows(&enforcer, CREATE, "admin"));
    fs::write(
        site.path("policy.yaml"),
        "identity:create_region: role:cartographer\n",
    )
    .unwrap();
    assert!(allows(&enforcer, CREATE, "cartographer"));
    fs::remove_file(site.path("policy.yaml")).unwrap();
    assert!(allows(&enforcer, CREATE, "admin"));
    assert!(!allows(&enforcer, CREATE, "cartographer"));
}

#[test]
fn files_of_directories_lie_over_the_policy_file_in_order() {
    let site = Site::new();
    site.write("policy.yaml", "identity:create_region: role:one\n");
    site.write(
        "policy.d/20-b.json",
        "{\"identity:create_region\": \"role:three\"}",
    );
    site.write("policy.d/10-a.yaml", "identity:create_region: role:two\n");
    site.write("policy.d/.hidden", "identity:create_region: role:four\n");
    let enforcer = Enforcer::new(site.settings()).unwrap();
    assert!(allows(&enforcer, CREATE, "three"));
    fs::remove_file(site.path("policy.d/20-b.json")).unwrap();
    assert!(allows(&enforcer, CREATE, "two"));
    site.write("policy.d/10-a.yaml", "identity:create_region: role:five\n");
    assert!(allows(&enforcer, CREATE, "five"));
    site.write("policy.d/99-z.yaml", "identity:create_region: role:six\n");
    assert!(allows(&enforcer, CREATE, "six"));
}

#[test]
fn wrong_files_are_reported_and_the_running_rules_stay() {
    let cases = [
        (
            "identity:list_regions: \"role:x and\"\n",
            "\"identity:list_regions\" does not parse",
        ),
        (
            "mine: role:x or nonsense\n",
            "\"mine\" does not parse at \"nonsense\"",
        ),
        ("mine: 'user_id:%(user_id)'\n", "\"mine\" does not parse"),
        (
            "mine: rule:mine\n",
            "\"mine\" refers to itself: mine -> mine",
        ),
        (
            "a: not rule:b\nb: 'role:x or (@ and rule:c)'\nc: rule:a\n",
            "a -> b -> c -> a",
        ),
        (
            "admin_required: rule:service_or_admin\n",
            "admin_required -> service_or_admin -> admin_required",
        ),
        (
            "mine: not rule:nowhere\n",
            "\"mine\" refers to rule \"nowhere\", which is not defined",
        ),
        ("mine: 5\n", "\"mine\" does not parse"),
        ("{\"mine\": 5}", "\"mine\" is neither a string nor a list"),
        (
            "mine: {a: b}\n",
            "line 1, column 7: rule \"mine\" is neither",
        ),
        ("mine: !\n", "rule \"mine\": `!` starts a tag"),
        ("{\"mine\": \"role:x\",\n  \"other\" \"role:y\"}", "line 2"),
        ("- role:x\n", "a map of rules"),
    ];
    let site = Site::new();
    site.write("policy.yaml", "identity:create_region: role:geographer\n");
    let enforcer = Enforcer::new(site.settings()).unwrap();
    for (text, message) in cases {
        site.write("policy.yaml", text);
        assert!(allows(&enforcer, CREATE, "geographer"), "{text}");
        let fault = enforcer.fault().expect(text).to_string();
        assert!(fault.contains(message), "{text}: {fault}");
        assert!(
            fault.contains("policy.yaml") || text.starts_with("admin"),
            "{fault}"
        );
        assert!(Enforcer::new(site.settings()).is_err());
    }
    site.write("policy.yaml", "identity:create_region: role:cartographer\n");
    assert!(allows(&enforcer, CREATE, "cartographer"));
    assert!(enforcer.fault().is_none());
}

#[test]
fn what_can_not_be_read_leaves_the_running_rules() {
    let site = Site::new();
    site.write("policy.yaml", "identity:create_region: role:geographer\n");
    let enforcer = Enforcer::new(site.settings()).unwrap();
    fs::remove_file(site.path("policy.yaml")).unwrap();
    fs::create_dir(site.path("policy.yaml")).unwrap();
    assert!(allows(&enforcer, CREATE, "geographer"));
    assert!(matches!(*enforcer.fault().unwrap(), LoadError::Read { .. }));
    fs::remove_dir(site.path("policy.yaml")).unwrap();
    assert!(allows(&enforcer, CREATE, "admin"));
    assert!(enforcer.fault().is_none());
}

#[test]
fn a_named_file_must_be_there() {
    let missing = Overrides::from_file(Path::new("/nonexistent/policy.json"));
    assert!(matches!(missing, Err(LoadError::Read { .. })));
}

fn lenient(text: &str) -> (Rules, Vec<String>) {
    let rules: Value = serde_json::from_str(text).unwrap();
    let overrides = Overrides::from(rules.as_object().unwrap().clone());
    let loaded = Rules::over(&[], &overrides, &Settings::default());
    let faults = loaded.faults.iter().map(ToString::to_string).collect();
    (loaded.rules, faults)
}

#[test]
fn endless_rules_deny_whatever_surrounds_them() {
    let (rules, faults) =
        lenient(r#"{"a": "not rule:b", "b": "rule:a", "c": "@ or rule:a", "d": "not rule:c"}"#);
    assert_eq!(faults, [r#"rule "a" refers to itself: a -> b -> a"#]);
    for rule in ["a", "b", "c", "d"] {
        let denied = rules.enforce(rule, &json!({}), &json!({})).unwrap_err();
        assert!(
            matches!(denied, Denied::Undecided { .. }),
            "{rule}: {denied}"
        );
    }
}

#[test]
fn chains_and_nesting_have_an_end() {
    for width in [40, 60, 5000] {
        let link = |n: usize| {
            (
                format!("r{n:05}"),
                Value::from(format!("rule:r{:05}", n + 1)),
            )
        };
        let mut map: serde_json::Map<_, _> = (0..width).map(link).collect();
        map.insert(format!("r{width:05}"), "@".into());
        let loaded = Rules::over(&[], &Overrides::from(map), &Settings::default());
        assert_eq!(loaded.faults.is_empty(), width == 40, "{:?}", loaded.faults);
        let first = loaded.rules.enforce("r00000", &json!({}), &json!({}));
        assert_eq!(first.is_ok(), width == 40);
    }
    let deep = format!("{}@{}", "(".repeat(9000), ")".repeat(9000));
    for text in [deep, "not ".repeat(9000) + "@"] {
        let (rules, faults) = lenient(&json!({"deep": text}).to_string());
        assert_eq!(faults.len(), 1);
        assert!(rules.enforce("deep", &json!({}), &json!({})).is_err());
    }
}

#[test]
fn a_rule_is_explained_part_by_part() {
    let credentials = json!({"roles": ["reader"], "system_scope": "all", "user_id": "u1"});
    let target = json!({"target": {"user": {"id": "u2"}}});
    let rules = Rules::defaults();
    let explained = rules
        .explain("identity:get_access_rule", &target, &credentials)
        .to_string();
    assert_eq!(
        explained,
        "identity:get_access_rule: allowed\n  \
           scope of the credentials: system\n  \
           or = true\n    \
             and = true\n      \
               role:reader = true  (credentials: roles = [\"reader\"])\n      \
               system_scope:all = true  (credentials: system_scope = \"all\")\n    \
             user_id:%(target.user.id)s = false  \
               (credentials: user_id = \"u1\", target: %(target.user.id)s = \"u2\")\n"
    );
    let unknown = rules
        .explain("identity:nothing", &target, &credentials)
        .to_string();
    assert!(
        unknown.starts_with("identity:nothing: denied, rule \"identity:nothing\" is not defined")
    );
}

#[test]
fn every_rule_is_listed() {
    let list = Rules::defaults().list();
    assert_eq!(list.as_array().unwrap().len(), 204);
    let row = list
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == LIST)
        .unwrap();
    assert_eq!(
        *row,
        json!({"name": LIST, "check_str": "", "scope_types": ["system", "domain", "project"]})
    );
}

#[test]
fn the_sample_file_is_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy/sample.yaml");
    let overrides = Overrides::from_file(&path).unwrap();
    let rules = Rules::with_overrides(&overrides, &Settings::default())
        .strict()
        .unwrap();
    let helpdesk = json!({"roles": ["helpdesk"], "domain_id": "d1"});
    let target = json!({"target.user.id": "u", "target.user.domain_id": "d1"});
    assert!(
        rules
            .enforce("identity:get_user", &target, &helpdesk)
            .is_ok()
    );
    let admin = json!({"roles": ["admin"], "project_id": "p"});
    assert!(
        rules
            .enforce("identity:delete_domain", &target, &admin)
            .is_err()
    );
}
