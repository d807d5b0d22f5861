//! Published weaknesses of Keystone that need a process, named after their rows in
//! `tests/security/README.md`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::sandbox::{Run, Sandbox, mode, names, owned};

#[test]
fn sec_09_only_the_owner_can_read_what_the_tools_write() {
    let sandbox = Sandbox::ready();
    sandbox.configure("[DEFAULT]\nlog_file = keystone.log\n");
    for command in ["fernet_rotate", "credential_rotate"] {
        sandbox.manage(&owned(&[command])).succeeds();
    }
    for keys in ["fernet-keys", "credential-keys"] {
        let keys = sandbox.path(keys);
        assert_eq!(mode(&keys), 0o700);
        for name in names(&keys) {
            assert_eq!(mode(&keys.join(&name)), 0o600, "{name}");
        }
    }
    assert_eq!(mode(&sandbox.path("keystone.log")), 0o640);
    // It holds password hashes.
    for name in names(&sandbox.path("")) {
        if name.starts_with("keystone.db") {
            assert_eq!(mode(&sandbox.path(&name)), 0o600, "{name}");
        }
    }
}

#[test]
fn sec_11_memory_of_many_large_bodies_is_released() {
    let sandbox = Sandbox::ready();
    let server = sandbox.serve();
    assert_eq!(server.log_in("s3cret").0, 201);
    let before = server.memory();
    let body = json!({ "auth": "x".repeat(110_000) }).to_string();
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(&server.address).unwrap();
                let head = format!(
                    "POST /v3/auth/tokens HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\
                     Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(body.as_bytes()).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
            });
        }
    });
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more");
}

#[test]
fn sec_15_no_secret_is_in_the_log_of_a_process() {
    let sandbox = Sandbox::ready();
    sandbox.configure("[DEFAULT]\ndebug = true\nlog_options = true\nlog_file = keystone.log\nadmin_token = t0ps3cret\n");
    let config = sandbox.path("keystone.conf");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_keystone"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--config-file"]);
    let mut child = command.arg(&config).spawn().unwrap();
    let log = || fs::read_to_string(sandbox.path("keystone.log")).unwrap_or_default();
    let address = loop {
        assert!(child.try_wait().unwrap().is_none(), "{}", log());
        if let Some((_, rest)) = log().split_once("listening address=") {
            break rest.lines().next().unwrap().trim().to_owned();
        }
        std::thread::yield_now();
    };
    for password in ["s3cret", "wr0ng"] {
        let user = json!({ "name": "admin", "domain": { "id": "default" }, "password": password });
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        let body = json!({ "auth": { "identity": identity } }).to_string();
        let mut stream = TcpStream::connect(&address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST /v3/auth/tokens HTTP/1.1\r\nHost: k\r\nConnection: close\r\nX-Auth-Token: t0ps3cret\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
    }
    let id = i32::try_from(child.id()).unwrap();
    kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    let log = log();
    assert!(
        log.contains("status=201") && log.contains("status=401"),
        "{log}"
    );
    for secret in ["s3cret", "wr0ng", "gAAAA"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn sec_15_errors_hide_the_password_of_a_database() {
    let sandbox = Sandbox::new();
    sandbox.configure("[DEFAULT]\ndebug = true\n[database]\nconnection = mysql+pymysql://k:h1dden@127.0.0.1:1/keystone\n");
    for command in ["db_sync", "db_version", "bootstrap"] {
        let mut command = sandbox.manage_command(&[command]);
        let run = Run::of(command.env("OS_BOOTSTRAP_PASSWORD", "s3cret"));
        assert_ne!(run.status, 0);
        assert!(!run.stderr.contains("h1dden"), "{run:?}");
        assert!(!run.stdout.contains("h1dden"), "{run:?}");
    }
}

#[test]
fn sec_17_a_password_need_not_be_on_the_command_line() {
    let sandbox = Sandbox::new();
    sandbox.manage(&["db_sync"]).succeeds();
    let warning = "could read the password on the command line";
    let mut command = sandbox.manage_command(&["bootstrap"]);
    let run = Run::of(command.env("OS_BOOTSTRAP_PASSWORD", "s3cret")).succeeds();
    assert!(!run.stderr.contains(warning), "{run:?}");
    sandbox
        .manage(&["bootstrap", "--bootstrap-password", "s3cret"])
        .succeeds()
        .says(warning);
    sandbox.manage(&owned(&["fernet_setup"])).succeeds();
    let server = sandbox.serve();
    assert_eq!(server.log_in("s3cret").0, 201);
    assert_eq!(server.stop(Signal::SIGTERM), 0);
}

#[test]
fn sec_21_an_invalid_boolean_stops_the_start() {
    let sandbox = Sandbox::new();
    // It is checked before anything is done, whatever the option is for.
    for text in ["False", "false", "no", "0", "off", "True", "yes", "1", "on"] {
        sandbox.configure(&format!("[token]\nallow_rescope_scoped_token = {text}\n"));
        sandbox.manage(&["db_sync", "--check"]).exits_with(2);
    }
    for text in ["insecure", "falsch", "2", "-1", "disabled", "\"False\" #"] {
        sandbox.configure(&format!("[token]\nallow_rescope_scoped_token = {text}\n"));
        sandbox
            .manage(&["db_sync"])
            .exits_with(1)
            .says("[token] allow_rescope_scoped_token: ");
    }
}

#[test]
fn sec_21_no_means_off() {
    let sandbox = Sandbox::ready();
    for (text, status) in [
        ("off", 403),
        ("No", 403),
        ("0", 403),
        ("FALSE", 403),
        ("on", 201),
    ] {
        sandbox.configure(&format!("[token]\nallow_rescope_scoped_token = {text}\n"));
        let server = sandbox.serve();
        let project = json!({ "project": { "name": "admin", "domain": { "id": "default" } } });
        let user = json!({ "name": "admin", "domain": { "id": "default" }, "password": "s3cret" });
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        let body = json!({ "auth": { "identity": identity, "scope": project } });
        let (_, head, _) = server.ask("POST /v3/auth/tokens", &body.to_string());
        let token = head
            .lines()
            .find_map(|line| line.strip_prefix("x-subject-token: "));
        let identity = json!({ "methods": ["token"], "token": { "id": token.unwrap().trim() } });
        let body = json!({ "auth": { "identity": identity, "scope": project } });
        let answer = server.ask("POST /v3/auth/tokens", &body.to_string());
        assert_eq!(answer.0, status, "{text}: {}", answer.2);
    }
}
