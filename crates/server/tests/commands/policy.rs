//! `policy check`, `policy list` and `policy validate`.

use crate::sandbox::Sandbox;

const READER: &str = r#"{"user_id": "u1", "roles": ["reader"], "project_id": "p1"}"#;
const ADMIN: &str = r#"{"user_id": "u2", "roles": ["admin"], "project_id": "p1"}"#;

#[test]
fn check_prints_allowed_or_denied() {
    let sandbox = Sandbox::new();
    let reader = sandbox.write("reader.json", READER);
    let admin = sandbox.write("admin.json", ADMIN);
    let nested = sandbox.write(
        "nested.json",
        r#"{"target": {"user": {"id": "u1", "domain_id": "d"}}}"#,
    );
    let flat = sandbox.write("flat.json", r#"{"user_id": "u1", "target.user.id": "u1"}"#);
    let check = |rule, credentials: &str, more: &[&str]| {
        let arguments = [
            "policy",
            "check",
            "--rule",
            rule,
            "--credentials",
            credentials,
        ];
        sandbox.manage(&[arguments.as_slice(), more].concat())
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

    let file = sandbox.write("policy.yaml", "\"identity:delete_user\": \"role:reader\"\n");
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
fn unusable_input_exits_with_2() {
    let sandbox = Sandbox::new();
    let admin = sandbox.write("admin.json", ADMIN);
    let broken = sandbox.write("broken.json", "{\"roles\": ");
    let list = sandbox.write("list.json", "[]");
    let rule = ["policy", "check", "--rule", "identity:get_user"];
    let check = |more: &[&str]| sandbox.manage(&[rule.as_slice(), more].concat());
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
    let bad = sandbox.write("bad.yaml", "one: {two: three}\n");
    check(&["--credentials", &admin, "--policy-file", &bad])
        .exits_with(2)
        .prints("")
        .says("rule \"one\" is neither a string nor a list of strings");
    check(&[]).exits_with(2);
}

#[test]
fn invalid_rules_deny_and_are_named() {
    let sandbox = Sandbox::new();
    let admin = sandbox.write("admin.json", ADMIN);
    let bad = sandbox.write("bad.yaml", "one: \"rule:two\"\nthree: \"(role:x\"\n");
    for (rule, status, answer) in [
        ("one", 1, "denied\n"),
        ("three", 1, "denied\n"),
        ("identity:get_user", 0, "allowed\n"),
    ] {
        let about = ["policy", "check", "--rule", rule, "--credentials"];
        let files = [admin.as_str(), "--policy-file", &bad];
        sandbox
            .manage(&[about.as_slice(), &files].concat())
            .exits_with(status)
            .prints(answer)
            .says("rule \"one\" refers to rule \"two\", which is not defined")
            .says("rule \"three\" does not parse");
    }
}

#[test]
fn validate_names_every_invalid_rule() {
    let sandbox = Sandbox::new();
    let good = sandbox.write("good.yaml", "mine: role:x\nidentity:get_user: rule:mine\n");
    let validate = |more: &[&str]| sandbox.manage(&[&["policy", "validate"], more].concat());
    validate(&["--policy-file", &good]).succeeds().prints("");
    validate(&[]).succeeds().prints("");
    validate(&["--policy-file", "/nowhere.yaml"])
        .exits_with(2)
        .prints("")
        .says("/nowhere.yaml: No such file");

    let bad = sandbox.write(
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

    let torn = sandbox.write("policy.yaml", "a: [role:x\n");
    let run = validate(&[]).exits_with(1);
    let start = format!("policy file {torn}, line ");
    assert!(run.stdout.starts_with(&start), "{run:?}");
}

#[test]
fn the_list_is_json() {
    let sandbox = Sandbox::new();
    let run = sandbox.manage(&["policy", "list"]).succeeds();
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
