//! `policy explain` and `policy who-can`.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::sandbox::{Run, Sandbox, Server};
use crate::setup::{execute, rows};

/// A token of the administrator, for a scope, and how many characters of it nothing may print.
fn token(server: &Server, scope: Option<Value>) -> String {
    let user = json!({"name": "admin", "domain": {"name": "Default"}, "password": "s3cret"});
    let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}});
    auth["scope"] = scope.unwrap_or_else(|| "unscoped".into());
    let (status, head, _) = server.ask("POST /v3/auth/tokens", &json!({"auth": auth}).to_string());
    assert_eq!(status, 201);
    subject_token(&head)
}

/// The token in the header of an answer.
fn subject_token(head: &str) -> String {
    let mut lines = head.lines();
    let token = lines.find(|line| line.to_lowercase().starts_with("x-subject-token: "));
    token.unwrap()["x-subject-token: ".len()..]
        .trim()
        .to_owned()
}

fn explain(sandbox: &Sandbox, token: &str, rule: &str, more: &[&str]) -> Run {
    let arguments = ["policy", "explain", "--token", "-", "--rule", rule];
    let mut command = sandbox.manage_command(&[arguments.as_slice(), more].concat());
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{token}").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let run = Run {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    let printed = format!("{}{}", run.stdout, run.stderr);
    assert!(!printed.contains(token), "the token is printed: {printed}");
    run
}

#[test]
fn explain_tells_why_a_token_is_refused() {
    let sandbox = Sandbox::ready();
    let server = sandbox.serve();
    let unscoped = token(&server, None);
    let domain = json!({"name": "Default"});
    let scoped = token(
        &server,
        Some(json!({"project": {"name": "admin", "domain": domain}})),
    );

    let run = explain(&sandbox, &scoped, "identity:create_region", &[]).succeeds();
    let ids: Vec<(String, String)> = rows(
        &sandbox,
        "SELECT l.user_id, p.id FROM local_user l, project p WHERE l.name = 'admin' AND p.name = 'admin'",
    );
    let (user, project) = &ids[0];
    let start = format!(
        "user: admin ({user}) of domain Default (default)\nscope: project admin ({project})\n\
         roles: admin, manager, member, reader\nmethods: password\nidentity:create_region: allowed\n"
    );
    let mut lines: Vec<&str> = run.stdout.lines().collect();
    // The order of roles is that of their ids.
    let mut roles: Vec<&str> = lines[2]["roles: ".len()..].split(", ").collect();
    roles.sort_unstable();
    let sorted = format!("roles: {}", roles.join(", "));
    lines[2] = &sorted;
    assert!(lines.join("\n").starts_with(&start), "{run:#?}");

    let run = explain(&sandbox, &unscoped, "identity:create_region", &[]).exits_with(1);
    assert!(
        run.stdout.contains("scope: none\nroles: none\n"),
        "{run:#?}"
    );
    assert!(
        run.stdout.contains("identity:create_region: denied"),
        "{run:#?}"
    );
    assert!(
        run.stdout
            .contains("role:admin = false  (credentials: roles = [])"),
        "{run:#?}"
    );

    let mine = sandbox.write(
        "mine.json",
        &json!({"target": {"user": {"id": user}}}).to_string(),
    );
    explain(
        &sandbox,
        &unscoped,
        "identity:get_user",
        &["--target", &mine],
    )
    .succeeds();
    explain(&sandbox, &unscoped, "identity:get_user", &[]).exits_with(1);

    // The operator's file counts, and so does a revocation.
    sandbox.write(
        "policy.yaml",
        "\"identity:create_region\": \"user_id:nobody\"\n",
    );
    explain(&sandbox, &scoped, "identity:create_region", &[]).exits_with(1);
    execute(&sandbox, "UPDATE user SET enabled = 0");
    explain(&sandbox, &scoped, "identity:create_region", &[])
        .exits_with(2)
        .prints("")
        .says("the token is not valid");
}

/// Requests are refused for them before any rule is asked.
#[test]
fn explain_tells_of_access_rules() {
    let sandbox = Sandbox::ready();
    for text in [
        "INSERT INTO application_credential (internal_id, id, name, secret_hash, user_id, project_id, unrestricted) \
         SELECT 1, 'ac', 'ac', '$2b$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG', l.user_id, p.id, 0 \
         FROM local_user l, project p WHERE l.name = 'admin' AND p.name = 'admin'",
        "INSERT INTO application_credential_role (application_credential_id, role_id) \
         SELECT 1, id FROM role WHERE name = 'admin'",
        "INSERT INTO access_rule (id, service, path, method, external_id, user_id) \
         SELECT 1, 'compute', '/v2.1/**', 'GET', 'r', user_id FROM local_user WHERE name = 'admin'",
        "INSERT INTO application_credential_access_rule (application_credential_id, access_rule_id) VALUES (1, 1)",
    ] {
        execute(&sandbox, text);
    }
    let server = sandbox.serve();
    let auth = json!({"auth": {"identity": {
        "methods": ["application_credential"], "application_credential": {"id": "ac", "secret": "s3cret"},
    }}});
    let (status, head, body) = server.ask("POST /v3/auth/tokens", &auth.to_string());
    assert_eq!(status, 201, "{body}");
    let run = explain(
        &sandbox,
        &subject_token(&head),
        "identity:create_region",
        &[],
    )
    .succeeds();
    assert!(
        run.stdout.contains("identity:create_region: allowed\n"),
        "{run:#?}"
    );
    let last = "let the token be used for nothing but:\n  GET /v2.1/** of compute\n";
    assert!(run.stdout.ends_with(last), "{run:#?}");
}

#[test]
fn explain_needs_a_token_and_a_rule_that_exists() {
    let sandbox = Sandbox::ready();
    let rule = ["policy", "explain", "--rule", "identity:get_user"];
    sandbox
        .manage(&rule)
        .exits_with(2)
        .says("no token was given");
    let text = "keystone-manage: the token is empty: set OS_TOKEN";
    Run::of(sandbox.manage_command(&rule).env("OS_TOKEN", ""))
        .exits_with(2)
        .says(text);
    // Standard input has nothing.
    for token in ["", "-"] {
        sandbox
            .manage(&[&rule[..], &["--token", token]].concat())
            .exits_with(2)
            .says(text);
    }
    let server = sandbox.serve();
    let token = token(&server, None);
    let mut command = sandbox.manage_command(&rule);
    Run::of(command.env("OS_TOKEN", &token)).exits_with(1);
    explain(&sandbox, &token, "identity:no_such", &[])
        .exits_with(2)
        .says("there is no rule \"identity:no_such\"");
    explain(&sandbox, "gAAAAAB-nonsense", "identity:get_user", &[])
        .exits_with(2)
        .says("the token is not valid (Could not recognize Fernet token): it has expired");
}

/// Users and groups whose names say what they hold.
fn cloud() -> Sandbox {
    let sandbox = Sandbox::ready();
    execute(&sandbox, "DELETE FROM assignment");
    execute(&sandbox, "DELETE FROM system_assignment");
    execute(&sandbox, "DELETE FROM project WHERE name = 'admin'");
    execute(
        &sandbox,
        "INSERT INTO project (id, name, domain_id, parent_id, is_domain, enabled) VALUES \
         ('d2', 'Other', '<<keystone.domain.root>>', NULL, 1, 1), \
         ('p1', 'one', 'default', 'default', 0, 1), ('p2', 'two', 'default', 'p1', 0, 1), \
         ('p3', 'three', 'd2', 'd2', 0, 1), ('off', 'off', 'd2', 'd2', 0, 0)",
    );
    for text in [
        "INSERT INTO user (id, domain_id, enabled) VALUES ('u1', 'default', 1), ('u2', 'default', 1), ('u3', 'd2', 1), \
         ('u4', 'd2', 0), ('u5', 'd2', 1)",
        "INSERT INTO local_user (user_id, domain_id, name) VALUES ('u1', 'default', 'ann'), ('u2', 'default', 'bob'), \
         ('u3', 'd2', 'cid'), ('u4', 'd2', 'dan'), ('u5', 'd2', 'eve')",
        "INSERT INTO `group` (id, domain_id, name) VALUES ('g1', 'd2', 'staff')",
        "INSERT INTO user_group_membership (user_id, group_id) VALUES ('u3', 'g1'), ('u4', 'g1')",
        "INSERT INTO system_assignment (type, actor_id, target_id, role_id, inherited) \
         SELECT 'UserSystem', 'u1', 'system', id, 0 FROM role WHERE name = 'admin'",
        "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) \
         SELECT 'UserProject', 'u2', 'p1', id, 0 FROM role WHERE name = 'reader' UNION ALL \
         SELECT 'UserProject', 'u2', 'off', id, 0 FROM role WHERE name = 'admin' UNION ALL \
         SELECT 'GroupDomain', 'g1', 'd2', id, 0 FROM role WHERE name = 'manager' UNION ALL \
         SELECT 'GroupDomain', 'g1', 'default', id, 1 FROM role WHERE name = 'member' UNION ALL \
         SELECT 'UserProject', 'u4', 'p1', id, 0 FROM role WHERE name = 'admin' UNION ALL \
         SELECT 'UserProject', 'stranger', 'p3', id, 0 FROM role WHERE name = 'admin' UNION ALL \
         SELECT 'UserProject', 'gone', 'p3', id, 0 FROM role WHERE name = 'admin' UNION ALL \
         SELECT 'GroupProject', 'gone', 'p3', id, 0 FROM role WHERE name = 'admin'",
        "INSERT INTO id_mapping (public_id, domain_id, local_id, entity_type) VALUES ('stranger', 'd2', 'x', 'user')",
    ] {
        execute(&sandbox, text);
    }
    sandbox
}

/// Status and output for a policy of `identity:get_region` and a target.
fn who(sandbox: &Sandbox, policy: &str, target: &Value) -> (i32, String) {
    let rule = format!("\"identity:get_region\": \"{policy}\"\n");
    sandbox.write("policy.yaml", &rule);
    let target = sandbox.write("target.json", &target.to_string());
    let asked = ["policy", "who-can", "--rule", "identity:get_region"];
    let run = sandbox.manage(&[asked.as_slice(), &["--target", &target]].concat());
    (run.status, run.stdout)
}

#[test]
fn who_can_lists_roles_groups_and_users() {
    let sandbox = cloud();
    let nothing = json!({});
    for (policy, status, printed) in [
        ("", 0, "everybody with a token\n"),
        ("!", 1, "nobody\n"),
        (
            "not system_scope:all and not role:reader",
            0,
            "everybody with an unscoped token\nroles:\n  service: on any domain, on any project\n",
        ),
        (
            "role:admin",
            0,
            "roles:\n  admin: on the system, on any domain, on any project\n\
             users:\n  (stranger): on project three (p3)\n  ann (u1) of domain Default: on the system\n",
        ),
        (
            "role:reader and not system_scope:all",
            0,
            "roles:\n  admin: on any domain, on any project\n  manager: on any domain, on any project\n  \
             member: on any domain, on any project\n  reader: on any domain, on any project\n\
             groups:\n  staff (g1) of domain Other: on domain Other (d2); on projects one (p1), two (p2)\n\
             users:\n  (stranger): on project three (p3)\n  bob (u2) of domain Default: on project one (p1)\n  \
             cid (u3) of domain Other: on domain Other (d2); on projects one (p1), two (p2)\n",
        ),
        (
            "user_id:u3 or user_id:u4",
            0,
            "users:\n  cid (u3) of domain Other: with any token; on domain Other (d2); \
             on projects one (p1), two (p2)\n",
        ),
    ] {
        assert_eq!(
            who(&sandbox, policy, &nothing),
            (status, printed.to_owned()),
            "{policy}"
        );
    }
    execute(&sandbox, "UPDATE project SET enabled = 0 WHERE id = 'd2'");
    let (_, printed) = who(&sandbox, "role:admin", &nothing);
    assert!(
        !printed.contains("stranger"),
        "projects of a disabled domain have no tokens: {printed}"
    );
}

#[test]
fn who_can_tells_of_members_that_only_a_directory_knows() {
    let sandbox = cloud();
    execute(
        &sandbox,
        "INSERT INTO id_mapping (public_id, domain_id, local_id, entity_type) VALUES ('gone', 'd2', 'y', 'group')",
    );
    let policy = "role:admin and project_id:p3";
    let (_, printed) = who(&sandbox, policy, &json!({}));
    let groups = "groups:\n  (gone): on project three (p3)\n";
    assert!(printed.contains(groups), "{printed}");
    let note = "\nGroups of directories hold something: who is allowed as a member of one is not among the users.\n";
    assert!(printed.ends_with(note), "{printed}");
}

#[test]
fn who_can_knows_what_the_target_says() {
    let sandbox = cloud();
    let other = json!({"target": {"domain": {"id": "d2"}, "project": {"id": "p2"}}});
    for (policy, printed) in [
        (
            "role:manager and domain_id:%(target.domain.id)s",
            "roles:\n  admin: on domain Other (d2)\n  manager: on domain Other (d2)\n\
             groups:\n  staff (g1) of domain Other: on domain Other (d2)\n\
             users:\n  cid (u3) of domain Other: on domain Other (d2)\n",
        ),
        (
            "role:member and project_id:%(target.project.id)s",
            "roles:\n  admin: on project two (p2)\n  manager: on project two (p2)\n  member: on project two (p2)\n\
             groups:\n  staff (g1) of domain Other: on project two (p2)\n\
             users:\n  cid (u3) of domain Other: on project two (p2)\n",
        ),
        (
            "role:admin and token.project.domain.id:%(target.domain.id)s",
            "roles:\n  admin: on projects of domain Other (d2)\nusers:\n  (stranger): on project three (p3)\n",
        ),
    ] {
        assert_eq!(
            who(&sandbox, policy, &other),
            (0, printed.to_owned()),
            "{policy}"
        );
    }
}

#[test]
fn who_can_adds_up_what_users_hold_themselves_and_by_groups() {
    let sandbox = cloud();
    sandbox.write(
        "policy.yaml",
        "\"identity:get_region\": \"role:member and role:service\"\n",
    );
    execute(
        &sandbox,
        "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) \
         SELECT 'UserProject', 'u3', 'p2', id, 0 FROM role WHERE name = 'service'",
    );
    let who = || sandbox.manage(&["policy", "who-can", "--rule", "identity:get_region"]);
    who()
        .succeeds()
        .prints("users:\n  cid (u3) of domain Other: on project two (p2)\n");
    // A role on the project itself can also take away what the inherited ones allow.
    sandbox.write("policy.yaml", "\"identity:get_region\": \"role:member and not role:service and project_domain_id:default\"\n");
    let run = who().succeeds();
    let users = "users:\n  cid (u3) of domain Other: on project one (p1)\n";
    assert!(run.stdout.ends_with(users), "{run:#?}");
    execute(
        &sandbox,
        "UPDATE assignment SET target_id = 'p1' WHERE target_id = 'p2'",
    );
    let run = who().succeeds();
    let users = "users:\n  cid (u3) of domain Other: on project two (p2)\n";
    assert!(run.stdout.ends_with(users), "{run:#?}");
}

#[test]
fn who_can_refuses_what_it_cannot_answer() {
    let sandbox = Sandbox::ready();
    sandbox.write(
        "policy.yaml",
        "\"identity:get_region\": \"http://127.0.0.1:1/%(x)s\"\n",
    );
    for (rule, text) in [
        ("identity:get_region", "asks another server"),
        ("identity:no_such", "there is no rule"),
    ] {
        sandbox
            .manage(&["policy", "who-can", "--rule", rule])
            .exits_with(2)
            .prints("")
            .says(text);
    }
}

/// Half of these users have grants of their own, and all are in a group that inherits roles on all projects.
#[test]
fn who_can_answers_for_fifty_thousand_grants() {
    let sandbox = Sandbox::ready();
    for text in [
        "INSERT INTO project (id, name, domain_id, parent_id, is_domain, enabled) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
         SELECT 'p' || i, 'p' || i, 'default', 'default', 0, 1 FROM n",
        "INSERT INTO user (id, domain_id, enabled) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         SELECT 'u' || i, 'default', 1 FROM n",
        "INSERT INTO `group` (id, domain_id, name) VALUES ('g', 'default', 'all')",
        "INSERT INTO user_group_membership (user_id, group_id) SELECT id, 'g' FROM user WHERE id LIKE 'u%'",
        "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) \
         SELECT 'GroupDomain', 'g', 'default', id, 1 FROM role WHERE name = 'reader'",
        "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 49999) \
         SELECT 'UserProject', 'u' || (1 + i / 10), 'p' || (1 + (i * 7) % 5000), r.id, 0 FROM n, role r WHERE r.name = 'member'",
    ] {
        execute(&sandbox, text);
    }
    let target = sandbox.write(
        "target.json",
        &json!({"target": {"project": {"id": "p8"}}}).to_string(),
    );
    for (policy, users) in [
        ("role:reader", 10_001),
        ("role:member", 5_001),
        ("role:member and project_id:%(target.project.id)s", 10),
    ] {
        sandbox.write(
            "policy.yaml",
            &format!("\"identity:get_region\": \"{policy}\"\n"),
        );
        let arguments = [
            "policy",
            "who-can",
            "--rule",
            "identity:get_region",
            "--target",
            &target,
        ];
        let run = sandbox.manage(&arguments).succeeds();
        let (_, listed) = run.stdout.split_once("users:\n").unwrap();
        assert_eq!(listed.lines().count(), users, "{policy}");
        if policy == "role:reader" {
            let line = listed
                .lines()
                .find(|line| line.contains("(u10000)"))
                .unwrap();
            assert!(line.ends_with("and 4998 more"), "{line}");
            let line = listed.lines().find(|line| line.contains("(u1)")).unwrap();
            assert!(line.ends_with("and 4998 more"), "{line}");
        }
    }
}
