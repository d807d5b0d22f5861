//! The library inside another process.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::response::Response;
use keystone::identity::{Group, NewUser};
use keystone::{Bootstrap, Keystone};
use keystone_testkit::Cloud;
use serde_json::{Value, json};

#[tokio::test]
async fn two_services_in_one_process_share_nothing() {
    let (one, other) = (Cloud::new().await, Cloud::new().await);
    one.user("erin").await;
    let (here, there) = (one.admin().await, other.admin().await);
    let count = |users: Value| users["users"].as_array().map(Vec::len);
    assert_eq!(count(here.get("/v3/users").await.ok()), Some(2));
    assert_eq!(count(there.get("/v3/users").await.ok()), Some(1));
    there
        .with_token(here.token())
        .get("/v3/users")
        .await
        .refused(401);
    let message = there.validate(here.token()).await.refused(404);
    assert_eq!(message, "Could not recognize Fernet token");
}

#[tokio::test]
async fn below_a_prefix_links_lead_back_below_it() {
    let keystone = Keystone::builder()
        .database("sqlite://")
        .build()
        .await
        .unwrap();
    keystone.bootstrap(&Bootstrap::new("secret")).await.unwrap();
    let router = Router::new().nest("/identity", keystone.router());
    let request = Request::get("/identity/v3")
        .header("host", "cloud.test")
        .body(Body::empty())
        .unwrap();
    let answer: Response = tower::ServiceExt::oneshot(router, request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value =
        serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap();
    assert_eq!(
        body["version"]["links"][0]["href"],
        "http://cloud.test/identity/v3/"
    );
}

#[tokio::test]
async fn nothing_is_created_in_the_hidden_root_of_all_domains() {
    let cloud = Cloud::new().await;
    let identity = cloud.keystone.identity();
    let inside = |name: &str| json!({ "name": name, "domain_id": "<<keystone.domain.root>>" });
    let user: NewUser = serde_json::from_value(inside("u")).unwrap();
    let group: Group = serde_json::from_value(inside("g")).unwrap();
    let refused = [
        identity.create_user(user).await.unwrap_err(),
        identity.create_group(group).await.unwrap_err(),
    ];
    assert_eq!(refused.map(|error| error.status()), [404, 404]);
}
