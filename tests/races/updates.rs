//! Updates of different things in one row: all survive.

use serde_json::{Value, json};

use crate::{Nodes, at_once, id_of};

const ROUNDS: usize = 8;

/// Each resource: its collection, its name in a body, one to be made, and attributes that are columns.
fn resources() -> Vec<(&'static str, &'static str, Value, Vec<&'static str>)> {
    vec![
        (
            "projects",
            "project",
            json!({ "name": "p", "domain_id": "default" }),
            vec!["name", "description"],
        ),
        (
            "domains",
            "domain",
            json!({ "name": "d" }),
            vec!["name", "description"],
        ),
        (
            "users",
            "user",
            json!({ "name": "u", "domain_id": "default" }),
            vec!["name"],
        ),
        (
            "groups",
            "group",
            json!({ "name": "g", "domain_id": "default" }),
            vec!["name", "description"],
        ),
        (
            "roles",
            "role",
            json!({ "name": "r" }),
            vec!["name", "description"],
        ),
        ("regions", "region", json!({}), vec!["description"]),
        (
            "services",
            "service",
            json!({ "type": "compute" }),
            vec!["type"],
        ),
        (
            "policies",
            "policy",
            json!({ "type": "text/plain", "blob": "b" }),
            vec!["type"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patches_of_different_attributes_all_survive() {
    let nodes = Box::pin(Nodes::new()).await;
    for (collection, member, new, columns) in resources() {
        let path = format!("/v3/{collection}");
        let made = nodes.one.post(&path, &json!({ member: new })).await;
        let path = format!("{path}/{}", id_of(&made.created(), member));
        let attributes: Vec<&str> = columns.into_iter().chain(["one", "other"]).collect();
        for round in 0..ROUNDS {
            let requests = attributes.iter().enumerate().map(|(n, attribute)| {
                let (session, path) = (nodes.turn(n), path.clone());
                let change = json!({ member: { *attribute: format!("{attribute} {round}") } });
                async move { session.patch(&path, &change).await }
            });
            for answer in at_once(requests).await {
                answer.ok();
            }
            let found = nodes.one.get(&path).await.ok();
            for attribute in &attributes {
                let expected = format!("{attribute} {round}");
                assert_eq!(found[member][attribute], expected, "{collection}: {found}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_keeps_every_change() {
    let nodes = Box::pin(Nodes::new()).await;
    let endpoints = nodes.one.get("/v3/endpoints").await.ok();
    let id = endpoints["endpoints"][0]["id"].as_str().unwrap();
    let path = format!("/v3/endpoints/{id}");
    for round in 0..ROUNDS {
        let changes = [
            ("url", json!(format!("http://keystone.test/{round}"))),
            ("enabled", json!(round % 2 == 0)),
            ("note", json!(round)),
        ];
        let requests = changes.iter().enumerate().map(|(n, (attribute, value))| {
            let (session, path) = (nodes.turn(n), path.clone());
            let change = json!({ "endpoint": { *attribute: value } });
            async move { session.patch(&path, &change).await }
        });
        for answer in at_once(requests).await {
            answer.ok();
        }
        let found = nodes.one.get(&path).await.ok();
        for (attribute, value) in &changes {
            assert_eq!(found["endpoint"][attribute], *value, "{found}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_disabled_while_it_is_renamed_is_disabled() {
    let nodes = Box::pin(Nodes::new()).await;
    for round in 0..ROUNDS {
        let id = nodes.cloud.project(&format!("p{round}")).await;
        let path = format!("/v3/projects/{id}");
        let changes = [
            json!({ "project": { "enabled": false } }),
            json!({ "project": { "description": "d" } }),
        ];
        let requests = changes.into_iter().enumerate().map(|(n, change)| {
            let (session, path) = (nodes.turn(n), path.clone());
            async move { session.patch(&path, &change).await }
        });
        let answers = at_once(requests).await;
        let found = nodes.one.get(&path).await.ok();
        // A patch without `enabled` counts as enabling, which is allowed here.
        assert_eq!(answers[0].status, 200, "{}", answers[0].body);
        assert_eq!(answers[1].status, 200, "{}", answers[1].body);
        assert_eq!(found["project"]["enabled"], false, "{found}");
        assert_eq!(found["project"]["description"], "d", "{found}");
    }
}
