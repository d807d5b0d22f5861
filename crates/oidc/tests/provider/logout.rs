//! Logout tokens.

use keystone_oidc::{Logout, Refusal};
use serde_json::{Value, json};

use crate::world::{CLIENT, NOW, World, changed, refusal};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn token(world: &World, typ: &str, changes: &Value) -> String {
    let claims = json!({
        "iss": world.issuer, "aud": CLIENT, "sub": "alice", "sid": "s1", "jti": "j1",
        "iat": NOW, "exp": NOW + 120, "events": {EVENT: {}},
    });
    let header = json!({"alg": "ES256", "kid": "k1", "typ": typ});
    world.key.sign(&header, &changed(claims, changes))
}

#[tokio::test]
async fn a_logout_names_the_user_or_the_session() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let logout = client
        .logout_token(&token(&world, "logout+jwt", &json!({})))
        .await
        .unwrap();
    let expected = Logout {
        subject: Some("alice".into()),
        session: Some("s1".into()),
        id: "j1".into(),
        until: NOW + 180,
    };
    assert_eq!(logout, expected);
    let logout = client
        .logout_token(&token(&world, "JWT", &json!({"sub": null})))
        .await
        .unwrap();
    assert_eq!(
        (logout.subject, logout.session.as_deref()),
        (None, Some("s1"))
    );
}

#[tokio::test]
async fn nothing_else_passes_for_a_logout() {
    let world = World::new().await;
    let client = world.client(|_| {});
    for (changes, expected) in [
        (
            json!({"iss": "http://other"}),
            r#"issued by "http://other""#,
        ),
        (json!({"aud": "other"}), r#"for "other""#),
        (json!({"exp": NOW - 60}), "ended 60 s ago"),
        (json!({"exp": null}), r#"claim "exp""#),
        (json!({"iat": null}), r#"claim "iat""#),
        (json!({"jti": null}), r#"claim "jti""#),
        (json!({"sub": null, "sid": null}), r#"claim "sub""#),
        (json!({"events": null}), r#"claim "events""#),
        (json!({"events": {EVENT: true}}), r#"claim "events""#),
        (json!({"events": {"other": {}}}), r#"claim "events""#),
        (json!({"nonce": "n"}), r#"claim "nonce""#),
    ] {
        let refused = refusal(
            client
                .logout_token(&token(&world, "logout+jwt", &changes))
                .await,
        );
        assert!(
            refused.to_string().contains(expected),
            "{changes}: {refused}"
        );
    }
    let refused = refusal(
        client
            .logout_token(&token(&world, "at+jwt", &json!({})))
            .await,
    );
    assert!(matches!(refused, Refusal::Type { .. }), "{refused}");
    let refused = refusal(
        client
            .bearer(&token(&world, "logout+jwt", &json!({})))
            .await,
    );
    assert!(matches!(refused, Refusal::Type { .. }), "{refused}");
}
