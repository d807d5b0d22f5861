//! `/metrics` and `/ready`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use keystone::Keystone;
use keystone::storage::sql;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::sandbox::{Sandbox, Server};

/// A server whose metrics are at the file `operations`.
fn serve(sandbox: &Sandbox, more: &[&str]) -> Server {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_keystone"));
    let metrics = format!("unix:{}", sandbox.path("operations").display());
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(["--metrics-listen", &metrics])
        .args(["--config-file", "keystone.conf"]);
    Server::start(command.args(more))
}

/// Status, head and body of what the operator's listener answers.
fn operations(sandbox: &Sandbox, path: &str) -> (u16, String, String) {
    let mut stream = UnixStream::connect(sandbox.path("operations")).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

fn metrics(sandbox: &Sandbox) -> String {
    let (status, head, text) = operations(sandbox, "/metrics");
    assert_eq!(status, 200);
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    text
}

/// The value of a sample.
#[track_caller]
fn value<'t>(text: &'t str, sample: &str) -> &'t str {
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{sample} not in:\n{text}"))
}

/// What `/ready` says: its status, the check that failed with its cause, and the remarks.
fn ready(sandbox: &Sandbox) -> (u16, Option<(String, String)>, Vec<String>) {
    let (status, _, text) = operations(sandbox, "/ready");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["ready"], status == 200, "{report}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap();
    let failed = checks.iter().find(|check| check["ok"] == false);
    let failed = failed.map(|check| (text(&check["name"]), text(&check["cause"])));
    let remarks = report["remarks"].as_array().unwrap();
    (status, failed, remarks.iter().map(text).collect())
}

#[test]
fn metrics_tell_what_was_asked_and_how_it_ended() {
    let sandbox = Sandbox::ready();
    let server = serve(&sandbox, &[]);
    assert_eq!(server.log_in("s3cret").0, 201);
    assert_eq!(server.log_in("wrong").0, 401);
    for path in ["/v3/users/one", "/v3/users/two"] {
        assert_eq!(server.ask(&format!("GET {path}"), "").0, 401);
    }
    for path in ["/v3/no/such/path", "/v3/other"] {
        assert_eq!(server.ask(&format!("GET {path}"), "").0, 404);
    }
    let text = metrics(&sandbox);
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    let requests = |route: &str, method: &str, status: &str| {
        let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
        value(&text, &format!("keystone_http_requests_total{{{labels}}}"))
    };
    assert_eq!(requests("/v3/auth/tokens", "POST", "201"), "1");
    assert_eq!(requests("/v3/auth/tokens", "POST", "401"), "1");
    assert_eq!(requests("/v3/users/{user_id}", "GET", "401"), "2");
    assert_eq!(requests("unmatched", "GET", "404"), "2");
    for (name, expected) in [
        (
            "keystone_http_request_duration_seconds_count{route=\"/v3/auth/tokens\",method=\"POST\"}",
            "2",
        ),
        (
            "keystone_http_request_duration_seconds_bucket{route=\"/v3/auth/tokens\",method=\"POST\",le=\"+Inf\"}",
            "2",
        ),
        (
            "keystone_logins_total{method=\"password\",outcome=\"success\"}",
            "1",
        ),
        (
            "keystone_logins_total{method=\"password\",outcome=\"refused\"}",
            "1",
        ),
        ("keystone_hashing_begun_total", "2"),
        ("keystone_hashing_running", "0"),
        (
            "keystone_answers_from{keystone_answers_from=\"memory\"}",
            "1",
        ),
        (
            "keystone_answers_from{keystone_answers_from=\"database\"}",
            "0",
        ),
        ("keystone_key_set_size{keys=\"tokens\"}", "2"),
        ("keystone_key_set_primary{keys=\"tokens\"}", "1"),
        ("keystone_connections_accepted_total", "6"),
    ] {
        assert_eq!(value(&text, name), expected, "{name}");
    }
    let memory: u64 = value(&text, "process_resident_memory_bytes")
        .parse()
        .unwrap();
    assert!(memory > 1 << 20, "{memory}");
}

#[test]
fn nodes_with_the_same_keys_have_the_same_code_and_it_shows_no_key() {
    let sandbox = Sandbox::ready();
    let codes = || {
        let _server = serve(&sandbox, &[]);
        let text = metrics(&sandbox);
        let lines = text.lines().filter_map(|line| {
            let (keys, code) = line
                .strip_prefix("keystone_key_set_info{keys=\"")?
                .split_once("\",code=\"")?;
            Some((keys.to_owned(), code.split('"').next()?.to_owned()))
        });
        for name in ["0", "1"] {
            let key = std::fs::read_to_string(sandbox.path("fernet-keys").join(name)).unwrap();
            assert!(!text.contains(&key));
        }
        lines.collect::<Vec<_>>()
    };
    let before = codes();
    let [tokens, receipts, credentials] = &before[..] else {
        panic!("{before:?}");
    };
    assert_eq!(tokens.1.len(), 16);
    // They are in one repository here.
    assert_eq!(tokens.1, receipts.1);
    assert_ne!(tokens.1, credentials.1);
    assert_eq!(codes(), before);
    sandbox
        .manage(&crate::sandbox::owned(&["fernet_rotate"]))
        .succeeds();
    assert_ne!(codes()[0], before[0]);
}

#[tokio::test]
async fn ready_says_what_is_broken_and_what_to_do() {
    let sandbox = Sandbox::new();
    sandbox.manage(&["db_sync"]).succeeds();
    let server = serve(&sandbox, &[]);
    let (status, failed, _) = ready(&sandbox);
    let (name, cause) = failed.unwrap();
    assert_eq!((status, name.as_str()), (503, "keys"));
    assert!(cause.contains("keystone-manage fernet_setup"), "{cause}");
    sandbox
        .manage(&crate::sandbox::owned(&["fernet_setup"]))
        .succeeds();
    let (status, failed, remarks) = ready(&sandbox);
    assert_eq!((status, failed), (200, None));
    // Nothing needs them yet.
    assert!(
        remarks
            .iter()
            .any(|it| it.contains("keystone-manage credential_setup")),
        "{remarks:?}"
    );

    let database = format!("sqlite:///{}", sandbox.path("keystone.db").display());
    let keystone = Keystone::builder().database(database).build().await;
    let keystone = keystone.unwrap();
    sql("DELETE FROM alembic_version")
        .execute(keystone.db())
        .await
        .unwrap();
    let (status, failed, _) = ready(&sandbox);
    assert_eq!((status, failed.unwrap().0.as_str()), (503, "schema"));
    // Load balancers ask this, as they ask Python Keystone.
    assert_eq!(server.ask("GET /healthcheck", "").0, 200);
    assert_eq!(server.ask("GET /ready", "").0, 404);
    assert_eq!(server.ask("GET /metrics", "").0, 404);
    assert_eq!(operations(&sandbox, "/v3").0, 404);
}

#[test]
fn a_directory_that_is_away_is_a_remark() {
    let sandbox = Sandbox::ready();
    let server = serve(&sandbox, &[]);
    assert_eq!(ready(&sandbox), (200, None, Vec::new()));
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    std::fs::create_dir(sandbox.path("domains")).unwrap();
    sandbox.write(
        "domains/keystone.corp.conf",
        "[identity]\ndriver = ldap\n[ldap]\nurl = ldap://127.0.0.1:1\n",
    );
    sandbox.configure(
        "[identity]\ndomain_specific_drivers_enabled = true\ndomain_config_dir = domains\n",
    );
    let _server = serve(&sandbox, &[]);
    let (status, failed, remarks) = ready(&sandbox);
    assert_eq!((status, failed), (200, None));
    let start = "the directory of domain corp: the directory ldap://127.0.0.1:1 is away: ";
    assert!(
        remarks.len() == 1 && remarks[0].starts_with(start),
        "{remarks:?}"
    );
    let run = sandbox.manage(&["doctor"]).exits_with(1);
    assert!(
        run.stdout.contains("WARNING: A directory can't be used.\n"),
        "{run:#?}"
    );
    assert!(run.stdout.contains(start), "{run:#?}");
}

#[test]
fn a_server_that_stops_is_not_ready_while_it_finishes_requests() {
    let sandbox = Sandbox::ready();
    let server = serve(&sandbox, &[]);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = "POST /v3/auth/tokens HTTP/1.1\r\nHost: k\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
                Expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The handler is reading the body.
    stream.read_exact(&mut [0; 25]).unwrap();
    assert_eq!(ready(&sandbox).0, 200);
    server.signal(Signal::SIGTERM);
    server.logs("stopping after SIGTERM");
    let (status, failed, _) = ready(&sandbox);
    assert_eq!((status, failed.unwrap().0.as_str()), (503, "running"));
    stream.write_all(b"{}").unwrap();
    server.logs("stopped");
}

#[test]
fn more_connections_to_metrics_than_fifty_wait() {
    let sandbox = Sandbox::ready();
    let _server = serve(&sandbox, &[]);
    let connect = || UnixStream::connect(sandbox.path("operations")).unwrap();
    // Each is answered once, and kept.
    let mut kept: Vec<_> = (0..50).map(|_| connect()).collect();
    for stream in &mut kept {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: k\r\n\r\n")
            .unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
    }
    let mut more = connect();
    more.write_all(b"GET / HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n")
        .unwrap();
    let moment = std::time::Duration::from_millis(300);
    more.set_read_timeout(Some(moment)).unwrap();
    let waits = more.read(&mut [0; 12]).unwrap_err();
    assert_eq!(waits.kind(), std::io::ErrorKind::WouldBlock);
    more.set_read_timeout(None).unwrap();
    kept.pop();
    let mut answer = String::new();
    more.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[test]
fn more_connections_than_the_limit_wait() {
    let sandbox = Sandbox::ready();
    let server = serve(&sandbox, &["--max-connections", "1"]);
    let first = TcpStream::connect(&server.address).unwrap();
    let open = || {
        let text = metrics(&sandbox);
        let number = |name| value(&text, name).to_owned();
        (
            number("keystone_connections_open"),
            number("keystone_connections_accepted_total"),
            number("keystone_connections_delayed_total"),
        )
    };
    while open().1 != "1" {}
    let mut second = TcpStream::connect(&server.address).unwrap();
    second
        .write_all(b"GET /v3 HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n")
        .unwrap();
    server.logs("clients wait for the end of other connections");
    assert_eq!(open(), ("1".to_owned(), "2".to_owned(), "1".to_owned()));
    drop(first);
    let mut answer = String::new();
    second.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
