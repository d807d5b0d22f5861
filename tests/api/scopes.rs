//! Where tokens hold: projects, domains, the system, or nowhere yet.

use keystone_testkit::{ADMIN_PASSWORD, Cloud};
use serde_json::{Value, json};

#[tokio::test]
async fn tokens_are_scoped_to_the_system_a_domain_or_nothing() {
    let cloud = Cloud::new().await;
    let system = cloud.system_admin().await;
    let body = system.validate(system.token()).await.ok();
    assert_eq!(body["token"]["system"], json!({ "all": true }));
    let user = json!({ "name": "admin", "domain": { "id": "default" } });
    let unscoped = cloud
        .nobody()
        .log_in(&user, ADMIN_PASSWORD, &json!("unscoped"))
        .await
        .created();
    assert_eq!(unscoped["token"].get("roles"), None);
    assert_eq!(unscoped["token"].get("catalog"), None);
    let domain = json!({ "domain": { "id": "default" } });
    cloud
        .nobody()
        .log_in(&user, ADMIN_PASSWORD, &domain)
        .await
        .refused(401);
    let admin = cloud.admin().await;
    let admin_id = admin.validate(admin.token()).await.ok()["token"]["user"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let role = cloud.role("admin").await;
    admin
        .put(&format!(
            "/v3/domains/default/users/{admin_id}/roles/{role}"
        ))
        .await
        .no_content();
    let scoped = cloud
        .nobody()
        .log_in(&user, ADMIN_PASSWORD, &domain)
        .await
        .created();
    assert_eq!(
        scoped["token"]["domain"],
        json!({ "id": "default", "name": "Default" })
    );
}

#[tokio::test]
async fn a_default_project_is_the_scope_when_none_is_asked_for() {
    let cloud = Cloud::new().await;
    let (user, project) = (cloud.user("erin").await, cloud.project("p").await);
    let admin = cloud.admin().await;
    let patch = json!({ "user": { "default_project_id": project } });
    admin.patch(&format!("/v3/users/{user}"), &patch).await.ok();
    let erin = json!({ "id": user });
    let unscoped = cloud
        .nobody()
        .log_in(&erin, "erin", &Value::Null)
        .await
        .created();
    assert_eq!(unscoped["token"].get("project"), None, "no role there yet");
    cloud.grant(&user, &project, "member").await;
    let scoped = cloud
        .nobody()
        .log_in(&erin, "erin", &Value::Null)
        .await
        .created();
    assert_eq!(scoped["token"]["project"]["id"], json!(project));
    let asked = cloud
        .nobody()
        .log_in(&erin, "erin", &json!({ "unscoped": {} }))
        .await
        .created();
    assert_eq!(asked["token"].get("project"), None);
}

#[tokio::test]
async fn auth_lists_name_every_possible_scope() {
    let cloud = Cloud::new().await;
    let (user, project) = (cloud.user("erin").await, cloud.project("p").await);
    cloud.grant(&user, &project, "reader").await;
    let erin = cloud.session("erin", "erin", &Value::Null).await;
    let projects = erin.get("/v3/auth/projects").await.ok();
    assert_eq!(projects["projects"].as_array().unwrap().len(), 1);
    assert_eq!(projects["projects"][0]["id"], json!(project));
    assert_eq!(
        projects["links"]["self"],
        "http://keystone.test:5000/v3/auth/projects"
    );
    assert_eq!(
        erin.get("/v3/auth/domains").await.ok()["domains"],
        json!([])
    );
    assert_eq!(erin.get("/v3/auth/system").await.ok()["system"], json!([]));
    erin.get("/v3/auth/catalog").await.refused(403);
    let admin = cloud.admin().await;
    assert_eq!(
        admin.get("/v3/auth/system").await.ok()["system"],
        json!([{ "all": true }])
    );
    assert_eq!(
        admin.get("/v3/auth/catalog").await.ok()["catalog"][0]["name"],
        "keystone"
    );
}
