//! What a trust gives, and for how long.

use chrono::Duration;
use keystone_testkit::{Answer, Session};
use serde_json::{Value, json};

use crate::world::{World, on_domain, on_project, subject, text};

const TRUSTS: &str = "/v3/OS-TRUST/trusts";

/// Alice's trust for bob on the first project, with these fields.
async fn trust(world: &World, fields: Value) -> String {
    let alice = world.on("alice", &world.p1).await;
    text(&create(world, &alice, fields).await.created()["trust"]["id"])
}

async fn create(world: &World, caller: &Session, fields: Value) -> Answer {
    let mut trust = json!({ "trustor_user_id": world.alice, "trustee_user_id": world.bob, "impersonation": true,
                            "project_id": world.p1, "roles": [{ "name": "member" }] });
    if let (Value::Object(trust), Value::Object(fields)) = (&mut trust, fields) {
        trust.extend(fields);
    }
    caller.post(TRUSTS, &json!({ "trust": trust })).await
}

fn by(trust: &str) -> Value {
    json!({ "OS-TRUST:trust": { "id": trust } })
}

async fn used(world: &World, trust: &str) -> Session {
    world.cloud.session("bob", "bob", &by(trust)).await
}

#[tokio::test]
async fn sec_25_disabling_a_party_or_deleting_the_trust_ends_its_tokens() {
    let world = World::new().await;
    let id = trust(&world, json!({})).await;
    for user in [&world.bob, &world.alice] {
        let token = used(&world, &id).await;
        world.lives(token.token()).await;
        let path = format!("/v3/users/{user}");
        world
            .patch(&path, "user", &json!({ "enabled": false }))
            .await;
        // 403 where the trustor is disabled: the token itself is not at fault.
        for admin in world.admins() {
            let status = admin.validate(token.token()).await.status;
            assert!(matches!(status, 403 | 404), "{status}");
            let own = admin.with_token(token.token());
            let status = own.get("/v3/auth/projects").await.status;
            assert!(matches!(status, 401 | 403), "{status}");
        }
        let refused = world.try_login("bob", "bob", &by(&id)).await.status;
        assert!(matches!(refused, 401 | 403), "{refused}");
        world
            .patch(&path, "user", &json!({ "enabled": true }))
            .await;
        world.gone(token.token()).await;
        world.cloud.advance(Duration::seconds(1));
    }
    let token = used(&world, &id).await;
    world.lives(token.token()).await;
    let alice = world.on("alice", &world.p1).await;
    alice.delete(&format!("{TRUSTS}/{id}")).await.no_content();
    world.gone(token.token()).await;
    world.try_login("bob", "bob", &by(&id)).await.refused(401);
}

#[tokio::test]
async fn sec_25_a_delegated_role_that_the_trustor_loses_ends_its_tokens() {
    let world = World::new().await;
    let id = trust(&world, json!({})).await;
    let token = used(&world, &id).await;
    world.lives(token.token()).await;
    let member = world.cloud.role("member").await;
    let grant = format!(
        "/v3/projects/{}/users/{}/roles/{member}",
        world.p1, world.alice
    );
    world.admin.delete(&grant).await.no_content();
    for admin in world.admins() {
        admin.validate(token.token()).await.refused(403);
        let own = admin.with_token(token.token());
        own.get("/v3/auth/projects").await.refused(403);
    }
    world.try_login("bob", "bob", &by(&id)).await.refused(403);
}

#[tokio::test]
async fn sec_29_a_trust_is_passed_on_only_as_far_as_it_says() {
    let world = World::new().await;
    let plain = trust(&world, json!({})).await;
    let token = used(&world, &plain).await;
    create(&world, &token, json!({ "trustee_user_id": world.eve }))
        .await
        .refused(403);
    // Not to more than it gives, nor deeper than it says.
    world.cloud.grant(&world.alice, &world.p1, "manager").await;
    let open = trust(
        &world,
        json!({ "allow_redelegation": true, "redelegation_count": 1 }),
    )
    .await;
    let token = used(&world, &open).await;
    for more in [
        json!({ "roles": [{ "name": "manager" }] }),
        json!({ "project_id": world.p2 }),
        json!({ "remaining_uses": 5 }),
        json!({ "trustor_user_id": world.bob }),
        json!({ "allow_redelegation": true, "redelegation_count": 2 }),
    ] {
        let answer = create(&world, &token, more.clone()).await;
        assert_eq!(answer.status, 403, "{more}: {}", answer.body);
    }
    let next = json!({ "trustee_user_id": world.eve, "allow_redelegation": true });
    let next = create(&world, &token, next).await.created();
    assert_eq!(next["trust"]["redelegation_count"], 0);
    let next = text(&next["trust"]["id"]);
    let token = world.cloud.session("eve", "eve", &by(&next)).await;
    create(&world, &token, json!({})).await.refused(403);
}

#[tokio::test]
async fn sec_29_what_is_passed_on_ends_with_what_it_came_from() {
    let world = World::new().await;
    let end = "2026-01-01T12:10:00.000000Z";
    let open = json!({ "allow_redelegation": true, "expires_at": end });
    let open = trust(&world, open).await;
    let token = used(&world, &open).await;
    let to_eve = |end: &str| json!({ "trustee_user_id": world.eve, "expires_at": end });
    let later = to_eve("2026-01-01T12:10:01.000000Z");
    create(&world, &token, later).await.refused(403);
    let next = create(&world, &token, json!({ "trustee_user_id": world.eve })).await;
    let next = next.created()["trust"].clone();
    assert_eq!(next["expires_at"], end);
    let next = by(&text(&next["id"]));
    let token = world.cloud.session("eve", "eve", &next).await;
    world.lives(token.token()).await;
    // Whoever passed it on is gone.
    let bob = format!("/v3/users/{}", world.bob);
    let enable = async |enabled: bool| {
        let change = json!({ "enabled": enabled });
        world.patch(&bob, "user", &change).await;
    };
    enable(false).await;
    for admin in world.admins() {
        admin.validate(token.token()).await.refused(403);
    }
    world.try_login("eve", "eve", &next).await.refused(403);
    enable(true).await;
    world.lives(token.token()).await;
    let alice = world.on("alice", &world.p1).await;
    alice.delete(&format!("{TRUSTS}/{open}")).await.no_content();
    world.gone(token.token()).await;
    world.try_login("eve", "eve", &next).await.refused(401);
    let own = format!("{TRUSTS}?trustor_user_id={}", world.alice);
    assert_eq!(alice.get(&own).await.ok()["trusts"], json!([]));
}

#[tokio::test]
async fn sec_29_impersonation_is_not_passed_on_where_it_was_not_given() {
    let world = World::new().await;
    let open = json!({ "allow_redelegation": true, "impersonation": false });
    let open = trust(&world, open).await;
    let token = used(&world, &open).await;
    for (impersonation, status) in [(true, 403), (false, 201)] {
        let next = json!({ "trustor_user_id": world.bob, "trustee_user_id": world.eve,
                           "impersonation": impersonation });
        let answer = create(&world, &token, next).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}

#[tokio::test]
async fn sec_29_naming_the_trust_of_others_gives_nothing() {
    let world = World::new().await;
    let roles = json!([{ "name": "member" }]);
    let open = json!({ "allow_redelegation": true, "roles": roles });
    let open = trust(&world, open).await;
    // Eve, a reader, gives what she has not got, or uses what alice gave to bob.
    let eve = world.on("eve", &world.p1).await;
    let own = json!({ "trustor_user_id": world.eve, "trustee_user_id": world.eve });
    create(&world, &eve, own).await.refused(404);
    world.try_login("eve", "eve", &by(&open)).await.refused(403);
    // She claims to pass it on, which can be claimed as in Keystone.
    let claim = json!({ "trustor_user_id": world.eve, "trustee_user_id": world.eve, "redelegated_trust_id": open });
    let claimed = create(&world, &eve, claim).await.created();
    let claimed = by(&text(&claimed["trust"]["id"]));
    world.try_login("eve", "eve", &claimed).await.refused(403);
}

#[tokio::test]
async fn sec_30_a_token_for_a_trust_is_not_exchanged() {
    let world = World::new().await;
    let id = trust(&world, json!({})).await;
    let token = used(&world, &id).await;
    for scope in [
        Value::Null,
        json!("unscoped"),
        on_project(&world.p1),
        on_project(&world.p2),
        on_domain("default"),
        by(&id),
    ] {
        let answer = world.rescope(token.token(), &scope).await;
        assert_eq!(answer.status, 403, "{scope}: {}", answer.body);
    }
    // Nor does it lead to credentials, which would outlive it.
    let credential = json!({ "user_id": world.alice, "type": "cert", "blob": "x" });
    let body = json!({ "credential": credential });
    token.post("/v3/credentials", &body).await.refused(403);
}

#[tokio::test]
async fn sec_64_a_token_ends_with_its_trust() {
    let mut world = World::new().await;
    let end = "2026-01-01T12:02:00.000000Z";
    let id = trust(&world, json!({ "expires_at": end })).await;
    let bob = world.unscoped("bob").await;
    for answer in [
        world.try_login("bob", "bob", &by(&id)).await,
        world.rescope(bob.token(), &by(&id)).await,
    ] {
        assert_eq!(answer.body["token"]["expires_at"], end);
        let token = subject(&answer);
        let seen = world.admin.validate(&token).await.ok();
        assert_eq!(seen["token"]["expires_at"], end);
    }
    let token = used(&world, &id).await;
    world.cloud.advance(Duration::seconds(121));
    world.admin = world.cloud.admin().await;
    world.gone(token.token()).await;
    world.try_login("bob", "bob", &by(&id)).await.refused(401);
}
