//! Checks that another server decides.
#![cfg(feature = "http")]
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use keystone_policy::{Denied, Outcome, Overrides, Registry, RemoteFormat, Rules, Settings};
use keystone_python::json as python_json;
use serde_json::{Value, json};

/// Answers one request with `reply` and gives back its path, content type and body.
fn server(status: &str, reply: &str) -> (u16, JoinHandle<(String, String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{reply}",
        reply.len()
    );
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line == "\r\n" {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let header = |name: &str| {
            let found = head.iter().find_map(|line| {
                let (key, value) = line.split_once(": ")?;
                key.eq_ignore_ascii_case(name).then(|| value.to_owned())
            });
            found.unwrap_or_default()
        };
        let mut body = vec![0; header("content-length").parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        reader.get_mut().write_all(answer.as_bytes()).unwrap();
        (
            head[0].clone(),
            header("content-type"),
            String::from_utf8(body).unwrap(),
        )
    });
    (port, serving)
}

fn rules(check: &str, format: RemoteFormat) -> Rules {
    let mut settings = Settings::default();
    settings.remote.format = format;
    settings.remote.timeout = Duration::from_secs(5);
    let map = json!({"asks": check, "outer": "rule:asks or !", "either": "rule:asks or @", "not": "not rule:asks", "first": "@ or rule:asks"});
    Rules::over(
        &Registry::default(),
        &Overrides::from(map.as_object().unwrap().clone()),
        &settings,
    )
    .strict()
    .unwrap()
}

fn target() -> Value {
    json!({"id": "a b", "n": {"m": 1}})
}

fn credentials() -> Value {
    json!({"user_id": "u", "system_scope": "all"})
}

#[test]
fn the_posted_body_is_that_of_oslo_policy() {
    let fixture: Value = python_json::read(include_str!("fixtures/oslo.json")).unwrap();
    for row in fixture["remote"].as_array().unwrap() {
        let format = match row[0].as_str().unwrap() {
            "application/json" => RemoteFormat::Json,
            _ => RemoteFormat::Form,
        };
        let (port, serving) = server("200 OK", "\"True\"");
        let mut settings = Settings::default();
        settings.remote.format = format;
        let map = json!({
            "asks": format!("http://127.0.0.1:{port}/ask/%(user_id)s"), "svc:outer": "not ! and rule:asks",
        });
        let overrides = Overrides::from(map.as_object().unwrap().clone());
        let rules = Rules::over(&Registry::default(), &overrides, &settings)
            .strict()
            .unwrap();
        let answer = rules.enforce("svc:outer", &row[1], &row[2]);
        if row[3].is_null() {
            assert!(matches!(answer, Err(Denied::Undecided { .. })), "{row}");
            continue;
        }
        assert_eq!(answer, Ok(()));
        let (request, kind, body) = serving.join().unwrap();
        let expected = format!("POST {} HTTP/1.1", row[3].as_str().unwrap());
        assert_eq!(request, expected);
        assert_eq!(kind, row[4]);
        assert_eq!(body, row[5]);
    }
}

#[test]
fn a_server_that_does_not_answer_in_time_denies() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut settings = Settings::default();
    settings.remote.timeout = Duration::from_millis(50);
    let map =
        json!({"asks": format!("http://127.0.0.1:{port}/%(secret)s"), "outer": "rule:asks or @"});
    let overrides = Overrides::from(map.as_object().unwrap().clone());
    let rules = Rules::over(&Registry::default(), &overrides, &settings)
        .strict()
        .unwrap();
    let target = json!({"secret": "5ecret"});
    let denied = rules.enforce("outer", &target, &credentials()).unwrap_err();
    let Denied::Undecided { reason, .. } = &denied else {
        panic!("{denied}");
    };
    assert!(
        reason.contains("timeout") && reason.contains("%(secret)s"),
        "{reason}"
    );
    assert!(!reason.contains("5ecret"), "{reason}");
}

#[test]
fn a_form_is_posted_and_true_allows() {
    let (port, serving) = server("200 OK", "\"True\"");
    let rules = rules(
        &format!("http://127.0.0.1:{port}/check/%(n.m)s"),
        RemoteFormat::Form,
    );
    assert!(rules.calls_out("asks") && rules.calls_out("outer") && !rules.calls_out("nothing"));
    assert_eq!(rules.enforce("outer", &target(), &credentials()), Ok(()));
    let (request, kind, body) = serving.join().unwrap();
    assert_eq!(request, "POST /check/1 HTTP/1.1");
    assert_eq!(kind, "application/x-www-form-urlencoded");
    assert!(
        body.starts_with("rule=%22outer%22&target=%7B%22id%22%3A+%22a+b%22%2C+%22n.m%22"),
        "{body}"
    );
    assert!(
        body.contains("&credentials=%7B") && body.contains("system%22%3A+%22all"),
        "{body}"
    );
}

#[test]
fn json_is_posted_where_it_is_asked_for() {
    let (port, serving) = server("200 OK", "True");
    let rules = rules(&format!("http://127.0.0.1:{port}/"), RemoteFormat::Json);
    assert_eq!(rules.enforce("asks", &target(), &credentials()), Ok(()));
    let (_, kind, body) = serving.join().unwrap();
    assert_eq!(kind, "application/json");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["rule"], "asks");
    assert_eq!(body["target"], json!({"id": "a b", "n.m": 1}));
    assert_eq!(body["credentials"]["user_id"], "u");
}

#[test]
fn any_other_answer_denies() {
    for reply in ["False", "true", "True\n", ""] {
        let (port, serving) = server("200 OK", reply);
        let rules = rules(&format!("http://127.0.0.1:{port}/"), RemoteFormat::Form);
        let denied = rules
            .enforce("asks", &target(), &credentials())
            .unwrap_err();
        assert!(
            matches!(denied, Denied::Check { .. }),
            "{reply:?}: {denied}"
        );
        serving.join().unwrap();
    }
}

#[test]
fn remote_errors_deny_the_whole_rule_and_are_reported() {
    let (port, serving) = server("500 Internal Server Error", "True");
    let failing = rules(&format!("http://127.0.0.1:{port}/"), RemoteFormat::Form);
    let denied = failing
        .enforce("not", &target(), &credentials())
        .unwrap_err();
    assert!(
        matches!(&denied, Denied::Undecided { reason, .. } if reason.contains("500")),
        "{denied}"
    );
    serving.join().unwrap();

    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let gone = rules(&format!("http://127.0.0.1:{closed}/"), RemoteFormat::Form);
    for rule in ["asks", "either", "not"] {
        let denied = gone.enforce(rule, &target(), &credentials()).unwrap_err();
        assert!(
            matches!(denied, Denied::Undecided { .. }),
            "{rule}: {denied}"
        );
    }
    let missing = rules(
        &format!("http://127.0.0.1:{closed}/%(nope)s"),
        RemoteFormat::Form,
    );
    let denied = missing
        .enforce("asks", &target(), &credentials())
        .unwrap_err();
    assert!(denied.to_string().contains("nope"), "{denied}");
}

#[test]
fn no_server_is_asked_once_the_answer_is_known() {
    let rules = rules("https://127.0.0.1:1/", RemoteFormat::Form);
    assert_eq!(rules.enforce("first", &target(), &credentials()), Ok(()));
    let explained = rules.explain("first", &target(), &credentials());
    let asks = &explained.tree.unwrap().parts[1];
    assert_eq!(asks.outcome, Outcome::NotAsked);
}
