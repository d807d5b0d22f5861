//! Access tokens that only the provider understands.

use keystone_oidc::{ClaimsFrom, Refusal};
use serde_json::{Value, json};

use crate::world::{CLIENT, NOW, Reply, World, changed, refusal, trouble};

const INTROSPECTION: &str = "/op/introspection";
const USERINFO: &str = "/op/userinfo";

/// What the provider of the tests in npm says about a token.
fn active(world: &World, changes: &Value) -> Reply {
    let told = json!({
        "active": true, "sub": "alice", "client_id": "cli", "scope": "openid groups",
        "iss": world.issuer, "iat": NOW - 10, "exp": NOW + 300, "token_type": "Bearer",
    });
    Reply::Json(200, changed(told, changes))
}

fn userinfo(world: &World) {
    let told =
        json!({"sub": "alice", "email": "alice@example.org", "groups": ["devs"], "scope": "x"});
    world.reply(USERINFO, Reply::Json(200, told));
}

#[tokio::test]
async fn the_provider_is_asked_about_each_token_and_its_user() {
    let world = World::new().await;
    world.reply(INTROSPECTION, active(&world, &json!({})));
    userinfo(&world);
    let client = world.introspecting(|_| {});
    let claims = client.bearer("opaque").await.unwrap();
    assert_eq!(claims.subject(), Some("alice"));
    assert_eq!(claims.get("groups"), Some(&json!(["devs"])));
    assert_eq!(
        claims.get("scope"),
        Some(&json!("openid groups")),
        "the first answer counts"
    );
    let asked = world.one(INTROSPECTION);
    assert_eq!(asked.field("token").as_deref(), Some("opaque"));
    assert_eq!(
        asked.field("token_type_hint").as_deref(),
        Some("access_token")
    );
    // `keystone:s3cr%3At%2F%2B`
    assert_eq!(
        asked.header("authorization"),
        "Basic a2V5c3RvbmU6czNjciUzQXQlMkYlMkI="
    );
    assert_eq!(world.one(USERINFO).header("authorization"), "Bearer opaque");
    client.bearer("opaque").await.unwrap();
    assert_eq!(
        world.count(INTROSPECTION),
        2,
        "a token may have been revoked"
    );
}

#[tokio::test]
async fn the_client_authenticates_as_the_endpoint_wants() {
    let world = World::new().await;
    world.documented(
        "introspection_endpoint_auth_methods_supported",
        json!(["client_secret_post", "private_key_jwt"]),
    );
    world.reply(INTROSPECTION, active(&world, &json!({"sub": null})));
    world.introspecting(|_| {}).bearer("opaque").await.unwrap();
    let asked = world.one(INTROSPECTION);
    assert_eq!(asked.header("authorization"), "");
    assert_eq!(asked.field("client_id").as_deref(), Some(CLIENT));
    assert_eq!(asked.field("client_secret").as_deref(), Some("s3cr:t/+"));

    let world = World::new().await;
    world.reply(INTROSPECTION, active(&world, &json!({"sub": null})));
    let public = world.introspecting(|settings| settings.client_secret = None);
    public.bearer("opaque").await.unwrap();
    let asked = world.one(INTROSPECTION);
    assert_eq!(asked.header("authorization"), "");
    assert_eq!(asked.field("client_id").as_deref(), Some(CLIENT));
    assert_eq!(asked.field("client_secret"), None);
}

#[tokio::test]
async fn a_token_of_a_program_needs_no_userinfo() {
    let world = World::new().await;
    world.reply(INTROSPECTION, active(&world, &json!({"sub": null})));
    let claims = world.introspecting(|_| {}).bearer("opaque").await.unwrap();
    assert_eq!((claims.subject(), claims.issuer()), (None, &*world.issuer));
    assert_eq!(claims.get("client_id"), Some(&json!("cli")));
    assert_eq!(world.count(USERINFO), 0);
}

#[tokio::test]
async fn userinfo_that_is_not_wanted_is_left_out_and_a_token_that_it_refuses_is_refused() {
    let world = World::new().await;
    world.reply(INTROSPECTION, active(&world, &json!({})));
    for status in [401, 403] {
        world.reply(
            USERINFO,
            Reply::Json(status, json!({"error": "insufficient_scope"})),
        );
        // Introspection calls a refresh token active too.
        let refused = refusal(world.introspecting(|_| {}).bearer("opaque").await);
        assert_eq!(refused, Refusal::Userinfo);
    }
    userinfo(&world);
    let before = world.count(USERINFO);
    let without = world.introspecting(|settings| settings.claims_from = vec![ClaimsFrom::IdToken]);
    let claims = without.bearer("opaque").await.unwrap();
    assert_eq!(
        (claims.get("groups"), world.count(USERINFO)),
        (None, before)
    );
}

#[tokio::test]
async fn userinfo_may_be_signed() {
    let world = World::new().await;
    world.reply(INTROSPECTION, active(&world, &json!({})));
    let sign = |changes: Value| {
        let told = json!({"iss": world.issuer, "aud": CLIENT, "sub": "alice", "groups": ["ops"]});
        let token = world
            .key
            .sign(&json!({"alg": "ES256"}), &changed(told, &changes));
        world.reply(
            USERINFO,
            Reply::Text(200, "application/jwt; charset=utf-8", token),
        );
    };
    let client = world.introspecting(|_| {});
    sign(json!({}));
    let claims = client.bearer("opaque").await.unwrap();
    assert_eq!(claims.get("groups"), Some(&json!(["ops"])));
    sign(json!({"aud": "other"}));
    let refused = refusal(client.bearer("opaque").await);
    assert!(matches!(refused, Refusal::Audience { .. }), "{refused}");
}

#[tokio::test]
async fn a_token_that_the_provider_does_not_vouch_for_is_refused() {
    let world = World::new().await;
    userinfo(&world);
    let client = world.introspecting(|_| {});
    for told in [
        json!({"active": false}),
        json!({"active": "true", "sub": "alice"}),
        json!({"sub": "alice"}),
    ] {
        world.reply(INTROSPECTION, Reply::Json(200, told));
        assert_eq!(refusal(client.bearer("opaque").await), Refusal::Inactive);
    }
    for (changes, expected) in [
        (json!({"exp": NOW - 61}), "ended 61 s ago"),
        (json!({"nbf": NOW + 61}), "begins in 61 s"),
        (
            json!({"iss": "http://other"}),
            r#"issued by "http://other""#,
        ),
        (json!({"aud": "nova"}), r#"for "nova""#),
        (json!({"cnf": {"x5t#S256": "x"}}), "bound to a key"),
        (
            json!({"token_type": "refresh_token"}),
            r#"type "refresh_token""#,
        ),
        (json!({"typ": "Refresh"}), r#"type "a refresh token""#),
        (json!({"at_hash": "x"}), r#"type "an ID token""#),
        (json!({"events": {}}), r#"type "a logout token""#),
        (
            json!({"client_id": null}),
            "names no audience and was issued to",
        ),
        (json!({"client_id": "nova"}), r#"issued to "nova""#),
        (json!({"sub": "mallory"}), "another subject"),
    ] {
        world.reply(INTROSPECTION, active(&world, &changes));
        let refused = refusal(client.bearer("opaque").await).to_string();
        assert!(refused.contains(expected), "{changes}: {refused}");
    }
}

#[tokio::test]
async fn without_an_audience_the_client_id_of_this_server_counts() {
    let world = World::new().await;
    let client = world.introspecting(|settings| settings.audience.clear());
    for (changes, is_accepted) in [
        (json!({}), false),
        (json!({"client_id": CLIENT}), true),
        (json!({"aud": [CLIENT, "nova"]}), true),
    ] {
        let told = changed(json!({"active": true, "client_id": "cli"}), &changes);
        world.reply(INTROSPECTION, Reply::Json(200, told));
        let outcome = client.bearer("opaque").await;
        assert_eq!(outcome.is_ok(), is_accepted, "{changes}");
    }
}

#[tokio::test]
async fn an_audience_that_the_operator_wants_must_be_told() {
    let world = World::new().await;
    let client = world.introspecting(|settings| settings.audience = vec!["cloud".into()]);
    world.reply(INTROSPECTION, active(&world, &json!({"sub": null})));
    let refused = refusal(client.bearer("opaque").await);
    assert!(matches!(refused, Refusal::Client { .. }), "{refused}");
    let told = |changes| world.reply(INTROSPECTION, active(&world, &changes));
    told(json!({"sub": null, "aud": ["cloud"]}));
    client.bearer("opaque").await.unwrap();
    // The client counts only where there is no audience.
    told(json!({"sub": null, "aud": "nova", "client_id": "cloud"}));
    let refused = refusal(client.bearer("opaque").await);
    assert!(matches!(refused, Refusal::Audience { .. }), "{refused}");
}

#[tokio::test]
async fn an_endpoint_that_is_of_no_use_says_why() {
    let world = World::new().await;
    let client = world.introspecting(|_| {});
    for (reply, kind, expected) in [
        (
            Reply::Json(401, json!({"error": "invalid_client"})),
            "unusable",
            "check client_id",
        ),
        (Reply::Json(500, json!({})), "away", "500"),
        (
            Reply::Text(200, "text/html", "<html>".into()),
            "unusable",
            "no JSON object",
        ),
        (Reply::Redirect, "unusable", "not followed"),
    ] {
        world.reply(INTROSPECTION, reply);
        let (found, text) = trouble(client.bearer("opaque").await);
        assert_eq!(found, kind, "{text}");
        assert!(text.contains(expected) && !text.contains("s3cr"), "{text}");
    }
    world.documented("introspection_endpoint", json!(null));
    let (_, text) = trouble(world.introspecting(|_| {}).bearer("opaque").await);
    assert!(text.contains("names no introspection_endpoint"), "{text}");
}
