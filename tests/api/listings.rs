//! Pages of collections: `limit`, `marker`, `links.next`, and `[DEFAULT] list_limit`.

use keystone::Settings;
use keystone::storage::sql;
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

const COLLECTIONS: [&str; 8] = [
    "domains",
    "endpoints",
    "groups",
    "projects",
    "regions",
    "roles",
    "services",
    "users",
];

async fn with_list_limit(limit: u32) -> Cloud {
    let mut settings = Settings::default();
    settings.api.list_limit = Some(limit);
    Cloud::with(settings).await
}

/// The names of a page, and where the next one is.
fn page(body: &Value, collection: &str) -> (Vec<String>, Option<String>) {
    let members = body[collection].as_array().expect("a collection");
    let names = members
        .iter()
        .map(|member| member["name"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(
        body.get("truncated").is_some(),
        !body["links"]["next"].is_null()
    );
    (names, body["links"]["next"].as_str().map(str::to_owned))
}

/// Follows `next` to the end; gives the sizes of the pages and every name.
async fn walk(session: &Session, path: &str, collection: &str) -> (Vec<usize>, Vec<String>) {
    let (mut sizes, mut names) = (Vec::new(), Vec::new());
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let path = path
            .trim_start_matches("http://keystone.test:5000")
            .to_owned();
        let (mut found, following) = page(&session.get(&path).await.ok(), collection);
        sizes.push(found.len());
        names.append(&mut found);
        next = following;
    }
    names.sort();
    (sizes, names)
}

#[tokio::test]
async fn next_leads_through_the_whole_collection() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    for name in ["a", "b", "c d"] {
        cloud.user(name).await;
        cloud.project(name).await;
    }
    assert_eq!(
        walk(&admin, "/v3/users?limit=2", "users").await,
        (
            vec![2, 2],
            vec!["a".into(), "admin".into(), "b".into(), "c d".into()]
        )
    );
    assert_eq!(
        walk(&admin, "/v3/projects?limit=3&domain_id=default", "projects").await,
        (
            vec![3, 1],
            vec!["a".into(), "admin".into(), "b".into(), "c d".into()]
        )
    );
    let first = admin
        .get("/v3/users?limit=1&name__contains=d&enabled=true")
        .await
        .ok();
    let id = first["users"][0]["id"].as_str().unwrap();
    assert_eq!(
        first["links"],
        json!({
            "next": format!("http://keystone.test:5000/v3/users?limit=1&name__contains=d&enabled=true&marker={id}"),
            "self": "http://keystone.test:5000/v3/users?limit=1&name__contains=d&enabled=true",
            "previous": null,
        })
    );
    let roles = walk(&admin, "/v3/roles?limit=2", "roles").await;
    assert_eq!(roles.0, [2, 2, 1]);
}

#[tokio::test]
async fn a_limit_that_is_not_a_number_is_400() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    // Regions know no such parameter.
    for collection in COLLECTIONS.iter().filter(|name| **name != "regions") {
        for limit in ["abc", "-1", "1.5", "%20", "0x1"] {
            let answer = admin.get(&format!("/v3/{collection}?limit={limit}")).await;
            let text = limit.replace("%20", " ");
            assert_eq!(
                answer.refused(400),
                format!(
                    "Invalid input for field/attribute limit. Value: {text}. '{text}' is not of type 'integer'"
                )
            );
        }
        for limit in ["", "+1", "1000000", "99999999999999999999"] {
            admin
                .get(&format!("/v3/{collection}?limit={limit}"))
                .await
                .ok();
        }
    }
}

#[tokio::test]
async fn a_marker_must_exist_where_it_is_looked_at() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    for collection in ["domains", "groups", "projects", "users"] {
        let answer = admin.get(&format!("/v3/{collection}?marker=nowhere")).await;
        assert_eq!(answer.refused(404), "Marker nowhere could not be found.");
        admin.get(&format!("/v3/{collection}?marker=")).await.ok();
    }
}

#[tokio::test]
async fn flags_are_not_compared_like_text() {
    let cloud = Cloud::new().await;
    let answer = cloud
        .admin()
        .await
        .get("/v3/projects?enabled__contains=t")
        .await;
    answer.refused(400);
}

#[tokio::test]
async fn list_limit_overrides_the_client_for_users_and_groups_only() {
    let cloud = with_list_limit(2).await;
    for name in ["a", "b", "c"] {
        cloud.user(name).await;
        cloud.project(name).await;
    }
    let admin = cloud.admin().await;
    let size =
        async |path: &str, collection: &str| page(&admin.get(path).await.ok(), collection).0.len();
    for query in ["", "?limit=1", "?limit=3"] {
        assert_eq!(
            size(&format!("/v3/users{query}"), "users").await,
            2,
            "{query}"
        );
    }
    for (query, expected) in [("?unknown=1", 2), ("?limit=1", 1), ("?limit=3", 3)] {
        assert_eq!(
            size(&format!("/v3/projects{query}"), "projects").await,
            expected,
            "{query}"
        );
        assert_eq!(
            size(&format!("/v3/roles{query}"), "roles").await,
            expected,
            "{query}"
        );
    }
    let users = walk(&admin, "/v3/users?limit=4", "users").await;
    assert_eq!(users.0, [2, 2]);
}

#[tokio::test]
async fn max_db_limit_caps_every_page() {
    let mut settings = Settings::default();
    settings.api.max_db_limit = Some(2);
    let cloud = Cloud::with(settings).await;
    let admin = cloud.admin().await;
    for name in ["a", "b", "c"] {
        cloud.user(name).await;
        cloud.project(name).await;
        for (path, kind, body) in [
            ("/v3/domains", "domain", json!({ "name": name })),
            ("/v3/groups", "group", json!({ "name": name })),
            ("/v3/regions", "region", json!({ "id": name })),
            (
                "/v3/services",
                "service",
                json!({ "type": name, "name": name }),
            ),
        ] {
            admin.post(path, &json!({ kind: body })).await.created();
        }
    }
    for collection in [
        "domains", "groups", "projects", "roles", "services", "users",
    ] {
        for query in ["", "?limit=100", "?limit=2"] {
            let path = format!("/v3/{collection}{query}");
            let (sizes, names) = walk(&admin, &path, collection).await;
            assert!(
                sizes.len() > 1 && sizes.iter().all(|size| *size <= 2),
                "{path}: {sizes:?}"
            );
            let mut once = names.clone();
            once.dedup();
            assert!(names == once && names.len() >= 3, "{path}: {names:?}");
        }
    }
    // Nobody could ask for the second page: the query has no marker.
    let regions = admin.get("/v3/regions").await.ok();
    assert_eq!(regions["regions"].as_array().map(Vec::len), Some(4));
    assert_eq!(regions.get("truncated"), None);
}

#[tokio::test]
async fn a_list_without_a_limit_is_whole() {
    let cloud = Cloud::new().await;
    // One more than Python Keystone gives without saying that there are more.
    let insert = "INSERT INTO region (id, description, extra) VALUES (?, '', '{}')";
    let insert_role =
        "INSERT INTO role (id, name, extra, domain_id) VALUES (?, ?, '{}', '<<null>>')";
    for number in 0..1001 {
        let id = format!("many-{number}");
        let db = cloud.keystone.db();
        sql(insert).bind(&id).execute(db).await.unwrap();
        sql(insert_role)
            .bind(&id)
            .bind(&id)
            .execute(db)
            .await
            .unwrap();
    }
    let admin = cloud.admin().await;
    for collection in ["regions", "roles"] {
        let body = admin.get(&format!("/v3/{collection}")).await.ok();
        assert!(body[collection].as_array().unwrap().len() > 1001);
        assert_eq!(body.get("truncated"), None);
        assert_eq!(body["links"]["next"], Value::Null);
    }
}

#[tokio::test]
async fn each_section_has_its_own_list_limit() {
    let mut settings = Settings::default();
    settings.api.list_limit = Some(1);
    settings.api.list_limits.identity = Some(2);
    settings.api.list_limits.resource = Some(3);
    settings.api.list_limits.role = Some(4);
    let cloud = Cloud::with(settings).await;
    let mut members = Vec::new();
    for name in ["a", "b", "c"] {
        members.push(cloud.user(name).await);
        cloud.project(name).await;
    }
    let admin = cloud.admin().await;
    let group = json!({ "group": { "name": "g" } });
    let group = admin.post("/v3/groups", &group).await.created();
    let group = group["group"]["id"].as_str().unwrap();
    for user in members {
        let member = format!("/v3/groups/{group}/users/{user}");
        admin.put(&member).await.no_content();
    }
    let size =
        async |path: &str, collection: &str| page(&admin.get(path).await.ok(), collection).0.len();
    assert_eq!(size("/v3/projects", "projects").await, 3);
    assert_eq!(size("/v3/users", "users").await, 2);
    assert_eq!(size(&format!("/v3/groups/{group}/users"), "users").await, 2);
    assert_eq!(size("/v3/roles", "roles").await, 4);
    for id in ["r1", "r2"] {
        let region = json!({ "region": { "id": id } });
        admin.post("/v3/regions", &region).await.created();
    }
    let regions = admin.get("/v3/regions").await.ok();
    assert_eq!(regions["regions"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn limit_zero_lists_everything() {
    let cloud = Cloud::new().await;
    cloud.project("a").await;
    let admin = cloud.admin().await;
    let body = admin.get("/v3/projects?limit=0").await.ok();
    let projects = body["projects"].as_array().unwrap();
    assert_eq!(projects.len(), 2);
    assert_eq!(body["truncated"], true);
    let last = projects[1]["id"].as_str().unwrap();
    let next = format!("http://keystone.test:5000/v3/projects?limit=0&marker={last}");
    assert_eq!(body["links"]["next"], next);
    let body = admin.get("/v3/roles?limit=0").await.ok();
    assert_eq!(body["roles"], json!([]));
}
