//! Changes of an account while its password is hashed, which takes long.

use keystone::Settings;
use keystone_testkit::Cloud;
use serde_json::{Value, json};

use crate::{Nodes, at_once, statuses};

async fn logs_in(cloud: &Cloud, id: &str, password: &str) -> u16 {
    let user = json!({ "id": id });
    cloud
        .nobody()
        .log_in(&user, password, &Value::Null)
        .await
        .status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_disabled_while_a_password_is_set_is_disabled() {
    let nodes = Box::pin(Nodes::new()).await;
    for round in 0..5 {
        let id = nodes.cloud.user(&format!("u{round}")).await;
        let path = format!("/v3/users/{id}");
        let patches = [
            json!({ "user": { "password": "another" } }),
            json!({ "user": { "enabled": false } }),
        ];
        let requests = patches.into_iter().enumerate().map(|(n, patch)| {
            let (session, path) = (nodes.turn(n), path.clone());
            async move { session.patch(&path, &patch).await }
        });
        for answer in at_once(requests).await {
            answer.ok();
        }
        let found = nodes.one.get(&path).await.ok();
        assert_eq!(found["user"]["enabled"], false, "{found}");
        assert_eq!(logs_in(&nodes.cloud, &id, "another").await, 401);
        let enable = json!({ "user": { "enabled": true } });
        nodes.one.patch(&path, &enable).await.ok();
        assert_eq!(logs_in(&nodes.cloud, &id, "another").await, 201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_changed_once_with_what_it_was() {
    let nodes = Box::pin(Nodes::new()).await;
    let id = nodes.cloud.user("alice").await;
    let requests = (0..4).map(|n| {
        let (session, path) = (nodes.turn(n), format!("/v3/users/{id}/password"));
        let change =
            json!({ "user": { "original_password": "alice", "password": format!("new {n}") } });
        async move { session.post(&path, &change).await }
    });
    let answers = at_once(requests).await;
    let counts = statuses(&answers);
    assert_eq!(counts.get(&204), Some(&1), "{counts:?}");
    assert_eq!(counts.get(&401), Some(&3), "{counts:?}");
    let winner = answers.iter().position(|answer| answer.status == 204);
    for n in 0..4 {
        let expected = if Some(n) == winner { 201 } else { 401 };
        assert_eq!(
            logs_in(&nodes.cloud, &id, &format!("new {n}")).await,
            expected
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_by_the_administrator_is_not_undone() {
    let nodes = Box::pin(Nodes::new()).await;
    for round in 0..4 {
        let name = format!("u{round}");
        let id = nodes.cloud.user(&name).await;
        let change = json!({ "user": { "original_password": name, "password": "chosen" } });
        let reset = json!({ "user": { "password": "reset" } });
        let (one, other) = (nodes.one.clone(), nodes.other.clone());
        let (path, changed) = (
            format!("/v3/users/{id}"),
            format!("/v3/users/{id}/password"),
        );
        let (change, reset) = tokio::join!(
            tokio::spawn(async move { one.post(&changed, &change).await }),
            tokio::spawn(async move { other.patch(&path, &reset).await }),
        );
        reset.unwrap().ok();
        // Either before the reset, or not at all.
        assert!([204, 401].contains(&change.unwrap().status));
        assert_eq!(logs_in(&nodes.cloud, &id, "reset").await, 201);
        assert_eq!(logs_in(&nodes.cloud, &id, "chosen").await, 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_guess_gets_in_once_the_account_is_locked() {
    let mut settings = Settings::default();
    settings.identity.compliance.lockout_failure_attempts = Some(5);
    // One after the other, in the order in which they came.
    settings.identity.passwords.threads = 1;
    settings.identity.passwords.queue = 64;
    let cloud = Box::pin(Cloud::with(settings)).await;
    let id = cloud.user("alice").await;
    let mut guesses = Vec::new();
    for n in 0..31 {
        let session = cloud.nobody();
        let user = json!({ "id": id });
        let password = if n == 30 {
            "alice".to_owned()
        } else {
            format!("wrong {n}")
        };
        guesses.push(tokio::spawn(async move {
            session.log_in(&user, &password, &Value::Null).await.status
        }));
        // Each is on its way before the next comes.
        tokio::task::yield_now().await;
    }
    for guess in guesses {
        assert_eq!(guess.await.unwrap(), 401);
    }
    assert_eq!(logs_in(&cloud, &id, "alice").await, 401, "it is locked");
    let count = "SELECT failed_auth_count FROM local_user WHERE user_id = ?";
    let count = keystone::storage::sql(count).bind(&id);
    let (count,): (i64,) = count.fetch_one(cloud.keystone.db()).await.unwrap();
    assert_eq!(count, 5, "what comes later does not count");
    let admin = cloud.admin().await;
    let unlock = json!({ "user": { "description": "any change unlocks" } });
    let path = format!("/v3/users/{id}");
    admin.patch(&path, &unlock).await.ok();
    assert_eq!(logs_in(&cloud, &id, "alice").await, 201);
}
