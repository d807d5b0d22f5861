//! Concurrent writers of one resource: each is answered, and none with a false conflict.

use keystone::storage::sql;
use serde_json::{Value, json};

use crate::{Nodes, at_once, id_of, statuses};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domains_configuration_takes_every_put() {
    let nodes = Box::pin(Nodes::new()).await;
    let domain = json!({ "domain": { "name": "d" } });
    let id = id_of(
        &nodes.one.post("/v3/domains", &domain).await.created(),
        "domain",
    );
    let path = format!("/v3/domains/{id}/config");
    let requests = (0..16).map(|n| {
        let (session, path) = (nodes.turn(n), path.clone());
        let url = format!("ldap://{n}");
        let config = json!({ "config": { "ldap": { "url": url, "user_tree_dn": url }, "identity": { "driver": "ldap" } } });
        async move { session.request("PUT", &path, Some(&config)).await }
    });
    let counts = statuses(&at_once(requests).await);
    assert_eq!(counts.get(&201), Some(&1), "{counts:?}");
    assert_eq!(counts.get(&200), Some(&15), "{counts:?}");
    let found = nodes.one.get(&path).await.ok();
    let ldap = &found["config"]["ldap"];
    assert_eq!(ldap["url"], ldap["user_tree_dn"], "of one request: {found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projects_tags_take_every_put() {
    let nodes = Box::pin(Nodes::new()).await;
    let id = nodes.cloud.project("p").await;
    let path = format!("/v3/projects/{id}/tags");
    let requests = (0..16).map(|n| {
        let (session, path) = (nodes.turn(n), path.clone());
        let tags = json!({ "tags": ["common", format!("a{n}"), format!("b{n}")] });
        async move { session.request("PUT", &path, Some(&tags)).await }
    });
    for answer in at_once(requests).await {
        answer.ok();
    }
    let found = nodes.one.get(&path).await.ok();
    let tags: Vec<&str> = found["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(tags.len(), 3, "of one request: {tags:?}");
    assert_eq!(tags[0][1..], tags[1][1..], "of one request: {tags:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_additions_of_tags_all_succeed() {
    let nodes = Box::pin(Nodes::new()).await;
    let id = nodes.cloud.project("p").await;
    let requests = (0..16).map(|n| {
        let (session, path) = (nodes.turn(n), format!("/v3/projects/{id}/tags/t{n}"));
        async move { session.put(&path).await }
    });
    for answer in at_once(requests).await {
        answer.created();
    }
    let found = nodes.one.get(&format!("/v3/projects/{id}/tags")).await.ok();
    assert_eq!(found["tags"].as_array().unwrap().len(), 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_concurrent_creations_of_a_name_succeeds() {
    let nodes = Box::pin(Nodes::new()).await;
    for (collection, member) in [
        ("groups", "group"),
        ("users", "user"),
        ("projects", "project"),
    ] {
        let requests = (0..8).map(|n| {
            let (session, path) = (nodes.turn(n), format!("/v3/{collection}"));
            let new = json!({ member: { "name": "same", "domain_id": "default" } });
            async move { session.post(&path, &new).await }
        });
        let counts = statuses(&at_once(requests).await);
        assert_eq!(counts.get(&201), Some(&1), "{collection}: {counts:?}");
        assert_eq!(counts.get(&409), Some(&7), "{collection}: {counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_concurrent_deletions_succeeds() {
    let nodes = Box::pin(Nodes::new()).await;
    for (collection, member) in [
        ("groups", "group"),
        ("users", "user"),
        ("projects", "project"),
    ] {
        let new = json!({ member: { "name": "gone", "domain_id": "default" } });
        let path = format!("/v3/{collection}");
        let id = id_of(&nodes.one.post(&path, &new).await.created(), member);
        let requests = (0..8).map(|n| {
            let (session, path) = (nodes.turn(n), format!("{path}/{id}"));
            async move { session.delete(&path).await }
        });
        let counts = statuses(&at_once(requests).await);
        assert_eq!(counts.get(&204), Some(&1), "{collection}: {counts:?}");
        assert_eq!(counts.get(&404), Some(&7), "{collection}: {counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_revocations_succeed_among_old_events() {
    let nodes = Box::pin(Nodes::new()).await;
    let db = nodes.cloud.keystone.db();
    let many = "INSERT INTO revocation_event (audit_id, issued_before, revoked_at) \
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
                SELECT 'a' || i, '2020-01-01 00:00:00', '2020-01-01 00:00:00' FROM n";
    for _ in 0..2 {
        sql(many).execute(db).await.unwrap();
    }
    let mut tokens = Vec::new();
    for _ in 0..24 {
        tokens.push(nodes.cloud.admin().await);
    }
    let requests = tokens.iter().cloned().map(|session| async move {
        let token = session.token().to_owned();
        session.about("DELETE", "/v3/auth/tokens", &token).await
    });
    for answer in at_once(requests).await {
        answer.no_content();
    }
    for session in &tokens {
        let gone = nodes.other.validate(session.token()).await;
        assert_eq!(gone.status, 404);
    }
    let identity = nodes.cloud.keystone.identity();
    let dropped = identity.prune_revocations().await.unwrap();
    assert_eq!(dropped, 1_800, "only what is old goes");
    for session in &tokens {
        let gone = nodes.other.validate(session.token()).await;
        assert_eq!(gone.status, 404, "what is young stays");
    }
}
