//! `keystone dev`.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::sandbox::{Run, Sandbox, Server, mode, names};

fn dev(sandbox: &Sandbox, more: &[&str]) -> Server {
    let mut command: Command = sandbox.command(env!("CARGO_BIN_EXE_keystone"));
    command.args(["dev", "--listen", "127.0.0.1:0"]).args(more);
    Server::start(command.stdout(Stdio::null()))
}

#[test]
fn the_first_start_is_ready_and_the_second_keeps_its_data() {
    let sandbox = Sandbox::new();
    let server = dev(&sandbox, &[]);
    let data = sandbox.path("keystone-dev");
    let password = std::fs::read_to_string(data.join("admin-password")).unwrap();
    let password = password.trim();
    assert_eq!(server.ask("GET /", "").0, 300);
    let (status, first) = server.log_in(password);
    assert_eq!(status, 201, "{first}");
    let url = format!("http://{}/v3", server.address);
    assert_eq!(first["token"]["catalog"][0]["endpoints"][0]["url"], url);
    assert_eq!(server.stop(Signal::SIGINT), 0);

    assert_eq!(mode(&data), 0o700);
    for name in names(&data) {
        let path = data.join(&name);
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{name}");
    }

    let server = dev(&sandbox, &[]);
    let (status, second) = server.log_in(password);
    assert_eq!(status, 201);
    assert_eq!(first["token"]["user"]["id"], second["token"]["user"]["id"]);
    let endpoints = second["token"]["catalog"][0]["endpoints"]
        .as_array()
        .unwrap();
    assert_eq!(endpoints.len(), 3);
    let url = format!("http://{}/v3", server.address);
    assert_eq!(endpoints[0]["url"], url, "the endpoints follow the address");
    let openrc = std::fs::read_to_string(data.join("admin-openrc")).unwrap();
    assert!(
        openrc.contains(&format!("export OS_AUTH_URL={url}\n")),
        "{openrc}"
    );
    let clouds = std::fs::read_to_string(data.join("clouds.yaml")).unwrap();
    assert!(clouds.contains(password), "{clouds}");
}

#[test]
fn a_directory_with_other_content_is_refused() {
    let sandbox = Sandbox::new();
    let mut command: Command = sandbox.command(env!("CARGO_BIN_EXE_keystone"));
    command.args(["dev", "--listen", "127.0.0.1:0", "--data-dir", "."]);
    let before = (mode(&sandbox.path("")), names(&sandbox.path("")));
    Run::of(&mut command)
        .exits_with(1)
        .says("there is something in it that `keystone dev` has not made");
    assert_eq!((mode(&sandbox.path("")), names(&sandbox.path(""))), before);
}

#[test]
fn a_given_password_replaces_the_stored_one() {
    let sandbox = Sandbox::new();
    let chosen = ["--data-dir", "here", "--admin-password", "it's"];
    let server = dev(&sandbox, &chosen);
    assert_eq!(server.log_in("it's").0, 201);
    server.stop(Signal::SIGTERM);
    let openrc = std::fs::read_to_string(sandbox.path("here/admin-openrc")).unwrap();
    assert!(openrc.contains(r"OS_PASSWORD='it'\''s'"), "{openrc}");
    let server = dev(&sandbox, &["--data-dir", "here"]);
    assert_eq!(server.log_in("it's").0, 201);
}
