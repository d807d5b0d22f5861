//! `db_sync` and `db_version`.

use crate::sandbox::{Run, Sandbox};

#[test]
fn expand_and_contract_bring_a_database_to_head() {
    let sandbox = Sandbox::new();
    sandbox
        .manage(&["db_sync", "--check"])
        .exits_with(2)
        .prints("");
    sandbox.manage(&["db_version"]).succeeds().prints("None\n");
    sandbox
        .manage(&["db_sync", "--contract"])
        .exits_with(1)
        .says("You are attempting to upgrade contract ahead of expand.");
    sandbox
        .manage(&["db_sync", "--expand"])
        .succeeds()
        .prints("");
    sandbox.manage(&["db_sync", "--check"]).exits_with(4);
    sandbox
        .manage(&["db_sync", "--migrate"])
        .succeeds()
        .prints("Data migrations are no longer supported with alembic. This is now a no-op.\n");
    sandbox
        .manage(&["db_sync", "--contract"])
        .succeeds()
        .prints("");
    sandbox.manage(&["db_sync", "--check"]).exits_with(0);
    sandbox
        .manage(&["db_version"])
        .succeeds()
        .prints("742c857f1dfb\n");
}

#[test]
fn what_only_looks_makes_no_database() {
    let sandbox = Sandbox::new();
    for (status, command) in [
        (1, &["doctor"][..]),
        (2, &["policy", "explain", "--rule", "x", "--token", "t"]),
        (2, &["policy", "who-can", "--rule", "x"]),
        (1, &["bootstrap", "--bootstrap-password", "x"]),
        (0, &["db_version"]),
        (2, &["db_sync", "--check"]),
    ] {
        let run = sandbox.manage(command).exits_with(status);
        let is_told = format!("{}{}", run.stdout, run.stderr).contains("the database is empty");
        assert!(is_told || command == ["db_version"], "{run:#?}");
    }
    let mut status = sandbox.command(env!("CARGO_BIN_EXE_keystone-status"));
    status.args(["upgrade", "check", "--config-file", "keystone.conf"]);
    Run::of(&mut status).exits_with(255);
    Run::of(&mut sandbox.serve_command("127.0.0.1:0"))
        .exits_with(1)
        .says("the database is empty: run `keystone-manage db_sync`");
    assert!(!sandbox.path("keystone.db").exists());
    sandbox.manage(&["db_sync"]).succeeds();
    assert!(sandbox.path("keystone.db").exists());
}

#[test]
fn a_second_db_sync_does_nothing() {
    let sandbox = Sandbox::new();
    let first = sandbox.manage(&["db_sync"]).succeeds().prints("");
    assert!(!first.stderr.contains('\r'), "progress is for terminals");
    sandbox.manage(&["db_sync", "--check"]).exits_with(0);
    let second = sandbox.manage(&["db_sync"]).succeeds();
    assert_eq!(second.stderr, "");
}

#[test]
fn contract_first_and_a_version_are_refused_as_by_keystone() {
    let sandbox = Sandbox::new();
    sandbox
        .manage(&["db_sync", "67"])
        .exits_with(1)
        .says("Specifying a version is no longer supported");
    sandbox
        .manage(&["db_sync", "--expand", "--contract"])
        .exits_with(2);
}

#[test]
fn the_error_of_an_unreachable_database_hides_the_password() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "[database]\nconnection = mysql+pymysql://keystone:hidden@127.0.0.1:1/keystone\n",
    );
    let run = sandbox
        .manage(&["db_sync"])
        .exits_with(1)
        .says("127.0.0.1:1");
    assert!(!run.stderr.contains("hidden"), "{run:?}");
}

#[test]
fn the_triggers_of_the_change_log_are_made_last_unless_they_are_not_wanted() {
    const ASKING: &str = "every validation asks the database";
    const REMEMBERING: &str = "validations are answered from memory";
    let sandbox = Sandbox::new();
    let says = |text: &str| {
        let lines = sandbox.serve().preparation.join("\n");
        assert!(lines.contains(text), "{text}: {lines}");
    };
    sandbox
        .manage(&["db_sync", "--without-triggers"])
        .succeeds();
    let shown = sandbox.manage(&["db_sync", "--print-triggers"]).succeeds();
    let one = "CREATE TRIGGER `keystone_change_user_update` AFTER UPDATE ON `user`";
    assert!(shown.stdout.contains(one), "{}", shown.stdout);
    says(ASKING);
    sandbox.manage(&["db_sync"]).succeeds();
    says(REMEMBERING);
    sandbox.manage(&["remove_triggers"]).succeeds();
    says(ASKING);
}
