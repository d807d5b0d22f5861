//! Every change to what tokens depend on, and which tokens outlive it, as in Keystone: at the node that made the change
//! and at another, with and without an earlier validation.

use serde::Deserialize;

use crate::known_differences;
use crate::suites::{Question, Recording, Stage};

/// An event, and whether each token is still valid after it.
#[derive(Debug, Deserialize)]
struct Row {
    event: String,
    steps: Vec<Question>,
    answers: String,
}

fn recording() -> Recording<Row> {
    let text = include_str!("recorded/lifecycle.json");
    serde_json::from_str(text).expect("a recording is well-formed")
}

/// The outcome of each token at a node now, for an administrator; the token itself must not say otherwise.
async fn outcomes(stage: &Stage, recording: &Recording<Row>, node: usize) -> Vec<String> {
    let admin = stage.session(&stage.nodes[node], "admin");
    let mut outcomes = Vec::new();
    for holder in &recording.holders {
        let token = &stage.tokens[&holder.name];
        let used = admin.with_token(token).validate(token).await.status;
        let asked = admin.validate(token).await.status;
        outcomes.push(match (used, asked) {
            // Not every token may validate itself.
            (200 | 403, 200) => "lives".to_owned(),
            (401 | 404, 404) => "ended".to_owned(),
            (used, asked) if used == asked => asked.to_string(),
            _ => format!("{asked}, and {used} for itself"),
        });
    }
    outcomes
}

async fn play(warm: bool) {
    let recording = recording();
    let stage = Box::pin(Stage::set(&recording)).await;
    let mut different = Vec::new();
    for row in &recording.rows {
        stage.restore().await;
        if warm {
            for node in 0..2 {
                outcomes(&stage, &recording, node).await;
            }
        }
        for step in &row.steps {
            let who = step.who.as_deref().unwrap_or("admin");
            let answer = stage.ask(&stage.nodes[0], who, step).await;
            assert!(
                answer.status < 300,
                "{}: {step:?}: {}",
                row.event,
                answer.body
            );
        }
        // The other node first, because it did not make the change.
        for node in [1, 0] {
            let found = outcomes(&stage, &recording, node).await;
            let holders = recording.holders.iter().zip(row.answers.split(' '));
            for ((holder, wanted), found) in holders.zip(&found) {
                if wanted != found
                    && !known_differences::outlives(&row.event, &holder.name, wanted, found)
                {
                    let (event, name) = (&row.event, &holder.name);
                    different.push(format!(
                        "{event}, {name}, node {node}: {found} instead of {wanted}"
                    ));
                }
            }
        }
    }
    let count = different.len();
    assert!(
        different.is_empty(),
        "{count} differ\n{}",
        different.join("\n")
    );
}

#[tokio::test]
async fn tokens_end_as_in_keystone_without_a_validation_before() {
    play(false).await;
}

#[tokio::test]
async fn tokens_end_as_in_keystone_after_both_nodes_validated_them() {
    play(true).await;
}
