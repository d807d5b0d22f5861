//! Servers that stop answering, and servers that accept no more connections.

use std::time::Duration;

use keystone_storage::{Db, PoolOptions, Result, sql, transaction};
use keystone_types::Error as KeystoneError;
use tokio::time::{sleep, timeout};

use crate::{
    at_rest, read,
    relay::Relay,
    soon,
    test_database::{TestDatabase, open, run},
    together, write,
};

/// Uses `count` connections at once, all of which then stay in the pool.
async fn busy(db: &Db, count: usize) -> Vec<Result<()>> {
    let calls = together(count, |_| {
        let db = db.clone();
        async move {
            let slow = sql("SELECT SLEEP(0.05)");
            slow.fetch_all::<(i64,)>(&db).await.map(drop)
        }
    });
    soon(calls).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_lost_behind_a_proxy_are_closed_together() {
    let Some(database) = TestDatabase::on_server("swallowed").await else {
        return;
    };
    let relay = Relay::to(database.port()).await;
    let db = open(&database.through(relay.port, ""), &PoolOptions::default()).await;
    for done in busy(&db, 8).await {
        done.unwrap();
    }
    // Long enough that each is pinged before its next use, and only the first ping is waited for.
    sleep(Duration::from_millis(5100)).await;
    relay.swallow();
    let bound = Duration::from_secs(4);
    timeout(bound, read(&db)).await.unwrap().unwrap();
    for done in busy(&db, 8).await {
        done.unwrap();
    }
    // Recently used connections are pinged before a write, which is sent only once.
    relay.swallow();
    timeout(bound, write(&db)).await.unwrap().unwrap();
    timeout(bound, read(&db)).await.unwrap().unwrap();
    at_rest(&db).await;
    database.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_blocks_no_caller_past_the_timeout() {
    let Some(database) = TestDatabase::on_server("frozen").await else {
        return;
    };
    let relay = Relay::to(database.port()).await;
    let url = database.through(relay.port, "?read_timeout=1&connect_timeout=1");
    let options = PoolOptions {
        size: 4,
        overflow: 0,
        timeout: Duration::from_secs(1),
        ..PoolOptions::default()
    };
    let db = open(&url, &options).await;
    for done in busy(&db, 4).await {
        done.unwrap();
    }
    let calls = || {
        together(12, |i| {
            let db = db.clone();
            async move {
                match i % 3 {
                    0 => Ok(read(&db).await?),
                    1 => Ok(write(&db).await?),
                    _ => {
                        let query = sql("UPDATE project SET description = 'y'");
                        let both = transaction!(db, |tx| Ok(query.clone().execute(tx).await?));
                        both.await.map(drop)
                    }
                }
            }
        })
    };
    relay.freeze(true);
    for done in soon(calls()).await {
        let error: KeystoneError = done.unwrap_err();
        assert_eq!(error.status(), 503, "{error:?}");
    }
    // A caller that gives up earlier leaks no connection.
    let left = timeout(Duration::from_millis(50), read(&db)).await;
    left.unwrap_err();
    at_rest(&db).await;
    relay.freeze(false);
    for done in soon(calls()).await {
        done.unwrap();
    }
    at_rest(&db).await;
    database.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_share_the_open_connections_of_a_full_server() {
    let Some(database) = TestDatabase::on_server("full").await else {
        return;
    };
    for text in [
        "CREATE OR REPLACE USER 'two'@'%' WITH MAX_USER_CONNECTIONS 2",
        "GRANT ALL ON test_connections_full.* TO 'two'@'%'",
    ] {
        run(database.server(), text.to_owned()).await;
    }
    let (_, address) = database.url.rsplit_once('@').unwrap();
    let db = open(&format!("mysql://two@{address}"), &PoolOptions::default()).await;
    for _ in 0..5 {
        for done in busy(&db, 20).await {
            done.unwrap();
        }
    }
    let writes = together(20, |_| {
        let db = db.clone();
        async move { write(&db).await }
    });
    for done in soon(writes).await {
        done.unwrap();
    }
    soon(db.close()).await;
    run(database.server(), "DROP USER 'two'@'%'".to_owned()).await;
    database.end().await;
}
