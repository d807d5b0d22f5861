//! Pages of collections: `limit`, `marker`, `links.next`, and `[DEFAULT] list_limit`.

use keystone::Settings;
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
async fn a_limit_that_is_no_number_is_the_clients_mistake() {
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
async fn the_operators_limit_wins_for_users_and_groups_only() {
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
async fn no_page_is_larger_than_the_database_may_give() {
    let mut settings = Settings::default();
    settings.api.max_db_limit = 1;
    let cloud = Cloud::with(settings).await;
    let admin = cloud.admin().await;
    let (names, next) = page(&admin.get("/v3/roles?limit=100").await.ok(), "roles");
    assert_eq!(names.len(), 1);
    assert!(next.unwrap().contains("limit=1&"));
}
