//! A database of its own for each cloud.
//!
//! On a server a schema takes a second or two to make, and a few hundredths of that to empty. So a later test uses a database
//! again, where the environment names a directory for locks: a test holds one until its process ends. The file of the lock has
//! the columns of the schema, so that a database whose tables a test has changed is made anew.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use keystone::storage::schema::{Phase, sync};
use keystone::storage::{DatabaseUrl, Db, PoolOptions, sql};
use tokio::time::sleep;

/// An empty database with the current schema: in memory, or on the server that the environment
/// names.
pub(crate) async fn fresh() -> Db {
    let Some(url) = variable("KEYSTONE_TEST_DATABASE") else {
        let db = Db::memory().await.expect("SQLite opens in memory");
        return synced(db).await;
    };
    if let Some(locks) = variable("KEYSTONE_TEST_LOCKS") {
        return used_again(&url, Path::new(&locks)).await;
    }
    let name = format!("test_{}", keystone::types::new_id());
    created(&url, &name).await
}

async fn synced(db: Db) -> Db {
    sync(&db, Phase::All, |_| {})
        .await
        .expect("an empty database takes the schema");
    db
}

/// The first database that no test uses, emptied.
async fn used_again(url: &str, locks: &Path) -> Db {
    let (name, mut lock) = (1..)
        .find_map(|number| {
            let name = format!("test_{number}");
            let options = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(locks.join(&name));
            let lock = options.expect("the directory of the locks is writable");
            lock.try_lock().ok().map(|()| (name, lock))
        })
        .expect("there are more numbers than tests");
    let mut known = String::new();
    lock.read_to_string(&mut known).expect("a lock is readable");
    wait_until_unused(url, &name).await;
    let left = emptied(url, &name, &known).await;
    let is_left = left.is_some();
    let db = match left {
        Some(db) => db,
        None => recreated(url, &name).await,
    };
    if !is_left {
        lock.set_len(0).expect("a lock is writable");
        lock.rewind().expect("a file has a beginning");
        let columns = columns(&db).await;
        lock.write_all(columns.as_bytes())
            .expect("a lock is writable");
    }
    // Until the process ends.
    Box::leak(Box::new(lock));
    db
}

async fn recreated(url: &str, name: &str) -> Db {
    run(url, format!("DROP DATABASE IF EXISTS {name}")).await;
    created(url, name).await
}

/// The database that is left, without rows; none if its schema is not what it was.
async fn emptied(url: &str, name: &str, known: &str) -> Option<Db> {
    if known.is_empty() {
        return None;
    }
    let left = open(&named(url, name)).await;
    if columns(&left).await != known {
        return None;
    }
    empty(&left).await;
    Some(left)
}

/// Waits for the server to notice that the last process has ended.
async fn wait_until_unused(url: &str, name: &str) {
    let server = open(url).await;
    loop {
        let users = sql("SELECT COUNT(*) FROM information_schema.processlist WHERE db = ?");
        let (users,): (i64,) = users
            .bind(name)
            .fetch_one(&server)
            .await
            .expect("root sees all");
        if users == 0 {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    server.close().await;
}

/// The columns of a database, as text.
async fn columns(db: &Db) -> String {
    let columns = sql(
        "SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns WHERE table_schema = DATABASE() \
         ORDER BY table_name, ordinal_position",
    );
    let columns = columns.fetch_texts(db).await.expect("a schema is readable");
    columns.join("\n")
}

/// Deletes every row but those that the schema has.
async fn empty(db: &Db) {
    let tables = sql(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
         AND table_name NOT LIKE 'alembic%' AND table_name <> 'keystone_native' ORDER BY table_name",
    );
    let tables = tables.fetch_texts(db).await.expect("a schema is readable");
    let mut session = db
        .causal()
        .await
        .expect("the test database answers")
        .expect("it is a server");
    let unchecked = sql("SET SESSION foreign_key_checks = 0").execute(&mut session);
    unchecked.await.expect("a session has its own checks");
    for table in tables {
        let kept = if table == "project" {
            " WHERE id <> '<<keystone.domain.root>>'"
        } else {
            ""
        };
        // The name is one of the schema, so it is safe in the text.
        let delete: &'static str =
            Box::leak(format!("DELETE FROM `{table}`{kept}").into_boxed_str());
        sql(delete)
            .execute(&mut session)
            .await
            .expect("rows are deleted in any order");
    }
}

/// The same database at the server of the next node, where the environment names one.
pub(crate) async fn at_neighbour(db: &Db) -> Option<Db> {
    let url = variable("KEYSTONE_TEST_NEIGHBOUR")?;
    let (name,): (String,) = sql("SELECT DATABASE()")
        .fetch_one(db)
        .await
        .expect("a server knows the name of a database");
    // A statement waits for what the other nodes have written, and a login does not.
    let node = open(&url).await;
    let caught_up: (i64,) = sql("SELECT 1")
        .fetch_one(&node)
        .await
        .expect("the node of the neighbour answers");
    assert_eq!(caught_up, (1,));
    node.close().await;
    Some(open(&named(&url, &name)).await)
}

#[expect(clippy::disallowed_methods, reason = "the tests' variables")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|url| !url.is_empty())
}

async fn created(url: &str, name: &str) -> Db {
    run(url, format!("CREATE DATABASE {name}")).await;
    synced(open(&named(url, name)).await).await
}

/// Runs a statement on the server, whose text has a generated name.
async fn run(url: &str, text: String) {
    let server = open(url).await;
    let text: &'static str = Box::leak(text.into_boxed_str());
    sql(text)
        .execute(&server)
        .await
        .expect("the test user may create databases");
    server.close().await;
}

/// The URL of another database at the same server.
fn named(url: &str, database: &str) -> String {
    let (base, _) = url.rsplit_once('/').expect("a database URL ends in /name");
    format!("{base}/{database}")
}

async fn open(url: &str) -> Db {
    let options = PoolOptions {
        size: 2,
        ..PoolOptions::default()
    };
    let url = DatabaseUrl::parse(url).expect("the tests' variables are database URLs");
    Db::connect(&url, &options)
        .await
        .expect("the test database answers")
}
