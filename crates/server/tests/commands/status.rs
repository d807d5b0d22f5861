//! `keystone-status upgrade check`. The outputs are those of Python Keystone 30.0.0.

use crate::sandbox::{Run, Sandbox};
use crate::setup::execute;

fn status(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_keystone-status"));
    let config = sandbox.path("keystone.conf");
    Run::of(command.arg("--config-file").arg(config).args(arguments))
}

const SAFE: &str = "\
+-------------------------------------------+
| Upgrade Check Results                     |
+-------------------------------------------+
| Check: Check trust policies are not empty |
| Result: Success                           |
| Details: Trust policies are safe.         |
+-------------------------------------------+
| Check: Check default roles are immutable  |
| Result: Success                           |
| Details: Default roles are immutable.     |
+-------------------------------------------+
| Check: Policy File JSON to YAML Migration |
| Result: Success                           |
| Details: None                             |
+-------------------------------------------+
";

const FAILED: &str = "\
+----------------------------------------------------------------------+
| Upgrade Check Results                                                |
+----------------------------------------------------------------------+
| Check: Check trust policies are not empty                            |
| Result: Failure                                                      |
| Details: Policy check string for rules \"identity:list_trusts\",       |
|   \"identity:get_trust\", \"identity:get_role_for_trust\" are            |
|   overridden to \"\", \"@\", or []. In the next release, this            |
|   will cause these rules to be fully permissive as hardcoded         |
|   enforcement will be removed. To correct this issue, either         |
|   stop overriding these rules in config to accept the                |
|   defaults, or explicitly set check strings that are not             |
|   empty.                                                             |
+----------------------------------------------------------------------+
| Check: Check default roles are immutable                             |
| Result: Failure                                                      |
| Details: Roles are not immutable: reader                             |
+----------------------------------------------------------------------+
| Check: Policy File JSON to YAML Migration                            |
| Result: Failure                                                      |
| Details: Your policy file is JSON-formatted which is deprecated. You |
|   need to switch to YAML-formatted file. Use the                     |
|   ``oslopolicy-convert-json-to-yaml`` tool to convert the            |
|   existing JSON-formatted files to YAML in a backwards-              |
|   compatible manner: https://docs.openstack.org/oslo.policy/         |
|   latest/cli/oslopolicy-convert-json-to-yaml.html.                   |
+----------------------------------------------------------------------+
";

const OTHER_LINES: &str = "\
+-----------------------------------------------------------------+
| Upgrade Check Results                                           |
+-----------------------------------------------------------------+
| Check: Check trust policies are not empty                       |
| Result: Failure                                                 |
| Details: Policy check string for rules \"identity:get_trust\" are |
|   overridden to \"\", \"@\", or []. In the next release, this       |
|   will cause these rules to be fully permissive as hardcoded    |
|   enforcement will be removed. To correct this issue, either    |
|   stop overriding these rules in config to accept the           |
|   defaults, or explicitly set check strings that are not        |
|   empty.                                                        |
+-----------------------------------------------------------------+
";

#[test]
fn a_deployment_of_this_release_is_safe() {
    let sandbox = Sandbox::ready();
    status(&sandbox, &["upgrade", "check"])
        .succeeds()
        .prints(SAFE);
    let json = r#"{"name": "Upgrade Check Results", "checks": [{"check": "Check trust policies are not empty", "result": 0, "details": "Trust policies are safe."}, {"check": "Check default roles are immutable", "result": 0, "details": "Default roles are immutable."}, {"check": "Policy File JSON to YAML Migration", "result": 0, "details": null}]}"#;
    for arguments in [
        ["upgrade", "check", "--json"],
        ["upgrade", "--json", "check"],
    ] {
        status(&sandbox, &arguments)
            .succeeds()
            .prints(&format!("{json}\n"));
    }
}

#[test]
fn failures_are_told_in_lines_as_python_breaks_them() {
    let sandbox = Sandbox::ready();
    let policy = sandbox.write(
        "policy.json",
        r#"{"identity:get_trust": "", "identity:list_trusts": "@", "identity:delete_trust": "role:admin", "identity:get_role_for_trust": []}"#,
    );
    sandbox.configure(&format!("[oslo_policy]\npolicy_file = {policy}\n"));
    execute(
        &sandbox,
        "DELETE FROM role_option WHERE role_id IN (SELECT id FROM role WHERE name IN ('reader', 'service'))",
    );
    status(&sandbox, &["upgrade", "check"])
        .exits_with(2)
        .prints(FAILED);
    let json = status(&sandbox, &["upgrade", "check", "--json"]).exits_with(2);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["checks"][1]["result"], 2);
    assert_eq!(
        json["checks"][1]["details"],
        "Roles are not immutable: reader"
    );

    sandbox.write("policy.json", "\"identity:get_trust\": \"\"\n");
    let run = status(&sandbox, &["upgrade", "check"]).exits_with(2);
    assert!(run.stdout.starts_with(OTHER_LINES), "{}", run.stdout);
}

#[test]
fn what_can_t_be_checked_exits_with_255() {
    let sandbox = Sandbox::new();
    let run = status(&sandbox, &["upgrade", "check"]).exits_with(255);
    assert!(
        run.stdout.starts_with("Error:\nthe database is empty"),
        "{run:?}"
    );
    for arguments in [&["upgrade"][..], &[], &["upgrade", "nothing"]] {
        status(&sandbox, arguments).exits_with(2);
    }
}
