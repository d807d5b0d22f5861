//! A database of its own for each cloud.

use keystone::storage::schema::{Phase, sync};
use keystone::storage::{DatabaseUrl, Db, PoolOptions, sql};

/// An empty database with the current schema: in memory, or on the server that the environment
/// names.
pub(crate) async fn fresh() -> Db {
    let db = match variable("KEYSTONE_TEST_DATABASE") {
        None => Db::memory().await.expect("SQLite opens in memory"),
        Some(url) => on_server(&url).await,
    };
    sync(&db, Phase::All, |_| {})
        .await
        .expect("an empty database takes the schema");
    db
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

#[expect(clippy::disallowed_methods, reason = "the tests' two variables")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|url| !url.is_empty())
}

async fn on_server(url: &str) -> Db {
    let name = format!("test_{}", keystone::types::new_id());
    let admin = open(url).await;
    // The name is generated, so it is safe in the text.
    let create: &'static str = Box::leak(format!("CREATE DATABASE {name}").into_boxed_str());
    sql(create)
        .execute(&admin)
        .await
        .expect("the test user may create databases");
    admin.close().await;
    open(&named(url, &name)).await
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
