//! Credentials: only their owner reads them, and the owner cannot be changed.

use serde_json::{Value, json};

use crate::world::World;

async fn credential(world: &World, fields: &Value) -> String {
    world.make("/v3/credentials", "credential", fields).await
}

#[tokio::test]
async fn sec_38_users_cannot_see_or_change_the_credentials_of_others() {
    let world = World::new().await;
    let fields = json!({ "type": "cert", "blob": "alices", "user_id": world.alice });
    let alices = credential(&world, &fields).await;
    let eve = world.on("eve", &world.p1).await;
    for query in ["", "?type=cert", &format!("?user_id={}", world.alice)] {
        let path = format!("/v3/credentials{query}");
        assert_eq!(eve.get(&path).await.ok()["credentials"], json!([]));
    }
    let one = format!("/v3/credentials/{alices}");
    let change = json!({ "credential": { "blob": "eves" } });
    eve.get(&one).await.refused(403);
    eve.patch(&one, &change).await.refused(403);
    eve.delete(&one).await.refused(403);
    let create = json!({ "credential": fields });
    eve.post("/v3/credentials", &create).await.refused(403);
    let seen = world.admin.get(&one).await.ok();
    assert_eq!(seen["credential"]["blob"], "alices");
}

#[tokio::test]
async fn sec_42_the_owner_and_the_scope_of_a_credential_cannot_be_changed() {
    let world = World::new().await;
    let keys = json!({ "access": "a", "secret": "s", "trust_id": null });
    let fields = json!({ "type": "ec2", "blob": keys.to_string(), "user_id": world.alice, "project_id": world.p1 });
    let one = credential(&world, &fields).await;
    let one = format!("/v3/credentials/{one}");
    for change in [
        json!({ "user_id": world.eve }),
        json!({ "project_id": world.p2 }),
    ] {
        let body = json!({ "credential": change });
        world.admin.patch(&one, &body).await.refused(400);
    }
    for (key, value) in [("trust_id", "t"), ("app_cred_id", "c"), ("access_id", "i")] {
        let mut blob = keys.clone();
        blob[key] = value.into();
        let body = json!({ "credential": { "blob": blob.to_string() } });
        world.admin.patch(&one, &body).await.refused(400);
    }
    let seen = world.admin.get(&one).await.ok()["credential"].clone();
    assert_eq!(seen["user_id"], json!(world.alice));
    assert_eq!(seen["project_id"], json!(world.p1));
    assert_eq!(seen["blob"], json!(keys.to_string()));
}
