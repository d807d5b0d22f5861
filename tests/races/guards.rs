//! What is checked before a row is written still holds when the transaction commits.

use keystone::Settings;
use keystone::storage::sql;
use keystone_testkit::Answer;
use serde_json::json;

use crate::{Nodes, at_once, id_of, statuses};

const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_no_more_credentials_than_allowed() {
    let mut settings = Settings::default();
    settings.identity.credential_user_limit = Some(5);
    let nodes = Box::pin(Nodes::with(settings)).await;
    let alice = nodes.cloud.user("alice").await;
    // The owner of a credential need not exist.
    for user in [alice.as_str(), "nobody"] {
        let requests = (0..20).map(|n| {
            let session = nodes.turn(n);
            let new = json!({ "credential": { "type": "cert", "user_id": user, "blob": "b" } });
            async move { session.post("/v3/credentials", &new).await }
        });
        let counts = statuses(&at_once(requests).await);
        assert_eq!(counts.get(&201), Some(&5), "{user}: {counts:?}");
        assert_eq!(counts.get(&403), Some(&15), "{user}: {counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_no_more_application_credentials_than_allowed() {
    let mut settings = Settings::default();
    settings.auth.application_credential_limit = Some(5);
    let nodes = Box::pin(Nodes::with(settings)).await;
    let own = nodes.one.validate(nodes.one.token()).await.ok();
    let path = format!(
        "/v3/users/{}/application_credentials",
        own["token"]["user"]["id"].as_str().unwrap()
    );
    // Few of the requests reach the database at the same time: each hashes a secret before.
    for _ in 0..ROUNDS {
        let requests = (0..20).map(|n| {
            let (session, path) = (nodes.turn(n), path.clone());
            let new = json!({ "application_credential": { "name": n.to_string(), "secret": "s" } });
            async move { session.post(&path, &new).await }
        });
        let counts = statuses(&at_once(requests).await);
        assert_eq!(counts.get(&201), Some(&5), "{counts:?}");
        assert_eq!(counts.get(&403), Some(&15), "{counts:?}");
        let held = nodes.one.get(&path).await.ok();
        for one in held["application_credentials"].as_array().unwrap() {
            let path = format!("{path}/{}", one["id"].as_str().unwrap());
            nodes.one.delete(&path).await.no_content();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_access_rules_of_concurrent_credentials_are_one() {
    let nodes = Box::pin(Nodes::new()).await;
    let own = nodes.one.validate(nodes.one.token()).await.ok();
    let path = format!(
        "/v3/users/{}/application_credentials",
        own["token"]["user"]["id"].as_str().unwrap()
    );
    let rule = json!({ "service": "x", "path": "/x", "method": "GET" });
    let requests = (0..16).map(|n| {
        let (session, path) = (nodes.turn(n), path.clone());
        let new = json!({ "name": n.to_string(), "secret": "s", "access_rules": [rule] });
        let new = json!({ "application_credential": new });
        async move { session.post(&path, &new).await }
    });
    let counts = statuses(&at_once(requests).await);
    assert_eq!(counts.get(&201), Some(&16), "{counts:?}");
    let rules = path.replace("application_credentials", "access_rules");
    let rules = nodes.other.get(&rules).await.ok();
    assert_eq!(rules["access_rules"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_there_once() {
    let nodes = Box::pin(Nodes::new()).await;
    let admin = nodes.cloud.system_admin().await;
    let services = admin.get("/v3/services").await.ok();
    let service = services["services"][0]["id"].clone();
    let neighbour = nodes.cloud.neighbour().await;
    let other = neighbour.system_admin().await;
    let turn = |n: usize| {
        if n.is_multiple_of(2) {
            admin.clone()
        } else {
            other.clone()
        }
    };
    let project = nodes.cloud.project("p").await;
    let registered =
        json!({ "service_id": service, "resource_name": "cores", "default_limit": 10 });
    let limit = json!({
        "service_id": service, "resource_name": "cores", "resource_limit": 5, "project_id": project,
    });
    for (collection, new) in [("registered_limits", registered), ("limits", limit)] {
        let requests = (0..16).map(|n| {
            let (session, path) = (turn(n), format!("/v3/{collection}"));
            let body = json!({ collection: [new] });
            async move { session.post(&path, &body).await }
        });
        let counts = statuses(&at_once(requests).await);
        assert_eq!(counts.get(&201), Some(&1), "{collection}: {counts:?}");
        assert_eq!(counts.get(&409), Some(&15), "{collection}: {counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_child_outlives_its_parent() {
    let nodes = Box::pin(Nodes::new()).await;
    for round in 0..ROUNDS {
        let parent = nodes.cloud.project(&format!("parent {round}")).await;
        let region = nodes
            .one
            .post("/v3/regions", &json!({ "region": {} }))
            .await;
        let region = id_of(&region.created(), "region");
        let service = json!({ "service": { "type": "compute" } });
        let service = nodes.one.post("/v3/services", &service).await;
        let service = id_of(&service.created(), "service");
        let child = json!({ "project": { "name": format!("child {round}"), "domain_id": "default", "parent_id": parent } });
        let below = json!({ "region": { "parent_region_id": region } });
        let endpoint = json!({ "endpoint": { "service_id": service, "interface": "public", "url": "http://x" } });
        for (delete, create, new) in [
            (format!("/v3/projects/{parent}"), "/v3/projects", child),
            (format!("/v3/regions/{region}"), "/v3/regions", below),
            (format!("/v3/services/{service}"), "/v3/endpoints", endpoint),
        ] {
            let (one, other) = (nodes.turn(round), nodes.turn(round + 1));
            let (gone, made) = tokio::join!(
                tokio::spawn(async move { one.delete(&delete).await }),
                tokio::spawn(async move { other.post(create, &new).await }),
            );
            expected(&gone.unwrap(), &[204, 403]);
            expected(&made.unwrap(), &[201, 400, 404]);
        }
    }
    let db = nodes.cloud.keystone.db();
    for orphans in [
        "SELECT COUNT(*) FROM project c LEFT JOIN project p ON p.id = c.parent_id \
          WHERE c.parent_id IS NOT NULL AND p.id IS NULL",
        "SELECT COUNT(*) FROM region c LEFT JOIN region p ON p.id = c.parent_region_id \
          WHERE c.parent_region_id IS NOT NULL AND p.id IS NULL",
        "SELECT COUNT(*) FROM endpoint e LEFT JOIN service s ON s.id = e.service_id WHERE s.id IS NULL",
    ] {
        let (count,): (i64,) = sql(orphans).fetch_one(db).await.unwrap();
        assert_eq!(count, 0, "{orphans}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_grant_outlives_its_user_or_project() {
    let nodes = Box::pin(Nodes::new()).await;
    let role = nodes.cloud.role("member").await;
    for round in 0..ROUNDS {
        let user = nodes.cloud.user(&format!("u{round}")).await;
        let project = nodes.cloud.project(&format!("p{round}")).await;
        let grant = format!("/v3/projects/{project}/users/{user}/roles/{role}");
        let gone = if round % 2 == 0 {
            format!("/v3/users/{user}")
        } else {
            format!("/v3/projects/{project}")
        };
        let (one, other) = (nodes.turn(round), nodes.turn(round + 1));
        let (deleted, granted) = tokio::join!(
            tokio::spawn(async move { one.delete(&gone).await }),
            tokio::spawn(async move { other.put(&grant).await }),
        );
        expected(&deleted.unwrap(), &[204]);
        expected(&granted.unwrap(), &[204, 404]);
    }
    let orphans = "SELECT COUNT(*) FROM assignment a \
         LEFT JOIN user u ON u.id = a.actor_id LEFT JOIN project p ON p.id = a.target_id \
         WHERE u.id IS NULL OR p.id IS NULL";
    let query = sql(orphans);
    let (count,): (i64,) = query.fetch_one(nodes.cloud.keystone.db()).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_enabled_below_what_is_disabled() {
    let nodes = Box::pin(Nodes::new()).await;
    for round in 0..ROUNDS {
        let parent = nodes.cloud.project(&format!("parent {round}")).await;
        let disable = json!({ "project": { "enabled": false } });
        let child = json!({ "project": { "name": format!("child {round}"), "domain_id": "default", "parent_id": parent } });
        let (one, other) = (nodes.turn(round), nodes.turn(round + 1));
        let path = format!("/v3/projects/{parent}");
        let (disabled, made) = tokio::join!(
            tokio::spawn(async move { one.patch(&path, &disable).await }),
            tokio::spawn(async move { other.post("/v3/projects", &child).await }),
        );
        let (disabled, made) = (disabled.unwrap(), made.unwrap());
        expected(&disabled, &[200, 403]);
        expected(&made, &[201, 400]);
        assert!(
            disabled.status == 403 || made.status == 400,
            "both: {} {}",
            disabled.body,
            made.body
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_bootstraps_make_one_of_everything() {
    let nodes = Box::pin(Nodes::new()).await;
    let db = nodes.cloud.keystone.db();
    let domain = nodes.one.get("/v3/domains/default").await.ok();
    assert_eq!(domain["domain"]["name"], "Default");
    for statement in [
        "DELETE FROM endpoint",
        "DELETE FROM service",
        "DELETE FROM region",
    ] {
        sql(statement).execute(db).await.unwrap();
    }
    let wanted = || {
        let mut wanted = keystone::Bootstrap::new("another password")
            .region("RegionTwo")
            .url("http://keystone.test/v3");
        wanted.username = "second".to_owned();
        wanted.project_name = "second".to_owned();
        wanted
    };
    let both: Vec<_> = (0..4)
        .map(|_| {
            let (keystone, wanted) = (nodes.cloud.keystone.clone(), wanted());
            tokio::spawn(async move { keystone.bootstrap(&wanted).await })
        })
        .collect();
    let mut made = Vec::new();
    for one in both {
        made.push(one.await.unwrap().unwrap());
    }
    assert!(made.iter().all(|it| it.user_id == made[0].user_id));
    for (count, expected) in [
        ("SELECT COUNT(*) FROM service", 1),
        ("SELECT COUNT(*) FROM endpoint", 3),
        ("SELECT COUNT(*) FROM region", 1),
        ("SELECT COUNT(*) FROM local_user WHERE name = 'second'", 1),
        ("SELECT COUNT(*) FROM project WHERE name = 'second'", 1),
    ] {
        let (found,): (i64,) = sql(count).fetch_one(db).await.unwrap();
        assert_eq!(found, expected, "{count}");
    }
}

#[track_caller]
fn expected(answer: &Answer, statuses: &[u16]) {
    assert!(
        statuses.contains(&answer.status),
        "{}: {}",
        answer.status,
        answer.body
    );
}
