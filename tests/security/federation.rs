//! Users whom an identity provider vouches for.

use axum::body::Body;
use axum::http::Request;
use chrono::Duration;
use keystone::Settings;
use keystone_testkit::{Ids, StoredMapping, trusted_proxy};
use serde_json::{Value, json};

use crate::world::{World, on_project, subject};

/// A world with a provider whose mapping takes the names of groups in the default domain.
async fn with_provider() -> World {
    let mut settings = Settings::default();
    settings.api.trusted_proxy = Some(trusted_proxy(["NAME", "G"]));
    let world = World::with(settings).await;
    let rules = json!([{
        "remote": [{ "type": "NAME" }, { "type": "G" }],
        "local": [{ "user": { "name": "{0}" } }, { "groups": "{1}", "domain": { "id": "default" } }],
    }]);
    let mapping = StoredMapping::new("m", &rules).of("idp", "mapped");
    world.cloud.store_mapping(&mapping, &Ids::new()).await;
    for (group, role) in [
        ("readers", "reader"),
        ("members", "member"),
        ("others", "admin"),
    ] {
        let group = json!({ "group": { "name": group, "domain_id": "default" } });
        let made = world.admin.post("/v3/groups", &group).await.created();
        let id = made["group"]["id"].as_str().expect("an id");
        let role = world.cloud.role(role).await;
        let path = format!("/v3/projects/{}/groups/{id}/roles/{role}", world.p1);
        world.admin.put(&path).await.no_content();
    }
    world
}

async fn log_in(world: &World, groups: &str) -> String {
    let path = "/v3/OS-FEDERATION/identity_providers/idp/protocols/mapped/auth";
    let request = Request::builder().uri(path).body(Body::empty());
    let request = request.expect("a request");
    let variables = [("NAME", "fay"), ("G", groups)];
    subject(&world.cloud.nobody().send_vouched(request, variables).await)
}

fn roles(body: &Value) -> Vec<&str> {
    let roles = body["token"]["roles"].as_array().expect("roles").iter();
    let mut names: Vec<&str> = roles.filter_map(|role| role["name"].as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn sec_35_a_federated_user_has_the_roles_of_the_own_groups_only() {
    let world = with_provider().await;
    let unscoped = log_in(&world, "readers").await;
    let scoped = world.rescope(&unscoped, &on_project(&world.p1)).await;
    assert_eq!(roles(&scoped.body), ["reader"]);
    let shown = world.admin.validate(&subject(&scoped)).await.ok();
    assert_eq!(roles(&shown), ["reader"]);
    world
        .rescope(&unscoped, &on_project(&world.p2))
        .await
        .refused(401);
}

#[tokio::test]
async fn sec_36_a_federated_user_sees_the_own_projects_and_domains_only() {
    let world = with_provider().await;
    let unscoped = log_in(&world, "readers").await;
    let fay = world.cloud.nobody().with_token(&unscoped);
    let projects = fay.get("/v3/auth/projects").await.ok();
    let projects = projects["projects"].as_array().expect("a list");
    assert_eq!(projects.len(), 1);
    assert_eq!(projects[0]["id"], world.p1.as_str());
    let domains = fay.get("/v3/auth/domains").await.ok();
    assert_eq!(domains["domains"], json!([]));
}

#[tokio::test]
async fn sec_72_a_login_with_fewer_groups_takes_their_roles_at_once() {
    let world = with_provider().await;
    let unscoped = log_in(&world, "members;readers").await;
    let before = world.rescope(&unscoped, &on_project(&world.p1)).await;
    assert_eq!(roles(&before.body), ["member", "reader"]);
    let before = subject(&before);
    world.lives(&before).await;
    world.cloud.advance(Duration::seconds(2));
    let fewer = log_in(&world, "readers").await;
    for old in [&unscoped, &before] {
        world.gone(old).await;
    }
    let after = world.rescope(&fewer, &on_project(&world.p1)).await;
    assert_eq!(roles(&after.body), ["reader"]);
}

#[tokio::test]
async fn sec_02_a_chain_of_federated_tokens_ends_with_the_first() {
    let world = with_provider().await;
    let mut token = log_in(&world, "readers").await;
    let end = world.admin.validate(&token).await.ok()["token"]["expires_at"].take();
    for _ in 0..10 {
        world.cloud.advance(Duration::minutes(1));
        let next = world.rescope(&token, &on_project(&world.p1)).await;
        assert_eq!(next.body["token"]["expires_at"], end);
        token = subject(&next);
    }
}
