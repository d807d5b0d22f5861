//! Somebody with a token.

use std::net::IpAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use keystone::api::{Connection, Scheme};
use keystone::types::json;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::Answer;

/// Somebody who sends requests, with a token or without.
#[derive(Clone, Debug)]
pub struct Session {
    router: Router,
    token: Option<String>,
}

impl Session {
    pub(crate) fn new(router: Router, token: Option<String>) -> Self {
        Self { router, token }
    }

    /// The same on a connection from this address.
    #[must_use]
    pub fn from(&self, address: IpAddr) -> Self {
        let connection = Connection {
            remote: (address, 40_000).into(),
            local: ([127, 0, 0, 1], 5000).into(),
            scheme: Scheme::Http,
        };
        Self {
            router: connection.on(&self.router),
            token: self.token.clone(),
        }
    }

    /// The same with the router changed.
    #[must_use]
    pub(crate) fn on(&self, change: impl FnOnce(&Router) -> Router) -> Self {
        Self {
            router: change(&self.router),
            token: self.token.clone(),
        }
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// The same router with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            router: self.router.clone(),
            token: Some(token.to_owned()),
        }
    }

    /// Sends any request; this session's token is added where it has one.
    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        if let Some(token) = &self.token {
            request.headers_mut().insert(
                "x-auth-token",
                token.parse().expect("a token is a header value"),
            );
        }
        request.headers_mut().entry("host").or_insert_with(|| {
            "keystone.test:5000"
                .parse()
                .expect("a host is a header value")
        });
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 256 << 20)
            .await
            .expect("a body in memory can be read");
        let body = match json::read(&bytes) {
            Ok(body) => body,
            Err(_) if bytes.is_empty() => Value::Null,
            Err(_) => String::from_utf8_lossy(&bytes).into_owned().into(),
        };
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    /// Sends a request with a JSON body, where one is given.
    pub async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        if let Some(body) = body {
            return self.raw(method, path, json::write(body)).await;
        }
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty());
        self.send(request.expect("a test's request is well-formed"))
            .await
    }

    /// Sends a request with a body that is meant to be JSON, as it is.
    pub async fn raw(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        let request = request.body(body.into());
        self.send(request.expect("a test's request is well-formed"))
            .await
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None).await
    }

    /// `HEAD`
    pub async fn head(&self, path: &str) -> Answer {
        self.request("HEAD", path, None).await
    }

    /// `POST`
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, Some(body)).await
    }

    /// `PATCH`
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.request("PATCH", path, Some(body)).await
    }

    /// `PUT` without a body.
    pub async fn put(&self, path: &str) -> Answer {
        self.request("PUT", path, None).await
    }

    /// `DELETE`
    pub async fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, None).await
    }

    /// `GET /v3/auth/tokens` about a token.
    pub async fn validate(&self, subject: &str) -> Answer {
        self.about("GET", "/v3/auth/tokens", subject).await
    }

    /// A request about a token.
    pub async fn about(&self, method: &str, path: &str, subject: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-subject-token", subject);
        self.send(
            request
                .body(Body::empty())
                .expect("a test's request is well-formed"),
        )
        .await
    }

    /// Logs in by password with a scope, as `{"project": {…}}`; null asks for none.
    pub async fn log_in(&self, user: &Value, password: &str, scope: &Value) -> Answer {
        let mut user = user.clone();
        user["password"] = password.into();
        let mut auth =
            json!({ "identity": { "methods": ["password"], "password": { "user": user } } });
        if !scope.is_null() {
            auth["scope"] = scope.clone();
        }
        let nobody = Self::new(self.router.clone(), None);
        nobody
            .post("/v3/auth/tokens", &json!({ "auth": auth }))
            .await
    }
}
