//! Cancelled callers, servers that are silent or full, and writers that conflict.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod contention;
mod cut_off;
mod ending;
mod hosts;
mod relay;
mod silence;
mod test_database;

use std::{future::Future, time::Duration};

use keystone_storage::{Db, Error, Result, sql};
use tokio::time::{sleep, timeout};

/// Far longer than anything takes that does not hang.
const LONG: Duration = Duration::from_secs(10);

/// Fails if the work hangs.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(LONG, work).await.expect("it hangs")
}

/// Waits until no connection is in use.
async fn at_rest(db: &Db) {
    soon(async {
        while db.connections_in_use() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

async fn read(db: &Db) -> Result<()> {
    let query = sql("SELECT id FROM project");
    query.fetch_all::<(String,)>(db).await.map(drop)
}

async fn write(db: &Db) -> Result<()> {
    let query = sql("UPDATE project SET description = 'x'");
    query.execute(db).await.map(drop)
}

/// Starts `count` tasks at once and returns their results.
async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    work: impl Fn(usize) -> F,
) -> Vec<T> {
    let started: Vec<_> = (0..count).map(|i| tokio::spawn(work(i))).collect();
    let mut done = Vec::new();
    for work in started {
        done.push(work.await.unwrap());
    }
    done
}

fn is_unavailable<T>(done: &Result<T>) -> bool {
    matches!(done, Err(Error::Unavailable(_)))
}
