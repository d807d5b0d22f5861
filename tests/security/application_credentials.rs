//! Application credentials: what their tokens may do, for how long, and whose they are.

use axum::body::Body;
use axum::http::Request;
use chrono::Duration;
use keystone_testkit::{Answer, Session};
use serde_json::{Value, json};

use crate::world::{World, on_project, subject, text};

const SECRET: &str = "the secret of the program";

/// Whether a credential may manage others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Restricted,
    Unrestricted,
}

/// Credentials of alice on the first project.
struct Programs {
    world: World,
    alice: Session,
    path: String,
}

impl Programs {
    async fn new() -> Self {
        let world = World::new().await;
        let alice = world.on("alice", &world.p1).await;
        let path = format!("/v3/users/{}/application_credentials", world.alice);
        Self { world, alice, path }
    }

    /// Creates one that has a reader's role; gives its id.
    async fn reader(&self, name: &str, kind: Kind) -> String {
        let unrestricted = kind == Kind::Unrestricted;
        let fields = json!({ "roles": [{ "name": "reader" }], "unrestricted": unrestricted });
        self.make(name, &fields).await
    }

    async fn make(&self, name: &str, fields: &Value) -> String {
        let mut credential = json!({ "name": name, "secret": SECRET });
        if let (Value::Object(credential), Value::Object(fields)) = (&mut credential, fields) {
            credential.extend(fields.clone());
        }
        let body = json!({ "application_credential": credential });
        let made = self.alice.post(&self.path, &body).await.created();
        text(&made["application_credential"]["id"])
    }

    async fn enter(&self, credential: &Value) -> Answer {
        let identity =
            json!({ "methods": ["application_credential"], "application_credential": credential });
        let auth = json!({ "auth": { "identity": identity } });
        let nobody = self.world.cloud.nobody();
        nobody.post("/v3/auth/tokens", &auth).await
    }

    async fn entered(&self, id: &str) -> Session {
        let answer = self.enter(&json!({ "id": id, "secret": SECRET })).await;
        self.world.cloud.nobody().with_token(&subject(&answer))
    }

    /// The tokens of a restricted and of an unrestricted credential of a reader.
    async fn readers(&self) -> [Session; 2] {
        let restricted = self.reader("restricted", Kind::Restricted).await;
        let unrestricted = self.reader("unrestricted", Kind::Unrestricted).await;
        [
            self.entered(&restricted).await,
            self.entered(&unrestricted).await,
        ]
    }

    /// A token gets no EC2 keys on a project, by neither of the two ways.
    async fn gets_no_ec2_keys(&self, token: &Session, project: &str) {
        let new = self.ec2(project);
        token.post("/v3/credentials", &new).await.refused(403);
        let keys = format!("/v3/users/{}/credentials/OS-EC2", self.world.alice);
        let new = json!({ "tenant_id": project });
        token.post(&keys, &new).await.refused(403);
        token.get(&keys).await.refused(403);
    }

    fn ec2(&self, project: &str) -> Value {
        let blob = json!({ "access": "a", "secret": "s" }).to_string();
        let user = &self.world.alice;
        json!({ "credential": { "type": "ec2", "blob": blob, "user_id": user, "project_id": project } })
    }
}

/// A request with headers.
async fn with_headers(
    session: &Session,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let request = request.body(Body::empty());
    session.send(request.expect("a well-formed request")).await
}

#[tokio::test]
async fn sec_40_a_limited_token_makes_nothing_stronger() {
    let programs = Programs::new().await;
    let [restricted, unrestricted] = programs.readers().await;
    let new =
        |roles: Value| json!({ "application_credential": { "name": "more", "roles": roles } });
    for token in [&restricted, &unrestricted] {
        programs.gets_no_ec2_keys(token, &programs.world.p1).await;
        let member = new(json!([{ "name": "member" }]));
        let refused = token.post(&programs.path, &member).await.status;
        assert!(matches!(refused, 400 | 403));
    }
    let all = new(json!([]));
    restricted.post(&programs.path, &all).await.refused(403);
    let made = unrestricted.post(&programs.path, &all).await.created();
    let roles = &made["application_credential"]["roles"];
    assert_eq!(roles.as_array().map(Vec::len), Some(1));
    assert_eq!(roles[0]["name"], "reader");
}

#[tokio::test]
async fn sec_45_a_token_ends_with_its_application_credential() {
    let programs = Programs::new().await;
    let fields = json!({ "expires_at": "2026-01-01T12:02:00" });
    let id = programs.make("brief", &fields).await;
    let answer = programs.enter(&json!({ "id": id, "secret": SECRET })).await;
    let token = subject(&answer);
    assert_eq!(
        answer.body["token"]["expires_at"],
        "2026-01-01T12:02:00.000000Z"
    );
    programs.world.cloud.advance(Duration::seconds(119));
    programs.world.lives(&token).await;
    programs.world.cloud.advance(Duration::seconds(1));
    programs.world.gone(&token).await;
    let late = programs.enter(&json!({ "id": id, "secret": SECRET })).await;
    assert_eq!(late.status, 401);
}

#[tokio::test]
async fn sec_48_a_restricted_application_credential_makes_no_ec2_credential() {
    let programs = Programs::new().await;
    let [restricted, _] = programs.readers().await;
    programs
        .gets_no_ec2_keys(&restricted, &programs.world.p1)
        .await;
}

#[tokio::test]
async fn sec_50_an_application_credential_is_its_owners_whoever_else_is_named() {
    let programs = Programs::new().await;
    let world = &programs.world;
    let id = programs.reader("mine", Kind::Restricted).await;
    for user in [json!({ "id": world.bob }), json!({ "name": "bob" })] {
        let presented = json!({ "id": id, "secret": SECRET, "user": user });
        let token = programs.enter(&presented).await.created();
        assert_eq!(token["token"]["user"]["id"], json!(world.alice));
    }
    // By name it is another user's, who has none of this name.
    let presented = json!({ "name": "mine", "secret": SECRET, "user": { "id": world.bob } });
    assert_eq!(programs.enter(&presented).await.status, 401);
}

#[tokio::test]
async fn sec_52_an_application_credential_manages_no_trusts() {
    let programs = Programs::new().await;
    let (alice, world) = (&programs.alice, &programs.world);
    let trust = json!({ "trust": {
        "trustor_user_id": world.alice, "trustee_user_id": world.bob, "impersonation": false,
        "project_id": world.p1, "roles": [{ "name": "reader" }],
    } });
    let trusts = "/v3/OS-TRUST/trusts";
    let made = alice.post(trusts, &trust).await.created();
    let one = format!("{trusts}/{}", text(&made["trust"]["id"]));
    let own = format!("{trusts}?trustor_user_id={}", world.alice);
    for token in programs.readers().await {
        token.post(trusts, &trust).await.refused(403);
        for path in [&own, &one, &format!("{one}/roles")] {
            token.get(path).await.refused(403);
        }
        token.delete(&one).await.refused(403);
    }
    alice.get(&one).await.ok();
}

#[tokio::test]
async fn a_trust_makes_no_application_credential() {
    let programs = Programs::new().await;
    let (alice, world) = (&programs.alice, &programs.world);
    let id = programs.reader("mine", Kind::Restricted).await;
    let trust = json!({ "trust": {
        "trustor_user_id": world.alice, "trustee_user_id": world.bob, "impersonation": true,
        "project_id": world.p1, "roles": [{ "name": "member" }],
    } });
    let made = alice.post("/v3/OS-TRUST/trusts", &trust).await.created();
    let scope = json!({ "OS-TRUST:trust": { "id": made["trust"]["id"] } });
    let trustee = world.cloud.session("bob", "bob", &scope).await;
    let new = json!({ "application_credential": { "name": "more" } });
    let one = format!("{}/{id}", programs.path);
    let rules = format!("/v3/users/{}/access_rules", world.alice);
    trustee.post(&programs.path, &new).await.refused(403);
    for path in [&programs.path, &one, &rules] {
        trustee.get(path).await.refused(403);
    }
    trustee.delete(&one).await.refused(403);
    alice.get(&one).await.ok();
}

#[tokio::test]
async fn sec_53_an_application_credential_reaches_no_other_project() {
    let programs = Programs::new().await;
    let [_, unrestricted] = programs.readers().await;
    programs
        .gets_no_ec2_keys(&unrestricted, &programs.world.p2)
        .await;
    let scope = on_project(&programs.world.p2);
    let id = programs.reader("scoped", Kind::Unrestricted).await;
    let identity = json!({
        "methods": ["application_credential"],
        "application_credential": { "id": id, "secret": SECRET },
    });
    let auth = json!({ "auth": { "identity": identity, "scope": scope } });
    let nobody = programs.world.cloud.nobody();
    let answer = nobody.post("/v3/auth/tokens", &auth).await;
    let text = answer.refused(401);
    assert!(text.contains("cannot request a scope"), "{text}");
}

#[tokio::test]
async fn sec_54_the_credentials_api_is_closed_to_application_credentials() {
    let programs = Programs::new().await;
    let tokens = programs.readers().await;
    let fields = json!({ "type": "totp", "blob": "seed", "user_id": programs.world.alice });
    let new = json!({ "credential": fields });
    let made = programs.alice.post("/v3/credentials", &new).await.created();
    let one = format!("/v3/credentials/{}", text(&made["credential"]["id"]));
    let change = json!({ "credential": { "blob": "mine" } });
    for token in &tokens {
        token.get(&one).await.refused(403);
        token.patch(&one, &change).await.refused(403);
        token.delete(&one).await.refused(403);
        token.post("/v3/credentials", &new).await.refused(403);
        let seen = token.get("/v3/credentials").await.ok();
        assert_eq!(seen["credentials"], json!([]));
    }
    let seen = programs.alice.get(&one).await.ok();
    assert_eq!(seen["credential"]["blob"], "seed");
}

#[tokio::test]
async fn sec_56_no_secret_is_cut() {
    let programs = Programs::new().await;
    let generated = json!({ "application_credential": { "name": "generated" } });
    let made = programs.alice.post(&programs.path, &generated).await;
    let made = made.created()["application_credential"].clone();
    let secret = text(&made["secret"]);
    assert_eq!(secret.len(), 86);
    let presented = |secret: &str| json!({ "id": made["id"], "secret": secret });
    assert_eq!(programs.enter(&presented(&secret)).await.status, 201);
    let other_end = format!("{}{}", &secret[..72], "A".repeat(14));
    for wrong in [
        format!("{secret}XYZ"),
        secret[..72].to_owned(),
        secret[..85].to_owned(),
        other_end,
    ] {
        assert_eq!(programs.enter(&presented(&wrong)).await.status, 401);
    }
}

#[tokio::test]
async fn sec_57_a_token_of_an_application_credential_is_not_exchanged() {
    let programs = Programs::new().await;
    let world = &programs.world;
    for token in programs.readers().await {
        for scope in [
            Value::Null,
            json!("unscoped"),
            json!({ "system": { "all": true } }),
            on_project(&world.p1),
            on_project(&world.p2),
        ] {
            world.rescope(token.token(), &scope).await.refused(403);
        }
    }
}

#[tokio::test]
async fn sec_67_an_application_credential_of_another_user_is_out_of_reach() {
    let programs = Programs::new().await;
    let world = &programs.world;
    let id = programs.reader("mine", Kind::Unrestricted).await;
    let eve = world.on("eve", &world.p1).await;
    for user in [&world.alice, &world.eve] {
        let one = format!("/v3/users/{user}/application_credentials/{id}");
        eve.get(&one).await.refused(403);
        eve.delete(&one).await.refused(403);
    }
    eve.get(&programs.path).await.refused(403);
    let one = format!("{}/{id}", programs.path);
    programs.alice.get(&one).await.ok();
}

#[tokio::test]
async fn sec_68_an_access_rule_of_another_user_is_out_of_reach() {
    let programs = Programs::new().await;
    let world = &programs.world;
    let rule = json!({ "service": "identity", "path": "/v3/users", "method": "GET" });
    let id = programs
        .make("ruled", &json!({ "access_rules": [rule] }))
        .await;
    let one = format!("{}/{id}", programs.path);
    let made = programs.alice.get(&one).await.ok();
    let rule = text(&made["application_credential"]["access_rules"][0]["id"]);
    let eve = world.on("eve", &world.p1).await;
    let own = format!("/v3/users/{}/access_rules/{rule}", world.eve);
    eve.get(&own).await.refused(404);
    eve.delete(&own).await.refused(404);
    let alices = format!("/v3/users/{}/access_rules/{rule}", world.alice);
    eve.get(&alices).await.refused(403);
    eve.delete(&alices).await.refused(403);
    let path = format!("/v3/users/{}/application_credentials", world.eve);
    let new =
        json!({ "application_credential": { "name": "eves", "access_rules": [{ "id": rule }] } });
    eve.post(&path, &new).await.refused(404);
    programs.alice.get(&alices).await.ok();
}

#[tokio::test]
async fn sec_69_access_rules_confine_a_token() {
    let programs = Programs::new().await;
    let world = &programs.world;
    let rules = json!([
        { "service": "compute", "path": "/v2.1/servers", "method": "GET" },
        { "service": "identity", "path": "/v3/auth/projects", "method": "GET" },
        { "service": "compute", "path": "/v3/auth/catalog", "method": "GET" },
    ]);
    let id = programs
        .make("ruled", &json!({ "access_rules": rules }))
        .await;
    let token = programs.entered(&id).await;
    let own = format!("/v3/users/{}", world.alice);
    token.get(&own).await.refused(401);
    token.get("/v3/auth/catalog").await.refused(401);
    token.get("/v3/auth/projects/x").await.refused(401);
    token.get("/v3/auth/projects").await.ok();
    // Another service that would not enforce the rules does not get to see the token.
    let header = ("x-subject-token", token.token());
    let version = |version| ("openstack-identity-access-rules", version);
    for headers in [
        vec![header],
        vec![header, version("0.9")],
        vec![header, version("")],
    ] {
        let refused = with_headers(&world.admin, "GET", "/v3/auth/tokens", &headers).await;
        refused.refused(404);
    }
    let headers = [header, version("1.0")];
    let seen = with_headers(&world.admin, "GET", "/v3/auth/tokens", &headers).await;
    let seen = seen.ok();
    let shown = seen["token"]["application_credential"]["access_rules"].as_array();
    assert_eq!(shown.map(Vec::len), Some(3));
    // A token of a service, which vouches for the request, is nothing that anybody can make up.
    for service in ["made-up", token.token(), programs.alice.token()] {
        let headers = [("x-service-token", service)];
        let answer = with_headers(&token, "GET", &own, &headers).await;
        answer.refused(401);
    }
    world.cloud.grant(&world.bob, &world.p1, "service").await;
    let service = world.on("bob", &world.p1).await;
    let headers = [("x-service-token", service.token())];
    with_headers(&token, "GET", &own, &headers).await.ok();
}

#[tokio::test]
async fn sec_70_an_application_credential_authorizes_no_consumer() {
    let programs = Programs::new().await;
    let world = &programs.world;
    world.cloud.grant(&world.alice, &world.p1, "admin").await;
    let fields = json!({ "unrestricted": true });
    let id = programs.make("mighty", &fields).await;
    let token = programs.entered(&id).await;
    let consumer = world.cloud.consumer().await;
    let request = consumer.request_token(&world.p1).await;
    let reader = world.cloud.role("reader").await;
    request.try_authorize(&token, &[&reader]).await.refused(403);
    // Nothing but the kind of token is in the way.
    let alice = world.on("alice", &world.p1).await;
    request.try_authorize(&alice, &[&reader]).await.ok();
}

#[tokio::test]
async fn a_token_ends_with_its_application_credential_and_its_roles_at_every_node() {
    let programs = Programs::new().await;
    let world = &programs.world;
    let id = programs.reader("mine", Kind::Restricted).await;
    let token = programs.entered(&id).await;
    world.lives(token.token()).await;
    let one = format!("{}/{id}", programs.path);
    programs.alice.delete(&one).await.no_content();
    world.gone(token.token()).await;

    let id = programs.make("other", &json!({})).await;
    let token = programs.entered(&id).await;
    world.lives(token.token()).await;
    let member = world.cloud.role("member").await;
    let grant = format!(
        "/v3/projects/{}/users/{}/roles/{member}",
        world.p1, world.alice
    );
    world.admin.delete(&grant).await.no_content();
    world.gone(token.token()).await;
    let answer = programs.enter(&json!({ "id": id, "secret": SECRET })).await;
    assert_eq!(answer.status, 401);
}
