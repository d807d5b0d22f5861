//! Tokens of `OAuth1`: what was delegated is all that they can do.

use keystone_testkit::{Consumer, OAuthToken, Session};
use serde_json::{Value, json};

use crate::world::{World, on_project, subject};

/// A consumer to which alice, who administers a project and the cloud, has delegated roles there.
struct Delegated {
    world: World,
    consumer: Consumer,
    access: OAuthToken,
    bearer: Session,
}

impl Delegated {
    async fn new(roles: &[&str]) -> Self {
        let world = World::new().await;
        for project in [&world.p1, &world.p2] {
            world.cloud.grant(&world.alice, project, "admin").await;
        }
        let alice = world.on("alice", &world.p1).await;
        let consumer = world.cloud.consumer().await;
        let mut ids = Vec::new();
        for role in roles {
            ids.push(world.cloud.role(role).await);
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let access = consumer.granted(&alice, &world.p1, &ids).await;
        let token = subject(&consumer.log_in(&access).await);
        let bearer = alice.with_token(&token);
        Self {
            world,
            consumer,
            access,
            bearer,
        }
    }

    /// The names of the roles in the token, as a validation shows them.
    async fn roles(&self) -> Vec<String> {
        let body = self.world.admin.validate(self.bearer.token()).await.ok();
        names(&body)
    }
}

fn names(body: &Value) -> Vec<String> {
    let roles = body["token"]["roles"]
        .as_array()
        .expect("a scope has roles");
    let names = roles.iter().map(|role| role["name"].as_str());
    let mut names: Vec<String> = names.flatten().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn sec_41_a_token_has_the_authorized_roles_and_no_others() {
    let delegated = Delegated::new(&["reader"]).await;
    assert_eq!(delegated.roles().await, ["reader"]);
    let again = delegated.consumer.log_in(&delegated.access).await;
    assert_eq!(names(&again.created()), ["reader"]);
    delegated.bearer.get("/v3/users").await.refused(403);
    // Those that an authorized role implies belong to it.
    let delegated = Delegated::new(&["member"]).await;
    assert_eq!(delegated.roles().await, ["member", "reader"]);
}

#[tokio::test]
async fn sec_41_a_role_ends_with_the_users() {
    let delegated = Delegated::new(&["admin", "reader"]).await;
    let world = &delegated.world;
    world.lives(delegated.bearer.token()).await;
    let role = world.cloud.role("admin").await;
    let grant = format!(
        "/v3/projects/{}/users/{}/roles/{role}",
        world.p1, world.alice
    );
    world.admin.delete(&grant).await.no_content();
    // The authorized role implies the one that is left.
    assert_eq!(delegated.roles().await, ["member", "reader"]);
    let role = world.cloud.role("member").await;
    let grant = format!(
        "/v3/projects/{}/users/{}/roles/{role}",
        world.p1, world.alice
    );
    world.admin.delete(&grant).await.no_content();
    world.gone(delegated.bearer.token()).await;
    delegated
        .consumer
        .log_in(&delegated.access)
        .await
        .refused(401);
}

#[tokio::test]
async fn sec_29_70_a_token_of_oauth1_delegates_nothing_further() {
    let delegated = Delegated::new(&["admin"]).await;
    let (world, bearer) = (&delegated.world, &delegated.bearer);
    let request = delegated.consumer.request_token(&world.p1).await;
    let reader = world.cloud.role("reader").await;
    request.try_authorize(bearer, &[&reader]).await.refused(403);
    let tokens = format!("/v3/users/{}/OS-OAUTH1/access_tokens", world.alice);
    let own = format!("{tokens}/{}", delegated.access.key);
    bearer.get(&tokens).await.refused(403);
    bearer.get(&own).await.refused(403);
    bearer.delete(&own).await.refused(403);
    for scope in [
        Value::Null,
        json!("unscoped"),
        on_project(&world.p1),
        on_project(&world.p2),
    ] {
        world.rescope(bearer.token(), &scope).await.refused(403);
    }
    let trust = json!({
        "trustor_user_id": world.alice, "trustee_user_id": world.bob, "project_id": world.p1,
        "impersonation": false, "roles": [{ "id": reader }],
    });
    let trust = json!({ "trust": trust });
    bearer
        .post("/v3/OS-TRUST/trusts", &trust)
        .await
        .refused(403);
    // All of it is still there.
    world.lives(bearer.token()).await;
    world.admin.get(&own).await.ok();
}

#[tokio::test]
async fn sec_40_54_a_token_of_oauth1_reaches_no_credentials() {
    let delegated = Delegated::new(&["admin"]).await;
    let (world, bearer) = (&delegated.world, &delegated.bearer);
    let seed = json!({ "user_id": world.alice, "type": "totp", "blob": "GEZDGNBVGY3TQOJQ" });
    let id = world.make("/v3/credentials", "credential", &seed).await;
    let path = format!("/v3/credentials/{id}");
    bearer.get(&path).await.refused(403);
    let change = json!({ "credential": { "blob": "x" } });
    bearer.patch(&path, &change).await.refused(403);
    bearer.delete(&path).await.refused(403);
    let keys = json!({ "access": "a", "secret": "s" }).to_string();
    for (kind, blob) in [("totp", "x"), ("ec2", keys.as_str())] {
        let new =
            json!({ "user_id": world.alice, "type": kind, "blob": blob, "project_id": world.p1 });
        let new = json!({ "credential": new });
        bearer.post("/v3/credentials", &new).await.refused(403);
    }
    for (kind, new) in [
        ("credentials/OS-EC2", json!({ "tenant_id": world.p1 })),
        (
            "application_credentials",
            json!({ "application_credential": { "name": "a" } }),
        ),
    ] {
        let path = format!("/v3/users/{}/{kind}", world.alice);
        bearer.post(&path, &new).await.refused(403);
        bearer.get(&path).await.refused(403);
    }
    let listed = bearer.get("/v3/credentials").await.ok();
    assert_eq!(listed["credentials"], json!([]));
    world.admin.get(&path).await.ok();
}

#[tokio::test]
async fn sec_55_a_token_of_oauth1_stays_on_its_project() {
    let delegated = Delegated::new(&["member"]).await;
    let world = &delegated.world;
    let body = world.admin.validate(delegated.bearer.token()).await.ok();
    assert_eq!(body["token"]["project"]["id"], world.p1.as_str());
    let expected =
        json!({ "access_token_id": delegated.access.key, "consumer_id": delegated.consumer.key });
    assert_eq!(body["token"]["OS-OAUTH1"], expected);
    world
        .patch(
            &format!("/v3/projects/{}", world.p1),
            "project",
            &json!({ "enabled": false }),
        )
        .await;
    world.gone(delegated.bearer.token()).await;
    let answer = delegated.consumer.log_in(&delegated.access).await;
    assert!(matches!(answer.status, 401 | 404), "{}", answer.body);
}

#[tokio::test]
async fn tokens_end_with_their_access_token_and_their_consumer() {
    let delegated = Delegated::new(&["member"]).await;
    let (world, consumer) = (&delegated.world, &delegated.consumer);
    world.lives(delegated.bearer.token()).await;
    let path = format!(
        "/v3/users/{}/OS-OAUTH1/access_tokens/{}",
        world.alice, delegated.access.key
    );
    world.admin.delete(&path).await.no_content();
    world.gone(delegated.bearer.token()).await;
    consumer.log_in(&delegated.access).await.refused(404);

    let alice = world.on("alice", &world.p1).await;
    let role = world.cloud.role("member").await;
    let access = consumer.granted(&alice, &world.p1, &[&role]).await;
    let token = subject(&consumer.log_in(&access).await);
    world.lives(&token).await;
    let path = format!("/v3/OS-OAUTH1/consumers/{}", consumer.key);
    world.admin.delete(&path).await.no_content();
    world.gone(&token).await;
    consumer.log_in(&access).await.refused(404);
}

/// A node that has the row still would go by the event.
#[tokio::test]
async fn the_event_of_a_consumer_ends_its_tokens_and_no_others() {
    let delegated = Delegated::new(&["member"]).await;
    let world = &delegated.world;
    let alice = world.on("alice", &world.p1).await;
    let role = world.cloud.role("member").await;
    let other = world.cloud.consumer().await;
    let access = other.granted(&alice, &world.p1, &[&role]).await;
    let spared = subject(&other.log_in(&access).await);
    world.lives(delegated.bearer.token()).await;
    let now = world.cloud.now();
    let event =
        "INSERT INTO revocation_event (consumer_id, issued_before, revoked_at) VALUES (?, ?, ?)";
    let event = keystone::storage::sql(event);
    let event = event.bind(&delegated.consumer.key).bind(now).bind(now);
    event
        .execute(world.cloud.keystone.db())
        .await
        .expect("the event is stored");
    world.gone(delegated.bearer.token()).await;
    world.lives(&spared).await;
    world.lives(alice.token()).await;
}
