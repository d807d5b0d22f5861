//! Mistakes that Keystone answers with an unexpected exception; this server names the mistake.

use axum::body::Body;
use axum::http::Request;
use keystone_testkit::Cloud;
use serde_json::{Value, json};

const CLIENTS_FAULT: &str = "The server could not comply with the request since it is either malformed or \
                             otherwise incorrect. The client is assumed to be in error.";

#[tokio::test]
async fn a_flag_is_true_or_false_and_no_text() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let (user, project) = (cloud.user("erin").await, cloud.project("p").await);
    let message =
        "Invalid input for field/attribute enabled. Value: false. 'false' is not of type 'boolean'";
    for (kind, id) in [("user", &user), ("project", &project)] {
        let flag = |name: &str| json!({ kind: { "name": name, "enabled": "false" } });
        assert_eq!(
            admin
                .post(&format!("/v3/{kind}s"), &flag("new"))
                .await
                .refused(400),
            message
        );
        let path = format!("/v3/{kind}s/{id}");
        assert_eq!(
            admin.patch(&path, &flag("changed")).await.refused(400),
            message
        );
        let kept = admin.get(&path).await.ok();
        assert_eq!(kept[kind]["enabled"], true);
        assert_ne!(kept[kind]["name"], "changed");
    }
    let domain = json!({ "domain": { "name": "new", "enabled": "false" } });
    assert_eq!(
        admin.post("/v3/domains", &domain).await.refused(400),
        message
    );
}

#[tokio::test]
async fn a_body_without_the_resource_is_400() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let services = admin.get("/v3/services").await.ok();
    for kind in ["project", "service", "endpoint"] {
        let answer = admin.post(&format!("/v3/{kind}s"), &json!({})).await;
        assert_eq!(
            answer.refused(400),
            format!("'{kind}' is a required property")
        );
        cloud
            .nobody()
            .post(&format!("/v3/{kind}s"), &json!({}))
            .await
            .refused(401);
    }
    assert_eq!(admin.get("/v3/services").await.ok(), services);
}

#[tokio::test]
async fn a_body_that_no_handler_reads_is_still_checked() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let project = cloud.project("p").await;
    let path = format!("/v3/projects/{project}");
    for method in ["GET", "DELETE"] {
        for (kind, body, expected) in [
            ("application/json", "{", "valid JSON in request body"),
            ("application/json", "[]", "valid JSON in request body"),
            ("text/plain", "x", "application/json in Content-Type header"),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(&path)
                .header("content-type", kind);
            let request = request.body(Body::from(body)).expect("a request");
            let message = admin.send(request).await.refused(400);
            assert_eq!(
                message,
                format!("Expecting to find {expected}. {CLIENTS_FAULT}")
            );
        }
    }
    admin.get(&path).await.ok();
    let marked = Request::post("/v3/regions").header("content-type", "APPLICATION/JSON");
    let marked = marked
        .body(Body::from("\u{feff}{\"region\":{\"id\":\"r\"}}"))
        .expect("a request");
    admin.send(marked).await.created();
}

#[tokio::test]
async fn links_and_extra_are_not_stored() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    for (kind, fields) in [
        ("domain", json!({ "name": "x" })),
        ("endpoint", Value::Null),
        ("group", json!({ "name": "x" })),
        ("project", json!({ "name": "x" })),
        ("region", json!({ "id": "x" })),
        ("role", json!({ "name": "x" })),
        ("service", json!({ "type": "x" })),
        ("user", json!({ "name": "x" })),
    ] {
        let mut fields = fields;
        if kind == "endpoint" {
            let service = admin.get("/v3/services").await.ok()["services"][0]["id"].clone();
            fields = json!({ "service_id": service, "interface": "public", "url": "http://x" });
        }
        fields["links"] = 5.into();
        fields["extra"] = json!({ "a": 1 });
        fields["free"] = json!({ "b": [2] });
        let made = admin
            .post(&format!("/v3/{kind}s"), &json!({ kind: fields }))
            .await
            .created();
        let id = made[kind]["id"].as_str().expect("an id");
        let path = format!("/v3/{kind}s/{id}");
        let shown = admin.get(&path).await.ok();
        assert_eq!(
            shown[kind]["links"]["self"],
            format!("http://keystone.test:5000{path}")
        );
        assert_eq!(shown[kind].get("extra"), None, "{kind}");
        assert_eq!(shown[kind]["free"], json!({ "b": [2] }), "{kind}");
        assert_eq!(shown, made, "{kind}");
    }
}

#[tokio::test]
async fn a_password_too_long_to_be_hashed_is_refused() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let user = json!({ "user": { "name": "erin", "password": "p".repeat(4097) } });
    let message = admin.post("/v3/users", &user).await.refused(403);
    assert!(
        message.starts_with("The password length must be less than or equal to 4096."),
        "{message}"
    );
    assert_eq!(
        admin.get("/v3/users?name=erin").await.ok()["users"],
        json!([])
    );
}

#[tokio::test]
async fn a_value_that_mariadb_cannot_store_is_400() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    // Keystone's tables hold three bytes a character there; SQLite holds anything.
    for (kind, name) in [
        ("project", "description"),
        ("user", "name"),
        ("group", "name"),
    ] {
        let mut fields = json!({ "name": "x" });
        fields[name] = "😀".into();
        let answer = admin
            .post(&format!("/v3/{kind}s"), &json!({ kind: fields }))
            .await;
        if answer.status != 201 {
            let message = answer.refused(400);
            assert!(message.ends_with(CLIENTS_FAULT), "{message}");
            let none = admin.get(&format!("/v3/{kind}s?name=x")).await.ok();
            assert_eq!(none[format!("{kind}s")], json!([]));
        }
    }
}

#[tokio::test]
async fn a_domains_id_has_one_spelling() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let message = "Could not find domain: DEFAULT.";
    assert_eq!(admin.get("/v3/domains/DEFAULT").await.refused(404), message);
    for (kind, status) in [("project", 400), ("user", 404), ("group", 404)] {
        let body = json!({ kind: { "name": "x", "domain_id": "DEFAULT" } });
        let answer = admin.post(&format!("/v3/{kind}s"), &body).await;
        assert_eq!(answer.refused(status), message);
    }
}

#[tokio::test]
async fn names_of_attributes_are_changed_at_creation_only() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let body = json!({ "domain": { "name": "x", "a-b": 1, "c:d": 2 } });
    let made = admin.post("/v3/domains", &body).await.created();
    assert_eq!(
        (&made["domain"]["a_b"], &made["domain"]["c_d"]),
        (&json!(1), &json!(2))
    );
    let path = format!(
        "/v3/domains/{}",
        made["domain"]["id"].as_str().expect("an id")
    );
    let body = json!({ "domain": { "a-b": 3 } });
    let changed = admin.patch(&path, &body).await.ok();
    assert_eq!(
        (&changed["domain"]["a_b"], &changed["domain"]["a-b"]),
        (&json!(1), &json!(3))
    );
}
