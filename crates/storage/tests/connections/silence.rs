//! Servers that no longer answer, and servers that take no more.

use std::time::Duration;

use keystone_storage::{Db, PoolOptions, Result, sql, transaction};
use keystone_types::Error as KeystoneError;
use tokio::time::{sleep, timeout};

use crate::{
    at_rest,
    place::{Place, open, run},
    read,
    relay::Relay,
    soon, together, write,
};

/// As many connections at once as `count` says, all of which are then kept.
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
async fn connections_that_a_proxy_has_swallowed_are_given_up_together() {
    let Some(place) = Place::on_server("swallowed").await else {
        return;
    };
    let relay = Relay::to(place.port()).await;
    let db = open(&place.through(relay.port, ""), &PoolOptions::default()).await;
    for done in busy(&db, 8).await {
        done.unwrap();
    }
    // So long that they are asked before they are used, and it is one of them that is waited for.
    sleep(Duration::from_millis(5100)).await;
    relay.swallow();
    let bound = Duration::from_secs(4);
    timeout(bound, read(&db)).await.unwrap().unwrap();
    for done in busy(&db, 8).await {
        done.unwrap();
    }
    // Those that were just used are asked before a write, which is sent once.
    relay.swallow();
    timeout(bound, write(&db)).await.unwrap().unwrap();
    timeout(bound, read(&db)).await.unwrap().unwrap();
    at_rest(&db).await;
    place.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_freezes_keeps_nobody_waiting() {
    let Some(place) = Place::on_server("frozen").await else {
        return;
    };
    let relay = Relay::to(place.port()).await;
    let url = place.through(relay.port, "?read_timeout=1&connect_timeout=1");
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
    // Who does not wait that long takes no connection with him.
    let left = timeout(Duration::from_millis(50), read(&db)).await;
    left.unwrap_err();
    at_rest(&db).await;
    relay.freeze(false);
    for done in soon(calls()).await {
        done.unwrap();
    }
    at_rest(&db).await;
    place.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_more_serves_everybody_through_what_there_is() {
    let Some(place) = Place::on_server("full").await else {
        return;
    };
    for text in [
        "CREATE OR REPLACE USER 'two'@'%' WITH MAX_USER_CONNECTIONS 2",
        "GRANT ALL ON test_connections_full.* TO 'two'@'%'",
    ] {
        run(place.server(), text.to_owned()).await;
    }
    let (_, address) = place.url.rsplit_once('@').unwrap();
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
    run(place.server(), "DROP USER 'two'@'%'".to_owned()).await;
    place.end().await;
}
