//! `keystone serve`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;

use keystone::Keystone;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::world::{Run, Server, World};

fn refused(world: &World, listen: &str) -> Run {
    let mut command = world.command(env!("CARGO_BIN_EXE_keystone"));
    command.args([
        "serve",
        "--listen",
        listen,
        "--config-file",
        "keystone.conf",
    ]);
    Run::of(&mut command).exits_with(1).prints("")
}

#[test]
fn a_schema_that_is_not_this_releases_is_refused() {
    let world = World::new();
    refused(&world, "127.0.0.1:0").says("the database is empty: run `keystone-manage db_sync`");
    world.manage(&["db_sync", "--expand"]).succeeds();
    let server = world.serve();
    assert_eq!(server.ask("GET /v3", "").0, 200);
}

#[tokio::test]
async fn a_tree_too_deep_for_the_enforcement_model_is_refused() {
    let world = World::ready();
    let database = format!("sqlite:///{}", world.path("keystone.db").display());
    let keystone = Keystone::builder().database(database).build().await;
    let identity = keystone.unwrap().identity();
    for (id, parent) in [("one", "default"), ("two", "one"), ("three", "two")] {
        let project = json!({ "id": id, "name": id, "domain_id": "default", "parent_id": parent });
        let project = serde_json::from_value(project).unwrap();
        identity.create_project(project).await.unwrap();
    }
    let server = world.serve();
    world.configure("[unified_limit]\nenforcement_model = strict_two_level\n");
    let said = "[unified_limit] enforcement_model = strict_two_level can't be used: projects stand more than two \
                levels deep, the domain being the first (three, two)";
    let run = refused(&world, "127.0.0.1:0").says(said);
    assert_eq!(run.stderr.trim_end().lines().count(), 1, "{run:?}");
    server.signal(Signal::SIGHUP);
    server.logs(&format!("the configuration stays as it was: {said}"));
    assert_eq!(server.ask("GET /v3", "").0, 200);
}

#[test]
fn an_address_in_use_is_refused() {
    let world = World::ready();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(&world, &address).says(&format!("can't listen on {address}: the address is in use"));
    refused(&world, "5000").says("--listen 5000: expected an address and a port");
}

#[test]
fn a_database_that_is_down_is_refused() {
    let world = World::new();
    world.configure("[database]\nconnection = mysql+pymysql://k:hidden@127.0.0.1:1/keystone\n");
    let run = refused(&world, "127.0.0.1:0").says("127.0.0.1:1");
    assert!(!run.stderr.contains("hidden"), "{run:?}");
}

#[test]
fn without_keys_and_bootstrap_it_starts_and_says_what_to_run() {
    let world = World::new();
    world.manage(&["db_sync"]).succeeds();
    let config = world.path("keystone.conf");
    let mut command = world.command(env!("CARGO_BIN_EXE_keystone"));
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log-file",
        "log",
        "--use-json",
    ]);
    command.arg("--config-file").arg(config);
    // The log is in a file: only what `listening` would say is missing on standard error.
    let mut child = command.spawn().unwrap();
    let log = || std::fs::read_to_string(world.path("log")).unwrap_or_default();
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
fn several_addresses_answer() {
    let world = World::ready();
    let config = world.path("keystone.conf");
    let mut command = world.command(env!("CARGO_BIN_EXE_keystone"));
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

#[test]
fn systemd_learns_that_it_is_ready() {
    let world = World::ready();
    let socket = world.path("notify");
    let waiting = UnixDatagram::bind(&socket).unwrap();
    let mut command = world.command(env!("CARGO_BIN_EXE_keystone"));
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--config-file",
        "keystone.conf",
    ]);
    let _server = Server::start(command.env("NOTIFY_SOCKET", socket));
    let mut state = [0; 32];
    let length = waiting.recv(&mut state).unwrap();
    assert_eq!(&state[..length], b"READY=1");
}

#[test]
fn a_request_under_way_is_finished_before_the_end() {
    let world = World::ready();
    let server = world.serve();
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
    assert!(server.is_quiet(), "it waits for the request");
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
    server.logs("stopped");
}

#[test]
fn what_has_arrived_is_answered_before_the_end() {
    let world = World::ready();
    let server = world.serve();
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
    // Neither the requests nor the connections are seen before the signal is.
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
fn hangup_takes_over_what_can_change() {
    let world = World::ready();
    let server = world.serve();
    world.configure(
        "[DEFAULT]\npublic_endpoint = https://id.example\n[database]\nmax_pool_size = 9\n",
    );
    server.signal(Signal::SIGHUP);
    server.logs("[DEFAULT] public_endpoint has changed");
    server.logs("[database] max_pool_size has changed, but not here: restart the server");
    let (_, _, versions) = server.ask("GET /", "");
    let link = &versions["versions"]["values"][0]["links"][0]["href"];
    assert_eq!(link, "https://id.example/v3/");

    world.configure("[token]\nexpiration = never\n");
    server.signal(Signal::SIGHUP);
    server.logs("the configuration stays as it was");
    assert_eq!(server.log_in("s3cret").0, 201);
    assert_eq!(server.stop(Signal::SIGINT), 0);
}
