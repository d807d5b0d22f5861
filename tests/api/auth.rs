//! `/v3/auth`: tokens from their issue to their end.

use std::sync::Arc;

use chrono::Duration;
use keystone_testkit::{ADMIN_PASSWORD, Cloud};
use serde_json::{Value, json};

fn admin_project() -> Value {
    json!({ "project": { "name": "admin", "domain": { "id": "default" } } })
}

fn role_names(token: &Value) -> Vec<&str> {
    let roles = token["roles"].as_array().expect("a scoped token has roles");
    let mut names: Vec<&str> = roles
        .iter()
        .map(|role| role["name"].as_str().expect("a role has a name"))
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_project_scoped_token_has_its_whole_body() {
    let cloud = Cloud::new().await;
    let user = json!({ "name": "admin", "domain": { "name": "Default" } });
    let answer = cloud
        .nobody()
        .log_in(&user, ADMIN_PASSWORD, &admin_project())
        .await;
    let subject = answer
        .header("x-subject-token")
        .expect("a token")
        .to_owned();
    assert_eq!(answer.header("vary"), Some("X-Auth-Token"));
    assert!(
        answer
            .header("x-openstack-request-id")
            .is_some_and(|id| id.starts_with("req-"))
    );
    let issued = answer.created();
    let token = &issued["token"];
    assert_eq!(token["methods"], json!(["password"]));
    assert_eq!(
        token["user"]["domain"],
        json!({ "id": "default", "name": "Default" })
    );
    assert_eq!(token["user"]["password_expires_at"], Value::Null);
    assert_eq!(token["issued_at"], "2026-01-01T12:00:00.000000Z");
    assert_eq!(token["expires_at"], "2026-01-01T13:00:00.000000Z");
    assert_eq!(token["is_domain"], false);
    assert_eq!(role_names(token), ["admin", "manager", "member", "reader"]);
    assert_eq!(token["catalog"][0]["type"], "identity");
    assert_eq!(
        token["catalog"][0]["endpoints"].as_array().unwrap().len(),
        3
    );
    let admin = cloud.admin().await;
    assert_eq!(admin.validate(&subject).await.ok(), issued);
    let mut without = issued.clone();
    without["token"]
        .as_object_mut()
        .unwrap()
        .shift_remove("catalog");
    assert_eq!(
        admin
            .about("GET", "/v3/auth/tokens?nocatalog", &subject)
            .await
            .ok(),
        without
    );
    assert_eq!(
        admin
            .about("HEAD", "/v3/auth/tokens", &subject)
            .await
            .with(200),
        Value::Null
    );
}

#[tokio::test]
async fn every_reason_not_to_log_in_looks_the_same() {
    let cloud = Cloud::new().await;
    let nobody = cloud.nobody();
    let expected = "The request you have made requires authentication.";
    for (user, password, scope) in [
        (
            json!({ "name": "admin", "domain": { "id": "default" } }),
            "wrong",
            admin_project(),
        ),
        (
            json!({ "name": "nobody", "domain": { "id": "default" } }),
            "000000",
            admin_project(),
        ),
        (json!({ "id": "nobody" }), "000000", Value::Null),
        (
            json!({ "name": "admin", "domain": { "name": "nowhere" } }),
            "000000",
            Value::Null,
        ),
        (
            json!({ "name": "admin", "domain": { "id": "default" } }),
            "000000",
            json!({ "project": { "id": "nothing" } }),
        ),
        (
            json!({ "name": "admin", "domain": { "id": "default" } }),
            "000000",
            json!({ "project": { "id": "default" } }),
        ),
        (
            json!({ "name": "admin", "domain": { "id": "default" } }),
            "000000",
            json!({ "domain": { "id": "nothing" } }),
        ),
    ] {
        let answer = nobody.log_in(&user, password, &scope).await;
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Keystone uri=\"http://keystone.test:5000/v3\"")
        );
        assert_eq!(answer.refused(401), expected, "{user} {scope}");
    }
}

#[tokio::test]
async fn a_token_expires() {
    let cloud = Cloud::new().await;
    let old = cloud.admin().await;
    cloud.advance(Duration::seconds(3600));
    let admin = cloud.admin().await;
    assert_eq!(
        admin.validate(old.token()).await.refused(404),
        "Failed to validate token"
    );
    admin
        .about("GET", "/v3/auth/tokens?allow_expired=1", old.token())
        .await
        .ok();
    old.get("/v3/users").await.refused(401);
    cloud.advance(Duration::hours(48));
    let admin = cloud.admin().await;
    admin
        .about("GET", "/v3/auth/tokens?allow_expired=1", old.token())
        .await
        .refused(404);
}

#[tokio::test]
async fn rescoping_keeps_the_end_and_the_chain() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let first = cloud
        .session("admin", ADMIN_PASSWORD, &json!("unscoped"))
        .await;
    let root = first.validate(first.token()).await.ok();
    cloud.advance(Duration::minutes(10));
    let auth = |token: &str| json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": token } }, "scope": admin_project() } });
    let answer = cloud
        .nobody()
        .post("/v3/auth/tokens", &auth(first.token()))
        .await;
    let derived = answer.header("x-subject-token").unwrap().to_owned();
    let body = answer.created();
    assert_eq!(body["token"]["expires_at"], root["token"]["expires_at"]);
    assert_eq!(body["token"]["audit_ids"][1], root["token"]["audit_ids"][0]);
    let methods = admin.validate(&derived).await.ok()["token"]["methods"].clone();
    assert_eq!(methods, json!(["token", "password"]));

    let kept = cloud
        .nobody()
        .post("/v3/auth/tokens", &auth(first.token()))
        .await;
    let kept = kept.header("x-subject-token").unwrap().to_owned();
    cloud.advance(Duration::seconds(1));
    admin
        .about("DELETE", "/v3/auth/tokens", first.token())
        .await
        .no_content();
    for token in [first.token(), &derived, &kept] {
        assert_eq!(
            admin.validate(token).await.refused(404),
            "Failed to validate token"
        );
    }
}

#[tokio::test]
async fn revoking_without_cascade_leaves_what_was_derived() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let first = cloud
        .session("admin", ADMIN_PASSWORD, &json!("unscoped"))
        .await;
    let auth = json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": first.token() } }, "scope": admin_project() } });
    let derived = cloud.nobody().post("/v3/auth/tokens", &auth).await;
    let derived = derived.header("x-subject-token").unwrap().to_owned();
    cloud.advance(Duration::seconds(1));
    admin
        .about("DELETE", "/v3/auth/tokens?cascade=false", first.token())
        .await
        .no_content();
    admin.validate(first.token()).await.refused(404);
    admin.validate(&derived).await.ok();
}

#[tokio::test]
async fn a_new_password_a_removed_grant_and_a_disabled_project_end_tokens() {
    let cloud = Cloud::new().await;
    let (user, project) = (cloud.user("erin").await, cloud.project("p").await);
    cloud.grant(&user, &project, "member").await;
    let scope = json!({ "project": { "id": project } });
    let erin = cloud.session("erin", "erin", &scope).await;
    let admin = cloud.admin().await;
    let role = cloud.role("member").await;
    let grant = format!("/v3/projects/{project}/users/{user}/roles/{role}");
    admin.delete(&grant).await.no_content();
    assert_eq!(
        admin.validate(erin.token()).await.refused(404),
        format!("Could not find token: {}.", erin.token())
    );
    admin.put(&grant).await.no_content();
    admin.validate(erin.token()).await.ok();

    let disable = json!({ "project": { "enabled": false } });
    admin
        .patch(&format!("/v3/projects/{project}"), &disable)
        .await
        .ok();
    let message = format!("Unable to validate token because project {project} is disabled");
    assert_eq!(admin.validate(erin.token()).await.refused(404), message);
    assert_eq!(erin.get("/v3/auth/projects").await.refused(404), message);
    admin
        .patch(
            &format!("/v3/projects/{project}"),
            &json!({ "project": { "enabled": true } }),
        )
        .await
        .ok();
    admin.validate(erin.token()).await.ok();

    admin
        .patch(
            &format!("/v3/users/{user}"),
            &json!({ "user": { "password": "new" } }),
        )
        .await
        .ok();
    assert_eq!(
        admin.validate(erin.token()).await.refused(404),
        "Failed to validate token"
    );
    cloud.advance(Duration::seconds(1));
    let change = json!({ "user": { "original_password": "new", "password": "newer" } });
    cloud
        .nobody()
        .post(&format!("/v3/users/{user}/password"), &change)
        .await
        .no_content();
    cloud
        .nobody()
        .post(&format!("/v3/users/{user}/password"), &change)
        .await
        .refused(401);
    cloud.advance(Duration::seconds(1));
    cloud.session("erin", "newer", &scope).await;
}

#[tokio::test]
async fn only_its_user_and_administrators_validate_a_token() {
    let cloud = Cloud::new().await;
    let (user, project) = (cloud.user("erin").await, cloud.project("p").await);
    cloud.grant(&user, &project, "reader").await;
    let erin = cloud
        .session("erin", "erin", &json!({ "project": { "id": project } }))
        .await;
    let admin = cloud.admin().await;
    erin.validate(erin.token()).await.ok();
    let message =
        "You are not authorized to perform the requested action: identity:validate_token.";
    assert_eq!(erin.validate(admin.token()).await.refused(403), message);
    erin.about("DELETE", "/v3/auth/tokens", admin.token())
        .await
        .refused(403);
    cloud.nobody().validate(erin.token()).await.refused(401);
    assert_eq!(
        admin.validate("gAAAAgarbage").await.refused(404),
        "Could not recognize Fernet token"
    );
    assert_eq!(
        admin.get("/v3/auth/tokens").await.refused(404),
        "No token in the request"
    );
    erin.about("DELETE", "/v3/auth/tokens", erin.token())
        .await
        .no_content();
    erin.get("/v3/auth/projects").await.refused(401);
}

#[tokio::test]
async fn the_policy_credentials_of_a_token_are_made_once_and_without_its_catalog() {
    let cloud = Cloud::new().await;
    let (admin, auth) = (cloud.admin().await, cloud.keystone.auth());
    let token = auth.validate(admin.token(), Duration::zero()).await;
    let token = token.expect("the token is valid");
    let made = token.policy_credentials(auth.settings());
    assert!(Arc::ptr_eq(
        &made,
        &token.policy_credentials(auth.settings())
    ));
    assert_eq!(made["token"]["project"]["name"], "admin");
    assert_eq!(made["token"].get("catalog"), None);
}
