//! A request token becomes one access token, whoever tries.

use keystone_testkit::{Cloud, OAuthToken};

use crate::{Nodes, at_once, statuses};

const ROUNDS: usize = 5;

async fn own_project(cloud: &Cloud) -> String {
    let admin = cloud.admin().await;
    let own = admin.validate(admin.token()).await.ok();
    own["token"]["project"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_token_is_exchanged_once() {
    let nodes = Box::pin(Nodes::new()).await;
    let consumer = nodes.cloud.consumer().await;
    let there = consumer.at(&nodes.cloud.neighbour().await);
    let project = own_project(&nodes.cloud).await;
    let role = nodes.cloud.role("reader").await;
    for _ in 0..ROUNDS {
        let token = consumer.request_token(&project).await;
        let verifier = token.authorize(&nodes.one, &[&role]).await;
        let requests = (0..16).map(|n| {
            let consumer = if n % 2 == 0 { &consumer } else { &there };
            let (consumer, token, verifier) = (consumer.clone(), token.clone(), verifier.clone());
            async move { consumer.exchange(&token, &verifier).await }
        });
        let counts = statuses(&at_once(requests).await);
        assert_eq!(counts.get(&201), Some(&1), "{counts:?}");
        assert_eq!(counts.get(&404), Some(&15), "{counts:?}");
    }
}

/// The verifier shows to one authorization: an access token never has the roles of another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_token_has_the_roles_of_its_verifier() {
    let nodes = Box::pin(Nodes::new()).await;
    let consumer = nodes.cloud.consumer().await;
    let project = own_project(&nodes.cloud).await;
    let (reader, admin) = (
        nodes.cloud.role("reader").await,
        nodes.cloud.role("admin").await,
    );
    let path = format!("/v3/OS-OAUTH1/consumers/{}", consumer.key);
    for _ in 0..ROUNDS {
        let mut exchanges = Vec::new();
        for n in 0..8 {
            let token = consumer.request_token(&project).await;
            let verifier = token.authorize(&nodes.one, &[&reader]).await;
            let (consumer, session, admin) = (consumer.clone(), nodes.turn(n), admin.clone());
            let (other, path) = (nodes.turn(n + 1), path.clone());
            exchanges.push(async move {
                let again = token.clone();
                let wider =
                    tokio::spawn(async move { again.try_authorize(&session, &[&admin]).await });
                // Each gives the authorization a longer start.
                for _ in 0..n {
                    other.get(&path).await.ok();
                }
                let answer = consumer.exchange(&token, &verifier).await;
                let authorized = wider.await.unwrap();
                let text = &authorized.body;
                assert!(matches!(authorized.status, 200 | 404), "{text}");
                answer
            });
        }
        for answer in at_once(exchanges).await {
            if answer.status == 401 {
                continue;
            }
            let access = OAuthToken::read(answer);
            let entered = consumer.log_in(&access).await.created();
            let roles = entered["token"]["roles"].as_array().unwrap();
            assert_eq!(roles.len(), 1, "{roles:?}");
            assert_eq!(roles[0]["name"], "reader");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_consumer_leaves_no_tokens_behind() {
    let nodes = Box::pin(Nodes::new()).await;
    let project = own_project(&nodes.cloud).await;
    let role = nodes.cloud.role("reader").await;
    for round in 0..ROUNDS {
        let consumer = nodes.cloud.consumer().await;
        let token = consumer.request_token(&project).await;
        let verifier = token.authorize(&nodes.one, &[&role]).await;
        let exchange = {
            let (consumer, token) = (consumer.clone(), token.clone());
            tokio::spawn(async move { consumer.exchange(&token, &verifier).await })
        };
        let path = format!("/v3/OS-OAUTH1/consumers/{}", consumer.key);
        nodes.turn(round).delete(&path).await.no_content();
        let answer = exchange.await.unwrap();
        match answer.status {
            201 => {
                let access = OAuthToken::read(answer);
                consumer.log_in(&access).await.refused(404);
            }
            401 | 404 => {}
            status => panic!("{status}: {}", answer.body),
        }
        consumer.exchange(&token, "ABCD2345").await.refused(404);
    }
}
