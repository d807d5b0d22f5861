//! The orderly end of a pool.

use std::sync::Arc;
use std::time::Duration;

use keystone_storage::{Db, PoolOptions, sql, transaction};
use keystone_types::Result;
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::{LONG, at_rest, is_unavailable, read, soon, test_database::TestDatabase};

/// Writes in a transaction that stays open until it is told to end.
async fn write_until(db: Db, begun: Arc<Notify>, end: Arc<Notify>) -> Result<()> {
    transaction!(db, |tx| {
        let query = sql("UPDATE project SET description = 'last'");
        query.execute(&mut *tx).await?;
        begun.notify_one();
        end.notified().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn draining_waits_for_a_transaction_and_lets_nobody_else_begin() {
    let file = TestDatabase::in_a_file().await;
    let db = file.open(&PoolOptions::default()).await;
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let writing = write_until(db.clone(), Arc::clone(&begun), Arc::clone(&end));
    let writing = tokio::spawn(writing);
    begun.notified().await;
    let drained = db.clone();
    let draining = tokio::spawn(async move { drained.drain(LONG).await });
    yield_now().await;
    assert!(!draining.is_finished());
    end.notify_one();
    soon(writing).await.unwrap().unwrap();
    assert!(soon(draining).await.unwrap());
    assert!(is_unavailable(&read(&db).await));
    let again = file.open(&PoolOptions::default()).await;
    let kept = sql("SELECT description FROM project").fetch_all::<(Option<String>,)>(&again);
    assert!(
        kept.await
            .unwrap()
            .iter()
            .all(|(it,)| it.as_deref() == Some("last"))
    );
    file.end().await;
}

#[tokio::test]
async fn draining_gives_up_at_its_limit() {
    let file = TestDatabase::in_a_file().await;
    let db = file.open(&PoolOptions::default()).await;
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let writing = tokio::spawn(write_until(db.clone(), Arc::clone(&begun), end));
    begun.notified().await;
    assert!(!db.drain(Duration::ZERO).await);
    assert!(is_unavailable(&read(&db).await));
    writing.abort();
    file.end().await;
}

#[tokio::test]
async fn the_pool_tells_who_waited_and_who_waited_in_vain() {
    let file = TestDatabase::in_a_file().await;
    let options = PoolOptions {
        timeout: Duration::ZERO,
        ..PoolOptions::default()
    };
    let db = file.open(&options).await;
    read(&db).await.unwrap();
    let before = db.pool();
    assert_eq!((before.in_use, before.idle, before.opened), (0, 1, 1));
    assert_eq!((before.waited, before.gave_up), (0, 0));
    // The first has the lock of the database, and the others a connection on which they wait for it.
    let end = Arc::new(Notify::new());
    let write = || write_until(db.clone(), Arc::new(Notify::new()), Arc::clone(&end));
    let writers: Vec<_> = (0..before.size).map(|_| tokio::spawn(write())).collect();
    soon(async {
        while db.pool().opened < before.size as u64 {
            yield_now().await;
        }
    })
    .await;
    assert!(is_unavailable(&read(&db).await));
    let state = db.pool();
    assert_eq!((state.in_use, state.idle), (before.size, 0));
    assert_eq!((state.waited, state.gave_up), (1, 1));
    for writer in writers {
        writer.abort();
    }
    at_rest(&db).await;
    file.end().await;
}
