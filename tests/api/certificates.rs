//! Callers and clients by certificate: tokenless authorisation, and `OAuth2` tokens that are bound to a certificate.

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone::api::Environment;
use keystone::auth::ClientRefused;
use keystone_testkit::{Answer, Cloud, Ids, StoredMapping, trusted_proxy};
use serde_json::{Value, json};

const ISSUER: &str = "CN=ca,O=test";
/// SHA-256 of the issuer, which is the id of its identity provider.
const IDENTITY_PROVIDER: &str = "b5f519185b4351a0aff5c1fdb293c4a42c49a76b91319e65cf49c80949481669";

/// A cloud behind a proxy that vouches for certificates, with alice a member of p1.
struct Place {
    cloud: Cloud,
    alice: String,
    project: String,
}

impl Place {
    async fn new() -> Self {
        let mut settings = Settings::default();
        settings.auth.tokenless.trusted_issuers = vec![ISSUER.to_owned()];
        let variables = ["SSL_CLIENT_I_DN", "SSL_CLIENT_S_DN_CN"];
        settings.api.trusted_proxy = Some(trusted_proxy(variables));
        let cloud = Box::pin(Cloud::with(settings)).await;
        let (alice, project) = (cloud.user("alice").await, cloud.project("p1").await);
        cloud.grant(&alice, &project, "member").await;
        Self {
            cloud,
            alice,
            project,
        }
    }

    /// Stores a mapping, and the identity provider of the issuer with it.
    async fn mapped(&self, rules: &Value) {
        let mapping = StoredMapping::new("certificates", rules).of(IDENTITY_PROVIDER, "x509");
        self.cloud.store_mapping(&mapping, &Ids::new()).await;
    }

    async fn change(&self, user: &str, attributes: &Value) {
        let admin = self.cloud.admin().await;
        let path = format!("/v3/users/{user}");
        admin
            .patch(&path, &json!({ "user": attributes }))
            .await
            .ok();
    }

    async fn mapping(&self, id: &str, rules: &Value) {
        let mapping = StoredMapping::new(id, rules);
        self.cloud.store_mapping(&mapping, &Ids::new()).await;
    }

    /// `GET` through the proxy for a client with a certificate.
    async fn get(&self, path: &str, issuer: &str, scope: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().uri(path);
        for (name, value) in scope {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        let vouched = [("SSL_CLIENT_I_DN", issuer), ("SSL_CLIENT_S_DN_CN", "alice")];
        self.cloud.nobody().send_vouched(request, vouched).await
    }
}

fn local_user() -> Value {
    json!([{
        "remote": [{ "type": "SSL_CLIENT_S_DN_CN" }],
        "local": [{ "user": { "name": "{0}", "domain": { "id": "default" }, "type": "local" } }],
    }])
}

#[tokio::test]
async fn a_certificate_of_a_trusted_issuer_stands_for_a_token() {
    let place = Place::new().await;
    place.mapped(&local_user()).await;
    // Rules that look into the token, which is null here, refuse: in Keystone they fail.
    let user = format!("/v3/users/{}", place.alice);
    let own = format!("{user}/projects");
    let on_p1 = [("x-project-id", place.project.as_str())];
    let answer = place.get(&own, ISSUER, &on_p1).await;
    assert_eq!(answer.ok()["projects"][0]["name"], "p1");
    place.get(&user, ISSUER, &on_p1).await.refused(403);
    let by_name = [("x-project-name", "p1"), ("x-project-domain-id", "default")];
    place.get(&own, ISSUER, &by_name).await.ok();
    place.get("/v3/users", ISSUER, &on_p1).await.refused(403);
    // What outlives a certificate is not to be had by it.
    for keys in [
        "/v3/credentials".to_owned(),
        format!("{user}/application_credentials"),
        format!("{user}/credentials/OS-EC2"),
        format!("{user}/OS-OAUTH1/access_tokens"),
    ] {
        place.get(&keys, ISSUER, &on_p1).await.refused(403);
    }

    place
        .get(&own, "CN=other,O=test", &on_p1)
        .await
        .refused(401);
    let answer = place.get(&own, ISSUER, &[]).await;
    assert!(
        answer
            .refused(400)
            .starts_with("Expecting to find project or domain in scope.")
    );
    let answer = place.get(&own, ISSUER, &[("x-project-name", "p1")]).await;
    let text = "Neither Project Domain ID nor Project Domain Name was provided.";
    assert_eq!(answer.refused(400), text);
    place
        .get(&own, ISSUER, &[("x-project-id", "nowhere")])
        .await
        .refused(401);
    let change = json!({ "user": { "enabled": false } });
    place.cloud.admin().await.patch(&user, &change).await.ok();
    place.get(&own, ISSUER, &on_p1).await.refused(401);
}

#[tokio::test]
async fn a_user_of_a_disabled_domain_is_not_let_in_by_a_certificate() {
    let place = Place::new().await;
    let admin = place.cloud.admin().await;
    let domain = json!({ "domain": { "name": "acme" } });
    let domain = admin.post("/v3/domains", &domain).await.created();
    let domain = domain["domain"]["id"].as_str().unwrap();
    let alice = json!({ "user": { "name": "alice", "domain_id": domain } });
    admin.post("/v3/users", &alice).await.created();
    let mut rules = local_user();
    place.mapped(&rules).await;
    let on_p1 = [("x-project-id", place.project.as_str())];
    for named in [json!({ "id": domain }), json!({ "name": "acme" })] {
        rules[0]["local"][0]["user"]["domain"] = named;
        place.mapping("certificates", &rules).await;
        let path = format!("/v3/domains/{domain}");
        for (enabled, status) in [(true, 200), (false, 401), (true, 200)] {
            let change = json!({ "domain": { "enabled": enabled } });
            admin.patch(&path, &change).await.ok();
            let answer = place.get("/v3/auth/projects", ISSUER, &on_p1).await;
            assert_eq!(answer.status, status, "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn no_header_beside_a_certificate_is_an_attribute_of_its_caller() {
    let place = Place::new().await;
    place.mapped(&local_user()).await;
    let scope = ("x-project-id", place.project.as_str());
    let bob = place.cloud.user("bob").await;
    for (name, value) in [
        ("openstack-system-scope", "all"),
        ("x-roles", "admin"),
        ("x-user-domain-id", "default"),
        ("x-project-domain-id", "default"),
        ("x-is-admin-project", "true"),
        ("x-service-roles", "service"),
    ] {
        let sent = [scope, (name, value)];
        for path in ["/v3/users", "/v3/domains", "/v3/auth/tokens"] {
            place.get(path, ISSUER, &sent).await.refused(403);
        }
    }
    let sent = [scope, ("x-user-id", bob.as_str())];
    let of_bob = format!("/v3/users/{bob}/projects");
    place.get(&of_bob, ISSUER, &sent).await.refused(403);
}

#[tokio::test]
async fn a_certificate_without_a_mapping_or_a_rule_for_it_is_refused() {
    let place = Place::new().await;
    let on_p1 = [("x-project-id", place.project.as_str())];
    let answer = place.get("/v3/users", ISSUER, &on_p1).await;
    let text = format!(
        "Could not find federated protocol x509 for Identity Provider: {IDENTITY_PROVIDER}."
    );
    assert_eq!(answer.refused(404), text);
    place
        .mapped(&json!([{
            "remote": [{ "type": "SSL_CLIENT_S_DN_CN", "any_one_of": ["bob"] }],
            "local": [{ "user": { "name": "bob" } }],
        }]))
        .await;
    let answer = place.get("/v3/users", ISSUER, &on_p1).await;
    assert!(
        answer
            .refused(400)
            .starts_with("Could not map any federated user properties")
    );
}

#[tokio::test]
async fn the_groups_of_a_mapping_give_a_caller_without_a_user_roles() {
    let place = Place::new().await;
    let admin = place.cloud.admin().await;
    let group = json!({ "group": { "name": "admins", "domain_id": "default" } });
    let group = admin.post("/v3/groups", &group).await.created();
    let id = group["group"]["id"].as_str().unwrap();
    let role = place.cloud.role("admin").await;
    let grant = format!("/v3/projects/{}/groups/{id}/roles/{role}", place.project);
    admin.put(&grant).await.no_content();
    place
        .mapped(&json!([{
            "remote": [{ "type": "SSL_CLIENT_S_DN_CN" }],
            "local": [
                { "user": { "name": "{0}" } },
                { "groups": "['admins', 'unknown']", "domain": { "name": "Default" } },
                { "group": { "id": id } },
            ],
        }]))
        .await;
    let on_p1 = [("x-project-id", place.project.as_str())];
    place.get("/v3/users", ISSUER, &on_p1).await.ok();
    let on_default = [("x-domain-id", "default")];
    place
        .get("/v3/users", ISSUER, &on_default)
        .await
        .refused(403);
    // It is nobody of the database, and reaches what its groups do.
    let projects = place.get("/v3/auth/projects", ISSUER, &on_p1).await.ok();
    assert_eq!(projects["projects"][0]["id"], place.project.as_str());
    let system = async || {
        let found = place.get("/v3/auth/system", ISSUER, &on_p1).await.ok();
        found["system"].clone()
    };
    assert_eq!(system().await, json!([]));
    let on_system = format!("/v3/system/groups/{id}/roles/{role}");
    admin.put(&on_system).await.no_content();
    assert_eq!(system().await, json!([{ "all": true }]));
    let below = json!({ "project": { "name": "below", "domain_id": "default", "parent_id": place.project } });
    let below = admin.post("/v3/projects", &below).await.created();
    let below = below["project"]["id"].as_str().unwrap();
    let path = format!("/v3/projects/{below}?parents_as_list");
    let parents = place.get(&path, ISSUER, &on_p1).await.ok();
    let parents = parents["project"]["parents"].as_array().unwrap();
    let ids = parents.iter().map(|parent| &parent["project"]["id"]);
    assert_eq!(ids.collect::<Vec<_>>(), [place.project.as_str()]);
    let asked = place.get("/v3/regions", ISSUER, &on_p1);
    let (_, statements) = place.cloud.statements(asked).await;
    assert_eq!(statements.len(), 7, "{statements:#?}");
    admin.delete(&format!("/v3/groups/{id}")).await.no_content();
    place.get("/v3/users", ISSUER, &on_p1).await.refused(500);
}

/// The certificate of `CN=alice`, as `mod_ssl` has it.
fn certificate() -> Environment {
    let vector = vector();
    let pem = vector["pem"].as_str().expect("a text");
    [("SSL_CLIENT_CERT", pem)].into_iter().collect()
}

/// That certificate, with its thumbprint.
fn vector() -> Value {
    let vectors = include_str!("../../crates/auth/src/certificate/vectors.json");
    let mut vectors: Value = serde_json::from_str(vectors).expect("a list of certificates");
    vectors[0].take()
}

fn whose(name: &str) -> Value {
    json!([{
        "remote": [{ "type": "SSL_CLIENT_SUBJECT_DN_CN" }, { "type": "SSL_CLIENT_ISSUER_DN_CN", "any_one_of": ["alice"] }],
        "local": [{ "user": { "name": name, "domain": { "name": "Default" } } }],
    }])
}

#[tokio::test]
async fn a_client_gets_a_token_that_is_bound_to_its_certificate() {
    let place = Place::new().await;
    let auth = place.cloud.keystone.auth();
    let reason = async |id: &str, environment: &Environment| match auth
        .issue_for_certificate(id, environment)
        .await
    {
        Err(ClientRefused::Unauthenticated(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let alice = place.alice.as_str();
    assert_eq!(
        reason(alice, &Environment::default()).await,
        "SSL_CLIENT_CERT is no certificate"
    );
    assert_eq!(
        reason("nobody", &certificate()).await,
        "there is no such user"
    );
    assert_eq!(
        reason(alice, &certificate()).await,
        "the user has no default project"
    );
    let admin = place.cloud.admin().await;
    place
        .change(alice, &json!({ "default_project_id": place.project }))
        .await;
    assert!(
        reason(alice, &certificate())
            .await
            .starts_with("there is no mapping oauth2_mapping")
    );
    place.mapping("oauth2_mapping", &whose("{0}")).await;

    let token = auth
        .issue_for_certificate(alice, &certificate())
        .await
        .unwrap();
    let body = admin.validate(&token.id).await.ok();
    let bound = json!({ "x5t#S256": vector()["thumbprint"] });
    assert_eq!(body["token"]["oauth2_credential"], bound);
    assert_eq!(body["token"]["methods"], json!([]));
    assert_eq!(body["token"]["project"]["id"], place.project.as_str());
    assert_eq!(body["token"]["roles"].as_array().map(Vec::len), Some(2));
    // It is delegated, and can't be exchanged.
    let identity = json!({ "methods": ["token"], "token": { "id": token.id } });
    let held = json!({ "auth": { "identity": identity } });
    let nobody = place.cloud.nobody();
    nobody.post("/v3/auth/tokens", &held).await.refused(403);

    // Another user's certificate, and a user who is disabled.
    let bob = place.cloud.user("bob").await;
    place
        .change(&bob, &json!({ "default_project_id": place.project }))
        .await;
    let text = format!("the certificate is of another name than user {bob}");
    assert_eq!(reason(&bob, &certificate()).await, text);
    place.change(alice, &json!({ "enabled": false })).await;
    let token = auth
        .issue_for_certificate(alice, &certificate())
        .await
        .unwrap();
    admin.validate(&token.id).await.refused(404);
}
