//! More rows than a statement has places for values: 65,535 on MariaDB, 32,766 on SQLite.

use keystone::storage::sql;
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

const MANY: usize = 70_000;

/// `m00000` to `m69999`, to be put behind an `INSERT`.
macro_rules! numbered {
    ($insert:literal, $columns:literal) => {
        concat!(
            $insert,
            " SELECT ",
            $columns,
            " FROM (SELECT 'm' || a.d || b.d || c.d || d.d || e.d AS id FROM ",
            "(SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6) a, ",
            numbered!("b"), ", ", numbered!("c"), ", ", numbered!("d"), ", ", numbered!("e"),
            ") n"
        )
    };
    ($name:literal) => {
        concat!(
            "(SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 \
              UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) ",
            $name
        )
    };
}

/// A cloud, its administrator, and the project `top`.
async fn cloud() -> (Cloud, Session, String) {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let top = cloud.project("top").await;
    (cloud, admin, top)
}

/// Puts many projects below one.
async fn projects(cloud: &Cloud, below: &str) {
    sql(numbered!(
        "INSERT INTO project (id, name, enabled, domain_id, parent_id, is_domain)",
        "n.id, n.id, 1, 'default', ?, 0"
    ))
    .bind(below)
    .execute(cloud.keystone.db())
    .await
    .expect("the projects are made");
}

fn count(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

/// Somebody who has a role on every project of the default domain.
async fn heir(cloud: &Cloud, admin: &Session) -> (String, Session) {
    let user = cloud.user("heir").await;
    let role = cloud.role("member").await;
    let inherited =
        format!("/v3/OS-INHERIT/domains/default/users/{user}/roles/{role}/inherited_to_projects");
    admin.put(&inherited).await.no_content();
    let session = cloud.session("heir", "heir", &Value::Null).await;
    (user, session)
}

#[tokio::test]
async fn many_projects_are_listed() {
    let (cloud, admin, top) = cloud().await;
    let (_, heir) = heir(&cloud, &admin).await;
    projects(&cloud, &top).await;

    let reached = heir.get("/v3/auth/projects").await.ok();
    // And `top`, and that of the administrator.
    assert_eq!(count(&reached["projects"]), MANY + 2);
    drop(reached);
    let all = admin.get("/v3/projects").await.ok();
    assert_eq!(count(&all["projects"]), MANY + 2);
    drop(all);
    let ids = admin
        .get(&format!("/v3/projects/{top}?subtree_as_ids"))
        .await;
    let ids = &ids.ok()["project"]["subtree"];
    assert_eq!(ids.as_object().map(serde_json::Map::len), Some(MANY));
    assert_eq!(ids["m69999"], Value::Null);

    let scope = json!({ "project": { "id": "m12345" } });
    cloud.session("heir", "heir", &scope).await;
}

#[tokio::test]
async fn many_projects_are_listed_with_their_limits() {
    let (cloud, admin, top) = cloud().await;
    let (user, _) = heir(&cloud, &admin).await;
    cloud.grant(&user, &top, "reader").await;
    let scope = json!({ "project": { "id": top } });
    let heir = cloud.session("heir", "heir", &scope).await;
    projects(&cloud, &top).await;
    let url = format!("/v3/projects/{top}?subtree_as_list&include_limits");
    let tree = heir.get(&url).await.ok();
    assert_eq!(count(&tree["project"]["subtree"]), MANY);
}

#[tokio::test]
async fn a_project_is_disabled_only_after_its_subtree() {
    let (cloud, admin, top) = cloud().await;
    projects(&cloud, &top).await;
    let url = format!("/v3/projects/{top}");
    let disabled = json!({ "project": { "enabled": false } });
    let message = admin.patch(&url, &disabled).await.refused(403);
    let text = format!("Cannot disable project {top} since its subtree contains enabled projects.");
    assert_eq!(message, text);
    let db = cloud.keystone.db();
    let all = sql("UPDATE project SET enabled = 0 WHERE parent_id = ?").bind(&top);
    all.execute(db).await.expect("they are disabled");
    admin.patch(&url, &disabled).await.ok();
}

#[tokio::test]
async fn many_effective_assignments_are_listed() {
    let (cloud, admin, top) = cloud().await;
    let (user, _) = heir(&cloud, &admin).await;
    projects(&cloud, &top).await;
    // `member` implies `reader`; `top` and the administrator's project are there too.
    let url = format!("/v3/role_assignments?effective&user.id={user}");
    let list = admin.get(&url).await.ok();
    assert_eq!(count(&list["role_assignments"]), 2 * (MANY + 2));
    let url = format!(
        "/v3/role_assignments?scope.project.id={top}&include_subtree&effective&include_names"
    );
    let list = admin.get(&url).await.ok();
    assert_eq!(count(&list["role_assignments"]), 2 * (MANY + 1));
}

#[tokio::test]
async fn many_grants_are_listed_with_names() {
    let (cloud, admin, top) = cloud().await;
    let user = cloud.user("holder").await;
    let role = cloud.role("member").await;
    projects(&cloud, &top).await;
    let grants = sql(numbered!(
        "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited)",
        "'UserProject', ?, n.id, ?, 0"
    ));
    let grants = grants.bind(&user).bind(&role);
    let made = grants.execute(cloud.keystone.db()).await;
    made.expect("the roles are granted");
    let path = format!("/v3/role_assignments?include_names&user.id={user}");
    let (list, statements) = cloud.statements(admin.get(&path)).await;
    let list = list.ok();
    let list = list["role_assignments"].as_array().expect("a list");
    assert_eq!(list.len(), MANY);
    assert!(
        list.iter()
            .all(|item| item["scope"]["project"]["name"] == item["scope"]["project"]["id"])
    );
    let own = |text: &&String| text.contains("assignment a") || text.contains("UNION ALL");
    assert!(statements.iter().filter(own).count() <= 4, "{statements:?}");
}

#[tokio::test]
async fn a_member_of_many_groups_logs_in_and_lists_them() {
    let (cloud, admin, top) = cloud().await;
    let user = cloud.user("joiner").await;
    let role = cloud.role("reader").await;
    let db = cloud.keystone.db();
    for (statement, bound) in [
        (
            numbered!("INSERT INTO `group` (id, name, domain_id)", "n.id, n.id, ?"),
            "default",
        ),
        (
            numbered!(
                "INSERT INTO user_group_membership (user_id, group_id)",
                "?, n.id"
            ),
            &user,
        ),
    ] {
        let query = sql(statement).bind(bound);
        query.execute(db).await.expect("the rows are made");
    }
    let grant = format!("/v3/projects/{top}/groups/m69999/roles/{role}");
    admin.put(&grant).await.no_content();

    let on_top = json!({ "project": { "id": top } });
    let session = cloud.session("joiner", "joiner", &on_top).await;
    let projects = session.get("/v3/auth/projects").await.ok();
    assert_eq!(count(&projects["projects"]), 1);
    let groups = session.get(&format!("/v3/users/{user}/groups")).await.ok();
    assert_eq!(count(&groups["groups"]), MANY);
    let url = format!("/v3/role_assignments?effective&user.id={user}");
    let held = admin.get(&url).await.ok();
    assert_eq!(count(&held["role_assignments"]), 1);
}

#[tokio::test]
async fn an_endpoint_lists_and_leaves_many_projects() {
    let (cloud, admin, top) = cloud().await;
    projects(&cloud, &top).await;
    let services = admin.get("/v3/services").await.ok();
    let service = &services["services"][0]["id"];
    let fields = json!({ "service_id": service, "interface": "public", "url": "http://e" });
    let made = admin
        .post("/v3/endpoints", &json!({ "endpoint": fields }))
        .await;
    let endpoint = made.created()["endpoint"]["id"].clone();
    let endpoint = endpoint.as_str().expect("an id");
    let with = numbered!(
        "INSERT INTO project_endpoint (endpoint_id, project_id)",
        "?, n.id"
    );
    let query = sql(with).bind(endpoint);
    query
        .execute(cloud.keystone.db())
        .await
        .expect("they are associated");
    let url = format!("/v3/OS-EP-FILTER/endpoints/{endpoint}/projects");
    let projects = admin.get(&url).await.ok();
    assert_eq!(count(&projects["projects"]), MANY);
}
