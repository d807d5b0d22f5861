//! The whole crate on `MariaDB`, where `KEYSTONE_TEST_DATABASE` names a server and
//! a prefix of databases that may be created and dropped: `mysql://root@127.0.0.1:3307/test`.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod statements;

use std::time::Duration;

use keystone_storage::{
    DatabaseUrl, Db, PoolOptions,
    schema::{self, Phase, SchemaState, changes},
    sql, transaction,
};
use tokio::sync::{Barrier, Notify};
use tokio::time::{sleep, timeout};

/// A database of the test's own; `None` where no server is named.
struct Fresh {
    server: Db,
    url: DatabaseUrl,
    drop: &'static str,
}

impl Fresh {
    /// `create` and `drop` are the two statements for the database `suffix`.
    async fn new(suffix: &str, create: &'static str, drop: &'static str) -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are configured by the environment"
        )]
        let base = std::env::var("KEYSTONE_TEST_DATABASE").ok()?;
        let server = base.replace("/test", "/information_schema");
        let server = Db::connect(&server.parse().unwrap(), &PoolOptions::default())
            .await
            .unwrap();
        sql(drop).execute(&server).await.unwrap();
        sql(create).execute(&server).await.unwrap();
        let url = base
            .replace("/test", &format!("/test_{suffix}"))
            .parse()
            .unwrap();
        Some(Self { server, url, drop })
    }

    async fn db(&self) -> Db {
        Db::connect(&self.url, &PoolOptions::default())
            .await
            .unwrap()
    }

    async fn end(self) {
        sql(self.drop).execute(&self.server).await.unwrap();
    }
}

macro_rules! fresh {
    ($name:literal) => {{
        let create = concat!("CREATE DATABASE test_", $name);
        let drop = concat!("DROP DATABASE IF EXISTS test_", $name);
        match Fresh::new($name, create, drop).await {
            Some(fresh) => fresh,
            None => return,
        }
    }};
}

#[tokio::test]
async fn a_recursive_query_follows_every_row() {
    let fresh = fresh!("recursion");
    let db = fresh.db().await;
    for statement in [
        "CREATE TABLE node (id VARCHAR(64) PRIMARY KEY, parent VARCHAR(64), KEY (parent))",
        "INSERT INTO node VALUES ('top', NULL)",
        "INSERT INTO node SELECT 'a' || seq, 'top' FROM seq_1_to_70000",
        "INSERT INTO node SELECT 'b' || seq, 'a' || seq FROM seq_1_to_70000",
    ] {
        sql(statement).execute(&db).await.unwrap();
    }
    let above = "\
        WITH RECURSIVE above (id, root) AS (\
            SELECT id, parent FROM node WHERE parent IS NOT NULL \
            UNION SELECT above.id, n.parent FROM node n JOIN above ON n.id = above.root WHERE n.parent IS NOT NULL) \
        SELECT COUNT(*) FROM above";
    let (count,): (i64,) = sql(above).fetch_one(&db).await.unwrap();
    assert_eq!(count, 210_000);
    fresh.end().await;
}

#[tokio::test]
async fn every_statement_works_on_mariadb() {
    let fresh = fresh!("statements");
    let db = fresh.db().await;
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    statements::all(&db).await;
    let settings = "SELECT @@sql_mode, COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
    let (mode, tables) = sql(settings).fetch_one::<(String, i64)>(&db).await.unwrap();
    assert!(
        mode.contains("STRICT_ALL_TABLES") && mode.contains("PIPES_AS_CONCAT"),
        "{mode}"
    );
    assert_eq!(tables, 51);
    fresh.end().await;
}

#[tokio::test]
async fn triggers_whose_account_is_gone_are_found_and_made_anew() {
    let fresh = fresh!("definer");
    let db = fresh.db().await;
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    changes::install(&db).await.unwrap();
    changes::check_write(&db).await.unwrap();
    let text = "SELECT action_statement FROM information_schema.triggers \
                WHERE trigger_schema = DATABASE() AND trigger_name = 'keystone_change_region_insert'";
    let (text,): (String,) = sql(text).fetch_one(&db).await.unwrap();
    let restored = format!(
        "CREATE OR REPLACE DEFINER=gone@'%' TRIGGER keystone_change_region_insert AFTER INSERT ON region FOR EACH ROW {text}"
    );
    sql(&*restored.leak()).execute(&db).await.unwrap();
    assert_eq!(changes::incomplete(&db).await.unwrap(), None);
    let refused = changes::check_write(&db).await.unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains("1449"), "{cause}");
    changes::install(&db).await.unwrap();
    changes::check_write(&db).await.unwrap();
    let (rows,): (i64,) = sql("SELECT COUNT(*) FROM region")
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(rows, 0);
    fresh.end().await;
}

/// A backup has each table locked against changes of the schema, which must not keep requests waiting.
#[tokio::test]
async fn triggers_that_wait_for_a_transaction_let_others_pass() {
    let fresh = fresh!("waits");
    let db = fresh.db().await;
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    let regions = "SELECT COUNT(*) FROM region";
    let (begun, end) = (Notify::new(), Notify::new());
    let backup = transaction!(db, |tx| {
        sql(regions).fetch_one::<(i64,)>(tx).await?;
        begun.notify_one();
        end.notified().await;
        Ok(())
    });
    let others = async {
        let waiting = "SELECT COUNT(*) FROM information_schema.processlist \
                       WHERE db = DATABASE() AND state LIKE '%metadata lock%'";
        let read = timeout(Duration::from_secs(20), async {
            while sql(waiting).fetch_one::<(i64,)>(&db).await.unwrap() == (0,) {
                sleep(Duration::from_millis(10)).await;
            }
            sql(regions).fetch_one::<(i64,)>(&db).await
        });
        let read = read.await;
        end.notify_one();
        read.expect("the triggers wait for the backup, and a read does not")
            .unwrap();
    };
    let installed = async {
        begun.notified().await;
        let (installed, ()) = tokio::join!(changes::install(&db), others);
        installed.unwrap();
    };
    let (backup, ()) = tokio::join!(backup, installed);
    backup.unwrap();
    assert_eq!(changes::incomplete(&db).await.unwrap(), None);
    fresh.end().await;
}

/// An account that may change rows only, as careful operators have it.
#[tokio::test]
async fn printed_triggers_let_an_account_write_that_may_not_make_them() {
    let fresh = fresh!("grants");
    let db = fresh.db().await;
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    for text in [
        "CREATE OR REPLACE USER rows_only@'%' IDENTIFIED BY 'k'",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON `test\\_grant%`.* TO rows_only@'%'",
    ] {
        sql(text).execute(&db).await.unwrap();
    }
    let account = async || {
        let url = fresh.url.to_string().replace("//root@", "//rows_only:k@");
        let pool = PoolOptions::default();
        Db::connect(&url.parse().unwrap(), &pool).await.unwrap()
    };
    let theirs = account().await;
    let script = changes::script(&theirs).await.unwrap();
    let statements = script
        .split("//\n")
        .map(|text| text.trim_start_matches("DELIMITER "))
        .filter(|text| !text.is_empty() && *text != ";\n");
    for text in statements {
        sql(text.to_owned().leak() as &str)
            .execute(&db)
            .await
            .unwrap();
    }
    // Privileges count from the next connection on.
    let theirs = account().await;
    assert_eq!(changes::incomplete(&theirs).await.unwrap(), None);
    changes::check_write(&theirs).await.unwrap();
    let grants = sql("REVOKE TRIGGER ON region FROM rows_only@'%'");
    grants.execute(&db).await.unwrap();
    let theirs = account().await;
    let lacks = changes::incomplete(&theirs).await.unwrap().unwrap();
    assert!(lacks.contains("the privilege TRIGGER"), "{lacks}");
    changes::check_write(&theirs).await.unwrap_err();
    // Who may do everything needs no more.
    let script = changes::script(&db).await.unwrap();
    assert!(!script.contains("GRANT"), "{script}");
    sql("DROP USER rows_only@'%'").execute(&db).await.unwrap();
    fresh.end().await;
}

#[tokio::test]
async fn two_db_syncs_at_once_run_one_after_the_other() {
    let fresh = fresh!("race");
    let (one, two) = (fresh.db().await, fresh.db().await);
    let (first, second) = tokio::join!(
        schema::sync(&one, Phase::All, |_| {}),
        schema::sync(&two, Phase::All, |_| {}),
    );
    assert_eq!(first.unwrap().len() + second.unwrap().len(), 10);
    assert_eq!(schema::state(&one).await.unwrap(), SchemaState::Current);
    fresh.end().await;
}

#[tokio::test]
async fn a_cancelled_db_sync_is_continued() {
    let fresh = fresh!("cut");
    // After the third run the root revision is recorded, and few statements are left.
    for statements in [1, 20, 53, 1, 2, 1] {
        let db = fresh.db().await;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut stop = Some(stop);
        let run = schema::sync(&db, Phase::All, |p| {
            if p.done >= statements {
                stop.take();
            }
        });
        tokio::select! {
            biased;
            _ = stopped => {}
            done = run => panic!("not cancelled after {statements}: {done:?}"),
        }
        assert_ne!(schema::state(&db).await.unwrap(), SchemaState::Current);
    }
    let db = fresh.db().await;
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    assert_eq!(schema::state(&db).await.unwrap(), SchemaState::Current);
    assert!(db.created_here().await.unwrap());
    fresh.end().await;
}

#[tokio::test]
async fn connections_closed_by_the_server_are_replaced_unnoticed() {
    let fresh = fresh!("heal");
    let db = fresh.db().await;
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    let kill = || async {
        // Opens several connections and kills them all.
        let slow = || sql("SELECT SLEEP(0.01)").fetch_all::<(i64,)>(&db);
        let (a, b, c) = tokio::join!(slow(), slow(), slow());
        for slept in [a, b, c] {
            slept.unwrap();
        }
        let ids = "SELECT id FROM information_schema.processlist WHERE db = 'test_heal'";
        for (id,) in sql(ids).fetch_all::<(i64,)>(&fresh.server).await.unwrap() {
            sql("KILL ?").bind(id).execute(&fresh.server).await.ok();
        }
    };
    for _ in 0..3 {
        kill().await;
        let read = sql("SELECT id FROM project")
            .fetch_all::<(String,)>(&db)
            .await;
        assert_eq!(read.unwrap().len(), 1);
        kill().await;
        let write = sql("UPDATE project SET description = 'x'")
            .execute(&db)
            .await;
        assert_eq!(write.unwrap(), 1);
        kill().await;
        let both = transaction!(db, |tx| {
            Ok(sql("UPDATE project SET description = 'y'")
                .execute(tx)
                .await?)
        });
        assert_eq!(both.await.unwrap(), 1);
    }
    fresh.end().await;
}

#[tokio::test]
async fn a_deadlock_is_retried() {
    let fresh = fresh!("deadlock");
    let db = fresh.db().await;
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    for id in ["a", "b"] {
        sql("INSERT INTO region (id, description) VALUES (?, '')")
            .bind(id)
            .execute(&db)
            .await
            .unwrap();
    }
    let lock = "UPDATE region SET description = description || 'x' WHERE id = ?";
    let both = Barrier::new(2);
    let crossing = async |first: &str, second: &str| {
        let mut runs = 0;
        let done = transaction!(db, |tx| {
            runs += 1;
            sql(lock).bind(first).execute(&mut *tx).await?;
            if runs == 1 {
                both.wait().await;
            }
            Ok(sql(lock).bind(second).execute(tx).await?)
        });
        done.await.unwrap();
        runs
    };
    let (one, two) = tokio::join!(crossing("a", "b"), crossing("b", "a"));
    assert_eq!(one + two, 3, "one of them was rolled back and retried");
    let rows = sql("SELECT description FROM region");
    let rows: Vec<(String,)> = rows.fetch_all(&db).await.unwrap();
    assert_eq!(rows, [("xx".to_owned(),), ("xx".to_owned(),)]);
    fresh.end().await;
}

#[tokio::test]
async fn a_transaction_sees_what_others_committed_meanwhile() {
    let fresh = fresh!("committed");
    let db = fresh.db().await;
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    let count = "SELECT COUNT(*) FROM region";
    let seen = transaction!(db, |tx| {
        let before = sql(count).fetch_one::<(i64,)>(&mut *tx).await?;
        sql("INSERT INTO region (id, description) VALUES ('a', '')")
            .execute(&db)
            .await?;
        Ok((before, sql(count).fetch_one::<(i64,)>(tx).await?))
    });
    assert_eq!(seen.await.unwrap(), ((0,), (1,)));
    fresh.end().await;
}

#[tokio::test]
async fn the_error_of_an_unreachable_server_hides_the_password() {
    let url: DatabaseUrl = "mysql+pymysql://k:hunter2@127.0.0.1:9/keystone"
        .parse()
        .unwrap();
    let error = Db::connect(&url, &PoolOptions::default())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("cannot connect to mysql://k@127.0.0.1:9/keystone: "),
        "{text}"
    );
    assert!(!format!("{error:?}").contains("hunter2"));
    assert_eq!(keystone_types::Error::from(error).status(), 503);
}
