//! A provider on loopback, and this server as its client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::DateTime;
use keystone_oidc::{AccessTokens, Error, Provider, Refusal, Settings};
use keystone_types::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::signer::Signer;

/// The time of all tests, in seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) const CLIENT: &str = "keystone";

/// What the provider does with a request for one path.
#[derive(Clone)]
pub(crate) enum Reply {
    Json(u16, Value),
    Text(u16, &'static str, String),
    /// With `Cache-Control`.
    Kept(Value, &'static str),
    Redirect,
    Hang,
    /// Once it is let go.
    Held(Value, Arc<Notify>),
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// A field of the form.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let mut fields = form_urlencoded::parse(self.body.as_bytes());
        fields.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }
}

/// The provider.
pub(crate) struct World {
    pub(crate) issuer: String,
    pub(crate) key: Signer,
    served: Arc<Served>,
}

struct Served {
    replies: Mutex<HashMap<String, Reply>>,
    asked: Mutex<Vec<Asked>>,
    came: Notify,
}

impl World {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/op", listener.local_addr().unwrap());
        let served = Arc::new(Served {
            replies: Mutex::default(),
            asked: Mutex::default(),
            came: Notify::new(),
        });
        let router = Router::new().fallback(answer);
        let router = router.with_state(Arc::clone(&served));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let world = Self {
            issuer,
            key: Signer::new("ES256", "k1"),
            served,
        };
        world.reply(
            "/op/.well-known/openid-configuration",
            Reply::Json(200, world.document()),
        );
        world.publish(&[&world.key]);
        world
    }

    pub(crate) fn document(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "jwks_uri": at("jwks"),
            "authorization_endpoint": at("auth"),
            "token_endpoint": at("token"),
            "userinfo_endpoint": at("userinfo"),
            "introspection_endpoint": at("introspection"),
        })
    }

    /// Changes a member of the discovery document.
    pub(crate) fn documented(&self, member: &str, value: Value) {
        let mut document = self.document();
        document[member] = value;
        self.reply(
            "/op/.well-known/openid-configuration",
            Reply::Json(200, document),
        );
    }

    pub(crate) fn publish(&self, keys: &[&Signer]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.reply("/op/jwks", Reply::Json(200, json!({ "keys": keys })));
    }

    pub(crate) fn reply(&self, path: &str, reply: Reply) {
        self.served
            .replies
            .lock()
            .unwrap()
            .insert(path.to_owned(), reply);
    }

    /// What it answers for a path.
    pub(crate) fn replied(&self, path: &str) -> Value {
        match &self.served.replies.lock().unwrap()[path] {
            Reply::Json(_, body) => body.clone(),
            _ => panic!("{path} has no such answer"),
        }
    }

    /// Waits for a request.
    pub(crate) async fn came(&self) {
        self.served.came.notified().await;
    }

    pub(crate) fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.served.asked.lock().unwrap()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.asked()
            .iter()
            .filter(|asked| asked.path == path)
            .count()
    }

    /// The only request for a path.
    pub(crate) fn one(&self, path: &str) -> Asked {
        let asked = self.asked();
        let mut found = asked.iter().filter(|asked| asked.path == path);
        let one = found.next().unwrap().clone();
        assert!(found.next().is_none(), "{asked:?}");
        one
    }

    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.issuer.parse().unwrap(), CLIENT);
        settings.client_secret = Some("s3cr:t/+".into());
        settings
    }

    /// A client of the provider, with these settings.
    pub(crate) fn client(&self, change: impl FnOnce(&mut Settings)) -> Provider {
        let mut settings = self.settings();
        change(&mut settings);
        let now = DateTime::from_timestamp(NOW, 0).unwrap().naive_utc();
        Provider::new(settings, Clock::from_fn(move || now)).unwrap()
    }

    /// A client that asks the provider about each token.
    pub(crate) fn introspecting(&self, change: impl FnOnce(&mut Settings)) -> Provider {
        self.client(|settings| {
            settings.access_tokens = AccessTokens::Introspection;
            settings.audience = vec!["cli".into()];
            change(settings);
        })
    }

    /// The claims of a good access token.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.issuer,
            "sub": "alice",
            "aud": CLIENT,
            "client_id": "cli",
            "groups": ["devs", "ops"],
            "iat": NOW - 10,
            "exp": NOW + 300,
        })
    }

    /// A signed access token with some claims changed; `null` removes one.
    pub(crate) fn token(&self, changes: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": self.key.kid});
        self.key.sign(&header, &changed(self.claims(), changes))
    }
}

/// The members with some changed; `null` removes one.
pub(crate) fn changed(mut members: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.as_object_mut().unwrap().remove(name);
        } else {
            members[name] = value.clone();
        }
    }
    members
}

/// Why a token or a login was refused.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Refusal {
    match outcome {
        Err(error @ Error::Refused(_)) => {
            assert_eq!(error.status(), 401);
            assert_eq!(error.challenge(), Some(r#"Bearer error="invalid_token""#));
            let Error::Refused(refusal) = error else {
                unreachable!()
            };
            refusal
        }
        other => panic!("{other:?}"),
    }
}

/// What the operator is told when the provider is of no help: the kind of the error and its text.
pub(crate) fn trouble<T: std::fmt::Debug>(outcome: Result<T, Error>) -> (&'static str, String) {
    match outcome {
        Err(error @ (Error::Away { .. } | Error::Unusable { .. })) => {
            assert_eq!((error.status(), error.challenge()), (503, None));
            let kind = match error {
                Error::Away { .. } => "away",
                _ => "unusable",
            };
            (kind, error.to_string())
        }
        other => panic!("{other:?}"),
    }
}

async fn answer(State(served): State<Arc<Served>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body: Bytes = to_bytes(body, 1 << 20).await.unwrap();
    let path = head.uri.path().to_owned();
    served.asked.lock().unwrap().push(Asked {
        path: path.clone(),
        headers: head.headers,
        body: String::from_utf8(body.into()).unwrap(),
    });
    served.came.notify_one();
    let reply = served.replies.lock().unwrap().get(&path).cloned();
    let json = ("content-type", "application/json");
    match reply {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Reply::Hang) => std::future::pending().await,
        Some(Reply::Held(body, go)) => {
            go.notified().await;
            ([json], body.to_string()).into_response()
        }
        Some(Reply::Redirect) => (StatusCode::FOUND, [("location", "/")]).into_response(),
        Some(Reply::Json(status, body)) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [json], body.to_string()).into_response()
        }
        Some(Reply::Text(status, kind, body)) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [("content-type", kind)], body).into_response()
        }
        Some(Reply::Kept(body, cache_control)) => {
            let headers = [json, ("cache-control", cache_control)];
            (headers, body.to_string()).into_response()
        }
    }
}
