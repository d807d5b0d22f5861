//! Access tokens of a provider that the server asks itself, by OpenID Connect.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use keystone::OidcProvider;
use keystone::oidc::{self, AccessTokens};
use keystone::storage::sql;
use keystone_testkit::Answer;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::world::{World, settings};

const LOGIN: &str = "/v3/OS-FEDERATION/identity_providers/acme/protocols/openid/auth";

/// A provider, and what it tells about every token.
struct Provider {
    issuer: String,
    told: Arc<Mutex<Value>>,
}

impl Provider {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has ports");
        let address = listener.local_addr().expect("it listens");
        let issuer = format!("http://{address}");
        let told = Arc::new(Mutex::new(json!({ "active": false })));
        let state = (issuer.clone(), Arc::clone(&told));
        let router = Router::new().fallback(answer).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, told }
    }

    fn tell(&self, told: Value) {
        *self.told.lock().expect("no test panicked") = told;
    }
}

async fn answer(State((issuer, told)): State<(String, Arc<Mutex<Value>>)>, uri: Uri) -> Response {
    let body = match uri.path() {
        "/.well-known/openid-configuration" => json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/keys"),
            "introspection_endpoint": format!("{issuer}/introspection"),
        }),
        "/keys" => {
            let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
            json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] })
        }
        "/introspection" => told.lock().expect("no test panicked").clone(),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    body.to_string().into_response()
}

/// A world whose provider `acme` is this one.
async fn world(issuer: &str) -> World {
    let mut provider = oidc::Settings::new(issuer.parse().expect("a loopback URL"), "keystone");
    provider.access_tokens = AccessTokens::Introspection;
    let provider = OidcProvider {
        settings: provider,
        redirect_path: "/v3/redirect_uri".to_owned(),
    };
    let mut settings = settings();
    settings.oidc.insert("acme".to_owned(), provider);
    let world = World::with(settings).await;
    let remote = sql("INSERT INTO idp_remote_ids (idp_id, remote_id) VALUES ('acme', ?)");
    world.run(remote.bind(issuer)).await;
    let rules = json!([{
        "remote": [{ "type": "OIDC-sub" }, { "type": "HTTP_OIDC_GROUPS" }, { "type": "HTTP_OIDC_ISS" }],
        "local": [{ "user": { "name": "{0}" } }, { "groups": "{1}", "domain": { "id": "default" } }],
    }]);
    world.map("1.0", &rules).await;
    world
}

impl World {
    /// A login as keystoneauth sends it: `POST` without a body.
    async fn bring(&self, authorization: &str) -> Answer {
        let request = Request::post(LOGIN).header("authorization", authorization);
        let request = request.header("content-length", "0").body(Body::empty());
        let request = request.expect("a test's request is well-formed");
        self.cloud.nobody().send(request).await
    }
}

fn challenges(answer: &Answer) -> Vec<&str> {
    let values = answer.headers.get_all("www-authenticate").into_iter();
    values.filter_map(|value| value.to_str().ok()).collect()
}

#[tokio::test]
async fn an_access_token_is_exchanged_for_one_of_keystone() {
    let provider = Provider::new().await;
    let world = world(&provider.issuer).await;
    let groups = json!(["devs", "ops"]);
    provider.tell(json!({ "active": true, "sub": "ann", "groups": groups }));
    let answer = world.bring("Bearer opaque").await;
    let token = answer.created()["token"].take();
    assert_eq!(token["user"]["name"], "ann");
    assert_eq!(token["methods"], json!(["openid"]));
    let federation = &token["user"]["OS-FEDERATION"];
    assert_eq!(federation["identity_provider"]["id"], "acme");
    let groups = federation["groups"].as_array().map(Vec::len);
    assert_eq!(groups, Some(2), "{federation}");
}

#[tokio::test]
async fn an_access_token_that_the_provider_does_not_vouch_for_is_refused() {
    let provider = Provider::new().await;
    let world = world(&provider.issuer).await;
    let answer = world.bring("bearer opaque").await;
    assert!(challenges(&answer).contains(&r#"Bearer error="invalid_token""#));
    assert!(challenges(&answer)[0].starts_with("Keystone uri="));
    answer.refused(401);
    provider.tell(json!({ "active": true, "sub": "ann", "groups": [], "aud": "another" }));
    world.bring("Bearer opaque").await.refused(401);
    // What the client says itself counts for nothing.
    let answer = world.bring("Basic b3BhcXVl").await;
    assert_eq!(challenges(&answer).len(), 1);
    answer.refused(401);
}

#[tokio::test]
async fn the_issuer_is_a_remote_id_of_the_identity_provider() {
    let provider = Provider::new().await;
    let world = world(&provider.issuer).await;
    world.run(sql("DELETE FROM idp_remote_ids")).await;
    provider.tell(json!({ "active": true, "sub": "ann", "groups": ["devs"] }));
    world.bring("Bearer opaque").await.refused(403);
}

#[tokio::test]
async fn a_provider_that_is_away_is_not_the_client_s_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("loopback has ports");
    let issuer = format!("http://{}", listener.local_addr().expect("it listens"));
    drop(listener);
    let world = world(&issuer).await;
    let answer = world.bring("Bearer opaque").await;
    assert_eq!(challenges(&answer), [""; 0]);
    answer.refused(503);
}
