//! Requests that are signed with EC2 credentials: what makes them a token, and what that is good for.

use chrono::Duration;
use keystone::Settings;
use keystone_testkit::{Session, Signer};
use serde_json::{Value, json};

use crate::world::{World, on_project, subject, text};

const ROUTES: [&str; 2] = ["ec2tokens", "s3tokens"];

/// The time of the world's clock.
const NOW: &str = "2026-01-01T12:00:00Z";

impl World {
    /// Keys of a user on a project, made by that user.
    async fn keys(&self, user: &str, id: &str, project: &str) -> Signer {
        let session = self.on(user, project).await;
        let path = format!("/v3/users/{id}/credentials/OS-EC2");
        let made = session.post(&path, &json!({ "tenant_id": project })).await;
        Signer::of(&made.created()["credential"])
    }

    /// Insists on a status for requests of both protocols, at both nodes.
    async fn exchanges(&self, signer: &Signer, status: u16) {
        for admin in self.admins() {
            for (route, signed) in ROUTES
                .into_iter()
                .zip([signer.version_2(NOW), signer.s3("x")])
            {
                let answer = admin.exchange(route, &signed).await;
                assert_eq!(answer.status, status, "{route}: {}", answer.body);
            }
        }
    }

    /// A token for a request that was signed now.
    async fn signed_in(&self, signer: &Signer) -> String {
        let answer = self
            .admin
            .exchange("ec2tokens", &signer.version_2(NOW))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let token = answer.header("x-subject-token");
        token.expect("a new token is in a header").to_owned()
    }
}

#[tokio::test]
async fn sec_08_keys_are_worth_nothing_without_a_role() {
    let world = World::new().await;
    let keys = world.keys("alice", &world.alice, &world.p1).await;
    let token = world.signed_in(&keys).await;
    let member = world.cloud.role("member").await;
    let grant = format!(
        "/v3/projects/{}/users/{}/roles/{member}",
        world.p1, world.alice
    );
    world.admin.delete(&grant).await.no_content();
    world.exchanges(&keys, 401).await;
    for admin in world.admins() {
        admin.validate(&token).await.refused(404);
    }
    world.admin.put(&grant).await.no_content();
    world.exchanges(&keys, 200).await;
}

#[tokio::test]
async fn sec_13_keys_are_worth_nothing_where_anything_is_disabled() {
    let world = World::new().await;
    let home = world
        .make("/v3/domains", "domain", &json!({ "name": "home" }))
        .await;
    let place = world
        .make("/v3/domains", "domain", &json!({ "name": "place" }))
        .await;
    let user = json!({ "name": "zoe", "domain_id": home, "password": "zoe" });
    let user = world.make("/v3/users", "user", &user).await;
    let project = json!({ "name": "work", "domain_id": place });
    let project = world.make("/v3/projects", "project", &project).await;
    world.cloud.grant(&user, &project, "member").await;
    let path = format!("/v3/users/{user}/credentials/OS-EC2");
    let made = world
        .admin
        .post(&path, &json!({ "tenant_id": project }))
        .await;
    let keys = Signer::of(&made.created()["credential"]);
    for (path, kind) in [
        (format!("/v3/users/{user}"), "user"),
        (format!("/v3/projects/{project}"), "project"),
        (format!("/v3/domains/{home}"), "domain"),
        (format!("/v3/domains/{place}"), "domain"),
    ] {
        world.exchanges(&keys, 200).await;
        world.patch(&path, kind, &json!({ "enabled": false })).await;
        world.exchanges(&keys, 401).await;
        world.patch(&path, kind, &json!({ "enabled": true })).await;
    }
    world.exchanges(&keys, 200).await;
}

#[tokio::test]
async fn sec_43_a_signed_request_expires_whatever_its_form() {
    let world = World::new().await;
    let keys = world.keys("alice", &world.alice, &world.p1).await;
    let (then, date) = (NOW, "20260101T120000Z");
    let with = |mut signed: Value, group: &str, name: &str, time: &str| {
        signed[group] = json!({ name: time });
        signed
    };
    let requests = [
        ("ec2tokens", keys.version_2(then)),
        ("ec2tokens", keys.version_4(date)),
        ("ec2tokens", keys.version_4_query(date)),
        ("s3tokens", with(keys.s3("x"), "params", "Timestamp", then)),
        (
            "s3tokens",
            with(keys.s3("x"), "headers", "X-Amz-Date", date),
        ),
        (
            "s3tokens",
            with(keys.s3_version_4(date), "params", "X-Amz-Date", date),
        ),
    ];
    world.cloud.advance(Duration::minutes(15));
    for (route, signed) in &requests {
        for admin in world.admins() {
            let answer = admin.exchange(route, signed).await;
            assert_eq!(answer.status, 200, "{signed}: {}", answer.body);
        }
    }
    world.cloud.advance(Duration::seconds(1));
    for (route, signed) in &requests {
        for admin in world.admins() {
            admin.exchange(route, signed).await.refused(401);
        }
    }
    // A newer time that the signature does not cover is no help.
    let renewed = with(
        keys.version_4(date),
        "params",
        "Timestamp",
        "2026-01-01T12:15:00Z",
    );
    world
        .admin
        .exchange("ec2tokens", &renewed)
        .await
        .refused(401);
}

#[tokio::test]
async fn sec_46_only_services_and_admins_exchange_signed_requests() {
    let world = World::new().await;
    let keys = world.keys("alice", &world.alice, &world.p1).await;
    world.cloud.grant(&world.bob, &world.p2, "service").await;
    let callers: [(Session, u16); 5] = [
        (world.cloud.nobody(), 401),
        (world.on("alice", &world.p1).await, 403),
        (world.on("eve", &world.p1).await, 403),
        (world.on("bob", &world.p2).await, 200),
        (world.admin.clone(), 200),
    ];
    for (caller, status) in callers {
        for (route, signed) in ROUTES.into_iter().zip([keys.version_2(NOW), keys.s3("x")]) {
            let answer = caller.exchange(route, &signed).await;
            assert_eq!(answer.status, status, "{route}: {}", answer.body);
            let named = answer.header("x-subject-token").is_some();
            assert_eq!(named, status == 200 && route == "ec2tokens");
            // Nothing about the keys before the rule.
            let unknown = json!({ "access": "unknown", "signature": "x" });
            let unknown = caller.exchange(route, &unknown).await.status;
            assert_eq!(unknown, if status == 200 { 404 } else { status });
        }
    }
}

#[tokio::test]
async fn sec_48_a_reader_makes_no_keys() {
    let world = World::new().await;
    let eve = world.on("eve", &world.p1).await;
    let path = format!("/v3/users/{}/credentials/OS-EC2", world.eve);
    let tenant = json!({ "tenant_id": world.p1 });
    eve.post(&path, &tenant).await.refused(403);
    let made = world.admin.post(&path, &tenant).await.created();
    let one = format!("{path}/{}", text(&made["credential"]["access"]));
    eve.get(&one).await.ok();
    eve.delete(&one).await.refused(403);
    let alice = world.on("alice", &world.p1).await;
    for answer in [
        alice.get(&path).await,
        alice.get(&one).await,
        alice.delete(&one).await,
    ] {
        answer.refused(403);
    }
}

#[tokio::test]
async fn sec_59_a_token_tells_that_it_is_of_a_signed_request() {
    let world = World::new().await;
    let keys = world.keys("alice", &world.alice, &world.p1).await;
    let token = world.signed_in(&keys).await;
    for admin in world.admins() {
        let seen = admin.validate(&token).await.ok();
        assert_eq!(seen["token"]["methods"], json!(["ec2credential"]));
        let own = admin.with_token(&token);
        let tenant = json!({ "tenant_id": world.p1 });
        let path = format!("/v3/users/{}", world.alice);
        for answer in [
            own.get(&path).await,
            own.get("/v3/auth/projects").await,
            own.get("/v3").await,
            own.get("/v3/credentials").await,
            own.post(&format!("{path}/credentials/OS-EC2"), &tenant)
                .await,
            own.exchange("ec2tokens", &keys.version_2(NOW)).await,
            own.about("DELETE", "/v3/auth/tokens", &token).await,
        ] {
            answer.refused(403);
        }
    }
    for scope in [
        json!(null),
        json!("unscoped"),
        on_project(&world.p2),
        json!({ "system": { "all": true } }),
    ] {
        world.rescope(&token, &scope).await.refused(403);
    }
    let identity = json!({ "methods": ["ec2credential"], "ec2credential": keys.version_2(NOW) });
    let login = json!({ "auth": { "identity": identity } });
    world
        .cloud
        .nobody()
        .post("/v3/auth/tokens", &login)
        .await
        .refused(401);
}

#[tokio::test]
async fn sec_59_a_node_without_the_method_makes_no_such_token_and_takes_those_of_others_for_delegated()
 {
    let world = World::new().await;
    let keys = world.keys("alice", &world.alice, &world.p1).await;
    let token = world.signed_in(&keys).await;
    let mut settings = Settings::default();
    settings
        .auth
        .methods
        .retain(|method| method != "ec2credential");
    let without = world.cloud.neighbour_with(settings).await;
    let admin = without.nobody().with_token(world.admin.token());
    for (route, signed) in ROUTES.into_iter().zip([keys.version_2(NOW), keys.s3("x")]) {
        admin.exchange(route, &signed).await.refused(503);
    }
    let own = without.nobody().with_token(&token);
    own.get(&format!("/v3/users/{}/credentials/OS-EC2", world.alice))
        .await
        .refused(403);
    let body =
        json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": token } } } });
    without
        .nobody()
        .post("/v3/auth/tokens", &body)
        .await
        .refused(403);
    subject(
        &world
            .try_login("alice", "alice", &on_project(&world.p1))
            .await,
    );
}

/// An application credential of alice on the first project with a reader's role: its id, and a token.
async fn program(world: &World, unrestricted: bool) -> (String, Session) {
    let alice = world.on("alice", &world.p1).await;
    let path = format!("/v3/users/{}/application_credentials", world.alice);
    let fields = json!({ "name": unrestricted.to_string(), "secret": "secret", "unrestricted": unrestricted,
                         "roles": [{ "name": "reader" }], "expires_at": "2026-01-01T12:10:00.000000" });
    let made = alice
        .post(&path, &json!({ "application_credential": fields }))
        .await
        .created();
    let id = text(&made["application_credential"]["id"]);
    let identity = json!({ "methods": ["application_credential"],
                           "application_credential": { "id": id, "secret": "secret" } });
    let nobody = world.cloud.nobody();
    let login = nobody
        .post(
            "/v3/auth/tokens",
            &json!({ "auth": { "identity": identity } }),
        )
        .await;
    (id, nobody.with_token(&subject(&login)))
}

/// Keys of alice that are tied to a delegation, as Python Keystone stored them once.
async fn tied(world: &World, access: &str, project: &str, tie: &str, id: &str) -> Signer {
    tied_of(world, &world.alice, access, project, [tie, id]).await
}

/// The same for another owner.
async fn tied_of(
    world: &World,
    owner: &str,
    access: &str,
    project: &str,
    [tie, id]: [&str; 2],
) -> Signer {
    let blob = json!({ "access": access, "secret": "secret", tie: id }).to_string();
    let credential =
        json!({ "type": "ec2", "blob": blob, "user_id": owner, "project_id": project });
    world
        .make("/v3/credentials", "credential", &credential)
        .await;
    Signer::new(access, "secret")
}

#[tokio::test]
async fn sec_40_no_token_of_an_application_credential_touches_keys() {
    let world = World::new().await;
    let path = format!("/v3/users/{}/credentials/OS-EC2", world.alice);
    let tenant = json!({ "tenant_id": world.p1 });
    let alice = world.on("alice", &world.p1).await;
    let made = alice.post(&path, &tenant).await.created();
    let one = format!("{path}/{}", text(&made["credential"]["access"]));
    for unrestricted in [false, true] {
        let (_, token) = program(&world, unrestricted).await;
        for answer in [
            token.get(&path).await,
            token.post(&path, &tenant).await,
            token.get(&one).await,
            token.delete(&one).await,
        ] {
            answer.refused(403);
        }
    }
    alice.get(&one).await.ok();
}

#[tokio::test]
async fn sec_53_tied_keys_open_the_project_of_the_application_credential_alone() {
    let world = World::new().await;
    let (id, _) = program(&world, true).await;
    let keys = tied(&world, "one", &world.p1, "app_cred_id", &id).await;
    world.exchanges(&keys, 200).await;
    let token = world.signed_in(&keys).await;
    let body = world.admin.validate(&token).await.ok()["token"].clone();
    assert_eq!(body["application_credential"]["id"], json!(id));
    assert_eq!(body["roles"].as_array().map(Vec::len), Some(1));
    assert_eq!(body["roles"][0]["name"], "reader");
    assert_eq!(body["expires_at"], "2026-01-01T12:10:00.000000Z");
    let others = tied(&world, "two", &world.p2, "app_cred_id", &id).await;
    world.exchanges(&others, 401).await;
    let unknown = tied(&world, "three", &world.p1, "app_cred_id", "unknown").await;
    world.exchanges(&unknown, 404).await;
    let alice = world.on("alice", &world.p1).await;
    let path = format!("/v3/users/{}/application_credentials/{id}", world.alice);
    alice.delete(&path).await.no_content();
    world.exchanges(&keys, 404).await;
    for admin in world.admins() {
        admin.validate(&token).await.refused(404);
    }
}

#[tokio::test]
async fn sec_41_keys_tied_to_an_access_token_have_its_roles_and_project() {
    let world = World::new().await;
    world.cloud.grant(&world.alice, &world.p1, "admin").await;
    let alice = world.on("alice", &world.p1).await;
    let reader = world.cloud.role("reader").await;
    let consumer = world.cloud.consumer().await;
    let access = consumer.granted(&alice, &world.p1, &[&reader]).await;
    let keys = tied(&world, "one", &world.p1, "access_token_id", &access.key).await;
    let token = world.signed_in(&keys).await;
    let body = world.admin.validate(&token).await.ok()["token"].clone();
    assert_eq!(body["roles"].as_array().map(Vec::len), Some(1));
    assert_eq!(body["roles"][0]["name"], "reader");
    let others = tied(&world, "two", &world.p2, "access_token_id", &access.key).await;
    world.exchanges(&others, 401).await;
}

/// A trust of alice for bob on the first project, with a reader's role; its id.
async fn trusted(world: &World, impersonation: bool) -> String {
    let alice = world.on("alice", &world.p1).await;
    let trust = json!({ "trustor_user_id": world.alice, "trustee_user_id": world.bob, "project_id": world.p1,
                        "impersonation": impersonation, "roles": [{ "name": "reader" }] });
    let made = alice
        .post("/v3/OS-TRUST/trusts", &json!({ "trust": trust }))
        .await;
    text(&made.created()["trust"]["id"])
}

#[tokio::test]
async fn sec_24_no_token_of_a_trust_touches_keys() {
    let world = World::new().await;
    let tenant = json!({ "tenant_id": world.p1 });
    for impersonation in [false, true] {
        let trust = trusted(&world, impersonation).await;
        let scope = json!({ "OS-TRUST:trust": { "id": trust } });
        let login = world.try_login("bob", "bob", &scope).await;
        let token = world.cloud.nobody().with_token(&subject(&login));
        let owner = if impersonation {
            &world.alice
        } else {
            &world.bob
        };
        let path = format!("/v3/users/{owner}/credentials/OS-EC2");
        token.get(&path).await.refused(403);
        token.post(&path, &tenant).await.refused(403);
        let blob = json!({ "access": "a", "secret": "s" }).to_string();
        let fields =
            json!({ "type": "ec2", "blob": blob, "user_id": owner, "project_id": world.p1 });
        let body = json!({ "credential": fields });
        token.post("/v3/credentials", &body).await.refused(403);
    }
}

#[tokio::test]
async fn sec_53_keys_tied_to_a_trust_of_others_are_worth_nothing() {
    let world = World::new().await;
    let trust = trusted(&world, true).await;
    let tie = ["trust_id", trust.as_str()];
    let alices = tied_of(&world, &world.alice, "one", &world.p1, tie).await;
    world.exchanges(&alices, 200).await;
    // Neither the trustee nor anybody else becomes the trustor by naming the trust.
    for (access, owner) in [("two", &world.bob), ("three", &world.eve)] {
        let keys = tied_of(&world, owner, access, &world.p1, tie).await;
        world.exchanges(&keys, 401).await;
    }
}

#[tokio::test]
async fn sec_53_keys_tied_to_a_trust_take_its_uses() {
    let world = World::new().await;
    let alice = world.on("alice", &world.p1).await;
    let trust = json!({ "trustor_user_id": world.alice, "trustee_user_id": world.bob, "project_id": world.p1,
                        "impersonation": true, "roles": [{ "name": "reader" }], "remaining_uses": 4 });
    let body = json!({ "trust": trust });
    let made = alice.post("/v3/OS-TRUST/trusts", &body).await.created();
    let id = text(&made["trust"]["id"]);
    let keys = tied(&world, "one", &world.p1, "trust_id", &id).await;
    // Two kinds of signature at two nodes.
    world.exchanges(&keys, 200).await;
    world.exchanges(&keys, 404).await;
}

#[tokio::test]
async fn sec_53_keys_tied_to_a_trust_open_its_project_alone() {
    let world = World::new().await;
    let trust = trusted(&world, true).await;
    let keys = tied(&world, "one", &world.p1, "trust_id", &trust).await;
    world.exchanges(&keys, 200).await;
    let token = world.signed_in(&keys).await;
    let body = world.admin.validate(&token).await.ok()["token"].clone();
    assert_eq!(body["OS-TRUST:trust"]["id"], json!(trust));
    assert_eq!(body["user"]["id"], json!(world.alice));
    assert_eq!(body["roles"].as_array().map(Vec::len), Some(1));
    let others = tied(&world, "two", &world.p2, "trust_id", &trust).await;
    world.exchanges(&others, 401).await;
    // Without impersonation the keys are the trustee's, and alice is none.
    let trust = trusted(&world, false).await;
    let alices = tied(&world, "three", &world.p1, "trust_id", &trust).await;
    world.exchanges(&alices, 403).await;
    let alice = world.on("alice", &world.p1).await;
    let path = format!("/v3/OS-TRUST/trusts/{trust}");
    alice.delete(&path).await.no_content();
    world.exchanges(&alices, 404).await;
}
