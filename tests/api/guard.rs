//! Another service's routes behind the guard (`keystone-middleware`), with the Keystone in the same process.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use keystone::Keystone;
use keystone::catalog::{Endpoint, Service};
use keystone::policy::{DefaultRule, Enforcer, Settings};
use keystone_middleware::{PolicyError, Token, TokenLayer};
use keystone_testkit::Cloud;
use serde_json::{Map, json};
use tower::ServiceExt;

/// Shows images to those who have a role on their project; it may also show some to everybody.
fn image_store(cloud: &Cloud) -> Router {
    let rule = DefaultRule::new("image:show", "project_id:%(owner)s");
    let policy = Enforcer::with_defaults(vec![rule], Settings::default());
    let policy = policy.expect("the rule is right");
    let guard = TokenLayer::new(cloud.keystone.validator());
    let optional = async |token: Option<Token>| token.map_or("nobody", |_| "somebody").to_owned();
    Router::new()
        .route("/images/{owner}", get(show))
        .layer(guard.clone().policy(policy.into()))
        .route("/unruled/{owner}", get(show).layer(guard.clone()))
        .route(
            "/visitors",
            get(optional).layer(guard.delay_auth_decision(true)),
        )
        .route("/unguarded/{owner}", get(show))
}

async fn show(token: Token, Path(owner): Path<String>) -> Result<String, PolicyError> {
    token.enforce("image:show", &json!({ "owner": owner }))?;
    Ok(token.user.name.clone())
}

async fn ask(service: &Router, path: &str, token: Option<&str>) -> Response {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("X-Auth-Token", token);
    }
    let request = request.body(Body::empty()).expect("a request");
    let Ok(response) = service.clone().oneshot(request).await;
    response
}

async fn text(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), usize::MAX);
    String::from_utf8(body.await.expect("a body").into()).expect("a text")
}

#[tokio::test]
async fn handlers_get_the_caller_and_the_policy() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let (service, token) = (image_store(&cloud), Some(admin.token()));
    let body = admin
        .about("GET", "/v3/auth/tokens", admin.token())
        .await
        .ok();
    let own = format!(
        "/images/{}",
        body["token"]["project"]["id"].as_str().unwrap()
    );
    let shown = ask(&service, &own, token).await;
    assert_eq!(shown.status(), StatusCode::OK);
    assert_eq!(text(shown).await, "admin");
    let other = ask(&service, "/images/other", token).await;
    assert_eq!(other.status(), StatusCode::FORBIDDEN);
    let unruled = ask(&service, "/unruled/any", token).await;
    assert_eq!(unruled.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn requests_without_a_valid_token_reach_only_who_wants_them() {
    let cloud = Cloud::new().await;
    let service = image_store(&cloud);
    for token in [None, Some("garbage")] {
        let refused = ask(&service, "/images/any", token).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert!(refused.headers().contains_key("WWW-Authenticate"));
        assert_eq!(
            text(ask(&service, "/visitors", token).await).await,
            "nobody"
        );
        let unguarded = ask(&service, "/unguarded/any", token).await;
        assert_eq!(unguarded.status(), StatusCode::UNAUTHORIZED);
    }
    let admin = cloud.admin().await;
    let visited = ask(&service, "/visitors", Some(admin.token())).await;
    assert_eq!(text(visited).await, "somebody");
}

#[tokio::test]
async fn the_next_request_after_a_revocation_is_refused() {
    let cloud = Cloud::new().await;
    let (admin, other) = (cloud.admin().await, cloud.admin().await);
    let service = image_store(&cloud);
    let visit = async || text(ask(&service, "/visitors", Some(other.token())).await).await;
    assert_eq!(visit().await, "somebody");
    let revoked = admin.about("DELETE", "/v3/auth/tokens", other.token());
    revoked.await.no_content();
    assert_eq!(visit().await, "nobody");
}

#[tokio::test]
async fn the_next_request_after_a_change_sees_it() {
    let cloud = Keystone::ephemeral().await.expect("a cloud in memory");
    cloud.grant("alice", "laboratory", "writer").await.unwrap();
    let token = cloud.token("alice", "laboratory").await.unwrap();
    let told = async |token: Token| {
        let roles: Vec<_> = token.roles.iter().map(|role| role.name.as_str()).collect();
        let url = token.endpoint("image", "public", None);
        format!("{} {}", roles.join(","), url.unwrap_or("none"))
    };
    let guard = TokenLayer::new(cloud.keystone().validator());
    let service = Router::new().route("/told", get(told)).layer(guard);
    let ask = async || text(ask(&service, "/told", Some(&token)).await).await;
    for _ in 0..2 {
        assert_eq!(ask().await, "writer none");
    }
    let catalog = cloud.keystone().catalog();
    let images = catalog.ensure_service(Service::new("image", "glance"));
    let images = images.await.unwrap();
    let url = "http://image.test/v2";
    let endpoint = Endpoint::new(&images.id, "public", None, url);
    let endpoint = catalog.ensure_endpoint(endpoint).await.unwrap();
    assert_eq!(ask().await, format!("writer {url}"));
    let identity = cloud.keystone().identity();
    let writer = cloud.role("writer").await.unwrap();
    let patch = Map::from_iter([("name".to_owned(), json!("author"))]);
    identity.update_role(&writer.id, patch).await.unwrap();
    assert_eq!(ask().await, format!("author {url}"));
    catalog.delete_endpoint(&endpoint.id).await.unwrap();
    assert_eq!(ask().await, "author none");
}
