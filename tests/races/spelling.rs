//! Ids in another spelling than the row's: the database finds the row, and everything that follows uses the stored id.

use keystone::storage::Dialect;
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

/// Spellings that the database takes for the id: without regard to case, and on `MariaDB` to spaces at the end.
fn spellings(cloud: &Cloud, id: &str) -> Vec<String> {
    let mut spellings = vec![id.to_uppercase()];
    if cloud.keystone.db().dialect() == Dialect::MySql {
        spellings.push(format!("{id}%20"));
    }
    spellings
}

/// An id has letters, so that it has another spelling.
async fn user(cloud: &Cloud) -> (String, Session) {
    let mut n = 0;
    loop {
        let name = format!("user {n}");
        let id = cloud.user(&name).await;
        if id.to_uppercase() != id {
            let session = cloud.session(&name, &name, &Value::Null).await;
            return (id, session);
        }
        n += 1;
    }
}

#[tokio::test]
async fn ending_tokens_ends_them_in_every_spelling() {
    let cloud = Box::pin(Cloud::new()).await;
    let admin = cloud.admin().await;
    let count = spellings(&cloud, "a").len();
    for n in 0..count {
        let (id, session) = user(&cloud).await;
        let spelt = &spellings(&cloud, &id)[n];
        admin.validate(session.token()).await.ok();
        let path = format!("/v3/users/{spelt}/tokens");
        admin.delete(&path).await.no_content();
        assert_eq!(admin.validate(session.token()).await.status, 404, "{spelt}");
        admin.delete(&format!("/v3/users/{id}")).await.no_content();
    }
}

#[tokio::test]
async fn a_changed_password_ends_tokens_in_every_spelling() {
    let cloud = Box::pin(Cloud::new()).await;
    let admin = cloud.admin().await;
    let count = spellings(&cloud, "a").len();
    for n in 0..count {
        let (id, session) = user(&cloud).await;
        let spelt = &spellings(&cloud, &id)[n];
        let set = json!({ "user": { "password": "another" } });
        admin.patch(&format!("/v3/users/{spelt}"), &set).await.ok();
        assert_eq!(admin.validate(session.token()).await.status, 404, "{spelt}");
        let user = json!({ "id": id });
        let login = cloud.nobody().log_in(&user, "another", &Value::Null).await;
        let token = login.header("x-subject-token").unwrap().to_owned();
        let change = json!({ "user": { "original_password": "another", "password": "third" } });
        let path = format!("/v3/users/{spelt}/password");
        admin.post(&path, &change).await.no_content();
        assert_eq!(admin.validate(&token).await.status, 404, "{spelt}");
        admin.delete(&format!("/v3/users/{id}")).await.no_content();
    }
}

#[tokio::test]
async fn leaving_a_group_ends_tokens_in_every_spelling() {
    let cloud = Box::pin(Cloud::new()).await;
    let admin = cloud.admin().await;
    let group = json!({ "group": { "name": "g", "domain_id": "default" } });
    let group = admin.post("/v3/groups", &group).await.created();
    let group = group["group"]["id"].as_str().unwrap();
    let count = spellings(&cloud, "a").len();
    for n in 0..count {
        let (id, session) = user(&cloud).await;
        let spelt = &spellings(&cloud, &id)[n];
        let (there, spelt_group) = (
            format!("/v3/groups/{group}/users/{id}"),
            &spellings(&cloud, group)[n],
        );
        let path = format!("/v3/groups/{spelt_group}/users/{spelt}");
        admin.put(&path).await.no_content();
        admin.head(&there).await.no_content();
        admin.head(&path).await.no_content();
        let groups = admin.get(&format!("/v3/users/{spelt}/groups")).await.ok();
        assert_eq!(groups["groups"].as_array().unwrap().len(), 1, "{groups}");
        admin.delete(&path).await.no_content();
        assert_eq!(admin.validate(session.token()).await.status, 404, "{spelt}");
        admin.delete(&format!("/v3/users/{id}")).await.no_content();
    }
}

#[tokio::test]
async fn a_grant_is_listed_in_every_spelling() {
    let cloud = Box::pin(Cloud::new()).await;
    let admin = cloud.system_admin().await;
    let role = cloud.role("member").await;
    let count = spellings(&cloud, "a").len();
    for n in 0..count {
        let (id, _) = user(&cloud).await;
        let project = cloud.project(&format!("p{n}")).await;
        let spelt = |id: &str| spellings(&cloud, id)[n].clone();
        let path = format!(
            "/v3/projects/{}/users/{}/roles/{}",
            spelt(&project),
            spelt(&id),
            spelt(&role)
        );
        admin.put(&path).await.no_content();
        let listed = format!("/v3/role_assignments?user.id={id}&include_names=true");
        let listed = admin.get(&listed).await.ok();
        let assignment = &listed["role_assignments"][0];
        assert_eq!(assignment["user"]["id"], id, "{listed}");
        assert_eq!(assignment["scope"]["project"]["id"], project, "{listed}");
        assert_eq!(assignment["role"]["id"], role, "{listed}");
        let user = json!({ "id": id });
        let name = listed["role_assignments"][0]["user"]["name"]
            .as_str()
            .unwrap();
        let scope = json!({ "project": { "id": spelt(&project).replace("%20", " ") } });
        let login = cloud.nobody().log_in(&user, name, &scope).await.created();
        assert_eq!(login["token"]["project"]["id"], project);
        admin.delete(&path).await.no_content();
        admin.delete(&format!("/v3/users/{id}")).await.no_content();
    }
}
