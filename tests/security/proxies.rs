//! What a web server in front vouches for: `[trusted_proxy]`, `external` and `kerberos`.

use axum::body::Body;
use axum::http::Request;
use chrono::Duration;
use keystone::Settings;
use keystone::api::{Network, TrustedProxy};
use keystone::auth::ExternalDomain;
use keystone_testkit::{Answer, Session};
use serde_json::{Value, json};

use crate::world::{World, subject};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What is wrong, who sends it, and the headers.
type Attempt<'a> = (&'a str, &'a Session, Vec<(&'a str, &'a str)>);

/// A server behind a proxy at 10.0.0.0/8.
fn behind_proxy() -> Settings {
    let mut settings = Settings::default();
    settings.auth.methods.push("kerberos".to_owned());
    settings.api.trusted_proxy = Some(TrustedProxy {
        addresses: vec![Network::parse("10.0.0.0/8").expect("a network")],
        secret: SECRET.into(),
        variables: ["REMOTE_USER", "REMOTE_DOMAIN", "AUTH_TYPE"]
            .map(str::to_owned)
            .into(),
        header_prefixes: Vec::new(),
    });
    settings
}

/// A login by these methods, of which `password` is alice's, with headers.
async fn log_in(session: &Session, methods: &[&str], headers: &[(&str, &str)]) -> Answer {
    let mut identity = json!({ "methods": methods });
    for method in methods {
        identity[method] = json!({});
    }
    let alice = json!({ "name": "alice", "domain": { "id": "default" }, "password": "alice" });
    identity["password"] = json!({ "user": alice });
    let mut request = Request::builder()
        .method("POST")
        .uri("/v3/auth/tokens")
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = json!({ "auth": { "identity": identity } }).to_string();
    let request = request.body(Body::from(body)).expect("a request");
    session.send(request).await
}

/// The headers of the proxy for a user.
fn vouching(user: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("x-keystone-proxy-secret", SECRET),
        ("x-keystone-env-remote-user", user),
    ]
}

fn methods(answer: &Answer) -> &Value {
    assert_eq!(answer.status, 201, "{}", answer.body);
    &answer.body["token"]["methods"]
}

#[tokio::test]
async fn sec_47_a_user_in_headers_counts_from_the_proxy_that_proves_itself_only() {
    let world = World::with(behind_proxy()).await;
    let nobody = world.cloud.nobody();
    let proxy = nobody.from([10, 1, 2, 3].into());
    let answer = log_in(&proxy, &["external"], &vouching("alice")).await;
    assert_eq!(methods(&answer), &json!(["external"]));
    assert_eq!(answer.body["token"]["user"]["id"], world.alice.as_str());

    let own_word = [("x-keystone-env-remote-user", "alice")];
    let wrong = (
        "x-keystone-proxy-secret",
        "0123456789abcdef0123456789abcdee",
    );
    let spoofed: [Attempt<'_>; 7] = [
        ("no secret", &proxy, own_word.to_vec()),
        ("another secret", &proxy, vec![wrong, own_word[0]]),
        (
            "another address",
            &nobody.from([11, 0, 0, 1].into()),
            vouching("alice"),
        ),
        ("no connection", &nobody, vouching("alice")),
        (
            "the client's header beside the proxy's",
            &proxy,
            [
                vouching("alice"),
                vec![("x-keystone-env-remote-user", "bob")],
            ]
            .concat(),
        ),
        (
            "another spelling",
            &proxy,
            vec![vouching("")[0], ("x-keystone-env-remote_user", "alice")],
        ),
        (
            "names of other servers",
            &proxy,
            vec![
                vouching("")[0],
                ("remote-user", "alice"),
                ("remote_user", "alice"),
                ("x-remote-user", "alice"),
            ],
        ),
    ];
    for (how, session, headers) in spoofed {
        let answer = log_in(session, &["external"], &headers).await;
        assert_eq!(answer.status, 401, "{how}: {}", answer.body);
        // Neither do they take part in a login that does not ask for them.
        let answer = log_in(session, &["password"], &headers).await;
        assert_eq!(methods(&answer), &json!(["password"]), "{how}");
    }
}

#[tokio::test]
async fn sec_47_without_a_trusted_proxy_no_header_names_a_user() {
    let world = World::new().await;
    let session = world.cloud.nobody().from([10, 0, 0, 1].into());
    let answer = log_in(&session, &["external"], &vouching("alice")).await;
    assert_eq!(answer.status, 401);
    let answer = log_in(&session, &["password"], &vouching("bob")).await;
    assert_eq!(methods(&answer), &json!(["password"]));
}

#[tokio::test]
async fn a_user_of_the_proxy_joins_a_login_that_does_not_ask_for_it() {
    let world = World::with(behind_proxy()).await;
    let proxy = world.cloud.nobody().from([10, 0, 0, 1].into());
    let both = log_in(&proxy, &["password"], &vouching("alice")).await;
    assert_eq!(methods(&both), &json!(["external", "password"]));
    let other = log_in(&proxy, &["password"], &vouching("bob")).await;
    assert_eq!(other.status, 401);
    for unknown in ["nobody", ""] {
        let answer = log_in(&proxy, &["password"], &vouching(unknown)).await;
        assert_eq!(methods(&answer), &json!(["password"]), "{unknown}");
    }
}

#[tokio::test]
async fn the_token_of_a_disabled_user_of_the_proxy_is_not_valid() {
    let world = World::with(behind_proxy()).await;
    world
        .patch(
            &format!("/v3/users/{}", world.alice),
            "user",
            &json!({ "enabled": false }),
        )
        .await;
    // Later than the event that ends the tokens before.
    world.cloud.advance(Duration::seconds(1));
    let proxy = world.cloud.nobody().from([10, 0, 0, 1].into());
    let answer = log_in(&proxy, &["external"], &vouching("alice")).await;
    world.gone(&subject(&answer)).await;
}

#[tokio::test]
async fn the_domain_of_a_user_is_the_proxy_s_to_name_where_it_is_configured() {
    for (external, expected) in [
        (ExternalDomain::Default, 401),
        (ExternalDomain::Remote, 201),
    ] {
        let mut settings = behind_proxy();
        settings.auth.external = external;
        let world = World::with(settings).await;
        let domain = world
            .make("/v3/domains", "domain", &json!({ "name": "Acme" }))
            .await;
        let carol = json!({ "name": "carol", "domain_id": domain });
        let carol = world.make("/v3/users", "user", &carol).await;
        let proxy = world.cloud.nobody().from([10, 0, 0, 1].into());
        let mut headers = vouching("carol");
        headers.push(("x-keystone-env-remote-domain", "Acme"));
        let answer = log_in(&proxy, &["external"], &headers).await;
        assert_eq!(answer.status, expected, "{external:?}: {}", answer.body);
        if expected == 201 {
            assert_eq!(answer.body["token"]["user"]["id"], carol.as_str());
        }
        // Kerberos always takes the domain, and only where it is what authenticated.
        let answer = log_in(&proxy, &["kerberos"], &headers).await;
        assert_eq!(answer.status, 401);
        headers.push(("x-keystone-env-auth-type", "Negotiate"));
        let answer = log_in(&proxy, &["kerberos"], &headers).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        headers[2].1 = "Nowhere";
        let answer = log_in(&proxy, &["kerberos"], &headers).await;
        assert_eq!(answer.status, 401);
    }
}
