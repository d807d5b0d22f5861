//! A consumer of `OAuth1`. It signs with its secrets in the clear: what else it could do is a matter of `keystone-auth`.

use axum::body::Body;
use axum::http::Request;
use keystone::types::json as python_json;
use serde_json::{Value, json};

use crate::{Answer, Cloud, Session};

/// A consumer at one node.
#[derive(Clone, Debug)]
pub struct Consumer {
    cloud: Cloud,
    /// Its id.
    pub key: String,
    /// Its secret.
    pub secret: String,
}

/// A request token or an access token.
#[derive(Clone, Debug)]
pub struct OAuthToken {
    /// Its id.
    pub key: String,
    /// Its secret.
    pub secret: String,
}

impl Cloud {
    /// Creates a consumer.
    pub async fn consumer(&self) -> Consumer {
        let new = json!({ "consumer": {} });
        let admin = self.admin().await;
        let made = admin.post("/v3/OS-OAUTH1/consumers", &new).await.created();
        let text = |name: &str| made["consumer"][name].as_str().expect("a text").to_owned();
        Consumer {
            cloud: self.clone(),
            key: text("id"),
            secret: text("secret"),
        }
    }
}

impl Consumer {
    /// The same at another node.
    #[must_use]
    pub fn at(&self, node: &Cloud) -> Self {
        Self {
            cloud: node.clone(),
            ..self.clone()
        }
    }

    /// A request token for a project.
    pub async fn request_token(&self, project_id: &str) -> OAuthToken {
        let more = [("oauth_callback", "oob")];
        let request = self.signed("/v3/OS-OAUTH1/request_token", None, &more);
        let request = request.header("requested-project-id", project_id);
        OAuthToken::read(self.send(request, Body::empty()).await)
    }

    /// Exchanges a request token for an access token.
    pub async fn exchange(&self, token: &OAuthToken, verifier: &str) -> Answer {
        let more = [("oauth_verifier", verifier)];
        let request = self.signed("/v3/OS-OAUTH1/access_token", Some(token), &more);
        self.send(request, Body::empty()).await
    }

    /// Logs in with an access token.
    pub async fn log_in(&self, token: &OAuthToken) -> Answer {
        let body = json!({ "auth": { "identity": { "methods": ["oauth1"], "oauth1": {} } } });
        let request = self.signed("/v3/auth/tokens", Some(token), &[]);
        let request = request.header("content-type", "application/json");
        self.send(request, python_json::write(&body).into()).await
    }

    /// An access token for roles on a project, which somebody authorizes who has them there, and is an administrator.
    pub async fn granted(&self, by: &Session, project_id: &str, roles: &[&str]) -> OAuthToken {
        let token = self.request_token(project_id).await;
        let verifier = token.authorize(by, roles).await;
        OAuthToken::read(self.exchange(&token, &verifier).await)
    }

    fn signed(
        &self,
        path: &str,
        token: Option<&OAuthToken>,
        more: &[(&str, &str)],
    ) -> axum::http::request::Builder {
        let now = self.cloud.now().and_utc().timestamp().to_string();
        let token_secret = token.map_or("", |token| token.secret.as_str());
        let signature = format!("{}%26{token_secret}", self.secret);
        let mut parameters = vec![
            ("oauth_consumer_key", self.key.as_str()),
            ("oauth_nonce", "0a1b2c3d"),
            ("oauth_timestamp", &now),
            ("oauth_signature_method", "PLAINTEXT"),
            ("oauth_signature", &signature),
        ];
        parameters.extend(token.map(|token| ("oauth_token", token.key.as_str())));
        parameters.extend(more);
        let parameters = parameters.iter();
        let parameters: Vec<String> = parameters
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let header = format!("OAuth {}", parameters.join(", "));
        Request::builder()
            .method("POST")
            .uri(path)
            .header("authorization", header)
    }

    async fn send(&self, request: axum::http::request::Builder, body: Body) -> Answer {
        let request = request.body(body);
        let request = request.expect("a test's request is well-formed");
        self.cloud.nobody().send(request).await
    }
}

impl OAuthToken {
    /// Grants a request token these roles, by id, and returns its verifier.
    pub async fn authorize(&self, by: &Session, roles: &[&str]) -> String {
        let answer = self.try_authorize(by, roles).await.ok();
        let verifier = answer["token"]["oauth_verifier"].as_str();
        verifier.expect("a verifier is a text").to_owned()
    }

    /// What that answers.
    pub async fn try_authorize(&self, by: &Session, roles: &[&str]) -> Answer {
        let roles: Vec<Value> = roles.iter().map(|id| json!({ "id": id })).collect();
        let path = format!("/v3/OS-OAUTH1/authorize/{}", self.key);
        let body = json!({ "roles": roles });
        by.request("PUT", &path, Some(&body)).await
    }

    /// The token in the form of a 201.
    #[track_caller]
    pub fn read(answer: Answer) -> Self {
        let form = answer.created();
        let form = form.as_str().expect("a form is a text");
        let value = |name: &str| {
            let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(known, _)| *known == name);
            found.expect("a token has a key and a secret").1.to_owned()
        };
        Self {
            key: value("oauth_token"),
            secret: value("oauth_token_secret"),
        }
    }
}
