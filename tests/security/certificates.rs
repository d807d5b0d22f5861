//! Callers and clients by certificate: who may vouch for one, and what it does not lead to.

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone::storage::sql;
use keystone_testkit::{Answer, Session, sign_tokens, trusted_proxy};
use serde_json::{Value, json};

use crate::world::{World, on_project, subject, text};

const ISSUER: &str = "CN=ca,O=test";
/// SHA-256 of the issuer, which is the id of its identity provider.
const IDENTITY_PROVIDER: &str = "b5f519185b4351a0aff5c1fdb293c4a42c49a76b91319e65cf49c80949481669";

/// A world behind a proxy that vouches for certificates. Alice administers the first project, which is her default.
async fn world() -> World {
    world_with(Settings::default()).await
}

async fn world_with(mut settings: Settings) -> World {
    settings.auth.tokenless.trusted_issuers = vec![ISSUER.to_owned()];
    let variables = ["SSL_CLIENT_I_DN", "SSL_CLIENT_S_DN_CN", "SSL_CLIENT_CERT"];
    settings.api.trusted_proxy = Some(trusted_proxy(variables));
    let world = World::with(settings).await;
    world.cloud.grant(&world.alice, &world.p1, "admin").await;
    let path = format!("/v3/users/{}", world.alice);
    let change = json!({ "default_project_id": world.p1 });
    world.patch(&path, "user", &change).await;
    let db = world.cloud.keystone.db();
    for insert in [
        sql("INSERT INTO identity_provider (id, enabled, domain_id) VALUES (?, 1, 'default')"),
        sql(
            "INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES (?, 'x509', 'certificates')",
        ),
    ] {
        let inserted = insert.bind(IDENTITY_PROVIDER).execute(db).await;
        inserted.expect("a new row");
    }
    for (id, variable) in [
        ("certificates", "SSL_CLIENT_S_DN_CN"),
        ("oauth2_mapping", "SSL_CLIENT_SUBJECT_DN_CN"),
    ] {
        let rules = json!([{
            "remote": [{ "type": variable }],
            "local": [{ "user": { "name": "{0}", "domain": { "id": "default" }, "type": "local" } }],
        }]);
        // Python Keystone stores the rules as a text.
        let rules = Value::from(rules.to_string()).to_string();
        let insert = sql("INSERT INTO mapping (id, rules, schema_version) VALUES (?, ?, '1.0')");
        let inserted = insert.bind(id).bind(rules).execute(db).await;
        inserted.expect("a new row");
    }
    world
}

/// The certificate of `CN=alice`, with its thumbprint.
fn vector() -> Value {
    let vectors = include_str!("../../crates/auth/src/certificate/vectors.json");
    let mut vectors: Value = serde_json::from_str(vectors).expect("a list of certificates");
    vectors[0].take()
}

fn certificate() -> String {
    text(&vector()["pem"])
}

/// A request of a caller whose certificate is alice's and an issuer's, on the first project.
async fn tokenless(world: &World, issuer: &str, request: (&str, &str, &Value)) -> Answer {
    let request = on_first(world, request);
    let vouched = [("SSL_CLIENT_I_DN", issuer), ("SSL_CLIENT_S_DN_CN", "alice")];
    world.cloud.nobody().send_vouched(request, vouched).await
}

fn on_first(world: &World, (method, path, body): (&str, &str, &Value)) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request
        .header("x-project-id", &world.p1)
        .header("content-type", "application/json");
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    request.body(body).expect("a request")
}

/// The request of an `OAuth2` client.
fn client(id: &str) -> Request<Body> {
    let form = format!("grant_type=client_credentials&client_id={id}");
    Request::post("/v3/OS-OAUTH2/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .expect("a request")
}

/// A session with a token that is bound to alice's certificate.
async fn bound(world: &World) -> Session {
    let nobody = world.cloud.nobody();
    let pem = certificate();
    let answer = nobody
        .send_vouched(client(&world.alice), [("SSL_CLIENT_CERT", pem.as_str())])
        .await;
    nobody.with_token(&text(&answer.ok()["access_token"]))
}

#[tokio::test]
async fn sec_47_a_certificate_counts_from_the_proxy_that_proves_itself_only() {
    let world = world().await;
    let request = ("GET", "/v3/users", &Value::Null);
    tokenless(&world, ISSUER, request).await.ok();
    tokenless(&world, "CN=other,O=test", request)
        .await
        .refused(401);
    bound(&world).await;
    let pem = certificate().replace('\n', " ");
    let variables = [
        ("ssl-client-i-dn", ISSUER),
        ("ssl-client-s-dn-cn", "alice"),
        ("ssl-client-cert", &pem),
    ];
    for prefix in ["", "x-", "x-keystone-env-"] {
        for secret in [None, Some("0123456789abcdef0123456789abcdee")] {
            for mut request in [on_first(&world, request), client(&world.alice)] {
                let headers = request.headers_mut();
                if let Some(secret) = secret {
                    let secret = secret.parse().expect("a header's value");
                    headers.insert("x-keystone-proxy-secret", secret);
                }
                for (name, value) in variables {
                    let name = format!("{prefix}{name}");
                    let name = axum::http::HeaderName::try_from(name).expect("a header's name");
                    headers.insert(name, value.parse().expect("a header's value"));
                }
                let proxy = world.cloud.nobody().from([10, 0, 0, 1].into());
                let answer = proxy.send(request).await;
                assert_eq!(answer.status, 401, "{prefix} {secret:?}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn sec_47_a_certificate_is_its_users_and_no_one_elses() {
    let world = world().await;
    let path = format!("/v3/users/{}", world.bob);
    let change = json!({ "default_project_id": world.p1 });
    world.patch(&path, "user", &change).await;
    let pem = certificate();
    for id in [&world.bob, &world.eve] {
        let vouched = [("SSL_CLIENT_CERT", pem.as_str())];
        let nobody = world.cloud.nobody();
        let answer = nobody.send_vouched(client(id), vouched).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
    }
    // A caller by certificate who is disabled is nobody.
    let path = format!("/v3/users/{}", world.alice);
    let token = bound(&world).await;
    world.lives(token.token()).await;
    world
        .patch(&path, "user", &json!({ "enabled": false }))
        .await;
    world.gone(token.token()).await;
    tokenless(&world, ISSUER, ("GET", "/v3/users", &Value::Null))
        .await
        .refused(401);
}

/// Requests for what would outlive a certificate or a delegation.
async fn lasting(world: &World) -> Vec<(&'static str, String, Value)> {
    let alice = &world.alice;
    let user = format!("/v3/users/{alice}");
    let reader = world.cloud.role("reader").await;
    let request = world.cloud.consumer().await.request_token(&world.p1).await;
    let blob = json!({ "access": "a", "secret": "s" }).to_string();
    let credential = |kind: &str, blob: &str| {
        let fields =
            json!({ "type": kind, "blob": blob, "user_id": alice, "project_id": world.p1 });
        json!({ "credential": fields })
    };
    let trust = json!({ "trustor_user_id": alice, "trustee_user_id": world.bob, "impersonation": true,
                        "project_id": world.p1, "roles": [{ "id": reader }] });
    vec![
        (
            "POST",
            "/v3/credentials".to_owned(),
            credential("ec2", &blob),
        ),
        (
            "POST",
            "/v3/credentials".to_owned(),
            credential("totp", "x"),
        ),
        (
            "POST",
            format!("{user}/credentials/OS-EC2"),
            json!({ "tenant_id": world.p1 }),
        ),
        (
            "POST",
            format!("{user}/application_credentials"),
            json!({ "application_credential": { "name": "a" } }),
        ),
        (
            "PUT",
            format!("/v3/OS-OAUTH1/authorize/{}", request.key),
            json!({ "roles": [{ "id": reader }] }),
        ),
        (
            "POST",
            "/v3/OS-TRUST/trusts".to_owned(),
            json!({ "trust": trust }),
        ),
    ]
}

#[tokio::test]
async fn sec_40_54_70_a_caller_by_certificate_makes_no_credentials() {
    let world = world().await;
    for (method, path, body) in lasting(&world).await {
        let answer = tokenless(&world, ISSUER, (method, &path, &body)).await;
        let status = match path.as_str() {
            // A certificate is its user's own and was not delegated: Keystone lets it make trusts.
            "/v3/OS-TRUST/trusts" => 201,
            // Without a token there are no roles that it could authorize.
            path if path.contains("/authorize/") => 401,
            _ => 403,
        };
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        // Nothing but the kind of caller is in the way.
        let alice = world.on("alice", &world.p1).await;
        let answer = alice.request(method, &path, Some(&body)).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
    }
    let seed = json!({ "type": "totp", "user_id": world.alice, "blob": "x" });
    let seed = world.make("/v3/credentials", "credential", &seed).await;
    for path in ["/v3/credentials", &format!("/v3/credentials/{seed}")] {
        let answer = tokenless(&world, ISSUER, ("GET", path, &Value::Null)).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn sec_40_54_57_70_a_token_bound_to_a_certificate_is_delegated() {
    is_delegated(world().await).await;
}

#[tokio::test]
async fn sec_40_54_57_70_a_signed_token_bound_to_a_certificate_is_delegated() {
    let mut settings = Settings::default();
    let _keys = sign_tokens(&mut settings);
    is_delegated(world_with(settings).await).await;
}

async fn is_delegated(world: World) {
    let token = bound(&world).await;
    let body = world.admin.validate(token.token()).await.ok();
    let thumbprint = &vector()["thumbprint"];
    assert_eq!(&body["token"]["oauth2_credential"]["x5t#S256"], thumbprint);
    for (method, path, body) in lasting(&world).await {
        let answer = token.request(method, &path, Some(&body)).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.body);
    }
    let seed = json!({ "type": "totp", "user_id": world.alice, "blob": "x" });
    let seed = world.make("/v3/credentials", "credential", &seed).await;
    let one = format!("/v3/credentials/{seed}");
    token.get(&one).await.refused(403);
    let listed = token.get("/v3/credentials").await.ok();
    assert_eq!(listed["credentials"], json!([]));
    for scope in [
        Value::Null,
        json!("unscoped"),
        json!({ "system": { "all": true } }),
        on_project(&world.p1),
        on_project(&world.p2),
    ] {
        world.rescope(token.token(), &scope).await.refused(403);
    }
    // Alice's own can be exchanged.
    let alice = world.on("alice", &world.p1).await;
    subject(&world.rescope(alice.token(), &on_project(&world.p2)).await);
}
