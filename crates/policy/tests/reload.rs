//! Rules follow their files, and stay when the files are wrong.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keystone_policy::{Denied, Enforcer, LoadError, Loss, Overrides, Registry, Rules, Settings};
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

fn started(settings: Settings) -> Result<Enforcer, LoadError> {
    Enforcer::with_defaults(Registry::keystone(), settings)
}

fn rules(overrides: &Overrides) -> Rules {
    let loaded = Rules::over(&Registry::keystone(), overrides, &Settings::default());
    loaded.strict().unwrap()
}

fn allows(enforcer: &Enforcer, rule: &str, who: &str) -> bool {
    let credentials = json!({"roles": [who], "project_id": "p"});
    let rules = enforcer.rules();
    rules.enforce(rule, &json!({}), &credentials).is_ok()
}

#[test]
fn a_new_or_changed_file_is_read() {
    let site = Site::new();
    let enforcer = started(site.settings()).unwrap();
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
    // No rules is what these say.
    for text in ["{}", "# all as it is by default\n"] {
        site.write("policy.yaml", text);
        assert!(allows(&enforcer, CREATE, "admin"), "{text}");
        assert!(enforcer.fault().is_none());
    }
}

#[test]
fn who_asked_before_a_look_at_the_files_shares_it_and_who_asks_later_sees_the_change() {
    let site = Site::new();
    let enforcer = started(site.settings()).unwrap();
    let asked = Instant::now();
    let before = enforcer.rules_since(asked);
    site.write("policy.yaml", "identity:create_region: role:geographer\n");
    assert!(Arc::ptr_eq(&before, &enforcer.rules_since(asked)));
    let after = enforcer.rules_since(Instant::now());
    assert!(!Arc::ptr_eq(&before, &after));
}

/// Waits for what is to be true in a millisecond.
fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "the question never followed the file");
    }
}

#[test]
fn questions_follow_a_changed_file_before_long() {
    let site = Site::new();
    let enforcer = started(site.settings()).unwrap();
    let (target, geographer) = (json!({}), json!({"roles": ["geographer"]}));
    let questions: [&dyn Fn() -> bool; 3] = [
        &|| enforcer.enforce(CREATE, &target, &geographer).is_ok(),
        &|| enforcer.authorize(CREATE, &target, &geographer).is_ok(),
        &|| {
            let explained = enforcer.explain(CREATE, &target, &geographer);
            explained.answer.is_ok()
        },
    ];
    for ask in questions {
        site.write("policy.yaml", "{}");
        until(|| !ask());
        site.write("policy.yaml", "identity:create_region: role:geographer\n");
        until(ask);
    }
}

#[test]
fn what_the_program_lays_over_the_files_stays_above_them() {
    let site = Site::new();
    site.write("policy.yaml", "identity:create_region: role:geographer\n");
    let settings = |text: &str| Settings {
        overrides: Some(text.to_owned()),
        ..site.settings()
    };
    for text in [
        "identity:create_region: role:owner\n",
        r#"{"identity:create_region": "role:owner"}"#,
    ] {
        let enforcer = started(settings(text)).unwrap();
        assert!(allows(&enforcer, CREATE, "owner"));
        assert!(!allows(&enforcer, CREATE, "geographer"));
        site.write(
            "policy.d/10-a.yaml",
            "identity:list_regions: role:tourist\n",
        );
        assert!(!allows(&enforcer, LIST, "anybody"), "the files are read");
        assert!(allows(&enforcer, CREATE, "owner"));
        let without = enforcer.reconfigured(site.settings()).unwrap();
        assert!(allows(&without, CREATE, "geographer"));
        fs::remove_file(site.path("policy.d/10-a.yaml")).unwrap();
    }
    let wrong = started(settings("mine: {a: b}\n")).unwrap_err();
    let message = "the policy overrides, line 1, column 7: rule \"mine\" is neither";
    assert!(wrong.to_string().contains(message), "{wrong}");
    let blank = started(settings("")).unwrap();
    assert!(allows(&blank, CREATE, "geographer"));
}

#[test]
fn policy_dirs_override_the_policy_file_in_order_of_names() {
    let site = Site::new();
    site.write("policy.yaml", "identity:create_region: role:one\n");
    site.write(
        "policy.d/20-b.json",
        "{\"identity:create_region\": \"role:three\"}",
    );
    site.write("policy.d/10-a.yaml", "identity:create_region: role:two\n");
    site.write("policy.d/.hidden", "identity:create_region: role:four\n");
    let enforcer = started(site.settings()).unwrap();
    assert!(allows(&enforcer, CREATE, "three"));
    fs::remove_file(site.path("policy.d/20-b.json")).unwrap();
    assert!(allows(&enforcer, CREATE, "two"));
    site.write("policy.d/10-a.yaml", "identity:create_region: role:five\n");
    assert!(allows(&enforcer, CREATE, "five"));
    site.write("policy.d/99-z.yaml", "identity:create_region: role:six\n");
    assert!(allows(&enforcer, CREATE, "six"));
}

#[test]
fn a_wrong_rule_denies_with_one_line_and_the_rest_works() {
    let cases = [
        (
            "identity:list_regions: \"role:x and\"\n",
            vec!["\"identity:list_regions\" does not parse"],
        ),
        (
            "mine: role:x or nonsense\n",
            vec!["\"mine\" does not parse at \"nonsense\""],
        ),
        (
            "mine: 'user_id:%(user_id)'\n",
            vec!["\"mine\" does not parse"],
        ),
        (
            "mine: rule:mine\n",
            vec!["\"mine\" refers to itself: mine -> mine"],
        ),
        (
            "a: not rule:b\nb: 'role:x or (@ and rule:c)'\nc: rule:a\n",
            vec!["a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"],
        ),
        (
            "mine: not rule:nowhere or rule:elsewhere and nonsense\nyours: rule:nowhere\n",
            vec![
                "\"mine\" does not parse at \"nonsense\": a check is `kind:match`, `@` or `!`, and refers to rule \
                 \"elsewhere\", which is not defined, and refers to rule \"nowhere\", which is not defined",
                "\"yours\" refers to rule \"nowhere\", which is not defined",
            ],
        ),
        ("mine: 5\n", vec!["\"mine\" does not parse"]),
        (
            "{\"mine\": 5, \"identity:create_region\": \"role:geographer\"}",
            vec!["\"mine\" is neither a string nor a list"],
        ),
    ];
    let site = Site::new();
    for (text, lines) in cases {
        let text = if text.starts_with('{') {
            text.to_owned()
        } else {
            format!("{text}identity:create_region: role:geographer\n")
        };
        site.write("policy.yaml", &text);
        let (enforcer, log) = logged(|| started(site.settings()).unwrap());
        assert_eq!(log.len(), lines.len(), "{text}: {log:#?}");
        for (found, line) in log.iter().zip(lines) {
            assert!(found.contains(line), "{found}");
            assert!(found.contains("policy.yaml"), "{found}");
        }
        let ((), log) = logged(|| {
            assert!(allows(&enforcer, CREATE, "geographer"), "{text}");
            for rule in ["mine", "yours", "a", "b", "c"] {
                assert!(!allows(&enforcer, rule, "nobody"), "{rule} of {text}");
            }
        });
        let errors = log.iter().filter(|line| line.contains("ERROR"));
        assert_eq!(errors.count(), 0, "{log:#?}");
        assert!(enforcer.fault().is_none());
    }
}

#[test]
fn a_wrong_default_is_named_too() {
    let site = Site::new();
    site.write("policy.yaml", "admin_required: rule:service_or_admin\n");
    let (_, log) = logged(|| started(site.settings()).unwrap());
    assert_eq!(log.len(), 2, "{log:#?}");
    assert!(log[0].contains("admin_required -> service_or_admin -> admin_required"));
    assert!(log[1].contains("service_or_admin -> admin_required -> service_or_admin"));
}

#[test]
fn a_file_that_does_not_parse_leaves_the_running_rules() {
    let cases = [
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
    let enforcer = started(site.settings()).unwrap();
    for (text, message) in cases {
        site.write("policy.yaml", text);
        assert!(allows(&enforcer, CREATE, "geographer"), "{text}");
        let fault = enforcer.fault().expect(text).to_string();
        assert!(fault.contains(message), "{text}: {fault}");
        assert!(fault.contains("policy.yaml"), "{fault}");
        assert!(started(site.settings()).is_err());
        assert!(enforcer.reconfigured(site.settings()).is_err());
    }
    site.write("policy.yaml", "identity:create_region: role:cartographer\n");
    assert!(allows(&enforcer, CREATE, "cartographer"));
    assert!(enforcer.fault().is_none());
}

#[test]
fn a_lost_file_leaves_the_running_rules_and_is_logged_once() {
    const GOOD: &str =
        "identity:list_regions: role:tourist\nidentity:create_region: role:geographer\n";
    type Accident = fn(&Path);
    let accidents: [(Accident, &str); 6] = [
        (|path| fs::write(path, "").unwrap(), "it has been emptied"),
        (
            |path| fs::write(path, " \n\n").unwrap(),
            "it has been emptied",
        ),
        (
            |path| fs::write(path, &GOOD[..60]).unwrap(),
            "it has been cut off in the middle of a line",
        ),
        (
            |path| fs::write(path, &GOOD[..30]).unwrap(),
            "it has been cut off in the middle of a line",
        ),
        (|path| fs::remove_file(path).unwrap(), "it is gone"),
        (
            |path| {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            },
            "Is a directory",
        ),
    ];
    let site = Site::new();
    let path = site.path("policy.yaml");
    for (accident, message) in accidents {
        site.write("policy.yaml", GOOD);
        let enforcer = started(site.settings()).unwrap();
        accident(&path);
        let ((), log) = logged(|| {
            for _ in 0..3 {
                assert!(allows(&enforcer, CREATE, "geographer"), "{message}");
                assert!(!allows(&enforcer, CREATE, "admin"), "{message}");
                // The same again is no news.
                if path.is_file() {
                    let text = fs::read(&path).unwrap();
                    fs::write(&path, text).unwrap();
                }
            }
        });
        assert_eq!(log.len(), 1, "{log:#?}");
        assert!(log[0].contains(message) && log[0].contains("policy.yaml"));
        assert!(enforcer.fault().unwrap().to_string().contains(message));
        assert!(enforcer.reconfigured(site.settings()).is_err(), "{message}");
        if path.is_dir() {
            fs::remove_dir(&path).unwrap();
        }
        site.write("policy.yaml", "identity:create_region: role:cartographer\n");
        assert!(allows(&enforcer, CREATE, "cartographer"));
        assert!(enforcer.fault().is_none());
    }
}

#[test]
fn a_lost_directory_leaves_the_running_rules() {
    let site = Site::new();
    site.write("policy.d/10-a.yaml", "identity:create_region: role:two\n");
    let enforcer = started(site.settings()).unwrap();
    fs::rename(site.path("policy.d"), site.path("elsewhere")).unwrap();
    assert!(allows(&enforcer, CREATE, "two"));
    assert!(matches!(
        *enforcer.fault().unwrap(),
        LoadError::Lost {
            how: Loss::Gone,
            ..
        }
    ));
    fs::rename(site.path("elsewhere"), site.path("policy.d")).unwrap();
    site.write("policy.d/10-a.yaml", "");
    assert!(allows(&enforcer, CREATE, "two"));
    fs::remove_file(site.path("policy.d/10-a.yaml")).unwrap();
    assert!(allows(&enforcer, CREATE, "admin"));
}

#[test]
fn lines_can_be_removed_and_a_start_needs_no_rules() {
    let site = Site::new();
    site.write(
        "policy.yaml",
        "identity:create_region: role:geographer\nidentity:list_regions: role:tourist\n",
    );
    let enforcer = started(site.settings()).unwrap();
    assert!(!allows(&enforcer, LIST, "anybody"));
    site.write("policy.yaml", "identity:create_region: role:geographer\n");
    assert!(allows(&enforcer, LIST, "anybody"));
    site.write("policy.yaml", "");
    assert!(allows(&enforcer, CREATE, "geographer"));
    // As Keystone starts; and other settings start anew.
    assert!(allows(&started(site.settings()).unwrap(), CREATE, "admin"));
    let elsewhere = Settings {
        file: Some(site.path("absent.yaml")),
        ..site.settings()
    };
    let reconfigured = enforcer.reconfigured(elsewhere).unwrap();
    assert!(allows(&reconfigured, CREATE, "admin"));
}

#[test]
fn a_named_file_must_exist() {
    let missing = Overrides::from_file(Path::new("/nonexistent/policy.json"));
    assert!(matches!(missing, Err(LoadError::Read { .. })));
}

/// The result of `work`, and the ERROR lines that it writes.
fn logged<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::ERROR)
        .finish();
    let given = tracing::subscriber::with_default(subscriber, work);
    let text = lines.0.lock().unwrap().clone();
    let text = String::from_utf8(text).unwrap();
    (given, text.lines().map(str::to_owned).collect())
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lenient(text: &str) -> (Rules, Vec<String>) {
    let rules: Value = serde_json::from_str(text).unwrap();
    let overrides = Overrides::from(rules.as_object().unwrap().clone());
    let loaded = Rules::over(&Registry::default(), &overrides, &Settings::default());
    let faults = loaded.faults.iter().map(ToString::to_string).collect();
    (loaded.rules, faults)
}

#[test]
fn a_wrong_check_denies_even_when_negated() {
    let (rules, faults) = lenient(
        r#"{"a": "not rule:b or role:x", "b": "rule:a", "c": "@ or rule:a", "d": "not rule:c", "e": "not rule:a",
            "f": "not rule:nowhere", "g": "not (rule:nowhere and !)", "h": "not nonsense", "i": "@ and not nonsense",
            "j": "rule:nowhere or role:x", "k": "not (nonsense or @)", "l": "nonsense and not !", "m": "not rule:h"}"#,
    );
    let wrong: Vec<_> = faults.iter().map(|fault| &fault[5..9]).collect();
    let expected = ["a", "b", "f", "g", "h", "i", "j", "k", "l"];
    assert!(
        wrong
            .iter()
            .zip(expected)
            .all(|(found, name)| found.contains(name))
    );
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for rule in [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
    ] {
        let asked = |roles| {
            let credentials = json!({ "roles": roles });
            let answer = rules.enforce(rule, &json!({}), &credentials);
            let explained = rules.explain(rule, &json!({}), &credentials);
            assert_eq!(explained.answer, answer, "{explained}");
            answer
        };
        // These rules are decided before the unusable part is reached.
        let settled = ["c", "g"].contains(&rule);
        let denied = Err(Denied::Check {
            rule: rule.to_owned(),
        });
        assert_eq!(
            asked(json!([])),
            if settled { Ok(()) } else { denied.clone() },
            "{rule}"
        );
        let allowed = settled || ["a", "j"].contains(&rule);
        assert_eq!(asked(json!(["x"])).is_ok(), allowed, "{rule}");
    }
}

#[test]
fn reference_chains_and_nesting_are_bounded() {
    for width in [40, 60, 5000] {
        let link = |n: usize| {
            (
                format!("r{n:05}"),
                Value::from(format!("rule:r{:05}", n + 1)),
            )
        };
        let mut map: serde_json::Map<_, _> = (0..width).map(link).collect();
        map.insert(format!("r{width:05}"), "@".into());
        let loaded = Rules::over(
            &Registry::default(),
            &Overrides::from(map),
            &Settings::default(),
        );
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
fn what_a_list_in_the_credentials_holds_is_explained() {
    let rule = json!({"a": "token.roles.id:r2"});
    let rules = rules(&Overrides::from(rule.as_object().unwrap().clone()));
    let credentials = json!({"token": {"roles": [{"id": "r1"}, {"id": "r2"}]}});
    let explained = rules.explain("a", &json!({}), &credentials).to_string();
    let line = "token.roles.id:r2 = true  (credentials: token.roles.id = [\"r1\",\"r2\"])\n";
    assert!(explained.ends_with(line), "{explained}");
}

#[test]
fn a_rule_is_explained_part_by_part() {
    let credentials = json!({"roles": ["reader"], "system_scope": "all", "user_id": "u1"});
    let target = json!({"target": {"user": {"id": "u2"}}});
    let rules = rules(&Overrides::default());
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
    let list = rules(&Overrides::default()).list();
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
    let rules = rules(&overrides);
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
