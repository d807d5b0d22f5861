//! Requests that are too large, too slow, of the wrong type, or that name what they may not.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone_testkit::ADMIN_PASSWORD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::world::World;

#[tokio::test]
async fn sec_11_a_huge_name_is_refused_as_a_wrong_one() {
    let world = World::new().await;
    let huge = "x".repeat(60_000);
    let default = json!({ "id": "default" });
    for scope in [
        json!({ "project": { "name": huge, "domain": default } }),
        json!({ "project": { "id": huge } }),
        json!({ "domain": { "name": huge } }),
    ] {
        let status = world.try_login("alice", "alice", &scope).await.status;
        assert!(matches!(status, 400 | 401), "{status}");
    }
    let user = json!({ "name": huge, "domain": default });
    let nobody = world.cloud.nobody();
    let status = nobody.log_in(&user, "x", &Value::Null).await.status;
    assert!(matches!(status, 400 | 401), "{status}");
    let status = world.rescope(&huge, &Value::Null).await.status;
    assert!(matches!(status, 400 | 401 | 404), "{status}");
    world.admin.validate(&huge).await.refused(404);
}

#[tokio::test]
async fn sec_12_a_body_of_xml_is_refused() {
    let world = World::new().await;
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b SYSTEM \"file:///etc/passwd\">]>\
                <auth><user>&a;&b;</user></auth>";
    let auth = json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": {
        "name": "admin", "domain": { "id": "default" }, "password": ADMIN_PASSWORD } } } } });
    for path in ["/v3/auth/tokens", "/v3/users"] {
        for (kind, body) in [
            ("application/xml", bomb.to_owned()),
            ("text/xml", bomb.to_owned()),
            ("application/xml", auth.to_string()),
            ("application/json", bomb.to_owned()),
        ] {
            let request = Request::post(path).header("content-type", kind);
            let request = request.body(Body::from(body)).expect("a request");
            let answer = world.admin.send(request).await;
            assert_eq!(answer.status, 400, "{path} {kind}: {}", answer.body);
            assert!(!answer.body.to_string().contains("root:"));
        }
    }
}

#[tokio::test]
async fn sec_32_a_template_of_an_endpoint_may_name_only_ids() {
    let world = World::new().await;
    let fields = json!({ "type": "t", "name": "t" });
    let service = world.make("/v3/services", "service", &fields).await;
    let create = async |url: &str| {
        let fields = json!({ "service_id": service, "interface": "public", "url": url });
        let body = json!({ "endpoint": fields });
        world.admin.post("/v3/endpoints", &body).await
    };
    for key in ["admin_token", "connection", "token.id", "self", "__class__"] {
        for url in [format!("http://h/$({key})s"), format!("http://h/%({key})s")] {
            create(&url).await.refused(400);
        }
    }
    for url in [
        "http://h/$(project_id",
        "http://h/$(project_id)",
        "http://h/$(project_id)d",
    ] {
        create(url).await.refused(400);
    }
    for key in ["project_id", "tenant_id", "user_id"] {
        create(&format!("http://h/$({key})s")).await.created();
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_times_out() {
    let mut settings = Settings::default();
    settings.api.body_arrival = Duration::from_millis(100);
    let world = World::with(settings).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("a socket");
    let server = tokio::spawn(axum::serve(listener, world.cloud.keystone.router()).into_future());
    for length in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut stream = TcpStream::connect(address).await.expect("a socket");
        let head = format!("POST /v3/auth/tokens HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n1");
        stream.write_all(head.as_bytes()).await.expect("a socket");
        let mut answer = String::new();
        // The read ends because the server closes the connection.
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.contains("took too long"), "{answer}");
    }
    server.abort();
}
