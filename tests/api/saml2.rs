//! Keystone to Keystone: assertions for other clouds, through the router. `tests/saml/run` compares them with Keystone's.

use std::path::Path;

use keystone::Settings;
use keystone::storage::sql;
use keystone_testkit::{Answer, Cloud, Session};
use serde_json::{Value, json};

const AUTH_URL: &str = "https://beta.example.org/v3/auth";
const SP_URL: &str = "https://beta.example.org/ecp";

/// A cloud with a key, an administrator, and two service providers: `beta`, and `off`, which is disabled.
async fn stage() -> (Cloud, Session) {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/saml/tests/keys");
    let mut settings = Settings::default();
    settings.auth.saml.certificate = keys.join("idp.pem");
    settings.auth.saml.key = keys.join("idp.key");
    settings.auth.saml.metadata_path = keys.join("idp.pem");
    settings.auth.saml.metadata.entity_id = Some("https://alpha.example.org/idp".to_owned());
    with(settings).await
}

async fn with(settings: Settings) -> (Cloud, Session) {
    let cloud = Cloud::with(settings).await;
    for (id, enabled) in [("beta", true), ("off", false)] {
        sql("INSERT INTO service_provider (id, enabled, auth_url, sp_url, relay_state_prefix) VALUES (?, ?, ?, ?, 'ss:mem:')")
            .bind(id)
            .bind(enabled)
            .bind(AUTH_URL)
            .bind(SP_URL)
            .execute(cloud.keystone.db())
            .await
            .expect("the row is stored");
    }
    let admin = cloud.admin().await;
    (cloud, admin)
}

fn request(token: &str, provider: &str) -> Value {
    json!({ "auth": {
        "identity": { "methods": ["token"], "token": { "id": token } },
        "scope": { "service_provider": { "id": provider } },
    } })
}

async fn exchange(cloud: &Cloud, path: &str, token: &str, provider: &str) -> Answer {
    let path = format!("/v3/auth/OS-FEDERATION/{path}");
    cloud.nobody().post(&path, &request(token, provider)).await
}

#[tokio::test]
async fn a_project_scoped_token_is_exchanged_for_an_assertion() {
    let (cloud, admin) = stage().await;
    for (path, root) in [("saml2", "<ns0:Response "), ("saml2/ecp", "<ns0:Envelope ")] {
        let answer = exchange(&cloud, path, admin.token(), "beta").await;
        for (name, value) in [
            ("content-type", "text/xml"),
            ("x-sp-url", SP_URL),
            ("x-auth-url", AUTH_URL),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
        let body = answer.ok();
        let text = body.as_str().unwrap();
        assert!(text.starts_with(root), "{text}");
        assert!(text.contains("<saml:NameID>admin</saml:NameID>"), "{text}");
        assert!(text.contains(">https://alpha.example.org/idp</saml:Issuer>"));
    }
}

#[tokio::test]
async fn the_assertion_names_the_groups_of_the_user_and_the_roles_of_the_token() {
    let (cloud, admin) = stage().await;
    let (alice, project) = (cloud.user("alice").await, cloud.project("p1").await);
    cloud.grant(&alice, &project, "member").await;
    let body = json!({ "group": { "name": "ops & devs", "domain_id": "default" } });
    let group = admin.post("/v3/groups", &body).await.created();
    let group = group["group"]["id"].as_str().unwrap();
    admin
        .put(&format!("/v3/groups/{group}/users/{alice}"))
        .await
        .no_content();
    let scope = json!({ "project": { "id": project } });
    let alice = cloud.session("alice", "alice", &scope).await;
    let answer = exchange(&cloud, "saml2", alice.token(), "beta").await.ok();
    let text = answer.as_str().unwrap();
    for value in [
        ">member<",
        ">p1<",
        ">JSON:{\"name\": \"ops &amp; devs\", \"domain\": {\"name\": \"Default\"}}<",
    ] {
        assert!(text.contains(value), "{value}: {text}");
    }
    assert!(!text.contains(">admin<"));
}

#[tokio::test]
async fn other_tokens_and_providers_are_refused() {
    let (cloud, admin) = stage().await;
    let system = cloud.system_admin().await;
    let unknown = "0".repeat(32);
    for (token, provider, status) in [
        (admin.token(), "unknown", 404),
        (admin.token(), "off", 403),
        (&unknown, "beta", 404),
        // The service provider is looked at first.
        (&unknown, "off", 403),
        (system.token(), "beta", 403),
    ] {
        exchange(&cloud, "saml2", token, provider)
            .await
            .refused(status);
    }
    admin
        .about("DELETE", "/v3/auth/tokens", admin.token())
        .await
        .no_content();
    exchange(&cloud, "saml2", admin.token(), "beta")
        .await
        .refused(404);
}

#[tokio::test]
async fn what_was_delegated_here_gives_nothing_there() {
    let (cloud, _) = stage().await;
    let (alice, bob) = (cloud.user("alice").await, cloud.user("bob").await);
    let project = cloud.project("p1").await;
    cloud.grant(&alice, &project, "member").await;
    cloud.grant(&bob, &project, "member").await;
    let scope = json!({ "project": { "id": project } });
    let own = cloud.session("alice", "alice", &scope).await;
    let member = json!({ "id": cloud.role("member").await });

    let new =
        json!({ "application_credential": { "name": "c", "secret": "s", "unrestricted": true } });
    let path = format!("/v3/users/{alice}/application_credentials");
    let credential = own.post(&path, &new).await.created()["application_credential"]["id"].clone();
    let identity = json!({
        "methods": ["application_credential"],
        "application_credential": { "id": credential, "secret": "s" },
    });
    let by_credential = json!({ "auth": { "identity": identity } });
    let new = json!({ "trust": {
        "trustor_user_id": alice, "trustee_user_id": bob, "impersonation": true,
        "project_id": project, "roles": [member],
    } });
    let trust = own.post("/v3/OS-TRUST/trusts", &new).await.created()["trust"]["id"].clone();
    let trustee = cloud.session("bob", "bob", &json!("unscoped")).await;
    let by_trust = json!({ "auth": {
        "identity": { "methods": ["token"], "token": { "id": trustee.token() } },
        "scope": { "OS-TRUST:trust": { "id": trust } },
    } });
    for login in [by_credential, by_trust] {
        let answer = cloud.nobody().post("/v3/auth/tokens", &login).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let delegated = answer.header("x-subject-token").unwrap();
        for path in ["saml2", "saml2/ecp"] {
            exchange(&cloud, path, delegated, "beta").await.refused(403);
        }
    }
    exchange(&cloud, "saml2", own.token(), "beta").await.ok();
}

#[tokio::test]
async fn without_a_usable_key_nothing_is_signed() {
    let (cloud, admin) = with(Settings::default()).await;
    let answer = exchange(&cloud, "saml2", admin.token(), "beta").await;
    let message = answer.refused(500);
    assert!(!message.contains("/etc/keystone"), "{message}");
    cloud
        .nobody()
        .get("/v3/OS-FEDERATION/saml2/metadata")
        .await
        .refused(500);
}

#[tokio::test]
async fn the_metadata_are_for_everybody() {
    let (cloud, _) = stage().await;
    let answer = cloud.nobody().get("/v3/OS-FEDERATION/saml2/metadata").await;
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    let text = answer.ok();
    let file = include_str!("../../crates/saml/tests/keys/idp.pem");
    assert_eq!(text, file);
}
