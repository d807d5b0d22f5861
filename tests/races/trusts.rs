//! Uses of a trust are counted exactly, and none comes after its end.

use std::sync::Arc;

use keystone_testkit::{Answer, Cloud, Session};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{at_once, id_of, statuses};

const TRUSTS: &str = "/v3/OS-TRUST/trusts";

/// A trustor and a trustee at two nodes of one cloud.
struct People {
    nodes: [Cloud; 2],
    alice: Session,
    bobs: [Session; 2],
    trust: Value,
}

impl People {
    async fn new() -> Self {
        let cloud = Box::pin(Cloud::new()).await;
        let other = Box::pin(cloud.neighbour()).await;
        let (alice, bob) = (cloud.user("alice").await, cloud.user("bob").await);
        let project = cloud.project("p").await;
        cloud.grant(&alice, &project, "member").await;
        let scope = json!({ "project": { "id": project } });
        let unscoped = json!("unscoped");
        Self {
            trust: json!({ "trustor_user_id": alice, "trustee_user_id": bob, "project_id": project, "impersonation": true,
                           "roles": [{ "name": "member" }] }),
            alice: cloud.session("alice", "alice", &scope).await,
            bobs: [
                cloud.session("bob", "bob", &unscoped).await,
                other.session("bob", "bob", &unscoped).await,
            ],
            nodes: [cloud, other],
        }
    }

    async fn create(&self, caller: &Session, fields: Value) -> Answer {
        let mut trust = self.trust.clone();
        if let (Value::Object(trust), Value::Object(fields)) = (&mut trust, fields) {
            trust.extend(fields);
        }
        caller.post(TRUSTS, &json!({ "trust": trust })).await
    }
}

/// A use of a trust by a token that the trustee has, which hashes no password.
async fn use_trust(session: Session, trust: String) -> Answer {
    let identity = json!({ "methods": ["token"], "token": { "id": session.token() } });
    let auth = json!({ "identity": identity, "scope": { "OS-TRUST:trust": { "id": trust } } });
    session
        .post("/v3/auth/tokens?nocatalog", &json!({ "auth": auth }))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trust_with_100_uses_gives_100_tokens_to_1000_requests() {
    let people = Box::pin(People::new()).await;
    let counted = people.create(&people.alice, json!({ "remaining_uses": 100 }));
    let trust = id_of(&counted.await.created(), "trust");
    // As many at a time as clients of two servers may be.
    let turns = Arc::new(Semaphore::new(64));
    let requests = (0..1_000).map(|n| {
        let (session, trust) = (people.bobs[n % 2].clone(), trust.clone());
        let turns = Arc::clone(&turns);
        async move {
            let _turn = turns.acquire().await;
            use_trust(session, trust).await
        }
    });
    let counts = statuses(&at_once(requests).await);
    assert_eq!(counts.get(&201), Some(&100), "{counts:?}");
    let others: usize = [401, 403]
        .iter()
        .filter_map(|status| counts.get(status))
        .sum();
    assert_eq!(others, 900, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_uses_take_nothing() {
    let people = Box::pin(People::new()).await;
    let counted = people.create(&people.alice, json!({ "remaining_uses": 21 }));
    let trust = id_of(&counted.await.created(), "trust");
    // The trustor is not the trustee.
    let requests = (0..40).map(|n| {
        let session = if n % 2 == 0 {
            people.bobs[0].clone()
        } else {
            people.alice.clone()
        };
        use_trust(session, trust.clone())
    });
    let counts = statuses(&at_once(requests).await);
    assert_eq!(counts.get(&201), Some(&20), "{counts:?}");
    assert_eq!(counts.get(&403), Some(&20), "{counts:?}");
    let path = format!("{TRUSTS}/{trust}");
    let left = people.alice.get(&path).await.ok();
    assert_eq!(left["trust"]["remaining_uses"], 1);
    // Nor do those by which the trustee would get what the trustor has not.
    let admin = people.nodes[0].admin().await;
    let member = people.nodes[0].role("member").await;
    let id = |name: &str| people.trust[name].as_str().unwrap();
    let grant = format!(
        "/v3/projects/{}/users/{}/roles/{member}",
        id("project_id"),
        id("trustor_user_id")
    );
    admin.delete(&grant).await.no_content();
    let uses = (0..4).map(|n| use_trust(people.bobs[n % 2].clone(), trust.clone()));
    let counts = statuses(&at_once(uses).await);
    assert_eq!(counts.get(&403), Some(&4), "{counts:?}");
    admin.put(&grant).await.no_content();
    let left = people.bobs[0].get(&path).await.ok();
    assert_eq!(left["trust"]["remaining_uses"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_trust_that_passes_on_another_outlives_it() {
    let people = Box::pin(People::new()).await;
    let trustor = &people.trust["trustor_user_id"];
    let mut body = json!({ "trust": people.trust });
    body["trust"]["trustee_user_id"] = trustor.clone();
    let list = format!("{TRUSTS}?trustor_user_id={}", trustor.as_str().unwrap());
    for round in 0..8 {
        let open = people.create(&people.alice, json!({ "allow_redelegation": true }));
        let open = id_of(&open.await.created(), "trust");
        let used = use_trust(people.bobs[0].clone(), open.clone()).await;
        let token = used.header("x-subject-token").unwrap().to_owned();
        let pass_on = |n: usize| {
            let session = people.nodes[n % 2].nobody().with_token(&token);
            let body = body.clone();
            async move { session.post(TRUSTS, &body).await }
        };
        // One is there before, others come while the trust ends: in each round more of them have a start.
        pass_on(round).await.created();
        let (alice, path) = (people.alice.clone(), format!("{TRUSTS}/{open}"));
        let mut requests: Vec<_> = (0..round).map(pass_on).map(tokio::spawn).collect();
        let end = tokio::spawn(async move { alice.delete(&path).await });
        requests.extend((round..8).map(pass_on).map(tokio::spawn));
        let mut answers = Vec::new();
        for request in requests {
            answers.push(request.await.unwrap());
        }
        end.await.unwrap().no_content();
        for answer in answers {
            if answer.status == 201 {
                let path = format!("{TRUSTS}/{}", id_of(&answer.body, "trust"));
                people.alice.get(&path).await.refused(404);
            }
        }
        let left = people.alice.get(&list).await.ok();
        assert_eq!(left["trusts"], json!([]), "they were deleted too");
    }
}
