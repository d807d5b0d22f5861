//! Access tokens of a provider that the server asks itself, by OpenID Connect.

use axum::body::Body;
use axum::http::Request;
use keystone::storage::sql;
use keystone_testkit::Answer;
use serde_json::json;

use super::provider::Provider;
use super::world::{World, settings};

const LOGIN: &str = "/v3/OS-FEDERATION/identity_providers/acme/protocols/openid/auth";

/// A world whose provider `acme` is this one.
async fn world(provider: &Provider) -> World {
    provider.world(provider.in_settings(settings(), None)).await
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
    let world = world(&provider).await;
    let groups = json!(["devs", "ops"]);
    provider
        .tell(json!({ "active": true, "client_id": "keystone", "sub": "ann", "groups": groups }));
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
    let world = world(&provider).await;
    let answer = world.bring("bearer opaque").await;
    assert!(challenges(&answer).contains(&r#"Bearer error="invalid_token""#));
    assert!(challenges(&answer)[0].starts_with("Keystone uri="));
    answer.refused(401);
    provider.tell(json!({ "active": true, "client_id": "keystone", "sub": "ann", "groups": [], "aud": "another" }));
    world.bring("Bearer opaque").await.refused(401);
    // What the client says itself counts for nothing.
    let answer = world.bring("Basic b3BhcXVl").await;
    assert_eq!(challenges(&answer).len(), 1);
    answer.refused(401);
}

#[tokio::test]
async fn the_issuer_is_a_remote_id_of_the_identity_provider() {
    let provider = Provider::new().await;
    let world = world(&provider).await;
    world.run(sql("DELETE FROM idp_remote_ids")).await;
    provider
        .tell(json!({ "active": true, "client_id": "keystone", "sub": "ann", "groups": ["devs"] }));
    world.bring("Bearer opaque").await.refused(403);
}

#[tokio::test]
async fn a_provider_that_is_away_is_not_the_client_s_fault() {
    let mut provider = Provider::new().await;
    provider.issuer = "http://127.0.0.1:1".to_owned();
    let world = world(&provider).await;
    let answer = world.bring("Bearer opaque").await;
    assert_eq!(challenges(&answer), [""; 0]);
    answer.refused(503);
}

#[tokio::test]
async fn the_provider_is_asked_only_about_logins_that_can_succeed() {
    let provider = Provider::new().await;
    let world = world(&provider).await;
    let told = json!({ "active": true, "client_id": "keystone", "sub": "ann", "groups": ["devs"] });
    provider.tell(told);
    let bring = async |protocol: &str| {
        let path = format!("/v3/OS-FEDERATION/identity_providers/acme/protocols/{protocol}/auth");
        let request = Request::post(path).header("authorization", "Bearer opaque");
        let request = request.body(Body::empty()).expect("a request");
        world.cloud.nobody().send(request).await
    };
    bring("saml2").await.refused(404);
    bring("nonsense").await.refused(401);
    // Another protocol of the provider, for whose users a web server in front vouches.
    bring("mapped").await.refused(401);
    let enable = sql("UPDATE identity_provider SET enabled = ? WHERE id = 'acme'");
    world.run(enable.bind(false)).await;
    bring("openid").await.refused(403);
    assert_eq!(provider.told().asked, [""; 0]);
    let enable = sql("UPDATE identity_provider SET enabled = ? WHERE id = 'acme'");
    world.run(enable.bind(true)).await;
    bring("openid").await.created();
    assert!(!provider.told().asked.is_empty());
}
