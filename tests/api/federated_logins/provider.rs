//! An OpenID provider on loopback, and a world in which it is `acme`.

use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keystone::storage::sql;
use keystone::{OidcProvider, Settings, oidc};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::world::World;

/// A provider, and what it tells.
pub(super) struct Provider {
    pub(super) issuer: String,
    state: Arc<Mutex<Told>>,
}

pub(super) struct Told {
    issuer: String,
    key: Ed25519KeyPair,
    /// About every token.
    pub(super) introspection: Value,
    /// The claims of the next ID token; with none, codes are not exchanged.
    pub(super) id_token: Option<Value>,
    /// The paths that were asked for.
    pub(super) asked: Vec<String>,
}

impl Provider {
    pub(super) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has ports");
        let address = listener.local_addr().expect("it listens");
        let issuer = format!("http://{address}");
        let told = Told {
            issuer: issuer.clone(),
            key: Ed25519KeyPair::generate().expect("random bytes"),
            introspection: json!({ "active": false }),
            id_token: None,
            asked: Vec::new(),
        };
        let state = Arc::new(Mutex::new(told));
        let router = Router::new().fallback(answer);
        let router = router.with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, state }
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.state.lock().expect("no test panicked")
    }

    /// What it says about every access token.
    pub(super) fn tell(&self, introspection: Value) {
        self.told().introspection = introspection;
    }

    /// Signs claims.
    pub(super) fn sign(&self, claims: &Value) -> String {
        self.told().sign(claims)
    }

    /// Settings in which this is the provider `acme`.
    pub(super) fn in_settings(
        &self,
        mut settings: Settings,
        redirect_path: Option<&str>,
    ) -> Settings {
        let issuer = self.issuer.parse().expect("a loopback URL");
        let mut provider = oidc::Settings::new(issuer, "keystone");
        provider.access_tokens = oidc::AccessTokens::Introspection;
        let provider = OidcProvider {
            settings: provider,
            protocol: "openid".to_owned(),
            redirect_path: redirect_path.map(|path| path.parse().expect("a path")),
        };
        settings.oidc.insert("acme".to_owned(), provider);
        settings
    }

    /// A world with these settings, in which a mapping takes the name and the groups from the provider.
    pub(super) async fn world(&self, settings: Settings) -> World {
        let world = World::with(settings).await;
        let remote = sql("INSERT INTO idp_remote_ids (idp_id, remote_id) VALUES ('acme', ?)");
        world.run(remote.bind(&self.issuer)).await;
        let rules = json!([{
            "remote": [{ "type": "OIDC-sub" }, { "type": "HTTP_OIDC_GROUPS" }, { "type": "HTTP_OIDC_ISS" }],
            "local": [{ "user": { "name": "{0}" } }, { "groups": "{1}", "domain": { "id": "default" } }],
        }]);
        world.map("1.0", &rules).await;
        world
    }
}

impl Told {
    fn sign(&self, claims: &Value) -> String {
        let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let header = json!({ "alg": "EdDSA" }).to_string();
        let claims = claims.to_string();
        let message = format!("{}.{}", part(header.as_bytes()), part(claims.as_bytes()));
        let signature = self.key.sign(message.as_bytes());
        format!("{message}.{}", part(signature.as_ref()))
    }
}

async fn answer(State(state): State<Arc<Mutex<Told>>>, uri: Uri) -> Response {
    let mut told = state.lock().expect("no test panicked");
    told.asked.push(uri.path().to_owned());
    let issuer = &told.issuer;
    let body = match uri.path() {
        "/.well-known/openid-configuration" => json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/keys"),
            "introspection_endpoint": format!("{issuer}/introspection"),
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
        }),
        "/keys" => {
            let x = BASE64_URL_SAFE_NO_PAD.encode(told.key.public_key().as_ref());
            json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] })
        }
        "/introspection" => told.introspection.clone(),
        "/token" => match &told.id_token {
            Some(claims) => json!({ "id_token": told.sign(claims) }),
            None => return StatusCode::BAD_GATEWAY.into_response(),
        },
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    body.to_string().into_response()
}
