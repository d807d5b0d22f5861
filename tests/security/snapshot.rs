//! A snapshot of a database, to restore it.

use keystone::storage::{Db, Dialect, Tx, sql, transaction};

/// The tables, each with a copy beside it.
#[derive(Debug, Default)]
pub(crate) struct Snapshot(Vec<Saved>);

/// The statements that put a table back.
#[derive(Debug)]
struct Saved {
    empty: &'static str,
    fill: &'static str,
}

impl Snapshot {
    pub(crate) async fn take(db: &Db) -> Self {
        let list = match db.dialect() {
            Dialect::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
            }
            Dialect::MySql => {
                "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
                  WHERE table_schema = DATABASE() ORDER BY table_name"
            }
        };
        let names: Vec<(String,)> = sql(list).fetch_all(db).await.expect("tables can be listed");
        let mut tables = Vec::new();
        for (name,) in names {
            let copy = literal(format!(
                "CREATE TABLE saved_{name} AS SELECT * FROM `{name}`"
            ));
            sql(copy).execute(db).await.expect("a table can be copied");
            tables.push(Saved {
                empty: literal(format!("DELETE FROM `{name}`")),
                fill: literal(format!("INSERT INTO `{name}` SELECT * FROM saved_{name}")),
            });
        }
        Self(tables)
    }

    pub(crate) async fn restore(&self, db: &Db) {
        let (lift, put_back) = match db.dialect() {
            Dialect::Sqlite => ("PRAGMA defer_foreign_keys = 1", "SELECT 1"),
            Dialect::MySql => ("SET FOREIGN_KEY_CHECKS = 0", "SET FOREIGN_KEY_CHECKS = 1"),
        };
        let restored = transaction!(db, |tx| {
            run(tx, lift).await;
            for table in &self.0 {
                run(tx, table.empty).await;
            }
            for table in &self.0 {
                run(tx, table.fill).await;
            }
            run(tx, put_back).await;
            Ok(())
        });
        restored.await.expect("the tables are as they were");
    }
}

async fn run(tx: &mut Tx, text: &'static str) {
    let done = sql(text).execute(tx).await;
    done.unwrap_or_else(|error| panic!("{text}: {error}"));
}

/// The text of a statement; its names come from the database itself.
fn literal(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}
