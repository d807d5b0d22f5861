//! Problems of a `keystone.conf` stop the start, and all of them are listed.

use std::os::unix::fs::{MetadataExt, chown};

use nix::unistd::Uid;

use crate::sandbox::{Run, Sandbox};

#[test]
fn every_problem_is_listed_with_its_place() {
    let sandbox = Sandbox::new();
    let conf = sandbox.configure("[token]\nexpiration = soon\n[identity]\ndriver = hybrid\n");
    for program in [
        env!("CARGO_BIN_EXE_keystone"),
        env!("CARGO_BIN_EXE_keystone-manage"),
    ] {
        let mut command = sandbox.command(program);
        if program.ends_with("manage") {
            command.args(["--config-file", &conf, "db_sync"]);
        } else {
            command.args(["serve", "--config-file", &conf]);
        }
        let run = Run::of(&mut command).exits_with(1).prints("");
        let expected = format!("{conf}:10: [token] expiration: expected a whole number");
        assert!(run.says(&expected).stderr.lines().count() < 5);
    }
    let conf = sandbox.configure("[identity]\ndriver = hybrid\n[token]\nprovider = uuid\n");
    sandbox
        .manage(&["db_version"])
        .exits_with(1)
        .says("the configuration has 2 problems:")
        .says(&format!(
            "{conf}:10: [identity] driver: \"hybrid\" is no driver of this server, which has sql and ldap"
        ))
        .says(&format!(
            "{conf}:12: [token] provider: expected fernet or jws"
        ));
}

#[test]
fn a_missing_file_is_named() {
    let sandbox = Sandbox::new();
    sandbox
        .manage(&["--config-file", "/nowhere/keystone.conf", "db_version"])
        .exits_with(1)
        .says("/nowhere/keystone.conf: there is no such configuration file");
}

#[test]
fn options_may_stand_before_and_after_the_command_and_the_last_wins() {
    let sandbox = Sandbox::new();
    let other = sandbox.write("other.conf", "[token]\nexpiration = never\n");
    let good = sandbox.write("good.conf", "[token]\nexpiration = 60\n");
    sandbox
        .manage(&["--config-file", &other, "db_version"])
        .exits_with(1);
    sandbox
        .manage(&["db_version", "--config-file", &other])
        .exits_with(1);
    sandbox
        .manage(&[
            "--config-file",
            &other,
            "db_version",
            "--config-file",
            &good,
        ])
        .succeeds();
    sandbox.command("mkdir").arg("conf.d").status().unwrap();
    sandbox.write("conf.d/10.conf", "[token]\nexpiration = 60\n");
    let dir = sandbox.path("conf.d");
    let dir = dir.to_str().unwrap();
    sandbox
        .manage(&["--config-file", &other, "--config-dir", dir, "db_version"])
        .succeeds();
    sandbox
        .manage(&["--config-dir", dir, "--config-file", &other, "db_version"])
        .exits_with(1);
}

#[test]
fn log_options_choose_the_log_file() {
    let sandbox = Sandbox::new();
    sandbox.configure("[DEFAULT]\nlog_dir = log\nlog_file = k.log\nunheard_of = 1\n");
    sandbox.command("mkdir").arg("log").status().unwrap();
    let run = sandbox.manage(&["db_sync"]).succeeds();
    assert_eq!(run.stderr, "");
    let log = std::fs::read_to_string(sandbox.path("log/k.log")).unwrap();
    assert!(log.contains("742c857f1dfb"), "{log}");
    assert!(
        log.contains("[DEFAULT] unheard_of: there is no such option"),
        "{log}"
    );

    sandbox.configure("");
    let run = sandbox
        .manage(&["--use-json", "db_sync", "--check"])
        .succeeds();
    let lines: Vec<serde_json::Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(lines[0]["message"], "the database schema is up to date");
}

/// Otherwise a command that root runs would lock out the server, and every later command of its user.
#[test]
fn a_log_that_root_makes_belongs_to_the_owner_of_its_directory() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("log");
    std::fs::create_dir(&dir).unwrap();
    let owner = if Uid::effective().is_root() {
        54_321
    } else {
        Uid::effective().as_raw()
    };
    chown(&dir, Some(owner), None).unwrap();
    sandbox.configure("[DEFAULT]\nlog_dir = log\n");
    sandbox.manage(&["db_sync"]).succeeds();
    let log = dir.join("keystone-manage.log");
    assert_eq!(std::fs::metadata(&log).unwrap().uid(), owner);
    // What is there already stays as it is.
    chown(&dir, Some(Uid::effective().as_raw()), None).unwrap();
    sandbox.manage(&["db_sync"]).succeeds();
    assert_eq!(std::fs::metadata(&log).unwrap().uid(), owner);
}

#[test]
fn unknown_commands_are_usage_errors() {
    let sandbox = Sandbox::new();
    sandbox.manage(&["no_such_command"]).exits_with(2);
    sandbox.manage(&[]).exits_with(2);
    let version = sandbox.manage(&["--version"]).succeeds();
    assert!(
        version.stdout.starts_with("keystone-manage "),
        "{version:?}"
    );
}
