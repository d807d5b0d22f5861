//! Answers from memory are never older than their question.
//!
//! Two nodes that remember and one that asks the database for everything share a database. Things happen at random, at one
//! of the nodes or by SQL, some in transactions that stay open and commit late; after each, all three give the same answers
//! about tokens. `FRESH_STEPS` and `FRESH_SEED` make a longer or another run.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod chance;
mod log;
mod world;

use keystone::Settings;
use keystone::cache::Mode;
use keystone::storage::{sql, transaction};
use keystone::types::Error;
use keystone_testkit::Cloud;

use chance::Chance;
use world::World;

const STEPS: usize = 150;
const SEED: usize = 30;
/// How many tokens are asked about after each step.
const ASKED: usize = 6;

fn settings(mode: Mode) -> Settings {
    let mut settings = Settings::default();
    settings.cache.mode = mode;
    settings
}

#[expect(clippy::disallowed_methods, reason = "the length of a run by hand")]
fn variable(name: &str, default: usize) -> usize {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().unwrap())
}

async fn world(mode: Mode) -> World {
    let cloud = Box::pin(Cloud::with_change_log(settings(mode))).await;
    let other = Box::pin(cloud.neighbour()).await;
    let oracle = Box::pin(cloud.neighbour_with(settings(Mode::Database))).await;
    let nodes = [cloud.system_admin().await, other.system_admin().await];
    let oracle = oracle.system_admin().await;
    World::new(cloud, nodes, oracle).await
}

/// Compares what the nodes say about some tokens; returns what differs.
async fn differences(world: &World, chance: &mut Chance, happened: &str) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..ASKED {
        let n = chance.below(world.tokens.len());
        let token = &world.tokens[n];
        let expected = world.oracle.validate(token).await;
        for (node, session) in world.nodes.iter().enumerate() {
            let answer = session.validate(token).await;
            // Asking about the token of a disabled user revokes it, so that the next refusal has another text.
            let same = answer.status == expected.status
                && (answer.status != 200 || answer.body == expected.body);
            if !same {
                found.push(format!(
                    "node {node}, token {n}: {} {}\n  instead of {} {}\n  after {happened}",
                    answer.status, answer.body, expected.status, expected.body
                ));
            }
        }
    }
    // The first one is asked each time, so that it is remembered.
    let project = chance.below(world.projects.len());
    for n in [chance.below(world.tokens.len()), 0] {
        let expected = world.exchange(&world.oracle, n, project).await;
        for (node, session) in world.nodes.iter().enumerate() {
            let answer = world.exchange(session, n, project).await;
            if answer != expected {
                found.push(format!(
                    "node {node}, token {n} for project {project}: {answer:?}\n  instead of {expected:?}\n  after {happened}"
                ));
            }
        }
    }
    found
}

/// Lets things happen; returns the stale answers.
async fn run(mode: Mode, steps: usize, seed: usize) -> Vec<String> {
    let mut world = world(mode).await;
    let mut chance = Chance::new(seed as u64);
    let mut stale = Vec::new();
    for step in 0..steps {
        let late = world.has_transactions() && step % 8 == 0;
        let happened = if late {
            happen_late(&mut world, &mut chance, &mut stale).await
        } else {
            world.happen(&mut chance).await
        };
        stale.extend(differences(&world, &mut chance, &happened).await);
    }
    if mode == Mode::Gated {
        let counts = world.cloud.keystone.changes().counts();
        let load =
            |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
        assert!(load(&counts.changes) > 0, "changes were followed");
        assert_eq!(load(&counts.starts), 1, "and never lost");
        assert!(!world.has_transactions() || load(&counts.late) > 0);
    }
    stale
}

/// Something happens in a transaction that others overtake; it is seen neither too late nor too early.
async fn happen_late(world: &mut World, chance: &mut Chance, stale: &mut Vec<String>) -> String {
    let db = world.cloud.keystone.db().clone();
    let (text, id) = world.statement(chance);
    let (changed, undone) = (sql(text).bind(&id), chance.below(5) == 0);
    let done: Result<(), Error> = transaction!(db, |tx| {
        changed.clone().execute(&mut *tx).await?;
        // A write that has no row in common with the one that is open.
        let other = sql(
            "INSERT INTO revocation_event (audit_id, issued_before, revoked_at) \
                         VALUES (?, '2026-01-01 12:00:01', '2026-01-01 12:00:01')",
        );
        let overtaking = other.bind(keystone::types::new_id()).execute(&db).await;
        overtaking?;
        let found = differences(world, chance, &format!("before the commit of {text}")).await;
        stale.extend(found);
        if undone {
            return Err(Error::Validation("undone".to_owned()));
        }
        Ok(())
    })
    .await;
    format!("late {text} [{id}]: {done:?}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_older_than_its_question() {
    let (steps, seed) = (variable("FRESH_STEPS", STEPS), variable("FRESH_SEED", SEED));
    let stale = Box::pin(run(Mode::Gated, steps, seed)).await;
    assert!(
        stale.is_empty(),
        "{} stale:\n{}",
        stale.len(),
        stale.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_test_finds_stale_answers_where_the_log_is_not_read() {
    let stale = Box::pin(run(Mode::Ungated, STEPS / 2, SEED)).await;
    let of_exchanges = stale.iter().filter(|it| it.contains(" for project "));
    let of_exchanges = of_exchanges.count();
    assert!(0 < of_exchanges && of_exchanges < stale.len());
}
