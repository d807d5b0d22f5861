//! `/healthcheck` behind a proxy.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone::api::{Connection, Network, Scheme};
use keystone_testkit::Cloud;
use tower::ServiceExt as _;

#[tokio::test]
async fn the_health_is_told_to_the_client_that_the_nearest_proxy_names() {
    let mut settings = Settings::default();
    settings.api.health.allowed_source_ranges = vec![Network::parse("10.0.0.0/8").unwrap()];
    let cloud = Cloud::with(settings).await;
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let ask = async |remote: &str, forwarded: Option<&str>| {
        let connection = Connection {
            remote: address(remote),
            local: address("127.0.0.1:5000"),
            scheme: Scheme::Http,
        };
        let mut request = Request::get("/healthcheck");
        if let Some(forwarded) = forwarded {
            request = request.header("x-forwarded-for", forwarded);
        }
        let request = request.body(Body::empty()).unwrap();
        let router = connection.on(&cloud.keystone.router());
        router.oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(ask("10.0.0.1:4000", None).await, 200);
    assert_eq!(ask("192.0.2.1:4000", None).await, 404);
    assert_eq!(ask("192.0.2.1:4000", Some("8.8.8.8, 10.0.0.7")).await, 200);
    assert_eq!(ask("10.0.0.1:4000", Some("10.0.0.7, 8.8.8.8")).await, 404);
    assert_eq!(ask("10.0.0.1:4000", Some("nobody")).await, 404);
}
