//! Sockets that are files, and those of systemd.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;

use crate::sandbox::{Run, Sandbox, Server, mode, names};

const ASK: &[u8] = b"GET /v3 HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n";

fn answer(mut stream: impl Read + Write) -> String {
    stream.write_all(ASK).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_file_is_listened_on_and_removed_at_the_end() {
    let sandbox = Sandbox::ready();
    let path = sandbox.path("api.sock");
    let listen = format!("unix:{}", path.display());
    // As a server leaves it that was killed.
    drop(UnixListener::bind(&path).unwrap());
    let server = Server::start(&mut sandbox.serve_command(&listen));
    assert_eq!(server.address, listen);
    assert_eq!(mode(&path), 0o660);
    let text = answer(UnixStream::connect(&path).unwrap());
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains("\"http://id.example/v3/\""), "{text}");
    Run::of(&mut sandbox.serve_command(&listen))
        .exits_with(1)
        .says("the address is in use; stop the other server or choose another with --listen");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert!(!path.exists());
}

#[test]
fn every_way_out_removes_the_files() {
    let sandbox = Sandbox::ready();
    let metrics = format!("unix:{}", sandbox.path("operations").display());
    let server = || {
        let mut command = sandbox.serve_command("unix:api.sock");
        command.args(["--metrics-listen", &metrics]);
        command
    };
    let running = Server::start(&mut server());
    assert!(sandbox.path("operations").exists());
    assert_eq!(running.stop(Signal::SIGTERM), 0);
    let left = || names(&sandbox.path(""));
    let files = ["api.sock", "operations"];
    let are_gone = || files.iter().all(|it| !left().contains(&(*it).to_owned()));
    assert!(are_gone(), "{:?}", left());
    // Both are bound before the database is asked.
    sandbox.configure("[database]\nconnection = mysql+pymysql://k:k@127.0.0.1:1/keystone\n");
    Run::of(&mut server()).exits_with(1);
    assert!(are_gone(), "{:?}", left());
}

#[test]
fn a_file_that_is_no_socket_is_not_replaced() {
    let sandbox = Sandbox::ready();
    let path = sandbox.write("api.sock", "precious");
    Run::of(&mut sandbox.serve_command(&format!("unix:{path}"))).exits_with(1);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "precious");
}

/// A server that is given sockets as systemd gives them, from the descriptor 3 on.
fn activated(sandbox: &Sandbox, sockets: &[(&str, i32)], notify: &str) -> Server {
    let names: Vec<_> = sockets.iter().map(|(name, _)| *name).collect();
    let moves = sockets.iter().zip(3..);
    let moves = moves.map(|((_, from), to)| format!("{to}<&{from} "));
    // The process has to have the id in LISTEN_PID: the shell becomes the server.
    let script = format!(
        "LISTEN_PID=$$ exec {} serve --config-file keystone.conf {}",
        env!("CARGO_BIN_EXE_keystone"),
        moves.collect::<String>()
    );
    let mut command = sandbox.command("/bin/bash");
    command
        .args(["-c", &script])
        .env("LISTEN_FDS", sockets.len().to_string())
        .env("LISTEN_FDNAMES", names.join(":"))
        .env("WATCHDOG_USEC", "200000")
        .env("NOTIFY_SOCKET", notify);
    Server::start(&mut command)
}

#[test]
fn sockets_of_systemd_outlive_the_server_with_the_connections_that_wait() {
    let sandbox = Sandbox::ready();
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = UnixListener::bind(sandbox.path("operations")).unwrap();
    // Above those that the shell puts in their places.
    let kept = |fd: i32| {
        let raw = FcntlArg::F_DUPFD(fd + 20);
        let copy = if fd == api.as_raw_fd() {
            fcntl(&api, raw)
        } else {
            fcntl(&metrics, raw)
        };
        copy.unwrap()
    };
    let sockets = [
        ("keystone.socket", kept(api.as_raw_fd())),
        ("metrics", kept(metrics.as_raw_fd())),
    ];
    let waiting = UnixDatagram::bind(sandbox.path("notify")).unwrap();
    let notify = sandbox.path("notify");
    let notify = notify.to_str().unwrap();
    let told = |wanted: &str| {
        loop {
            let mut state = [0; 64];
            let length = waiting.recv(&mut state).unwrap();
            let state = String::from_utf8(state[..length].to_vec()).unwrap();
            if state.starts_with(wanted) {
                return state;
            }
        }
    };
    let address = api.local_addr().unwrap();
    let server = activated(&sandbox, &sockets, notify);
    assert_eq!(server.address, address.to_string());
    told("READY=1");
    told("WATCHDOG=1");
    server.signal(Signal::SIGHUP);
    assert!(told("RELOADING=1").contains("\nMONOTONIC_USEC="));
    told("READY=1");
    assert!(answer(TcpStream::connect(address).unwrap()).starts_with("HTTP/1.1 200"));
    let mut asking = UnixStream::connect(sandbox.path("operations")).unwrap();
    asking
        .write_all(b"GET /ready HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    asking.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    server.signal(Signal::SIGTERM);
    told("STOPPING=1");
    server.logs("stopped");
    drop(server);
    let early = TcpStream::connect(address).unwrap();
    let _server = activated(&sandbox, &sockets, notify);
    assert!(answer(early).starts_with("HTTP/1.1 200"));
}
