//! Identity providers and what belongs to them.

use keystone::storage::{Db, sql};
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

use crate::{Nodes, at_once, statuses};

const ROUNDS: i64 = 10;
const WRITERS: usize = 12;

fn body_of(kind: &str) -> Value {
    let rules =
        json!([{ "local": [{ "user": { "name": "{0}" } }], "remote": [{ "type": "NAME" }] }]);
    match kind {
        "identity_providers" => json!({ "identity_provider": {} }),
        "mappings" => json!({ "mapping": { "rules": rules } }),
        "service_providers" => json!({ "service_provider": {
            "auth_url": "https://x.test/a", "sp_url": "https://x.test/s",
        } }),
        _ => json!({ "protocol": { "mapping_id": "m" } }),
    }
}

/// Puts something below `/v3/OS-FEDERATION`.
async fn put(session: Session, path: String, body: Value) -> keystone_testkit::Answer {
    let path = format!("/v3/OS-FEDERATION/{path}");
    session.request("PUT", &path, Some(&body)).await
}

async fn made(session: &Session, path: &str, kind: &str) {
    let answer = put(session.clone(), path.to_owned(), body_of(kind));
    answer.await.created();
}

/// The number that a statement counts.
async fn count(cloud: &Cloud, text: &'static str) -> i64 {
    let (count,): (i64,) = sql(text).fetch_one(cloud.keystone.db()).await.unwrap();
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_is_given_once_and_leaves_one_domain() {
    let nodes = Box::pin(Nodes::new()).await;
    made(&nodes.one, "mappings/m", "mappings").await;
    made(&nodes.one, "identity_providers/p", "identity_providers").await;
    for round in 0..ROUNDS {
        for kind in [
            "identity_providers",
            "identity_providers/p/protocols",
            "mappings",
            "service_providers",
        ] {
            let path = format!("{kind}/{round}");
            let requests = (0..WRITERS).map(|n| put(nodes.turn(n), path.clone(), body_of(kind)));
            let counts = statuses(&at_once(requests).await);
            assert_eq!(counts.get(&201), Some(&1), "{path}: {counts:?}");
            assert_eq!(counts.get(&409), Some(&(WRITERS - 1)), "{path}: {counts:?}");
        }
    }
    let text =
        "SELECT COUNT(*) FROM project WHERE description LIKE 'Auto generated federated domain%'";
    assert_eq!(count(&nodes.cloud, text).await, ROUNDS + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remote_id_is_of_one_provider() {
    let nodes = Box::pin(Nodes::new()).await;
    for round in 0..ROUNDS {
        let body = json!({ "identity_provider": { "remote_ids": [format!("r{round}")] } });
        let requests = (0..WRITERS).map(|n| {
            let path = format!("identity_providers/{round}-{n}");
            put(nodes.turn(n), path, body.clone())
        });
        let counts = statuses(&at_once(requests).await);
        assert_eq!(counts.get(&201), Some(&1), "{counts:?}");
        assert_eq!(counts.get(&409), Some(&(WRITERS - 1)), "{counts:?}");
    }
    let text = "SELECT COUNT(*) FROM identity_provider";
    assert_eq!(count(&nodes.cloud, text).await, ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_protocol_outlives_its_provider() {
    let nodes = Box::pin(Nodes::new()).await;
    made(&nodes.one, "mappings/m", "mappings").await;
    for round in 0..ROUNDS {
        let path = format!("identity_providers/{round}");
        made(&nodes.one, &path, "identity_providers").await;
        let requests = (0..WRITERS).map(|n| {
            let (session, path) = (nodes.turn(n), path.clone());
            async move {
                if n == WRITERS / 2 {
                    let path = format!("/v3/OS-FEDERATION/{path}");
                    return session.delete(&path).await;
                }
                put(
                    session,
                    format!("{path}/protocols/{n}"),
                    body_of("protocols"),
                )
                .await
            }
        });
        let counts = statuses(&at_once(requests).await);
        let known: usize = [201, 204, 404]
            .iter()
            .filter_map(|status| counts.get(status))
            .sum();
        assert_eq!(known, WRITERS, "{counts:?}");
        assert_eq!(counts.get(&204), Some(&1), "{counts:?}");
    }
    let text = "SELECT COUNT(*) FROM federation_protocol";
    assert_eq!(count(&nodes.cloud, text).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_gets_another_account_meanwhile_stays() {
    let nodes = Box::pin(Nodes::new()).await;
    let db = nodes.cloud.keystone.db();
    made(&nodes.one, "mappings/m", "mappings").await;
    made(&nodes.one, "identity_providers/other", "identity_providers").await;
    made(
        &nodes.one,
        "identity_providers/other/protocols/saml2",
        "protocols",
    )
    .await;
    let mut stayed = 0_i64;
    for round in 0..ROUNDS {
        let provider = format!("identity_providers/p{round}");
        made(&nodes.one, &provider, "identity_providers").await;
        made(
            &nodes.one,
            &format!("{provider}/protocols/saml2"),
            "protocols",
        )
        .await;
        let user = format!("u{round}");
        person(db, &user, &format!("p{round}")).await;
        let requests = (0..2).map(|n| {
            let (session, provider, user) = (nodes.turn(n), provider.clone(), user.clone());
            async move {
                if n == 0 {
                    let path = format!("/v3/OS-FEDERATION/{provider}");
                    return session.delete(&path).await;
                }
                let protocols = json!([{ "protocol_id": "saml2", "unique_id": user }]);
                let accounts = json!([{ "idp_id": "other", "protocols": protocols }]);
                let patch = json!({ "user": { "federated": accounts } });
                session.patch(&format!("/v3/users/{user}"), &patch).await
            }
        });
        let answers = at_once(requests).await;
        let found = nodes.one.get(&format!("/v3/users/{user}")).await.status;
        let patched = answers[1].status;
        assert_eq!(answers[0].status, 204);
        assert_eq!(patched, found, "round {round}");
        assert!([200, 404].contains(&patched), "{}", answers[1].body);
        stayed += i64::from(found == 200);
    }
    let text = "SELECT COUNT(*) FROM federated_user";
    assert_eq!(count(&nodes.cloud, text).await, stayed);
}

/// A user who has an account at an identity provider.
async fn person(db: &Db, user: &str, provider: &str) {
    sql("INSERT INTO user (id, enabled, domain_id) VALUES (?, ?, 'default')")
        .bind(user)
        .bind(true)
        .execute(db)
        .await
        .unwrap();
    sql(
        "INSERT INTO federated_user (user_id, idp_id, protocol_id, unique_id, display_name) \
         VALUES (?, ?, 'saml2', ?, ?)",
    )
    .bind(user)
    .bind(provider)
    .bind(user)
    .bind(user)
    .execute(db)
    .await
    .unwrap();
}
