//! `keystone serve`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;

use keystone::Keystone;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::sandbox::{Run, Sandbox, Server};

fn refused(sandbox: &Sandbox, listen: &str) -> Run {
    Run::of(&mut sandbox.serve_command(listen))
        .exits_with(1)
        .prints("")
}

#[test]
fn the_schema_of_another_release_is_refused() {
    let sandbox = Sandbox::new();
    refused(&sandbox, "127.0.0.1:0").says("the database is empty: run `keystone-manage db_sync`");
    sandbox.manage(&["db_sync", "--expand"]).succeeds();
    let server = sandbox.serve();
    assert_eq!(server.ask("GET /v3", "").0, 200);
}

#[tokio::test]
async fn a_tree_too_deep_for_the_enforcement_model_is_refused() {
    let sandbox = Sandbox::ready();
    let database = format!("sqlite:///{}", sandbox.path("keystone.db").display());
    let keystone = Keystone::builder().database(database).build().await;
    let identity = keystone.unwrap().identity();
    for (id, parent) in [("one", "default"), ("two", "one"), ("three", "two")] {
        let project = json!({ "id": id, "name": id, "domain_id": "default", "parent_id": parent });
        let project = serde_json::from_value(project).unwrap();
        identity.create_project(project).await.unwrap();
    }
    let server = sandbox.serve();
    sandbox.configure("[unified_limit]\nenforcement_model = strict_two_level\n");
    let said = "[unified_limit] enforcement_model = strict_two_level can't be used: projects stand more than two \
                levels deep, the domain being the first (three, two)";
    let run = refused(&sandbox, "127.0.0.1:0").says(said);
    assert_eq!(run.stderr.trim_end().lines().count(), 1, "{run:?}");
    server.signal(Signal::SIGHUP);
    server.logs(&format!("the configuration stays as it was: {said}"));
    assert_eq!(server.ask("GET /v3", "").0, 200);
}

#[test]
fn an_address_in_use_is_refused() {
    let sandbox = Sandbox::ready();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(&sandbox, &address).says(&format!("can't listen on {address}: the address is in use"));
    refused(&sandbox, "5000").says("--listen 5000: expected an address and a port");
}

#[test]
fn an_unreachable_database_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.configure("[database]\nconnection = mysql+pymysql://k:hidden@127.0.0.1:1/keystone\n");
    let run = refused(&sandbox, "127.0.0.1:0").says("127.0.0.1:1");
    assert!(!run.stderr.contains("hidden"), "{run:?}");
}

#[test]
fn without_keys_and_bootstrap_the_server_starts_and_logs_what_to_run() {
    let sandbox = Sandbox::new();
    sandbox.manage(&["db_sync"]).succeeds();
    let config = sandbox.path("keystone.conf");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_keystone"));
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log-file",
        "log",
        "--use-json",
    ]);
    command.arg("--config-file").arg(config);
    // The log goes to a file, so the line `listening` is awaited there and not on standard error.
    let mut child = command.spawn().unwrap();
    let log = || std::fs::read_to_string(sandbox.path("log")).unwrap_or_default();
    while !log().contains("listening") {
        assert!(child.try_wait().unwrap().is_none(), "{}", log());
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        log().contains("run `keystone-manage fernet_setup`"),
        "{}",
        log()
    );
    assert!(
        log().contains("run `keystone-manage bootstrap`"),
        "{}",
        log()
    );
}

#[test]
fn keys_that_cannot_be_read_are_not_to_be_made_anew() {
    let sandbox = Sandbox::ready();
    for repository in ["fernet-keys", "credential-keys"] {
        std::fs::write(sandbox.path(repository).join("1"), "no key").unwrap();
    }
    let server = sandbox.serve();
    let told: Vec<&String> = server
        .preparation
        .iter()
        .filter(|line| line.contains("not a key"))
        .collect();
    assert_eq!(told.len(), 2, "{:#?}", server.preparation);
    for line in told {
        assert!(
            line.contains(" WARN ") && line.contains("copy it from another node"),
            "{line}"
        );
        assert!(!line.contains("_setup"), "{line}");
    }
}

#[test]
fn every_listen_address_answers() {
    let sandbox = Sandbox::ready();
    let config = sandbox.path("keystone.conf");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_keystone"));
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--listen",
        "127.0.0.1:0",
    ]);
    let server = Server::start(command.arg("--config-file").arg(config));
    let second = server.logs("listening address=");
    let (_, second) = second.split_once("address=").unwrap();
    assert_ne!(server.address, second.trim());
    assert_eq!(server.ask("GET /", "").0, 300);
    TcpStream::connect(second.trim()).unwrap();
    assert_eq!(server.stop(Signal::SIGTERM), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn memory_comes_in_small_pages() {
    let server = Sandbox::ready().serve();
    assert_eq!(server.status("THP_enabled"), "0");
}

#[test]
fn systemd_is_notified_when_the_server_is_ready() {
    let sandbox = Sandbox::ready();
    let socket = sandbox.path("notify");
    let waiting = UnixDatagram::bind(&socket).unwrap();
    let mut command = sandbox.serve_command("127.0.0.1:0");
    let _server = Server::start(command.env("NOTIFY_SOCKET", socket));
    let mut state = [0; 32];
    let length = waiting.recv(&mut state).unwrap();
    assert_eq!(&state[..length], b"READY=1");
}

#[test]
fn a_request_in_progress_is_finished_before_the_server_stops() {
    let sandbox = Sandbox::ready();
    let server = sandbox.serve();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let body = r#"{"auth": {"identity": {"methods": []}}}"#;
    write!(
        stream,
        "POST /v3/auth/tokens HTTP/1.1\r\nHost: k\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert!(
        go_on.starts_with(b"HTTP/1.1 100"),
        "the handler is reading the body"
    );
    server.signal(Signal::SIGTERM);
    server.logs("stopping after SIGTERM");
    assert!(server.is_quiet(), "the server waits for the request");
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
    server.logs("stopped");
}

/// A broker that takes connections and says nothing.
#[test]
fn a_second_signal_ends_a_server_that_waits_for_its_broker() {
    let sandbox = Sandbox::ready();
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    sandbox.configure(&format!(
        "[DEFAULT]\nnotification_opt_out = identity.nothing.at_all\n[oslo_messaging_notifications]\ndriver = messagingv2\ntransport_url = rabbit://k:k@{}/\n",
        broker.local_addr().unwrap()
    ));
    let server = sandbox.serve();
    assert_eq!(server.log_in("s3cret").0, 201);
    let (_connection, _) = broker.accept().unwrap();
    server.signal(Signal::SIGTERM);
    server.logs("stopping after SIGTERM");
    assert!(server.is_quiet(), "the notification still waits");
    server.signal(Signal::SIGTERM);
    server.logs("SIGTERM again");
    server.logs("stopped");
}

#[test]
fn requests_that_have_arrived_are_answered_before_the_server_stops() {
    let sandbox = Sandbox::ready();
    let server = sandbox.serve();
    let ask = |mut stream: &TcpStream| {
        stream
            .write_all(b"GET /v3 HTTP/1.1\r\nHost: k\r\n\r\n")
            .unwrap();
    };
    let connect = || TcpStream::connect(&server.address).unwrap();
    let kept: Vec<_> = (0..20).map(|_| connect()).collect();
    for mut stream in &kept {
        ask(stream);
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
        while stream.read(&mut [0; 4096]).unwrap() == 4096 {}
    }
    // The server sees neither the requests nor the connections before the signal.
    server.signal(Signal::SIGSTOP);
    let new: Vec<_> = (0..20).map(|_| connect()).collect();
    kept.iter().chain(&new).for_each(ask);
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    for mut stream in kept.iter().chain(&new) {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    server.logs("stopped");
}

#[test]
fn sighup_reloads_the_options_that_can_change() {
    let sandbox = Sandbox::ready();
    let server = sandbox.serve();
    sandbox.configure(
        "[DEFAULT]\npublic_endpoint = https://id.example\n[database]\nmax_pool_size = 9\n",
    );
    server.signal(Signal::SIGHUP);
    server.logs("[DEFAULT] public_endpoint has changed");
    server.logs("[database] max_pool_size has changed, but not here: restart the server");
    let (_, _, versions) = server.ask("GET /", "");
    let link = &versions["versions"]["values"][0]["links"][0]["href"];
    assert_eq!(link, "https://id.example/v3/");

    sandbox.configure("[token]\nexpiration = never\n");
    server.signal(Signal::SIGHUP);
    server.logs("the configuration stays as it was");
    assert_eq!(server.log_in("s3cret").0, 201);
    assert_eq!(server.stop(Signal::SIGINT), 0);
}
