//! `policy check`, `policy list` and `policy validate`.

use crate::world::World;

const READER: &str = r#"{"user_id": "u1", "roles": ["reader"], "project_id": "p1"}"#;
const ADMIN: &str = r#"{"user_id": "u2", "roles": ["admin"], "project_id": "p1"}"#;

#[test]
fn rules_allow_and_deny() {
    let world = World::new();
    let reader = world.write("reader.json", READER);
    let admin = world.write("admin.json", ADMIN);
    let nested = world.write(
        "nested.json",
        r#"{"target": {"user": {"id": "u1", "domain_id": "d"}}}"#,
    );
    let flat = world.write("flat.json", r#"{"user_id": "u1", "target.user.id": "u1"}"#);
    let check = |rule, credentials: &str, more: &[&str]| {
        let arguments = [
            "policy",
            "check",
            "--rule",
            rule,
            "--credentials",
            credentials,
        ];
        world.manage(&[arguments.as_slice(), more].concat())
    };
    check("identity:delete_user", &admin, &[])
        .succeeds()
        .prints("allowed\n");
    check("identity:delete_user", &reader, &["--target", &nested])
        .exits_with(1)
        .prints("denied\n");
    check("identity:change_password", &reader, &["--target", &flat]);
    check("identity:no_such_rule", &admin, &[])
        .exits_with(1)
        .prints("denied\n")
        .says("is not defined");

    let file = world.write("policy.yaml", "\"identity:delete_user\": \"role:reader\"\n");
    let over = ["--policy-file", file.as_str()];
    check("identity:delete_user", &reader, &over)
        .succeeds()
        .prints("allowed\n");
    check("identity:delete_user", &admin, &over)
        .exits_with(1)
        .prints("denied\n");

    let run = check("identity:delete_user", &reader, &["--explain"]).exits_with(1);
    assert!(run.stdout.starts_with("denied\n"), "{run:?}");
    assert!(run.stdout.contains("role:admin = false"), "{run:?}");
}

#[test]
fn a_question_that_can_not_be_asked_is_no_answer() {
    let world = World::new();
    let admin = world.write("admin.json", ADMIN);
    let broken = world.write("broken.json", "{\"roles\": ");
    let list = world.write("list.json", "[]");
    let rule = ["policy", "check", "--rule", "identity:get_user"];
    let check = |more: &[&str]| world.manage(&[rule.as_slice(), more].concat());
    for (file, text) in [
        (broken.as_str(), "broken.json: not JSON"),
        (&list, "list.json: expected a JSON object"),
        ("/nowhere.json", "/nowhere.json: No such file"),
    ] {
        check(&["--credentials", file])
            .exits_with(2)
            .prints("")
            .says(text);
    }
    let bad = world.write("bad.yaml", "one: {two: three}\n");
    check(&["--credentials", &admin, "--policy-file", &bad])
        .exits_with(2)
        .prints("")
        .says("rule \"one\" is neither a string nor a list of strings");
    check(&[]).exits_with(2);
}

#[test]
fn wrong_rules_deny_and_are_named() {
    let world = World::new();
    let admin = world.write("admin.json", ADMIN);
    let bad = world.write("bad.yaml", "one: \"rule:two\"\nthree: \"(role:x\"\n");
    for (rule, status, answer) in [
        ("one", 1, "denied\n"),
        ("three", 1, "denied\n"),
        ("identity:get_user", 0, "allowed\n"),
    ] {
        let about = ["policy", "check", "--rule", rule, "--credentials"];
        let files = [admin.as_str(), "--policy-file", &bad];
        world
            .manage(&[about.as_slice(), &files].concat())
            .exits_with(status)
            .prints(answer)
            .says("rule \"one\" refers to rule \"two\", which is not defined")
            .says("rule \"three\" does not parse");
    }
}

#[test]
fn validation_names_every_rule_that_is_wrong() {
    let world = World::new();
    let good = world.write("good.yaml", "mine: role:x\nidentity:get_user: rule:mine\n");
    let validate = |more: &[&str]| world.manage(&[&["policy", "validate"], more].concat());
    validate(&["--policy-file", &good]).succeeds().prints("");
    validate(&[]).succeeds().prints("");
    validate(&["--policy-file", "/nowhere.yaml"])
        .exits_with(2)
        .prints("")
        .says("/nowhere.yaml: No such file");

    let bad = world.write(
        "policy.yaml",
        "a: rule:b\nb: rule:a\nidentity:get_user: \"(role:x\"\nidentity:list_user: role:x\nsure: role:x\nz: rule:y\n",
    );
    let at = format!("policy file {bad}: rule");
    let named = format!(
        "{at} \"a\" refers to itself: a -> b -> a\n\
         {at} \"b\" refers to itself: b -> a -> b\n\
         {at} \"identity:get_user\" does not parse at \"(role:x\": a parenthesis is not closed\n\
         {at} \"z\" refers to rule \"y\", which is not defined\n\
         rule \"identity:list_user\" is asked for by nothing\n"
    );
    for more in [&[][..], &["--policy-file", &bad]] {
        validate(more).exits_with(1).prints(&named);
    }

    let torn = world.write("policy.yaml", "a: [role:x\n");
    let run = validate(&[]).exits_with(1);
    let start = format!("policy file {torn}, line ");
    assert!(run.stdout.starts_with(&start), "{run:?}");
}

#[test]
fn the_list_is_json() {
    let world = World::new();
    let run = world.manage(&["policy", "list"]).succeeds();
    assert_eq!(run.stderr, "");
    let rules: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let rules = rules.as_array().unwrap();
    assert_eq!(rules.len(), 204);
    let rule = rules
        .iter()
        .find(|rule| rule["name"] == "identity:get_region")
        .unwrap();
    assert_eq!(rule["check_str"], "");
    assert!(rule["scope_types"].is_array());
}
