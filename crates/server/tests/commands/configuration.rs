//! What is wrong with a `keystone.conf` stops the start, all of it at once.

use crate::world::{Run, World};

#[test]
fn every_problem_is_listed_with_its_place() {
    let world = World::new();
    let conf = world.configure("[token]\nexpiration = soon\n[identity]\ndriver = ldap\n");
    for program in [
        env!("CARGO_BIN_EXE_keystone"),
        env!("CARGO_BIN_EXE_keystone-manage"),
    ] {
        let mut command = world.command(program);
        if program.ends_with("manage") {
            command.args(["--config-file", &conf, "db_sync"]);
        } else {
            command.args(["serve", "--config-file", &conf]);
        }
        let run = Run::of(&mut command).exits_with(1).prints("");
        let expected = format!("{conf}:10: [token] expiration: expected a whole number");
        assert!(run.says(&expected).stderr.lines().count() < 5);
    }
    let conf = world.configure("[identity]\ndriver = ldap\n[token]\nprovider = jws\n");
    world
        .manage(&["db_version"])
        .exits_with(1)
        .says("the configuration has 2 problems:")
        .says(&format!(
            "{conf}:10: [identity] driver: the only driver of this release is sql"
        ))
        .says(&format!("{conf}:12: [token] provider: the only provider"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let world = World::new();
    world
        .manage(&["--config-file", "/nowhere/keystone.conf", "db_version"])
        .exits_with(1)
        .says("/nowhere/keystone.conf: there is no such configuration file");
}

#[test]
fn options_can_stand_on_either_side_of_the_command_and_the_last_wins() {
    let world = World::new();
    let other = world.write("other.conf", "[token]\nexpiration = never\n");
    let good = world.write("good.conf", "[token]\nexpiration = 60\n");
    world
        .manage(&["--config-file", &other, "db_version"])
        .exits_with(1);
    world
        .manage(&["db_version", "--config-file", &other])
        .exits_with(1);
    world
        .manage(&[
            "--config-file",
            &other,
            "db_version",
            "--config-file",
            &good,
        ])
        .succeeds();
    world.command("mkdir").arg("conf.d").status().unwrap();
    world.write("conf.d/10.conf", "[token]\nexpiration = 60\n");
    let dir = world.path("conf.d");
    let dir = dir.to_str().unwrap();
    world
        .manage(&["--config-file", &other, "--config-dir", dir, "db_version"])
        .succeeds();
    world
        .manage(&["--config-dir", dir, "--config-file", &other, "db_version"])
        .exits_with(1);
}

#[test]
fn the_log_goes_where_it_is_told() {
    let world = World::new();
    world.configure("[DEFAULT]\nlog_dir = log\nlog_file = k.log\nunheard_of = 1\n");
    world.command("mkdir").arg("log").status().unwrap();
    let run = world.manage(&["db_sync"]).succeeds();
    assert_eq!(run.stderr, "");
    let log = std::fs::read_to_string(world.path("log/k.log")).unwrap();
    assert!(log.contains("742c857f1dfb"), "{log}");
    assert!(
        log.contains("[DEFAULT] unheard_of: there is no such option"),
        "{log}"
    );

    world.configure("");
    let run = world
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

#[test]
fn commands_that_do_not_exist_are_usage_errors() {
    let world = World::new();
    world.manage(&["no_such_command"]).exits_with(2);
    world.manage(&[]).exits_with(2);
    let version = world.manage(&["--version"]).succeeds();
    assert!(
        version.stdout.starts_with("keystone-manage "),
        "{version:?}"
    );
}
