//! What the provider publishes: fetched once, kept, refreshed, and missing.

use std::sync::Arc;
use std::time::Duration;

use keystone_oidc::Refusal;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time;

use crate::signer::Signer;
use crate::world::{Reply, World, refusal, trouble};

const DOCUMENT: &str = "/op/.well-known/openid-configuration";
const KEYS: &str = "/op/jwks";

/// Lets time pass for everything here, at once.
async fn pass(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

/// A token under another key.
fn signed_by(world: &World, key: &Signer) -> String {
    let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": key.kid});
    key.sign(&header, &world.claims())
}

#[tokio::test]
async fn concurrent_first_tokens_ask_the_provider_once() {
    let world = World::new().await;
    let client = world.client(|_| {});
    assert!(
        world.asked().is_empty(),
        "nothing is asked before it is needed"
    );
    let token = world.token(&json!({}));
    let callers: Vec<_> = (0..40)
        .map(|_| {
            let (client, token) = (client.clone(), token.clone());
            tokio::spawn(async move { client.bearer(&token).await })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!((world.count(DOCUMENT), world.count(KEYS)), (1, 1));
}

#[tokio::test]
async fn a_client_that_leaves_does_not_end_what_others_wait_for() {
    let world = World::new().await;
    let go = Arc::new(Notify::new());
    world.reply(DOCUMENT, Reply::Held(world.document(), Arc::clone(&go)));
    let client = world.client(|_| {});
    let bring = || {
        let (client, token) = (client.clone(), world.token(&json!({})));
        tokio::spawn(async move { client.bearer(&token).await })
    };
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let leave: Vec<_> = (0..40).map(|_| bring()).collect();
    world.came().await;
    for one in leave {
        one.abort();
        assert!(one.await.unwrap_err().is_cancelled());
    }
    // The one that asks, and both sides of its connection.
    let left = tasks() - before;
    assert!(left < 10, "{left} tasks are left");
    let stays = bring();
    go.notify_one();
    stays.await.unwrap().unwrap();
    assert_eq!((world.count(DOCUMENT), world.count(KEYS)), (1, 1));
}

#[tokio::test]
async fn only_so_many_wait_for_a_slow_provider() {
    let world = World::new().await;
    let go = Arc::new(Notify::new());
    let told = json!({"active": true, "client_id": "cli"});
    world.reply("/op/introspection", Reply::Held(told, Arc::clone(&go)));
    let client = world.introspecting(|_| {});
    client.start("http://localhost/back").await.unwrap();
    let mut waiting = Vec::new();
    for number in 1..=32 {
        let client = client.clone();
        waiting.push(tokio::spawn(async move { client.bearer("opaque").await }));
        while world.count("/op/introspection") < number {
            world.came().await;
        }
    }
    let (kind, text) = trouble(client.bearer("opaque").await);
    assert_eq!(kind, "away");
    assert!(text.contains("32 requests wait for it already"), "{text}");
    for one in waiting {
        go.notify_one();
        one.await.unwrap().unwrap();
    }
    go.notify_one();
    client.bearer("opaque").await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_found_and_unknown_ones_ask_every_thirty_seconds() {
    let world = World::new().await;
    let client = world.client(|_| {});
    client.bearer(&world.token(&json!({}))).await.unwrap();
    let next = Signer::new("ES256", "k2");
    let token = signed_by(&world, &next);
    world.publish(&[&world.key, &next]);
    client.bearer(&token).await.unwrap();
    assert_eq!(world.count(KEYS), 2);
    let stranger = signed_by(&world, &Signer::new("ES256", "k3"));
    for _ in 0..3 {
        let refused = refusal(client.bearer(&stranger).await);
        assert!(matches!(refused, Refusal::UnknownKey { .. }), "{refused}");
    }
    assert_eq!(world.count(KEYS), 2);
    pass(Duration::from_secs(31)).await;
    for _ in 0..3 {
        refusal(client.bearer(&stranger).await);
    }
    assert_eq!(world.count(KEYS), 3);
}

#[tokio::test]
async fn a_key_that_was_replaced_under_its_name_is_found_and_the_old_one_is_over() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let old = world.token(&json!({}));
    client.bearer(&old).await.unwrap();
    let next = Signer::new("ES256", "k1");
    world.publish(&[&next]);
    client.bearer(&signed_by(&world, &next)).await.unwrap();
    assert_eq!(refusal(client.bearer(&old).await), Refusal::Signature);
}

#[tokio::test]
async fn documents_are_refreshed_in_the_background_when_they_are_old() {
    let world = World::new().await;
    let kept = |directives| {
        let keys = json!({"keys": [world.key.jwk()]});
        world.reply(KEYS, Reply::Kept(keys, directives));
    };
    let token = world.token(&json!({}));
    // The lifetime in seconds, whatever the provider says.
    for (directives, lifetime) in [
        ("public, max-age=1800", 1800),
        ("max-age=1", 300),
        ("no-store, max-age=1800", 300),
        ("max-age=99999999", 3600), // that of the other document, which does not say
        ("public", 3600),
    ] {
        kept(directives);
        let client = world.client(|_| {});
        client.bearer(&token).await.unwrap();
        let before = world.count(KEYS);
        pass(Duration::from_secs(lifetime - 1)).await;
        client.bearer(&token).await.unwrap();
        assert_eq!(world.count(KEYS), before, "{directives}");
        pass(Duration::from_secs(2)).await;
        client.bearer(&token).await.unwrap();
        until(&world, before + 1).await;
    }
}

/// Waits until the keys have been asked for so many times.
async fn until(world: &World, count: usize) {
    while world.count(KEYS) < count {
        world.came().await;
    }
    assert_eq!(world.count(KEYS), count);
}

#[tokio::test]
async fn the_last_good_keys_stay_while_the_provider_is_away() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let token = world.token(&json!({}));
    client.bearer(&token).await.unwrap();
    let next = Signer::new("ES256", "k2");
    world.reply(DOCUMENT, Reply::Text(503, "text/plain", String::new()));
    pass(Duration::from_hours(25)).await;
    for _ in 0..3 {
        client.bearer(&token).await.unwrap();
    }
    // A new key can't be told from a wrong one now.
    for _ in 0..2 {
        let (kind, text) = trouble(client.bearer(&signed_by(&world, &next)).await);
        assert_eq!(kind, "away", "{text}");
    }
    // It comes back with the new key.
    world.publish(&[&next]);
    world.reply(DOCUMENT, Reply::Json(200, world.document()));
    pass(Duration::from_secs(31)).await;
    client.bearer(&signed_by(&world, &next)).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_is_away_is_asked_again_after_five_seconds() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let token = world.token(&json!({}));
    world.reply(DOCUMENT, Reply::Text(502, "text/html", "<html>".into()));
    for _ in 0..3 {
        let (kind, text) = trouble(client.bearer(&token).await);
        assert_eq!(kind, "away");
        assert!(text.contains(DOCUMENT) && text.contains("502"), "{text}");
    }
    assert_eq!(world.count(DOCUMENT), 1);
    world.reply(DOCUMENT, Reply::Json(200, world.document()));
    pass(Duration::from_secs(6)).await;
    client.bearer(&token).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_does_not_listen_is_away() {
    let world = World::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = world.client(|settings| settings.issuer = issuer.parse().unwrap());
    let (kind, text) = trouble(client.start("http://localhost/back").await);
    assert_eq!(kind, "away");
    assert!(text.contains("Connection refused"), "{text}");
}

#[tokio::test]
async fn a_provider_that_is_slow_is_away_after_five_seconds() {
    let world = World::new().await;
    world.reply(KEYS, Reply::Hang);
    let client = world.client(|_| {});
    let token = world.token(&json!({}));
    let call = tokio::spawn(async move { client.bearer(&token).await });
    while world.count(KEYS) == 0 {
        world.came().await;
    }
    pass(Duration::from_secs(5)).await;
    let (kind, text) = trouble(call.await.unwrap());
    assert_eq!(kind, "away");
    assert!(
        text.ends_with("/jwks can't be asked: no answer within 5s"),
        "{text}"
    );
}

#[tokio::test]
async fn garbage_is_of_no_use_and_the_operator_reads_what_to_change() {
    type Makes = fn(&World) -> Reply;
    fn html(_: &World) -> Reply {
        Reply::Text(200, "text/html", "<html>".into())
    }
    fn document(world: &World, member: &str, value: &str) -> Reply {
        let mut document = world.document();
        document[member] = value.into();
        Reply::Json(200, document)
    }
    let cases: [(&str, Makes, &str); 9] = [
        (DOCUMENT, html, "no discovery document: expected value"),
        (
            DOCUMENT,
            |_| Reply::Json(200, json!([])),
            "no discovery document",
        ),
        (
            DOCUMENT,
            |_| Reply::Redirect,
            "302 Found, and redirects are not followed",
        ),
        (DOCUMENT, |_| Reply::Json(404, json!({})), "404 Not Found"),
        (
            DOCUMENT,
            |world| document(world, "issuer", "http://other"),
            r#"that of "http://other"; set issuer"#,
        ),
        (
            DOCUMENT,
            |world| document(world, "jwks_uri", "http://idp.example/keys"),
            "jwks_uri without https",
        ),
        (
            DOCUMENT,
            |world| document(world, "jwks_uri", "file:///etc/passwd"),
            "jwks_uri without https",
        ),
        (KEYS, html, "no key for signatures"),
        (
            KEYS,
            |_| Reply::Json(200, json!({"keys": [{"kty": "oct", "k": "AA"}]})),
            "no key for signatures",
        ),
    ];
    for (path, make, expected) in cases {
        let world = World::new().await;
        world.reply(path, make(&world));
        let client = world.client(|_| {});
        let (kind, text) = trouble(client.bearer(&world.token(&json!({}))).await);
        assert_eq!(kind, "unusable", "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn what_the_provider_writes_is_short_and_on_one_line_in_the_log() {
    let long = "\n\u{202e}".repeat(1000);
    for (member, value) in [
        ("issuer", json!(long)),
        ("jwks_uri", json!(long)),
        ("jwks_uri", json!(["x"])),
        (
            "authorization_response_iss_parameter_supported",
            json!(long),
        ),
    ] {
        let world = World::new().await;
        world.documented(member, value);
        let client = world.client(|_| {});
        let (_, text) = trouble(client.bearer(&world.token(&json!({}))).await);
        assert!(text.chars().count() < 400, "{member}: {text}");
        assert!(!text.contains(['\n', '\u{202e}']), "{member}: {text}");
    }
}

#[tokio::test]
async fn no_more_than_256_kib_are_read() {
    let world = World::new().await;
    let token = world.token(&json!({}));
    let padded = |length: usize| {
        let mut document = world.document().to_string();
        document.push_str(&" ".repeat(length - document.len()));
        world.reply(DOCUMENT, Reply::Text(200, "application/json", document));
    };
    padded((256 << 10) + 1);
    let (kind, text) = trouble(world.client(|_| {}).bearer(&token).await);
    assert_eq!(kind, "away");
    assert!(text.contains("length limit exceeded"), "{text}");
    padded(256 << 10);
    world.client(|_| {}).bearer(&token).await.unwrap();
}
