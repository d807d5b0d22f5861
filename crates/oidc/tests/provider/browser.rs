//! Logins of a browser.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, NaiveDateTime};
use keystone_oidc::{Claims, ClaimsFrom, Error, Login, Provider, Refusal};
use keystone_token::{KeyRepository, KeyRing, Owner, Return, StateCookies};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::signer::encoded;
use crate::world::{CLIENT, NOW, Reply, World, changed, refusal, trouble};

const TOKEN: &str = "/op/token";
const USERINFO: &str = "/op/userinfo";
const BACK: &str = "https://keystone.example/v3/redirect_uri?a=b&c";

fn parameters(url: &str) -> HashMap<String, String> {
    let (_, query) = url.split_once('?').unwrap();
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .map(|(k, v)| (k.into_owned(), v.into_owned()))
        .collect()
}

/// Has the provider answer the code with an ID token for this login, some claims changed.
fn answer(world: &World, url: &str, changes: &Value) {
    let nonce = &parameters(url)["nonce"];
    let claims = json!({
        "iss": world.issuer, "aud": CLIENT, "sub": "alice", "nonce": nonce,
        "iat": NOW - 1, "exp": NOW + 60, "email": "alice@signed",
        "at_hash": encoded(&digest(&SHA256, b"access").as_ref()[..16]),
    });
    let id_token = world.key.sign(
        &json!({"alg": "ES256", "kid": "k1"}),
        &changed(claims, changes),
    );
    let tokens = json!({"id_token": id_token, "access_token": "access", "token_type": "Bearer"});
    world.reply(TOKEN, Reply::Json(200, tokens));
    let told = json!({"sub": "alice", "email": "alice@unsigned", "groups": ["devs", "ops"]});
    world.reply(USERINFO, Reply::Json(200, told));
}

/// A whole login, for which the provider changes its ID token.
async fn login(world: &World, client: &Provider, changes: &Value) -> Result<Claims, Error> {
    let start = client.start(BACK).await.unwrap();
    answer(world, &start.url, changes);
    let query = format!(
        "code=c0de&state={}&iss={}",
        start.login.state(),
        world.issuer
    );
    client.finish(&start.login, &query).await
}

#[tokio::test]
async fn a_login_asks_for_a_code_and_exchanges_it() {
    let world = World::new().await;
    let client = world.client(|settings| {
        settings.scopes = vec!["groups".into(), "openid".into()];
    });
    let start = client.start(BACK).await.unwrap();
    let (endpoint, _) = start.url.split_once('?').unwrap();
    assert_eq!(endpoint, format!("{}/auth", world.issuer));
    let sent = parameters(&start.url);
    assert_eq!(sent["response_type"], "code");
    assert_eq!(sent["client_id"], CLIENT);
    assert_eq!(sent["redirect_uri"], BACK);
    assert_eq!(sent["scope"], "openid groups");
    assert_eq!(sent["state"], start.login.state());
    assert_eq!(sent["code_challenge_method"], "S256");

    answer(&world, &start.url, &json!({}));
    let query = format!("code=c%2B1&state={}&session_state=x", start.login.state());
    let claims = client.finish(&start.login, &query).await.unwrap();
    assert_eq!(claims.subject(), Some("alice"));
    assert_eq!(claims.get("email"), Some(&json!("alice@signed")));
    assert_eq!(claims.get("groups"), Some(&json!(["devs", "ops"])));

    let asked = world.one(TOKEN);
    assert_eq!(
        asked.field("grant_type").as_deref(),
        Some("authorization_code")
    );
    assert_eq!(asked.field("code").as_deref(), Some("c+1"));
    assert_eq!(asked.field("redirect_uri").as_deref(), Some(BACK));
    let verifier = asked.field("code_verifier").unwrap();
    let challenge = encoded(digest(&SHA256, verifier.as_bytes()).as_ref());
    assert_eq!(sent["code_challenge"], challenge);
    assert!(!start.url.contains(&verifier));
    assert_eq!(world.one(USERINFO).header("authorization"), "Bearer access");
}

#[tokio::test]
async fn logins_share_no_secret_and_debug_shows_none() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let (one, two) = (
        client.start(BACK).await.unwrap(),
        client.start(BACK).await.unwrap(),
    );
    let (first, second) = (parameters(&one.url), parameters(&two.url));
    for name in ["state", "nonce", "code_challenge"] {
        assert!(first[name].len() >= 43, "{name}");
        assert_ne!(first[name], second[name], "{name}");
    }
    let shown = format!("{:?} {client:?}", one.login);
    assert!(
        !shown.contains(&first["nonce"]) && !shown.contains("s3cr"),
        "{shown}"
    );
    let shown = format!("{one:?}");
    assert!(
        shown.contains(&format!("{}/auth\"", world.issuer)),
        "{shown}"
    );
    for name in ["state", "nonce", "code_challenge"] {
        assert!(!shown.contains(&first[name]), "{shown}");
    }
    // The endpoint has a query of its own.
    world.documented(
        "authorization_endpoint",
        json!(format!("{}/auth?tenant=1", world.issuer)),
    );
    let start = world.client(|_| {}).start(BACK).await.unwrap();
    assert_eq!(parameters(&start.url)["tenant"], "1");
    assert_eq!(parameters(&start.url)["response_type"], "code");
}

#[tokio::test]
async fn any_node_finishes_what_another_began_while_keys_rotate() {
    let world = World::new().await;
    let home = tempfile::tempdir().unwrap();
    let repository = KeyRepository::new(home.path().join("fernet-keys"), 3);
    repository.setup(Owner::default()).unwrap();
    let node = || {
        let keys = Arc::new(KeyRing::new(repository.clone()));
        let cookies = StateCookies::new(keys, "oidc", false, Return::Redirect);
        (world.client(|_| {}), cookies)
    };
    let now: NaiveDateTime = DateTime::from_timestamp(NOW, 0).unwrap().naive_utc();
    let ((first, first_cookies), (second, second_cookies)) = (node(), node());

    let start = first.start(BACK).await.unwrap();
    answer(&world, &start.url, &json!({}));
    let state = start.login.state().to_owned();
    let kept = serde_json::to_vec(&start.login).unwrap();
    let set = first_cookies.set(&state, &kept, now).unwrap();
    assert!(set.len() < 1024, "{}", set.len());
    repository.rotate(Owner::default()).unwrap();

    let cookie = set.split(';').next().unwrap();
    let kept = second_cookies.get(&state, [cookie], now).unwrap();
    let login: Login = serde_json::from_slice(&kept).unwrap();
    assert_eq!(login, start.login);
    let claims = second
        .finish(&login, &format!("code=c&state={state}"))
        .await
        .unwrap();
    assert_eq!(claims.subject(), Some("alice"));
}

#[tokio::test]
async fn an_answer_to_another_login_is_refused() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let mine = client.start(BACK).await.unwrap();
    let other = client.start(BACK).await.unwrap();
    answer(&world, &mine.url, &json!({}));
    for query in [
        format!("code=c&state={}", other.login.state()),
        "code=c&state=".to_owned(),
        "code=c".to_owned(),
        String::new(),
        format!("error=access_denied&state={}", other.login.state()),
    ] {
        let outcome = client.finish(&mine.login, &query).await;
        assert_eq!(refusal(outcome), Refusal::State, "{query}");
    }
    // Begun at another provider, with the same address to come back to.
    let elsewhere = World::new().await;
    let start = elsewhere.client(|_| {}).start(BACK).await.unwrap();
    let query = format!("code=c&state={}", start.login.state());
    assert_eq!(
        refusal(client.finish(&start.login, &query).await),
        Refusal::State
    );
    assert_eq!(world.count(TOKEN), 0, "no code has left this server");
    // The right state, and an ID token that was issued for the other login.
    answer(&world, &other.url, &json!({}));
    let query = format!("code=c&state={}", mine.login.state());
    assert_eq!(
        refusal(client.finish(&mine.login, &query).await),
        Refusal::Nonce
    );
}

#[tokio::test]
async fn the_answer_names_the_provider_that_was_asked() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let start = client.start(BACK).await.unwrap();
    answer(&world, &start.url, &json!({}));
    let query = format!(
        "code=c&state={}&iss=https://evil.example",
        start.login.state()
    );
    let refused = refusal(client.finish(&start.login, &query).await);
    let expected = Refusal::MixedUp {
        found: "\"https://evil.example\"".into(),
        expected: world.issuer.clone(),
    };
    assert_eq!(refused, expected);
    assert_eq!(world.count(TOKEN), 0);
    // A provider that promises to name itself does.
    world.documented(
        "authorization_response_iss_parameter_supported",
        json!(true),
    );
    let client = world.client(|_| {});
    let query = format!("code=c&state={}", start.login.state());
    let refused = refusal(client.finish(&start.login, &query).await);
    assert_eq!(refused, Refusal::Parameter("iss"));
}

#[tokio::test]
async fn parameters_come_once() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let start = client.start(BACK).await.unwrap();
    answer(&world, &start.url, &json!({}));
    let state = start.login.state();
    for (query, name) in [
        (format!("state={state}"), "code"),
        (format!("code=a&code=b&state={state}"), "code"),
        (format!("code=a&state={state}&state={state}"), "state"),
        (format!("code=a&state={state}&iss=a&iss=b"), "iss"),
    ] {
        let refused = refusal(client.finish(&start.login, &query).await);
        assert_eq!(refused, Refusal::Parameter(name), "{query}");
    }
}

#[tokio::test]
async fn an_id_token_that_is_not_for_this_login_is_refused() {
    let world = World::new().await;
    let client = world.client(|_| {});
    for (changes, expected) in [
        (
            json!({"iss": "http://other"}),
            r#"issued by "http://other""#,
        ),
        (json!({"aud": "other"}), r#"for "other""#),
        (json!({"aud": [CLIENT, "other"]}), r#"claim "azp""#),
        (
            json!({"aud": [CLIENT, "other"], "azp": "other"}),
            r#"issued to "other""#,
        ),
        (json!({"azp": "other"}), r#"issued to "other""#),
        (json!({"exp": NOW - 60}), "ended 60 s ago"),
        (json!({"exp": null}), r#"claim "exp""#),
        (json!({"iat": null}), r#"claim "iat""#),
        (json!({"iat": NOW + 61}), "begins in 61 s"),
        (json!({"nonce": null}), "another login"),
        (json!({"nonce": "n"}), "another login"),
        (
            json!({"at_hash": "AAAA"}),
            "does not belong to the ID token",
        ),
        (json!({"sub": null}), r#"claim "sub""#),
        (json!({"sub": ""}), r#"claim "sub""#),
        (json!({"sub": "bob"}), "another subject"),
    ] {
        let refused = refusal(login(&world, &client, &changes).await).to_string();
        assert!(refused.contains(expected), "{changes}: {refused}");
    }
    for changes in [
        json!({"aud": [CLIENT, "other"], "azp": CLIENT}),
        json!({"at_hash": null}),
    ] {
        login(&world, &client, &changes).await.unwrap();
    }
    let start = client.start(BACK).await.unwrap();
    let nonce = &parameters(&start.url)["nonce"];
    let claims = changed(world.claims(), &json!({ "nonce": nonce }));
    let header = json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"});
    let tokens = json!({"id_token": world.key.sign(&header, &claims), "access_token": "access"});
    world.reply(TOKEN, Reply::Json(200, tokens));
    let query = format!("code=c&state={}", start.login.state());
    let refused = refusal(client.finish(&start.login, &query).await);
    assert!(matches!(refused, Refusal::Type { .. }), "{refused}");
}

#[tokio::test]
async fn claims_come_from_where_the_operator_says() {
    let world = World::new().await;
    let both = login(&world, &world.client(|_| {}), &json!({}))
        .await
        .unwrap();
    assert_eq!(both.get("email"), Some(&json!("alice@signed")));
    let signed = world.client(|settings| settings.claims_from = vec![ClaimsFrom::IdToken]);
    let signed = login(&world, &signed, &json!({})).await.unwrap();
    assert_eq!((signed.get("groups"), world.count(USERINFO)), (None, 1));
    let unsigned = world.client(|settings| settings.claims_from = vec![ClaimsFrom::Userinfo]);
    let unsigned = login(&world, &unsigned, &json!({})).await.unwrap();
    assert_eq!(unsigned.get("email"), Some(&json!("alice@unsigned")));
    assert_eq!(
        (unsigned.get("nonce"), unsigned.subject()),
        (None, Some("alice"))
    );
    assert_eq!(unsigned.get("iss"), Some(&json!(world.issuer)));
}

#[tokio::test]
async fn a_login_whose_access_token_userinfo_refuses_is_refused() {
    let world = World::new().await;
    for status in [401, 403] {
        let client = world.client(|_| {});
        let start = client.start(BACK).await.unwrap();
        answer(&world, &start.url, &json!({}));
        world.reply(USERINFO, Reply::Json(status, json!({})));
        let query = format!("code=c&state={}", start.login.state());
        let refused = refusal(client.finish(&start.login, &query).await);
        assert_eq!(refused, Refusal::Userinfo);
    }
}

#[tokio::test]
async fn access_tokens_take_no_turn_from_logins() {
    const INTROSPECTION: &str = "/op/introspection";
    let world = World::new().await;
    let client = world.introspecting(|_| {});
    let start = client.start(BACK).await.unwrap();
    world.reply(INTROSPECTION, Reply::Hang);
    let mut waiting = Vec::new();
    for number in 1..=32 {
        let client = client.clone();
        waiting.push(tokio::spawn(async move { client.bearer("opaque").await }));
        while world.count(INTROSPECTION) < number {
            world.came().await;
        }
    }
    trouble(client.bearer("opaque").await);
    answer(&world, &start.url, &json!({}));
    let query = format!("code=c&state={}", start.login.state());
    client.finish(&start.login, &query).await.unwrap();
    for one in waiting {
        assert!(!one.is_finished(), "the login waited for it");
        one.abort();
    }
}

#[tokio::test]
async fn a_login_waits_for_its_turn() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let start = client.start(BACK).await.unwrap();
    answer(&world, &start.url, &json!({}));
    let query = format!("code=c&state={}", start.login.state());
    let go = Arc::new(Notify::new());
    let held = Reply::Held(world.replied(TOKEN), Arc::clone(&go));
    world.reply(TOKEN, held);
    let finish = || {
        let (client, login, query) = (client.clone(), start.login.clone(), query.clone());
        tokio::spawn(async move { client.finish(&login, &query).await })
    };
    let mut waiting = Vec::new();
    for number in 1..=32 {
        waiting.push(finish());
        while world.count(TOKEN) < number {
            world.came().await;
        }
    }
    waiting.push(finish());
    for _ in 0..33 {
        go.notify_one();
        waiting.remove(0).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_the_provider_refuses_is_told_to_the_operator() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let start = client.start(BACK).await.unwrap();
    let state = start.login.state();
    let query = format!("error=access_denied&error_description=not+today&state={state}");
    let refused = refusal(client.finish(&start.login, &query).await).to_string();
    assert_eq!(
        refused,
        r#"the provider answered "access_denied" "not today""#
    );

    let query = format!("code=used&state={state}");
    let told = |error: &str| json!({"error": error, "error_description": "because"});
    world.reply(TOKEN, Reply::Json(400, told("invalid_grant")));
    let refused = refusal(client.finish(&start.login, &query).await).to_string();
    assert_eq!(
        refused,
        r#"the provider answered "invalid_grant" "because""#
    );
    for (reply, kind, expected) in [
        (
            Reply::Json(401, told("invalid_client")),
            "unusable",
            r#""invalid_client" "because": check client_id"#,
        ),
        (
            Reply::Json(400, told("redirect_uri_mismatch")),
            "unusable",
            "redirect URI",
        ),
        (
            Reply::Text(200, "text/html", "<html>".into()),
            "unusable",
            "no tokens",
        ),
        (Reply::Json(503, json!({})), "away", "503"),
    ] {
        world.reply(TOKEN, reply);
        let (found, text) = trouble(client.finish(&start.login, &query).await);
        assert_eq!(found, kind, "{text}");
        assert!(text.contains(expected) && !text.contains("s3cr"), "{text}");
    }
    world.reply(TOKEN, Reply::Json(200, json!({"access_token": "a"})));
    let refused = refusal(client.finish(&start.login, &query).await);
    assert_eq!(refused, Refusal::Claim("id_token"));
}
