//! `doctor`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use keystone::storage::schema;

use crate::sandbox::{Run, Sandbox};
use crate::setup::{execute, on_database};

fn titles(run: &Run) -> Vec<&str> {
    let lines = run.stdout.lines();
    lines
        .filter_map(|line| line.strip_prefix("WARNING: "))
        .collect()
}

const SQLITE: &str = "SQLite is not recommended for production deployments.";

fn examine(sandbox: &Sandbox, wanted: &[&str]) -> Run {
    let run = sandbox.manage(&["doctor"]).exits_with(1);
    assert_eq!(titles(&run), [&[SQLITE], wanted].concat(), "{run:#?}");
    run
}

fn chmod(sandbox: &Sandbox, name: &str, mode: u32) {
    fs::set_permissions(sandbox.path(name), Permissions::from_mode(mode)).unwrap();
}

/// A sandbox with nothing wrong but its database.
fn healthy() -> Sandbox {
    let sandbox = Sandbox::ready();
    chmod(&sandbox, "keystone.conf", 0o640);
    sandbox
}

#[test]
fn a_warning_has_keystones_form_and_says_what_to_do() {
    let sandbox = healthy();
    examine(&sandbox, &[]).prints(
        "\nWARNING: SQLite is not recommended for production deployments.\n\n    \
         One process writes at a time, and no second node can share the file.\n    \
         Set `[database] connection` to a MariaDB server.\n\n",
    );
}

#[test]
fn options_that_contradict_each_other_are_symptoms() {
    let sandbox = healthy();
    let dir = sandbox.path("domains");
    let more = format!(
        "[DEFAULT]\ndebug = true\ninsecure_debug = true\nadmin_token = t\nmax_token_size = 300\n\
         [saml]\ncertfile = /a,b\nkeyfile = /c,d\n\
         [ldap]\nuser_enabled_emulation_dn = cn=x\nuser_enabled_emulation_use_group_config = true\n\
         group_objectclass = posixGroup\n\
         [identity]\ndomain_specific_drivers_enabled = true\ndomain_config_dir = {}\n\
         [security_compliance]\nminimum_password_age = 3\npassword_expires_days = 3\npassword_regex = a\n",
        dir.display()
    );
    sandbox.configure(&more);
    let of_options = [
        "Debug mode should be set to False.",
        "Clients are told why they are refused.",
        "`[DEFAULT] admin_token` lets whoever knows it do everything.",
        "`[saml] certfile` should not contain a comma (`,`).",
        "`[saml] keyfile` should not contain a comma (`,`).",
        "`[ldap] user_enabled_emulation_dn` is being ignored.",
        "`[ldap] user_enabled_emulation_use_group_config` is being ignored.",
        "`[ldap] group_members_are_ids` is not enabled.",
        "Minimum password age should be less than the password expires days.",
        "Password regular expression description is not set.",
        "`keystone.conf [DEFAULT] max_token_size` should be adjusted.",
    ];
    let directory = "Domain specific driver directory is invalid or contains invalid files.";
    let run = examine(&sandbox, &[&of_options[..], &[directory]].concat());
    assert!(
        run.stdout
            .contains("Checking for debug mode is enabled...\n")
    );

    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("keystone.a.conf"), "[ldap]\nurl = x\n").unwrap();
    examine(&sandbox, &of_options);
    fs::write(dir.join("other"), "").unwrap();
    examine(&sandbox, &[&of_options[..], &[directory]].concat());
    fs::write(dir.join("keystone.a.conf"), "[ldap\nurl = x\n").unwrap();
    let run = sandbox.manage(&["doctor"]).exits_with(1);
    assert_eq!(titles(&run), ["The configuration can't be used."]);
    assert!(run.stdout.contains("keystone.a.conf:1"), "{run:#?}");
}

#[test]
fn a_configuration_with_problems_is_a_symptom() {
    let sandbox = healthy();
    sandbox.configure("[security_compliance]\npassword_regex = ((\n");
    let run = sandbox.manage(&["doctor"]).exits_with(1);
    assert_eq!(titles(&run), ["The configuration can't be used."]);
    assert!(
        run.stdout.contains("[security_compliance] password_regex"),
        "{run:#?}"
    );
}

#[test]
fn key_repositories_are_looked_at() {
    let sandbox = healthy();
    let keys = sandbox.path("fernet-keys");
    chmod(&sandbox, "fernet-keys", 0o755);
    chmod(&sandbox, "fernet-keys/0", 0o644);
    chmod(&sandbox, "keystone.conf", 0o644);
    sandbox.configure("[DEFAULT]\nadmin_token = t\n");
    let token = "`[DEFAULT] admin_token` lets whoever knows it do everything.";
    let run = examine(
        &sandbox,
        &[token, "Files with secrets are open to everyone."],
    );
    let open = ["/fernet-keys\n", "/fernet-keys/0\n", "/keystone.conf\n"];
    for path in open {
        assert!(run.stdout.contains(path), "{path} in {run:#?}");
    }
    assert!(!run.stdout.contains("/fernet-keys/1\n"), "{run:#?}");
    chmod(&sandbox, "keystone.conf", 0o600);
    sandbox.configure("");

    for key in ["0", "1"] {
        fs::remove_file(keys.join(key)).unwrap();
    }
    chmod(&sandbox, "fernet-keys", 0o700);
    examine(&sandbox, &["Fernet key repository is empty."]);
    fs::write(keys.join("1"), "no key").unwrap();
    chmod(&sandbox, "fernet-keys/1", 0o600);
    let run = examine(&sandbox, &["Fernet key repository can't be read."]);
    assert!(!run.stdout.contains("no key\n"), "{run:#?}");
    // It would make no new ones where there are some.
    assert!(!run.stdout.contains("fernet_setup"), "{run:#?}");
    fs::remove_dir_all(&keys).unwrap();
    examine(&sandbox, &["Fernet key repository is not setup correctly."]);

    let shared = sandbox.path("credential-keys");
    let text = fs::read_to_string(sandbox.path("keystone.conf")).unwrap();
    let one = text.replace(keys.to_str().unwrap(), shared.to_str().unwrap());
    sandbox.write("keystone.conf", &one);
    examine(
        &sandbox,
        &["Key repositories for encryption should be unique."],
    );
}

#[test]
fn files_of_domains_and_of_the_policy_are_looked_at() {
    let sandbox = healthy();
    let dir = sandbox.path("domains");
    fs::create_dir(&dir).unwrap();
    sandbox.configure(&format!(
        "[identity]\ndomain_specific_drivers_enabled = true\ndomain_config_dir = {}\n",
        dir.display()
    ));
    sandbox.write("domains/keystone.a.conf", "[ldap]\npassword = s3cret\n");
    sandbox.write("domains/keystone.b.conf", "[ldap]\nurl = ldap://x\n");
    fs::create_dir(dir.join("below")).unwrap();
    sandbox.write(
        "domains/below/keystone.c.conf",
        "[ldap]\npassword = s3cret\n",
    );
    sandbox.write("policy.yaml", "{}\n");
    chmod(&sandbox, "domains/below/keystone.c.conf", 0o644);
    chmod(&sandbox, "domains/keystone.a.conf", 0o644);
    chmod(&sandbox, "domains/keystone.b.conf", 0o644);
    chmod(&sandbox, "policy.yaml", 0o646);
    let secrets = "Files with secrets are open to everyone.";
    let policy = "The policy can be changed by everyone.";
    let run = examine(&sandbox, &[secrets, policy]);
    for path in [
        "/domains/keystone.a.conf\n",
        "/domains/below/keystone.c.conf\n",
        "/policy.yaml\n",
    ] {
        assert!(run.stdout.contains(path), "{path} in {run:#?}");
    }
    assert!(!run.stdout.contains("keystone.b.conf"), "{run:#?}");
    assert!(!run.stdout.contains("s3cret"), "{run:#?}");
    chmod(&sandbox, "domains/keystone.a.conf", 0o640);
    chmod(&sandbox, "domains/below/keystone.c.conf", 0o640);
    chmod(&sandbox, "policy.yaml", 0o644);
    examine(&sandbox, &[]);
}

#[test]
fn rules_that_deny_are_a_symptom() {
    let sandbox = healthy();
    sandbox.write("policy.yaml", "identity:get_user: \"(role:x\"\n");
    let run = examine(&sandbox, &["The policy has faults."]);
    assert!(run.stdout.contains("identity:get_user"), "{run:#?}");
    sandbox.write("policy.yaml", "a: [role:x\n");
    examine(&sandbox, &["The policy has faults."]);
}

#[test]
fn the_database_is_looked_at() {
    let sandbox = Sandbox::new();
    for command in ["fernet_setup", "credential_setup"] {
        sandbox
            .manage(&crate::sandbox::owned(&[command]))
            .succeeds();
    }
    chmod(&sandbox, "keystone.conf", 0o640);
    let run = examine(&sandbox, &["The schema is not that of this release."]);
    assert!(
        run.stdout.contains("run `keystone-manage db_sync`"),
        "{run:#?}"
    );
    sandbox
        .manage(&["db_sync", "--without-triggers"])
        .succeeds();
    let (log, domain) = (
        "The change log is not complete.",
        "There is no default domain.",
    );
    examine(&sandbox, &[log, domain]);
    sandbox.manage(&["db_sync"]).succeeds();
    examine(&sandbox, &[domain]);
    sandbox
        .manage(&["bootstrap", "--bootstrap-password", "x"])
        .succeeds();
    examine(&sandbox, &[]);

    execute(
        &sandbox,
        "INSERT INTO credential (id, user_id, type, key_hash, encrypted_blob) \
         SELECT 'c', id, 'totp', 'gone', 'x' FROM user",
    );
    let run = examine(
        &sandbox,
        &["This node has not the keys of all credentials."],
    );
    assert!(run.stdout.contains("1 credentials"), "{run:#?}");
}

#[test]
fn orphaned_rows_are_counted() {
    let sandbox = healthy();
    execute(
        &sandbox,
        "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) \
         SELECT 'UserProject', 'gone', p.id, r.id, 0 FROM project p, role r \
         WHERE p.name = 'admin' AND r.name IN ('reader', 'member')",
    );
    execute(
        &sandbox,
        "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) \
         SELECT 'GroupDomain', 'in-directory', 'gone', r.id, 0 FROM role r WHERE r.name = 'reader'",
    );
    execute(
        &sandbox,
        "INSERT INTO id_mapping (public_id, domain_id, local_id, entity_type) \
         VALUES ('in-directory', 'default', 'x', 'group')",
    );
    let run = examine(&sandbox, &["There are orphaned rows."]);
    for line in [
        "assignment.actor_id: 2 rows\n",
        "assignment.target_id: 1 rows\n",
    ] {
        assert!(run.stdout.contains(line), "{line} in {run:#?}");
    }
    assert_eq!(run.stdout.matches(" rows\n").count(), 2, "{run:#?}");
    let advice = "delete them with `DELETE` in place of `SELECT *`.";
    assert!(run.stdout.contains(advice), "{run:#?}");

    // Users of a directory need not have rows.
    let others = on_database(&sandbox, async |db| {
        schema::orphans(db, false, |_| {}).await
    });
    let others: Vec<&str> = others
        .as_ref()
        .unwrap()
        .iter()
        .map(|it| it.column)
        .collect();
    assert_eq!(others, ["target_id"]);

    // The statements do what the advice says.
    execute(
        &sandbox,
        "DELETE FROM `assignment` WHERE `assignment`.actor_id IS NOT NULL AND type IN ('UserProject', 'UserDomain') \
         AND NOT EXISTS (SELECT 1 FROM `user` r WHERE r.id = `assignment`.actor_id) \
         AND NOT EXISTS (SELECT 1 FROM id_mapping m WHERE m.public_id = `assignment`.actor_id)",
    );
    execute(&sandbox, "DELETE FROM assignment WHERE target_id = 'gone'");
    examine(&sandbox, &[]);
}
