//! `/v3/roles/{id}/implies` and `/v3/role_inferences`

use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

const BASE: &str = "http://keystone.test:5000/v3";

async fn create(admin: &Session, role: Value) -> String {
    let body = admin
        .post("/v3/roles", &json!({ "role": role }))
        .await
        .created();
    body["role"]["id"].as_str().expect("an id").to_owned()
}

fn reference(id: &str, name: &str) -> Value {
    json!({ "id": id, "links": { "self": format!("{BASE}/roles/{id}") }, "name": name })
}

#[tokio::test]
async fn a_role_implies_another_from_put_to_delete() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let auditor = create(&admin, json!({ "name": "auditor" })).await;
    let reader = cloud.role("reader").await;
    let path = format!("/v3/roles/{auditor}/implies/{reader}");
    let gone = format!("{auditor} does not imply {reader}.");
    assert_eq!(admin.get(&path).await.refused(404), gone);
    admin.head(&path).await.with(404);

    let created = admin.put(&path).await.created();
    let expected = json!({
        "role_inference": { "prior_role": reference(&auditor, "auditor"), "implies": reference(&reader, "reader") },
        "links": { "self": format!("{BASE}/roles/{auditor}/implies/{reader}") },
    });
    assert_eq!(created, expected);
    assert_eq!(admin.get(&path).await.ok(), expected);
    admin.head(&path).await.no_content();
    assert_eq!(
        admin.put(&path).await.refused(409),
        "Conflict occurred attempting to store implied_role - Duplicate entry."
    );
    let list = format!("/v3/roles/{auditor}/implies");
    let expected = json!({
        "role_inference": { "prior_role": reference(&auditor, "auditor"), "implies": [reference(&reader, "reader")] },
        "links": { "self": format!("{BASE}/roles/{auditor}/implies") },
    });
    assert_eq!(admin.get(&list).await.ok(), expected);
    admin.head(&list).await.with(200);

    admin.delete(&path).await.no_content();
    assert_eq!(admin.delete(&path).await.refused(404), gone);
    assert_eq!(
        admin.get(&list).await.ok()["role_inference"]["implies"],
        json!([])
    );
}

#[tokio::test]
async fn a_prohibited_or_domain_role_cannot_be_implied() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let (member, admin_role) = (cloud.role("member").await, cloud.role("admin").await);
    let local = create(&admin, json!({ "name": "local", "domain_id": "default" })).await;
    for implied in [&admin_role, &local] {
        let answer = admin
            .put(&format!("/v3/roles/{member}/implies/{implied}"))
            .await;
        let message = format!("{implied} cannot be an implied roles.");
        assert_eq!(answer.refused(403), message);
    }
    admin
        .put(&format!("/v3/roles/{local}/implies/{member}"))
        .await
        .created();
    let answer = admin.put(&format!("/v3/roles/{member}/implies/none")).await;
    assert_eq!(answer.refused(404), "Could not find role: none.");
}

#[tokio::test]
async fn role_inferences_list_every_prior_role() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let body = admin.get("/v3/role_inferences").await.ok();
    let rules = body["role_inferences"].as_array().unwrap();
    let mut pairs = Vec::new();
    for rule in rules {
        for implied in rule["implies"].as_array().unwrap() {
            assert_eq!(
                *implied,
                reference(
                    implied["id"].as_str().unwrap(),
                    implied["name"].as_str().unwrap()
                )
            );
            pairs.push((
                rule["prior_role"]["name"].as_str().unwrap(),
                implied["name"].as_str().unwrap(),
            ));
        }
    }
    pairs.sort_unstable();
    assert_eq!(
        pairs,
        [
            ("admin", "manager"),
            ("manager", "member"),
            ("member", "reader")
        ]
    );
    assert_eq!(body.as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn a_missing_role_is_404_before_the_policy_is_asked() {
    let cloud = Cloud::new().await;
    let (user, project) = (cloud.user("erin").await, cloud.project("p").await);
    cloud.grant(&user, &project, "member").await;
    let erin = cloud
        .session("erin", "erin", &json!({ "project": { "id": project } }))
        .await;
    let (member, reader) = (cloud.role("member").await, cloud.role("reader").await);
    erin.get("/v3/roles/none/implies").await.refused(404);
    let path = format!("/v3/roles/{member}/implies/{reader}");
    for (method, path, rule) in [
        (
            "GET",
            format!("/v3/roles/{member}/implies"),
            "list_implied_roles",
        ),
        ("GET", path.clone(), "get_implied_role"),
        ("PUT", path.clone(), "create_implied_role"),
        ("DELETE", path.clone(), "delete_implied_role"),
        (
            "GET",
            "/v3/role_inferences".to_owned(),
            "list_role_inference_rules",
        ),
    ] {
        let message =
            format!("You are not authorized to perform the requested action: identity:{rule}.");
        assert_eq!(
            erin.request(method, &path, None).await.refused(403),
            message
        );
        cloud
            .nobody()
            .request(method, &path, None)
            .await
            .refused(401);
    }
    erin.head(&path).await.with(403);
}
