//! The conversation of a `Remote` with a Keystone that answers as the test wants.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keystone_types::{NotValidated, TokenBody, Validate, Wanted};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Remote, ServiceUser};
use crate::Tokens;

/// What a Keystone does with a request.
enum Reply {
    Answer(u16, String),
    Break,
    Hang,
}

/// A request as it was sent: its first line, and its headers in lower case.
#[derive(Clone, Debug)]
struct Asked {
    line: String,
    headers: String,
}

impl Asked {
    fn is_login(&self) -> bool {
        self.line.starts_with("POST")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let start = format!("{name}: ");
        self.headers
            .lines()
            .find_map(|line| line.strip_prefix(&start))
    }
}

type Script = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A Keystone that follows a script.
struct Scripted {
    url: String,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    script: Script,
}

impl Scripted {
    async fn new(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scripted = Arc::new(Self {
            url: format!("http://{}/v3", listener.local_addr().unwrap()),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            script: Box::new(script),
        });
        let served = Arc::clone(&scripted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                served.connections.fetch_add(1, Ordering::SeqCst);
                let served = Arc::clone(&served);
                tokio::spawn(async move { served.serve(stream).await });
            }
        });
        scripted
    }

    async fn serve(&self, mut stream: TcpStream) {
        while let Some(asked) = read(&mut stream).await {
            self.asked.lock().unwrap().push(asked.clone());
            let (status, body) = match (self.script)(&asked) {
                Reply::Answer(status, body) => (status, body),
                Reply::Break => return,
                Reply::Hang => std::future::pending().await,
            };
            let logins = self.logins();
            let answer = format!(
                "HTTP/1.1 {status} told\r\nX-Subject-Token: own-{logins}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    fn remote(&self) -> Remote {
        let user = ServiceUser::password("glance", "hunter2").project_name("service");
        let remote = Remote::builder(&self.url, user);
        remote.timeout(Duration::from_secs(5)).build().unwrap()
    }

    fn logins(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.is_login()).count()
    }

    fn validations(&self) -> usize {
        let all = self.asked.lock().unwrap().len();
        all - self.logins()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    let asked = Asked {
        line: line.to_owned(),
        headers: headers.to_owned(),
    };
    let length = asked
        .header("content-length")
        .unwrap_or("0")
        .parse()
        .unwrap();
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(asked)
}

fn body(expires: &str) -> String {
    let token = json!({
        "user": {"id": "u", "name": "u", "domain": {"id": "d", "name": "d"}},
        "issued_at": "2026-01-31T12:00:00.000000Z",
        "expires_at": expires,
    });
    json!({ "token": token }).to_string()
}

fn valid(asked: &Asked) -> Reply {
    let status = if asked.is_login() { 201 } else { 200 };
    Reply::Answer(status, body("2999-01-31T12:00:00.000000Z"))
}

/// Answers logins, and everything else with this status.
fn status(status: u16) -> impl Fn(&Asked) -> Reply {
    move |asked| {
        if asked.is_login() {
            return valid(asked);
        }
        Reply::Answer(status, "{}".to_owned())
    }
}

async fn ask(remote: &Remote) -> Result<TokenBody, NotValidated> {
    remote.validate("subject", Wanted::default()).await
}

fn reason(outcome: Result<TokenBody, NotValidated>) -> String {
    match outcome {
        Err(error @ NotValidated::Unreachable { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_login_and_one_connection_serve_many_questions() {
    let keystone = Scripted::new(valid).await;
    let remote = keystone.remote();
    for _ in 0..3 {
        ask(&remote).await.unwrap();
    }
    assert_eq!((keystone.logins(), keystone.validations()), (1, 3));
    assert_eq!(keystone.connections.load(Ordering::SeqCst), 1);
    let asked = keystone.asked.lock().unwrap()[1].clone();
    assert_eq!(asked.line, "GET /v3/auth/tokens HTTP/1.1");
    assert_eq!(asked.header("x-auth-token"), Some("own-1"));
    assert_eq!(asked.header("x-subject-token"), Some("subject"));
    assert_eq!(asked.header("openstack-identity-access-rules"), Some("1"));
}

#[tokio::test]
async fn concurrent_first_questions_are_one_question_and_one_login() {
    let keystone = Scripted::new(valid).await;
    let tokens = Arc::new(Tokens::new(keystone.remote()));
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let tokens = Arc::clone(&tokens);
            tokio::spawn(async move { tokens.validate("subject").await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().user.id, "u");
    }
    assert_eq!((keystone.logins(), keystone.validations()), (1, 1));
}

#[tokio::test]
async fn concurrent_questions_about_many_tokens_share_the_login() {
    let keystone = Scripted::new(valid).await;
    let remote = Arc::new(keystone.remote());
    let callers: Vec<_> = (0..20)
        .map(|n| {
            let remote = Arc::clone(&remote);
            tokio::spawn(async move { remote.validate(&format!("{n}"), Wanted::default()).await })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!((keystone.logins(), keystone.validations()), (1, 20));
}

#[tokio::test]
async fn a_revoked_token_of_the_service_user_is_replaced() {
    let keystone = Scripted::new(|asked| match asked.header("x-auth-token") {
        Some("own-1") => Reply::Answer(401, "{}".to_owned()),
        _ => valid(asked),
    })
    .await;
    ask(&keystone.remote()).await.unwrap();
    assert_eq!((keystone.logins(), keystone.validations()), (2, 2));
}

#[tokio::test]
async fn a_keystone_that_takes_none_of_its_own_tokens_is_asked_twice_only() {
    let keystone = Scripted::new(status(401)).await;
    reason(ask(&keystone.remote()).await);
    assert_eq!((keystone.logins(), keystone.validations()), (2, 2));
}

#[tokio::test]
async fn a_token_that_ends_is_replaced_before() {
    let keystone = Scripted::new(|asked| {
        if asked.is_login() {
            return Reply::Answer(201, body("2026-01-31T12:00:00.000000Z"));
        }
        valid(asked)
    })
    .await;
    let remote = keystone.remote();
    for _ in 0..2 {
        ask(&remote).await.unwrap();
    }
    assert_eq!((keystone.logins(), keystone.validations()), (2, 2));
}

#[tokio::test]
async fn a_refused_service_user_does_not_try_again_at_once() {
    let keystone = Scripted::new(|_| Reply::Answer(401, "{}".to_owned())).await;
    let remote = keystone.remote();
    for _ in 0..3 {
        let reason = reason(ask(&remote).await);
        assert!(
            reason.contains("401") && !reason.contains("hunter2"),
            "{reason}"
        );
    }
    assert_eq!(keystone.logins(), 1);
}

#[tokio::test]
async fn a_broken_connection_is_made_again() {
    let broken = AtomicUsize::new(0);
    let keystone = Scripted::new(move |asked| {
        if !asked.is_login() && broken.fetch_add(1, Ordering::SeqCst) == 0 {
            return Reply::Break;
        }
        valid(asked)
    })
    .await;
    ask(&keystone.remote()).await.unwrap();
}

#[tokio::test]
async fn a_keystone_that_is_away_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v3", listener.local_addr().unwrap());
    drop(listener);
    let user = ServiceUser::password("glance", "hunter2");
    let remote = Remote::builder(&url, user).retries(0).build().unwrap();
    let reason = reason(ask(&remote).await);
    assert!(
        reason.contains(&url) && reason.contains("refused"),
        "{reason}"
    );
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_none() {
    let keystone = Scripted::new(|_| Reply::Hang).await;
    let remote = Remote::builder(&keystone.url, ServiceUser::password("glance", "hunter2"));
    let remote = remote.timeout(Duration::from_millis(50)).build().unwrap();
    let reason = reason(ask(&remote).await);
    assert!(reason.contains("50ms"), "{reason}");
    assert_eq!(keystone.logins(), 1, "it is not asked again");
}

#[tokio::test]
async fn what_keystone_does_not_know_is_invalid_and_everything_else_a_failure() {
    let keystone = Scripted::new(status(404)).await;
    assert_eq!(ask(&keystone.remote()).await, Err(NotValidated::Invalid));
    for code in [403, 429, 500, 503] {
        let keystone = Scripted::new(status(code)).await;
        let reason = reason(ask(&keystone.remote()).await);
        assert!(
            reason.contains(&code.to_string()) || code == 403,
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_no_token_is_a_failure() {
    let keystone = Scripted::new(status(200)).await;
    let tokens = Tokens::new(keystone.remote());
    let outcome = tokens.validate("subject").await;
    assert!(matches!(outcome, Err(NotValidated::Unreachable { .. })));
}

#[tokio::test]
async fn what_can_be_no_header_is_no_token() {
    let keystone = Scripted::new(valid).await;
    let outcome = keystone
        .remote()
        .validate("two\nlines", Wanted::default())
        .await;
    assert_eq!(outcome, Err(NotValidated::Invalid));
    assert_eq!(keystone.connections.load(Ordering::SeqCst), 0);
}
