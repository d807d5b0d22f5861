//! `user_setup`, `project_setup`, `reset_last_active`, `mapping_purge` and `domain_config_upload`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use keystone::storage::{DatabaseUrl, Db, PoolOptions, Record, sql};

use crate::sandbox::{Run, Sandbox};

/// The rows of a statement on the database of a sandbox.
pub(crate) fn rows<T: Record>(sandbox: &Sandbox, text: &'static str) -> Vec<T> {
    on_database(sandbox, async |db| sql(text).fetch_all(db).await.unwrap())
}

pub(crate) fn execute(sandbox: &Sandbox, text: &'static str) {
    on_database(sandbox, async |db| sql(text).execute(db).await.unwrap());
}

pub(crate) fn on_database<T>(sandbox: &Sandbox, work: impl AsyncFnOnce(&Db) -> T) -> T {
    let url = format!("sqlite:///{}", sandbox.path("keystone.db").display());
    let url: DatabaseUrl = url.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let db = Db::connect(&url, &PoolOptions::default()).await.unwrap();
        let done = work(&db).await;
        db.close().await;
        done
    })
}

fn texts(sandbox: &Sandbox, text: &'static str) -> Vec<String> {
    let rows: Vec<(String,)> = rows(sandbox, text);
    rows.into_iter().map(|(text,)| text).collect()
}

#[test]
fn user_setup_creates_a_user_and_lets_an_existing_one_in_again() {
    let sandbox = Sandbox::ready();
    let setup = |more: &[&str]| {
        let arguments = ["user_setup", "--username", "glance"];
        sandbox.manage(&[arguments.as_slice(), more].concat())
    };
    setup(&["--user-password-plain", "one", "--user-id", "9999"])
        .succeeds()
        .prints("");
    let found = "SELECT user_id FROM local_user WHERE name = 'glance'";
    assert_eq!(texts(&sandbox, found), ["9999"]);

    execute(&sandbox, "UPDATE user SET enabled = 0 WHERE id = '9999'");
    setup(&["--user-password-plain", "two"])
        .succeeds()
        .says("enabled the user")
        .says("set the password of the user");
    let again = setup(&["--user-password-plain", "two", "--user-id", "9999"]).succeeds();
    assert_eq!(again.stderr, "");
    setup(&["--user-password-plain", "two", "--user-id", "8888"])
        .exits_with(1)
        .says("Conflict occurred attempting to store user_id - user `glance` already exists with `9999`.");
    let other = [
        "user_setup",
        "--username",
        "other",
        "--user-password-plain",
        "x",
    ];
    sandbox
        .manage(&[other.as_slice(), &["--user-id", "9999"]].concat())
        .exits_with(1)
        .says("Duplicate ID, 9999");
    // Python Keystone fails without an id.
    sandbox.manage(&other).succeeds();
    let ids = texts(
        &sandbox,
        "SELECT user_id FROM local_user WHERE name = 'other'",
    );
    assert_eq!(ids[0].len(), 32);
    for missing in [&["user_setup", "--username", "x"][..], &["user_setup"]] {
        sandbox.manage(missing).exits_with(2);
    }
}

#[test]
fn project_setup_creates_a_project_once() {
    let sandbox = Sandbox::ready();
    let setup = |name: &str, more: &[&str]| {
        let arguments = ["project_setup", "--project-name", name];
        sandbox.manage(&[arguments.as_slice(), more].concat())
    };
    setup("service", &["--project-id", "7777"])
        .succeeds()
        .prints("")
        .says("created the project");
    setup("service", &[]).succeeds();
    // As in Python Keystone, the id does not matter where the name exists.
    setup("service", &["--project-id", "6666"]).succeeds();
    setup("another", &["--project-id", "7777"])
        .exits_with(1)
        .says("Could not find project: another.");
    let found: Vec<(String, String, String)> = rows(
        &sandbox,
        "SELECT id, domain_id, description FROM project WHERE name = 'service'",
    );
    let text = "Bootstrap project for initializing the cloud.";
    let wanted = ("7777".to_owned(), "default".to_owned(), text.to_owned());
    assert_eq!(found, [wanted]);
    sandbox.manage(&["project_setup"]).exits_with(2);
}

#[test]
fn reset_last_active_asks_first() {
    let sandbox = Sandbox::ready();
    let unknown = "SELECT id FROM user WHERE last_active_at IS NULL";
    execute(&sandbox, "UPDATE user SET last_active_at = NULL");
    let answered = |answer: &str| {
        let mut command = sandbox.manage_command(&["reset_last_active"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(answer.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        Run {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    };
    for no in ["n\n", "", "yes please\n"] {
        let run = answered(no)
            .exits_with(1)
            .says("reset_last_active aborted.");
        assert!(
            run.stdout
                .starts_with("Security Warning: reset_last_active  will")
        );
        assert!(
            run.stdout
                .ends_with("Are you sure you want to continue [y/N]? ")
        );
        assert_eq!(texts(&sandbox, unknown).len(), 1);
    }
    answered("Yes\n").succeeds();
    assert_eq!(texts(&sandbox, unknown).len(), 0);
    execute(&sandbox, "UPDATE user SET last_active_at = NULL");
    sandbox
        .manage(&["reset_last_active", "--force"])
        .succeeds()
        .prints("")
        .says("users=1");
    assert_eq!(texts(&sandbox, unknown).len(), 0);
}

#[test]
fn mapping_purge_removes_what_fits_all_filters() {
    let sandbox = Sandbox::ready();
    let purge = |more: &[&str]| sandbox.manage(&[&["mapping_purge"], more].concat());
    let left = |fill: bool| {
        if fill {
            execute(
                &sandbox,
                "INSERT INTO id_mapping (public_id, domain_id, local_id, entity_type) VALUES \
                 ('1', 'default', 'a', 'user'), ('2', 'default', 'a', 'group'), ('3', 'other', 'a', 'user')",
            );
        }
        texts(
            &sandbox,
            "SELECT public_id FROM id_mapping ORDER BY public_id",
        )
    };
    purge(&[])
        .exits_with(1)
        .says("At least one option must be provided");
    purge(&["--all", "--type", "user"])
        .exits_with(1)
        .says("--all option cannot be mixed with other options");
    purge(&["--domain-name", "nope"])
        .exits_with(1)
        .says("Could not find domain: nope.");
    purge(&["--type", "x"]).exits_with(2);
    for (more, rest) in [
        (&["--all"][..], &[][..]),
        (&["--type", "user"], &["2"]),
        (&["--domain-name", "Default"], &["3"]),
        (&["--public-id", "2"], &["1", "3"]),
        (
            &[
                "--local-id",
                "a",
                "--domain-name",
                "Default",
                "--type",
                "user",
            ],
            &["2", "3"],
        ),
        (&["--local-id", "b"], &["1", "2", "3"]),
    ] {
        execute(&sandbox, "DELETE FROM id_mapping");
        left(true);
        purge(more).succeeds().prints("");
        assert_eq!(left(false), rest, "{more:?}");
    }
}

/// A sandbox, its directory of domain configs, which is yet to be made, and that directory as it is shown.
fn with_domain_configs() -> (Sandbox, PathBuf, String) {
    let sandbox = Sandbox::ready();
    let dir = sandbox.path("domains");
    let shown = dir.display().to_string();
    sandbox.configure(&format!("[identity]\ndomain_config_dir = {shown}\n"));
    (sandbox, dir, shown)
}

fn stored_configs(sandbox: &Sandbox) -> Vec<String> {
    texts(
        sandbox,
        "SELECT `group` || '.' || `option` || ' ' || value FROM whitelisted_config \
         UNION ALL SELECT 'sensitive ' || `option` || ' ' || value FROM sensitive_config ORDER BY 1",
    )
}

#[test]
fn domain_config_upload_refuses_what_is_no_configuration() {
    let (sandbox, dir, shown) = with_domain_configs();
    let upload = |more: &[&str]| sandbox.manage(&[&["domain_config_upload"], more].concat());
    upload(&[])
        .exits_with(1)
        .prints("At least one option must be provided, use either --all or --domain-name\n");
    upload(&["--all", "--domain-name", "x"])
        .exits_with(1)
        .prints("The --all option cannot be used with the --domain-name option\n");
    upload(&["--all"]).exits_with(1).prints(&format!(
        "Unable to locate domain config directory: {shown}\n"
    ));
    fs::create_dir(&dir).unwrap();
    upload(&["--all"]).succeeds().prints("");
    let unparsed = format!(
        "Error parsing configuration file for domain: Default, file: {shown}/keystone.Default.conf.\n"
    );
    upload(&["--domain-name", "Default"])
        .exits_with(1)
        .prints(&unparsed);
    for (text, printed, reason) in [
        (
            "[ldap]\nurlx = x\n",
            "",
            "Option urlx in group ldap is not supported",
        ),
        ("", "", "No options specified"),
        (
            "[ldap\nurl = x\n",
            &unparsed,
            "a section header must end with ]",
        ),
    ] {
        fs::write(dir.join("keystone.Default.conf"), text).unwrap();
        upload(&["--all"])
            .exits_with(1)
            .prints(printed)
            .says(reason);
    }
    assert!(stored_configs(&sandbox).is_empty());
}

#[test]
fn domain_config_upload_stores_each_file_once() {
    let (sandbox, dir, shown) = with_domain_configs();
    let upload = |more: &[&str]| sandbox.manage(&[&["domain_config_upload"], more].concat());
    fs::create_dir(&dir).unwrap();
    let below = dir.join("below");
    fs::create_dir(&below).unwrap();
    fs::write(
        below.join("keystone.Default.conf"),
        "[identity]\ndriver = ldap\n[ldap]\nurl = ldap://x\nurl = ldap://y\npage_size = 7\npassword = s3\n",
    )
    .unwrap();
    fs::write(dir.join("keystone.nope.conf"), "[ldap]\nurl = x\n").unwrap();
    fs::write(dir.join("other"), "").unwrap();
    let unknown = format!(
        "Invalid domain name: nope found in config file name: {shown}/keystone.nope.conf - ignoring this file.\n"
    );
    let run = upload(&["--all"])
        .exits_with(1)
        .prints(&unknown)
        .says("its name is not keystone.DOMAIN.conf");
    assert!(!run.stderr.contains("s3"), "{run:?}");
    assert_eq!(
        stored_configs(&sandbox),
        [
            r#"identity.driver "ldap""#,
            r#"ldap.page_size "7""#,
            r#"ldap.url "ldap://x""#,
            r#"sensitive password "s3""#,
        ]
    );
    fs::rename(
        below.join("keystone.Default.conf"),
        dir.join("keystone.Default.conf"),
    )
    .unwrap();
    let again = format!(
        "Domain: Default already has a configuration defined - ignoring file: {shown}/keystone.Default.conf.\n"
    );
    upload(&["--domain-name", "Default"])
        .exits_with(1)
        .prints(&again);
    execute(&sandbox, "DELETE FROM whitelisted_config");
    // A sensitive option alone is a configuration, too.
    upload(&["--all"])
        .exits_with(1)
        .prints(&format!("{again}{unknown}"));
}
