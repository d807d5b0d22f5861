//! `bootstrap`.

use std::io::Write;
use std::process::Stdio;

use crate::sandbox::{Run, Sandbox, owned};

#[test]
fn bootstrap_without_a_password_fails() {
    let sandbox = Sandbox::new();
    sandbox.manage(&["db_sync"]).succeeds();
    sandbox.manage(&["bootstrap"]).exits_with(1).prints(
        "ERROR: Either --bootstrap-password argument or OS_BOOTSTRAP_PASSWORD must be set.\n",
    );
}

#[test]
fn bootstrap_prompts_for_the_password_at_a_terminal() {
    let sandbox = Sandbox::new();
    sandbox.manage(&["db_sync"]).succeeds();
    let program = env!("CARGO_BIN_EXE_keystone-manage");
    let line = format!("{program} --config-file keystone.conf bootstrap");
    let typed = |text: &str| {
        let mut terminal = sandbox.command("script");
        terminal
            .args(["-qec", &line, "/dev/null"])
            .env("PATH", "/usr/bin:/bin");
        let mut child = terminal
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), shown)
    };
    let (status, shown) = typed("s3cret\nsecret\n");
    assert_eq!(status, Some(1), "{shown}");
    assert!(shown.contains("the two passwords differ"), "{shown}");
    let (status, shown) = typed("s3cret\ns3cret\n");
    assert_eq!(status, Some(0), "{shown}");
    sandbox.manage(&owned(&["fernet_setup"])).succeeds();
    assert_eq!(sandbox.serve().log_in("s3cret").0, 201);
}

#[test]
fn bootstrap_of_an_empty_database_says_to_run_db_sync() {
    let sandbox = Sandbox::new();
    sandbox
        .manage(&["bootstrap", "--bootstrap-password", "x"])
        .exits_with(1)
        .says("run `keystone-manage db_sync`");
}

#[test]
fn the_bootstrapped_administrator_logs_in() {
    let sandbox = Sandbox::ready();
    let again = sandbox
        .manage(&["bootstrap", "--bootstrap-password", "s3cret"])
        .succeeds()
        .prints("");
    assert!(!again.stderr.contains("created the "), "{again:?}");
    assert!(!again.stderr.contains("s3cret"), "{again:?}");
    let server = sandbox.serve();
    let (status, body) = server.log_in("s3cret");
    assert_eq!(status, 201, "{body}");
    let mut roles: Vec<&str> = body["token"]["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| role["name"].as_str().unwrap())
        .collect();
    roles.sort_unstable();
    assert_eq!(roles, ["admin", "manager", "member", "reader"]);
}

#[test]
fn environment_variables_win_over_flags_and_endpoints_are_updated() {
    let sandbox = Sandbox::ready();
    let bootstrap = |url: &str, password: &str| {
        let arguments = [
            "bootstrap",
            "--bootstrap-password",
            "not this one",
            "--bootstrap-region-id",
            "RegionOne",
            "--bootstrap-public-url",
            url,
        ];
        let mut command = sandbox.manage_command(&arguments);
        command.env("OS_BOOTSTRAP_PASSWORD", password);
        Run::of(&mut command).succeeds()
    };
    bootstrap("http://one:5000/v3", "first");
    bootstrap("http://two:5000/v3", "second");
    let server = sandbox.serve();
    assert_eq!(server.log_in("first").0, 401);
    let (status, body) = server.log_in("second");
    assert_eq!(status, 201);
    let catalog = &body["token"]["catalog"];
    assert_eq!(catalog.as_array().unwrap().len(), 1, "{catalog}");
    let endpoints = catalog[0]["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 1, "{catalog}");
    assert_eq!(endpoints[0]["url"], "http://two:5000/v3");
    assert_eq!(endpoints[0]["region_id"], "RegionOne");
}
