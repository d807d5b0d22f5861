//! Concurrent requests: no caller gets another's identity, and no resource is exhausted.

use std::time::Duration;

use keystone_testkit::Session;
use serde_json::json;
use tokio::time::timeout;

use crate::world::{World, on_project, subject};
use futures_util::future::join_all;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_26_concurrent_answers_are_about_the_right_token() {
    let world = World::new().await;
    let mut tokens = Vec::new();
    for (user, project) in [
        ("alice", &world.p1),
        ("alice", &world.p2),
        ("bob", &world.p1),
        ("eve", &world.p1),
    ] {
        let root = world.unscoped(user).await;
        for _ in 0..125 {
            let answer = world.rescope(root.token(), &on_project(project)).await;
            let token = subject(&answer);
            tokens.push((token, answer.created()));
        }
    }
    // On both nodes; as many at a time as one connection can serve within the timeout.
    let admins = world.admins();
    let questions: Vec<_> = (0..tokens.len())
        .map(|n| {
            (
                admins[n % 2].clone(),
                tokens[(n * 7) % tokens.len()].clone(),
            )
        })
        .collect();
    for batch in questions.chunks(25) {
        let asked = batch
            .iter()
            .cloned()
            .map(|(admin, (token, issued))| async move {
                let mut known = admin.validate(&token).await.ok();
                let own = admin.with_token(&token).validate(&token).await.ok();
                assert_eq!(known, own);
                known["token"]["methods"] = issued["token"]["methods"].clone();
                assert_eq!(known, issued);
            });
        assert_eq!(join_all(asked).await.len(), batch.len());
    }
}

/// One of many kinds of request, valid and invalid.
async fn any(session: Session, n: usize, user: String) {
    let path = match n % 7 {
        0 => "/v3/auth/projects".to_owned(),
        1 => "/v3/users".to_owned(),
        2 => format!("/v3/users/{user}"),
        3 => "/v3/users/nobody".to_owned(),
        4 => "/v3/role_assignments?effective&include_names".to_owned(),
        5 => "/v3/projects?parents_as_list&limit=x".to_owned(),
        _ => "/v3/nothing".to_owned(),
    };
    if n.is_multiple_of(11) {
        let body = json!({ "project": { "name": format!("p{}", n / 22), "domain_id": "default" } });
        session.post("/v3/projects", &body).await;
    }
    session.get(&path).await;
    session.validate(session.token()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_71_no_request_and_no_disconnect_leaks_a_connection() {
    let world = World::new().await;
    let sessions = [
        world.admin.clone(),
        world.on("eve", &world.p1).await,
        world.cloud.nobody(),
    ];
    for round in 0..10 {
        let asked = (0..100).map(|n| {
            let session = sessions[n % sessions.len()].clone();
            let request = any(session, round * 100 + n, world.bob.clone());
            // Every third client disconnects, each at a different moment.
            let patience = if n % 3 == 0 {
                Duration::from_micros(37 * n as u64)
            } else {
                Duration::from_mins(1)
            };
            timeout(patience, request)
        });
        let left = join_all(asked)
            .await
            .into_iter()
            .filter(Result::is_err)
            .count();
        assert!(left > 0 && left <= 34, "{left} left");
    }
    // The connections of disconnected clients are released.
    let db = world.cloud.keystone.db();
    let free = async {
        while db.connections_in_use() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let free = timeout(Duration::from_secs(30), free).await;
    free.expect("every connection is free");
    world.lives(world.admin.token()).await;
    world.on("bob", &world.p1).await;
}
