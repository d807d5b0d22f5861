//! What a listing costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keystone::identity::{AssignmentQuery, AssignmentScope, Identity, Settings};
use keystone::types::Clock;
use serde_json::json;

use super::{World, made};

/// Adds a user to the group and a project below, with grants of every kind.
async fn grow(world: &World, name: &str) {
    let user = json!({ "name": name, "domain_id": world.domain });
    let user = made(&world.admin, "user", user).await;
    let project = json!({ "name": name, "domain_id": world.domain, "parent_id": world.child });
    let project = made(&world.admin, "project", project).await;
    let (group, role) = (&world.group, &world.reader);
    world
        .admin
        .put(&format!("/v3/groups/{group}/users/{user}"))
        .await
        .no_content();
    for actor in [format!("users/{user}"), format!("groups/{group}")] {
        world
            .grant(&format!("projects/{project}/{actor}/roles/{role}"))
            .await;
        let inherited = format!(
            "OS-INHERIT/domains/{}/{actor}/roles/{role}/inherited_to_projects",
            world.domain
        );
        world.grant(&inherited).await;
    }
}

#[tokio::test]
async fn more_rows_take_no_more_statements() {
    let world = World::new().await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let db = world.cloud.keystone.db().clone();
    let db = db.observed(Arc::new(move |_: &str| {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    let identity = Identity::new(db, Clock::system(), Settings::default()).unwrap();
    let ask = async |effective, scope| {
        let query = AssignmentQuery {
            effective,
            scope,
            names: true,
            ..AssignmentQuery::default()
        };
        count.store(0, Ordering::Relaxed);
        let found = identity.role_assignments(&query).await.unwrap();
        (found.items.len(), count.load(Ordering::Relaxed))
    };
    grow(&world, "first").await;
    let tree = || Some(AssignmentScope::Tree(world.project.clone()));
    let questions = || [(false, None), (true, None), (false, tree()), (true, tree())];
    let mut before = Vec::new();
    for (effective, scope) in questions() {
        before.push(ask(effective, scope).await);
    }
    for name in ["second", "third"] {
        grow(&world, name).await;
    }
    for (index, (effective, scope)) in
        [(false, None), (true, None), (false, tree()), (true, tree())]
            .into_iter()
            .enumerate()
    {
        let (rows, statements) = ask(effective, scope).await;
        assert!(rows > before[index].0);
        assert_eq!(statements, before[index].1);
        assert!(statements <= 7, "{statements}");
    }
}
