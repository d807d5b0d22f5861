//! Lists that are sent in pieces, while their rows are read.

use std::collections::HashSet;

use axum::body::{Body, HttpBody as _};
use axum::http::Request;
use axum::response::Response;
use futures_util::StreamExt as _;
use keystone::storage::sql;
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// More than are read at a time.
const MANY: usize = 2_500;

/// `n0000` to `n2499`, behind an `INSERT`.
macro_rules! numbered {
    ($insert:literal, $columns:literal) => {
        concat!(
            $insert,
            " WITH d (n) AS (SELECT 0 UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 \
              UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) SELECT ",
            $columns,
            " FROM (SELECT 'n' || a.n || b.n || c.n || d.n AS id FROM d a, d b, d c, d \
                     WHERE a.n < 2 OR (a.n = 2 AND b.n < 5)) m"
        )
    };
}

const PROJECTS: &str = numbered!(
    "INSERT INTO project (id, name, enabled, domain_id, parent_id, is_domain, extra)",
    "m.id, m.id, 1, 'default', 'default', 0, '{\"of\": \"é\"}'"
);
const USERS: &str = numbered!(
    "INSERT INTO `user` (id, enabled, domain_id, extra)",
    "m.id, 1, 'default', '{}'"
);
const GRANTS: &str = numbered!(
    "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited)",
    "'UserProject', ?, m.id, ?, 0"
);

const GRANTS_TO_ALL: &str = numbered!(
    "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited)",
    "'UserProject', m.id, ?, ?, 0"
);

async fn insert(cloud: &Cloud, statements: &[&'static str]) {
    for &statement in statements {
        let insert = sql(statement).execute(cloud.keystone.db()).await;
        assert_eq!(insert.expect("the rows are made"), MANY as u64);
    }
}

/// The answer, of which nothing is read yet.
async fn begun(cloud: &Cloud, session: &Session, path: &str) -> Response {
    let request = Request::get(path)
        .header("host", "keystone.test:5000")
        .header("x-auth-token", session.token())
        .body(Body::empty());
    let router = cloud.keystone.router();
    let Ok(response) = router.oneshot(request.expect("a request")).await;
    assert_eq!(response.status(), 200);
    response
}

/// The ids of a collection, all different.
fn ids(body: &Value, collection: &str) -> HashSet<String> {
    let members = body[collection].as_array().expect("a collection");
    let ids = members.iter().map(|member| member["id"].as_str());
    let ids: HashSet<String> = ids.flatten().map(str::to_owned).collect();
    assert_eq!(ids.len(), members.len());
    ids
}

/// Makes a role; returns its id.
async fn other_role(admin: &Session) -> String {
    let role = json!({ "role": { "name": "other" } });
    let made = admin.post("/v3/roles", &role).await.created();
    made["role"]["id"]
        .as_str()
        .expect("it has an id")
        .to_owned()
}

#[tokio::test]
async fn a_long_list_is_whole() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    insert(&cloud, &[PROJECTS, USERS]).await;
    for (collection, others) in [("projects", 1), ("users", 1)] {
        let path = format!("/v3/{collection}");
        let body = begun(&cloud, &admin, &path).await.into_body();
        assert_eq!(
            body.size_hint().exact(),
            None,
            "it is sent while it is read"
        );
        let pieces = body.into_data_stream().collect::<Vec<_>>().await;
        assert_eq!(pieces.len(), 2);
        let list = admin.get(&path).await.ok();
        assert_eq!(ids(&list, collection).len(), MANY + others);
        let links = &list["links"];
        assert_eq!(links["self"], format!("http://keystone.test:5000{path}"));
        assert_eq!(
            (&links["next"], list.get("truncated")),
            (&Value::Null, None)
        );
    }
    let list = admin.get("/v3/projects?name=n2400").await.ok();
    let expected = serde_json::json!([{
        "of": "é", "id": "n2400", "name": "n2400", "domain_id": "default", "description": null, "enabled": true,
        "parent_id": "default", "is_domain": false, "tags": [], "options": {},
        "links": { "self": "http://keystone.test:5000/v3/projects/n2400" },
    }]);
    assert_eq!(list["projects"], expected);
}

#[tokio::test]
async fn a_short_list_is_one_body() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    insert(&cloud, &[PROJECTS]).await;
    for path in [
        "/v3/users",
        "/v3/projects?limit=2000",
        "/v3/projects?limit=1",
    ] {
        let body = begun(&cloud, &admin, path).await.into_body();
        assert!(body.size_hint().exact().is_some(), "{path}");
    }
}

#[tokio::test]
async fn a_long_page_leads_to_the_next() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    insert(&cloud, &[PROJECTS]).await;
    let path = "/v3/projects?limit=2400&domain_id=default";
    let first = admin.get(path).await.ok();
    let mut found = ids(&first, "projects");
    assert_eq!((found.len(), &first["truncated"]), (2400, &true.into()));
    let next = first["links"]["next"].as_str().expect("there is more");
    let second = admin.get(next.trim_start_matches("http://keystone.test:5000"));
    let second = second.await.ok();
    assert_eq!(second["links"]["next"], Value::Null);
    found.extend(ids(&second, "projects"));
    assert_eq!(found.len(), MANY + 1);
    // Keystone takes this for a page of none.
    let all = admin.get("/v3/projects?limit=0").await.ok();
    assert_eq!(ids(&all, "projects").len(), MANY + 1);
    assert_eq!(all["truncated"], true);
}

#[tokio::test]
async fn head_has_the_length_of_a_long_list() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    insert(&cloud, &[PROJECTS]).await;
    let body = begun(&cloud, &admin, "/v3/projects").await.into_body();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let head = admin.head("/v3/projects").await;
    assert_eq!(
        head.header("content-length"),
        Some(&*body.len().to_string())
    );
}

#[tokio::test]
async fn a_list_that_fails_on_the_way_is_cut_off() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    insert(&cloud, &[PROJECTS]).await;
    let body = begun(&cloud, &admin, "/v3/projects").await.into_body();
    let mut pieces = body.into_data_stream();
    assert!(pieces.next().await.is_some_and(|piece| piece.is_ok()));
    let drop = sql("DROP TABLE project_tag").execute(cloud.keystone.db());
    drop.await.expect("the table is gone");
    assert!(pieces.next().await.is_some_and(|piece| piece.is_err()));
    assert!(pieces.next().await.is_none());
}

#[tokio::test]
async fn a_list_goes_on_where_its_last_row_is_gone() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    insert(&cloud, &[USERS]).await;
    let body = begun(&cloud, &admin, "/v3/users").await.into_body();
    let mut pieces = body.into_data_stream();
    let mut text = pieces.next().await.unwrap().unwrap().to_vec();
    let emptied = sql("DELETE FROM `user` WHERE id LIKE 'n%' AND id < 'n2400'");
    emptied.execute(cloud.keystone.db()).await.unwrap();
    while let Some(piece) = pieces.next().await {
        text.extend(piece.unwrap());
    }
    let list: Value = serde_json::from_slice(&text).expect("JSON");
    let found = ids(&list, "users");
    assert!(found.contains("n0000") && found.contains("n2499"));
}

#[tokio::test]
async fn long_lists_of_assignments_are_whole() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    insert(&cloud, &[PROJECTS]).await;
    let (user, role) = (cloud.user("heir").await, cloud.role("member").await);
    let inherited =
        format!("/v3/OS-INHERIT/domains/default/users/{user}/roles/{role}/inherited_to_projects");
    admin.put(&inherited).await.no_content();
    let grants = sql(GRANTS).bind(&user).bind(other_role(&admin).await);
    let grants = grants.execute(cloud.keystone.db()).await;
    assert_eq!(grants.expect("the rows are made"), MANY as u64);
    // `member` implies `reader`; the administrator's project is there too.
    let effective = 2 * (MANY + 1) + MANY;
    let paths = [
        (format!("effective&user.id={user}"), effective),
        (format!("effective&include_names&user.id={user}"), effective),
        (format!("include_names&user.id={user}"), MANY + 1),
        (format!("user.id={user}"), MANY + 1),
    ];
    for (query, expected) in paths {
        let path = format!("/v3/role_assignments?{query}");
        let body = begun(&cloud, &admin, &path).await.into_body();
        assert_eq!(body.size_hint().exact(), None, "{query}");
        let pieces = body.into_data_stream().collect::<Vec<_>>().await;
        assert!(pieces.len() > 1, "{query}");
        let list = admin.get(&path).await.ok();
        let items = list["role_assignments"].as_array().expect("a list");
        let distinct: HashSet<String> = items.iter().map(Value::to_string).collect();
        assert_eq!(
            (items.len(), distinct.len()),
            (expected, expected),
            "{query}"
        );
        let own_url = format!("http://keystone.test:5000{path}");
        assert_eq!(list["links"]["self"], own_url, "{query}");
    }
}

#[tokio::test]
async fn a_long_list_of_assignments_has_every_name() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    insert(&cloud, &[PROJECTS, USERS]).await;
    let renaming = "INSERT INTO nonlocal_user (domain_id, name, user_id) SELECT domain_id, 'of-' || id, id FROM `user` \
                 WHERE id LIKE 'n%'";
    insert(&cloud, &[renaming]).await;
    let (user, role) = (cloud.user("holder").await, other_role(&admin).await);
    let top = cloud.project("top").await;
    for (grants, other) in [(GRANTS, &user), (GRANTS_TO_ALL, &top)] {
        let grants = sql(grants).bind(other).bind(&role);
        let made = grants.execute(cloud.keystone.db()).await;
        assert_eq!(made.expect("the rows are made"), MANY as u64);
    }
    let path = format!("/v3/role_assignments?include_names&role.id={role}");
    // What was remembered of the administrator is void.
    admin.get("/v3/roles").await.ok();
    let (list, statements) = cloud.statements(admin.get(&path)).await;
    let (own, plain) = cloud.statements(admin.get("/v3/roles")).await;
    own.ok();
    assert!(statements.len() <= plain.len() + 1, "{statements:#?}");
    let list = list.ok();
    let items = list["role_assignments"].as_array().expect("a list");
    assert_eq!(items.len(), 2 * MANY);
    for item in items {
        let (user, project) = (&item["user"], &item["scope"]["project"]);
        let names = [&user["name"], &project["name"], &item["role"]["name"]];
        let user = match user["id"].as_str() {
            Some(id) if id.starts_with('n') => format!("of-{id}"),
            _ => "holder".to_owned(),
        };
        let project = match project["id"].as_str() {
            Some(id) if id.starts_with('n') => id,
            _ => "top",
        };
        assert_eq!(names, [&*user, project, "other"], "{item}");
    }
}
