//! A database of its own for each cloud.

use keystone::storage::schema::{Phase, sync};
use keystone::storage::{DatabaseUrl, Db, PoolOptions, sql};

/// An empty database with the current schema: in memory, or on the server that the environment
/// names.
pub(crate) async fn fresh() -> Db {
    let db = match server() {
        None => Db::memory().await.expect("SQLite opens in memory"),
        Some(url) => on_server(&url).await,
    };
    sync(&db, Phase::All, |_| {})
        .await
        .expect("an empty database takes the schema");
    db
}

#[expect(clippy::disallowed_methods, reason = "the tests' one variable")]
fn server() -> Option<String> {
    std::env::var("KEYSTONE_TEST_DATABASE")
        .ok()
        .filter(|url| !url.is_empty())
}

async fn on_server(url: &str) -> Db {
    let name = format!("test_{}", keystone::types::new_id());
    let (base, _) = url.rsplit_once('/').expect("a database URL ends in /name");
    let options = PoolOptions {
        size: 2,
        ..PoolOptions::default()
    };
    let open = async |url: &str| {
        let url = DatabaseUrl::parse(url).expect("KEYSTONE_TEST_DATABASE is a database URL");
        Db::connect(&url, &options)
            .await
            .expect("the test database answers")
    };
    let admin = open(url).await;
    // The name is made here, so that it can stand in the text.
    let create: &'static str = Box::leak(format!("CREATE DATABASE {name}").into_boxed_str());
    sql(create)
        .execute(&admin)
        .await
        .expect("the test user may create databases");
    admin.close().await;
    open(&format!("{base}/{name}")).await
}
