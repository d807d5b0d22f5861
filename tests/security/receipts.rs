//! Receipts of logins that need more than one method: whose they are, for what, and for how long.

use axum::body::Body;
use axum::http::Request;
use chrono::Duration;
use keystone::Settings;
use keystone_testkit::{Answer, Session, passcode};
use serde_json::{Map, Value, json};

use crate::world::{World, on_project, subject, text};

const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const OTHER_SEED: &str = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U";

/// Alice and bob need these methods; each has a secret for one-time passwords.
async fn world_of_rules(rules: &Value) -> World {
    let mut settings = Settings::default();
    settings.auth.methods.push("totp".to_owned());
    let world = World::with(settings).await;
    let options = json!({ "multi_factor_auth_enabled": true, "multi_factor_auth_rules": rules });
    for (user, seed) in [(&world.alice, SEED), (&world.bob, OTHER_SEED)] {
        let fields = json!({ "type": "totp", "user_id": user, "blob": seed });
        world.make("/v3/credentials", "credential", &fields).await;
        let path = format!("/v3/users/{user}");
        world
            .patch(&path, "user", &json!({ "options": options }))
            .await;
    }
    world
}

/// A login by these methods, with the receipt of an earlier one.
async fn log_in(session: &Session, parts: &[Part], receipt: &str) -> Answer {
    let methods: Vec<&str> = parts.iter().map(|(method, _)| *method).collect();
    let mut identity = Map::new();
    identity.insert("methods".to_owned(), json!(methods));
    for (method, part) in parts {
        identity.insert((*method).to_owned(), part.clone());
    }
    let body = json!({ "auth": { "identity": identity } }).to_string();
    let request = Request::post("/v3/auth/tokens")
        .header("content-type", "application/json")
        .header("openstack-auth-receipt", receipt)
        .body(Body::from(body));
    session.send(request.expect("a request")).await
}

/// A method with its part of a request.
type Part = (&'static str, Value);

fn password(user: &str, password: &str) -> Part {
    let user = json!({ "id": user, "password": password });
    ("password", json!({ "user": user }))
}

impl World {
    /// The one-time password of a user now.
    fn code(&self, user: &str, seed: &str) -> Part {
        let user = json!({ "id": user, "passcode": passcode(seed, self.cloud.now()) });
        ("totp", json!({ "user": user }))
    }

    /// The receipt for some of the methods that a login needs.
    async fn receipt(&self, parts: &[Part]) -> String {
        let answer = log_in(&self.cloud.nobody(), parts, "").await;
        assert_eq!(answer.status, 401, "{}", answer.body);
        assert_eq!(answer.header("x-subject-token"), None);
        let methods: Vec<&str> = parts.iter().map(|(method, _)| *method).collect();
        assert_eq!(answer.body["receipt"]["methods"], json!(methods));
        let receipt = answer.header("openstack-auth-receipt");
        receipt.expect("a receipt is in a header").to_owned()
    }
}

/// Insists that a login gives neither a token nor a receipt.
fn gives_nothing(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert_eq!(answer.header("x-subject-token"), None);
    assert_eq!(answer.header("openstack-auth-receipt"), None);
}

#[tokio::test]
async fn sec_65_66_a_receipt_counts_for_its_user_alone() {
    let world = world_of_rules(&json!([["password", "totp"]])).await;
    let nobody = world.cloud.nobody();
    let receipt = world.receipt(&[password(&world.alice, "alice")]).await;
    let code = world.code(&world.bob, OTHER_SEED);
    gives_nothing(&log_in(&nobody, &[code], &receipt).await);
    let code = world.code(&world.alice, SEED);
    let answer = log_in(&nobody, &[code], &receipt).await;
    let body = answer.created();
    assert_eq!(body["token"]["user"]["id"], json!(world.alice));
    assert_eq!(body["token"]["methods"], json!(["password", "totp"]));
}

#[tokio::test]
async fn sec_65_a_receipt_holds_the_methods_that_succeeded_and_no_others() {
    let rules = json!([["password", "totp"], ["token", "totp", "password"]]);
    let world = world_of_rules(&rules).await;
    let nobody = world.cloud.nobody();
    let password = password(&world.alice, "alice");
    let code = world.code(&world.alice, SEED);
    for part in [&password, &code] {
        let receipt = world.receipt(std::slice::from_ref(part)).await;
        // The same method again is not the other one.
        let again = log_in(&nobody, std::slice::from_ref(part), &receipt).await;
        assert_eq!(again.status, 401);
        assert_eq!(again.body["receipt"]["methods"], json!([part.0]));
        assert_eq!(again.header("x-subject-token"), None);
    }
    // A method that fails is in none.
    let wrong = (
        "totp",
        json!({ "user": { "id": world.alice, "passcode": "000000" } }),
    );
    gives_nothing(&log_in(&nobody, &[password, wrong], "").await);
}

#[tokio::test]
async fn sec_65_a_receipt_expires_and_is_not_renewed_by_using_it() {
    let world = world_of_rules(&json!([["password", "totp"]])).await;
    let nobody = world.cloud.nobody();
    let receipt = world.receipt(&[password(&world.alice, "alice")]).await;
    world.cloud.advance(Duration::seconds(299));
    let code = world.code(&world.alice, SEED);
    log_in(&nobody, &[code], &receipt).await.created();
    world.cloud.advance(Duration::seconds(1));
    let code = world.code(&world.alice, SEED);
    gives_nothing(&log_in(&nobody, &[code], &receipt).await);
}

/// What a delegation limits is not lost on the way through a receipt, which does not name it.
#[tokio::test]
async fn sec_65_a_receipt_of_a_delegated_login_is_for_the_same_delegation() {
    let rules = json!([["application_credential", "totp"], ["oauth1", "totp"]]);
    let world = world_of_rules(&rules).await;
    let nobody = world.cloud.nobody();
    let options = json!({ "multi_factor_auth_enabled": false });
    let path = format!("/v3/users/{}", world.alice);
    world
        .patch(&path, "user", &json!({ "options": options }))
        .await;
    world.cloud.grant(&world.alice, &world.p1, "admin").await;
    let alice = world.on("alice", &world.p1).await;
    let options = json!({ "multi_factor_auth_enabled": true });
    world
        .patch(&path, "user", &json!({ "options": options }))
        .await;
    let new = json!({ "name": "a", "secret": "s", "roles": [{ "name": "reader" }] });
    let new = json!({ "application_credential": new });
    let path = format!("{path}/application_credentials");
    let made = alice.post(&path, &new).await.created();
    let id = text(&made["application_credential"]["id"]);
    let program = ("application_credential", json!({ "id": id, "secret": "s" }));
    let receipt = world.receipt(std::slice::from_ref(&program)).await;
    let code = world.code(&world.alice, SEED);
    gives_nothing(&log_in(&nobody, std::slice::from_ref(&code), &receipt).await);
    let answer = log_in(&nobody, &[program, code.clone()], &receipt).await;
    let seen = world.admin.validate(&subject(&answer)).await.ok();
    assert_eq!(seen["token"]["application_credential"]["id"], json!(id));
    assert_eq!(seen["token"]["roles"].as_array().map(Vec::len), Some(1));

    let reader = world.cloud.role("reader").await;
    let consumer = world.cloud.consumer().await;
    let access = consumer.granted(&alice, &world.p1, &[&reader]).await;
    let answer = consumer.log_in(&access).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    let receipt = answer.header("openstack-auth-receipt").expect("a receipt");
    gives_nothing(&log_in(&nobody, &[code], receipt).await);
}

#[tokio::test]
async fn sec_65_a_receipt_is_no_token_and_a_token_no_receipt() {
    let world = world_of_rules(&json!([["password", "totp"]])).await;
    let nobody = world.cloud.nobody();
    let receipt = world.receipt(&[password(&world.alice, "alice")]).await;
    world.gone(&receipt).await;
    for scope in [Value::Null, on_project(&world.p1)] {
        world.rescope(&receipt, &scope).await.refused(404);
    }
    let parts = [
        password(&world.alice, "alice"),
        world.code(&world.alice, SEED),
    ];
    let token = subject(&log_in(&nobody, &parts, "").await);
    for part in parts {
        gives_nothing(&log_in(&nobody, &[part], &token).await);
    }
}
