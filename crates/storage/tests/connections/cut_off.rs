//! Cancelled callers: the future that they wait for is dropped at any moment.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use keystone_storage::{
    Db, PoolOptions, Result,
    schema::{self, Phase},
    sql, transaction,
};
use keystone_types::Error as KeystoneError;
use tokio::time::{sleep, timeout};

use crate::{
    LONG, at_rest, is_unavailable, read, soon, test_database::TestDatabase, together, write,
};

const CALLERS: usize = 16;
const CALLS: usize = 150;

/// A result of a megabyte.
const ROWS: &str = "\
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70) \
    SELECT one.i * 100 + other.i, \
           '----------------------------------------------------------------------------------------------------' || \
           '----------------------------------------------------------------------------------------------------' \
    FROM n AS one JOIN n AS other ORDER BY 1";

/// Regions whose partner is missing.
const HALVES: &str = "SELECT COUNT(*) FROM region AS half WHERE half.description = 'pair' \
    AND NOT EXISTS (SELECT 1 FROM region WHERE region.id = half.parent_region_id)";

fn chance(below: u32) -> u32 {
    getrandom::u32().unwrap() % below
}

/// Polls `work` at most `polls` times and then drops it: at once, or when it is woken.
async fn cancel_after<T>(work: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut work = pin!(work);
    let (mut left, at_once) = (polls, chance(2) == 0);
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match work.as_mut().poll(cx) {
            Poll::Pending if left == 0 && at_once => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}

async fn long_answer(db: &Db) -> Result<()> {
    let rows: Vec<(i64, String)> = sql(ROWS).fetch_all(db).await?;
    assert_eq!(rows.len(), 4900);
    assert!(rows.iter().all(|(i, text)| *i > 100 && text.len() == 200));
    Ok(())
}

async fn pair(db: &Db, name: String) -> Result<(), KeystoneError> {
    let [one, other] = ["1", "2"].map(|half| name.clone() + half);
    let insert = "INSERT INTO region (id, description, parent_region_id) VALUES (?, 'pair', ?)";
    let stored = transaction!(db, |tx| {
        let first = sql(insert).bind(&one).bind(&other);
        first.execute(&mut *tx).await?;
        let count = sql("SELECT COUNT(*) FROM region WHERE id = ?").bind(&one);
        assert_eq!(count.fetch_one::<(i64,)>(&mut *tx).await?.0, 1);
        let second = sql(insert).bind(&other).bind(&one);
        Ok(second.execute(tx).await?)
    });
    stored.await.map(drop)
}

/// Thousands of calls, many of which are cancelled.
async fn call_and_cancel(db: &Db) {
    let finished = Arc::new(AtomicUsize::new(0));
    let callers = together(CALLERS, |caller| {
        let (db, finished) = (db.clone(), Arc::clone(&finished));
        async move {
            for call in 0..CALLS {
                // Some by a timeout, as of a caller with a time limit of its own.
                let clock = Duration::from_micros(u64::from(chance(20_000)));
                let polls = chance(40) * chance(3);
                let work = async {
                    match call % 3 {
                        0 => long_answer(&db).await.map_err(KeystoneError::from),
                        1 => write(&db).await.map_err(KeystoneError::from),
                        _ => pair(&db, format!("{caller}-{call}-")).await,
                    }
                };
                let done = match call % 4 {
                    0 => timeout(clock, work).await.ok(),
                    _ => cancel_after(work, polls).await,
                };
                if let Some(done) = done {
                    done.unwrap();
                    finished.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    });
    timeout(LONG * 6, callers).await.expect("it hangs");
    let finished = finished.load(Ordering::Relaxed);
    // A quarter of the calls is dropped before it is polled at all; how many of the others end
    // first depends on the machine.
    assert!(
        (100..CALLERS * CALLS - 400).contains(&finished),
        "{finished}"
    );
}

/// Asserts that the database still serves callers and that no transaction was half done.
async fn serves(db: &Db) {
    at_rest(db).await;
    let served = together(CALLERS, |i| {
        let db = db.clone();
        async move {
            read(&db).await?;
            long_answer(&db).await?;
            write(&db).await?;
            pair(&db, format!("late-{i}-")).await
        }
    });
    for served in soon(served).await {
        served.unwrap();
    }
    let halves: (i64,) = sql(HALVES).fetch_one(db).await.unwrap();
    assert_eq!(halves, (0,));
    at_rest(db).await;
}

async fn closes(db: &Db) {
    let second = Duration::from_millis(1500);
    timeout(second, db.close()).await.expect("it waits");
    assert!(is_unavailable(&read(db).await));
}

/// Asserts it on every connection, since all are in use at once.
async fn foreign_keys_are_on(db: &Db, connections: usize) {
    let on = together(connections, |_| {
        let db = db.clone();
        async move {
            let on = sql("SELECT foreign_keys FROM pragma_foreign_keys");
            on.fetch_all::<(i64,)>(&db).await.unwrap()
        }
    });
    assert!(soon(on).await.iter().all(|on| *on == [(1,)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_callers_of_a_server_leave_nothing_behind() {
    let Some(database) = TestDatabase::on_server("cut_off").await else {
        return;
    };
    let options = PoolOptions {
        size: 4,
        overflow: 4,
        ..PoolOptions::default()
    };
    let db = database.open(&options).await;
    call_and_cancel(&db).await;
    serves(&db).await;
    let open = "SELECT COUNT(*) FROM information_schema.innodb_trx \
        JOIN information_schema.processlist ON processlist.id = innodb_trx.trx_mysql_thread_id \
        WHERE processlist.db = 'test_connections_cut_off'";
    soon(async {
        while sql(open)
            .fetch_one::<(i64,)>(database.server())
            .await
            .unwrap()
            != (0,)
        {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    closes(&db).await;
    database.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_callers_of_a_file_leave_nothing_behind() {
    let database = TestDatabase::in_a_file().await;
    let options = PoolOptions::default();
    let (db, other) = (database.open(&options).await, database.open(&options).await);
    call_and_cancel(&db).await;
    serves(&db).await;
    foreign_keys_are_on(&db, 8).await;
    write(&other).await.unwrap();
    closes(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_callers_of_a_database_in_memory_leave_nothing_behind() {
    let db = Db::memory().await.unwrap();
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    call_and_cancel(&db).await;
    serves(&db).await;
    foreign_keys_are_on(&db, 1).await;
    closes(&db).await;
}

#[tokio::test]
async fn a_database_in_memory_survives_a_cancelled_caller_after_a_pause() {
    let mut databases = Vec::new();
    for _ in 0..20 {
        let db = Db::memory().await.unwrap();
        let create = "CREATE TABLE project (id TEXT, description TEXT)";
        sql(create).execute(&db).await.unwrap();
        databases.push(db);
    }
    // After this pause a connection to a server would be pinged.
    sleep(Duration::from_millis(5100)).await;
    for db in databases {
        cancel_after(read(&db), 1).await;
        soon(read(&db)).await.unwrap();
    }
}

#[tokio::test]
async fn a_caller_never_waits_for_its_own_connection() {
    let Some(database) = TestDatabase::on_server("one").await else {
        return;
    };
    let options = PoolOptions {
        size: 1,
        overflow: 0,
        timeout: Duration::ZERO,
        ..PoolOptions::default()
    };
    let db = database.open(&options).await;
    for call in 0..2500 {
        read(&db).await.unwrap();
        write(&db).await.unwrap();
        let both = transaction!(db, |tx| {
            let query = sql("UPDATE project SET description = ?");
            query.bind(call).execute(&mut *tx).await?;
            let query = sql("SELECT description FROM project");
            Ok(query.fetch_one::<(String,)>(tx).await?)
        });
        assert_eq!(both.await.unwrap(), (call.to_string(),));
        // A refused statement releases its connection too.
        let refused = sql("INSERT INTO project (id) VALUES (NULL)").execute(&db);
        refused.await.unwrap_err();
    }
    database.end().await;
}
