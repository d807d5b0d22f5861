//! Many concurrent writers at two nodes of one database: no write that was answered with success is lost, no conflict is
//! false, and what is checked before a write still holds after it.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod contention;
mod federation;
mod guards;
mod logins;
mod oauth1;
mod passwords;
mod spelling;
mod trusts;
mod updates;

use std::collections::BTreeMap;

use keystone::Settings;
use keystone_testkit::{Answer, Cloud, Session};
use serde_json::Value;

/// The administrator at two nodes of one cloud.
struct Nodes {
    cloud: Cloud,
    one: Session,
    other: Session,
}

impl Nodes {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let cloud = Box::pin(Cloud::with(settings)).await;
        let neighbour = Box::pin(cloud.neighbour()).await;
        Self {
            one: cloud.admin().await,
            other: neighbour.admin().await,
            cloud,
        }
    }

    /// One node or the other, in turn.
    fn turn(&self, n: usize) -> Session {
        if n.is_multiple_of(2) {
            self.one.clone()
        } else {
            self.other.clone()
        }
    }
}

/// The answers to requests that are under way at the same time, in their order.
async fn at_once<F>(requests: impl IntoIterator<Item = F>) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let requests: Vec<_> = requests.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for request in requests {
        answers.push(request.await.unwrap());
    }
    answers
}

/// How many answers had which status.
fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

fn id_of(body: &Value, member: &str) -> String {
    body[member]["id"].as_str().unwrap().to_owned()
}
