//! The change log: its triggers, its gaps, and what happens when it is lost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use keystone::Settings;
use keystone::cache::{Cache, Changes, Counts, Kind, Settings as Following, Source};
use keystone::storage::schema::changes;
use keystone::storage::{Db, Dialect, sql, transaction};
use keystone::types::Error;
use keystone_testkit::Cloud;

struct Followed {
    db: Db,
    changes: Changes,
    cache: Cache<u32>,
}

impl Followed {
    async fn with(settings: Following) -> Self {
        let cloud = Box::pin(Cloud::with_change_log(Settings::default())).await;
        let db = cloud.keystone.db().clone();
        let changes = Changes::of(&db, settings);
        Self {
            cache: Cache::new(&changes, 1 << 20, 1 << 10),
            changes,
            db,
        }
    }

    async fn new() -> Self {
        Self::with(Following::default()).await
    }

    fn remember(&self, key: &str, kind: Kind, id: &str) {
        let now = self.cache.now();
        self.cache.put(key, now, 1, 0, [(kind, id.to_owned())]);
    }

    async fn passes(&self) -> Source {
        self.changes.pass().await.unwrap().source
    }

    async fn run(&self, text: &'static str) {
        sql(text).execute(&self.db).await.unwrap();
    }

    fn count(&self, of: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        of(self.changes.counts()).load(Relaxed)
    }

    fn is_on_server(&self) -> bool {
        self.db.dialect() == Dialect::MySql
    }
}

const CHANGE_OF_A: &str = "INSERT INTO keystone_change (kind, ref) VALUES (2, 'a')";

#[tokio::test]
async fn a_change_is_known_to_whoever_asks_after_its_commit() {
    let followed = Followed::new().await;
    assert_eq!(followed.passes().await, Source::Memory);
    followed.remember("a", Kind::User, "a");
    followed.remember("b", Kind::User, "b");
    followed.passes().await;
    assert_eq!(
        (followed.cache.get("a"), followed.cache.get("b")),
        (Some(1), Some(1))
    );
    followed.run(CHANGE_OF_A).await;
    followed.passes().await;
    assert_eq!(
        (followed.cache.get("a"), followed.cache.get("b")),
        (None, Some(1))
    );
    assert_eq!(followed.count(|it| &it.starts), 1);
    followed
        .run("INSERT INTO keystone_change (kind) VALUES (1)")
        .await;
    followed.passes().await;
    assert_eq!(
        followed.cache.get("b"),
        None,
        "the operator's word to forget everything"
    );
}

#[tokio::test]
async fn a_log_that_is_emptied_or_restored_is_read_anew() {
    let followed = Followed::new().await;
    for damage in [
        "DELETE FROM keystone_change",
        "UPDATE keystone_change SET kind = 5, ref = 'another'",
        "UPDATE keystone_change SET id = id + 1000 ORDER BY id DESC",
    ] {
        if damage.contains("ORDER") && !followed.is_on_server() {
            continue;
        }
        followed.passes().await;
        followed.remember("a", Kind::User, "a");
        let starts = followed.count(|it| &it.starts);
        followed.run(damage).await;
        assert_eq!(followed.passes().await, Source::Memory, "{damage}");
        assert_eq!(followed.cache.get("a"), None, "{damage}");
        assert_eq!(followed.count(|it| &it.starts), starts + 1, "{damage}");
    }
}

#[tokio::test]
async fn without_a_trigger_there_is_no_memory_until_it_is_back() {
    let followed = Followed::with(Following {
        check_after: Duration::ZERO,
        ..Following::default()
    })
    .await;
    assert_eq!(followed.passes().await, Source::Memory);
    followed.remember("a", Kind::User, "a");
    followed
        .run("DROP TRIGGER keystone_change_user_update")
        .await;
    assert_eq!(followed.passes().await, Source::Database);
    changes::install(&followed.db).await.unwrap();
    assert_eq!(followed.passes().await, Source::Memory);
    assert_eq!(followed.cache.get("a"), None);
    changes::remove(&followed.db).await.unwrap();
    assert_eq!(followed.passes().await, Source::Database);
}

#[tokio::test]
async fn what_happened_without_a_trigger_is_forgotten_when_it_is_put_back() {
    let followed = Followed::new().await;
    followed.passes().await;
    followed.remember("a", Kind::User, "a");
    // Before anybody looks.
    followed
        .run("DROP TRIGGER keystone_change_user_update")
        .await;
    changes::install(&followed.db).await.unwrap();
    followed.passes().await;
    assert_eq!(followed.cache.get("a"), None);
}

#[tokio::test]
async fn a_log_that_cannot_be_read_or_followed_is_done_without() {
    for damage in [
        &[
            "DROP TABLE keystone_change",
            "CREATE TABLE keystone_change (id INTEGER PRIMARY KEY)",
        ][..],
        &["INSERT INTO keystone_change (id, kind) VALUES (1000000000000, 0)"],
    ] {
        for seen_before in [true, false] {
            let followed = Followed::new().await;
            if seen_before {
                assert_eq!(followed.passes().await, Source::Memory);
                followed.remember("a", Kind::User, "a");
            }
            for text in damage {
                followed.run(text).await;
            }
            assert_eq!(followed.passes().await, Source::Database, "{damage:?}");
            assert_eq!(followed.cache.get("a"), None, "{damage:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_is_made_anew_and_everything_forgotten() {
    let followed = Followed::new().await;
    if !followed.is_on_server() {
        // There is none of its own.
        return;
    }
    followed.passes().await;
    followed.remember("a", Kind::User, "a");
    let others = "SELECT CAST(id AS CHAR) FROM information_schema.processlist \
                   WHERE db = DATABASE() AND id <> CONNECTION_ID()";
    for id in sql(others).fetch_texts(&followed.db).await.unwrap() {
        let kill: &'static str = format!("KILL {id}").leak();
        // One of them may have ended by itself.
        sql(kill).execute(&followed.db).await.ok();
    }
    assert_eq!(followed.passes().await, Source::Memory);
    assert_eq!(followed.cache.get("a"), None);
    assert_eq!(followed.count(|it| &it.starts), 2);
}

#[tokio::test]
async fn writing_goes_on_without_the_table_of_the_log() {
    let cloud = Box::pin(Cloud::with_change_log(Settings::default())).await;
    let db = cloud.keystone.db();
    if db.dialect() == Dialect::Sqlite {
        // There each write fails, as it would without any other table.
        return;
    }
    sql("DROP TABLE keystone_change").execute(db).await.unwrap();
    cloud.user("written").await;
    let found = cloud.admin().await.get("/v3/users?name=written").await.ok();
    assert_eq!(found["users"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_that_is_committed_late_is_applied_when_it_appears() {
    let followed = Followed::new().await;
    if !followed.is_on_server() {
        // `SQLite` has one writer at a time: ids are in the order of commits.
        return;
    }
    followed.passes().await;
    let (db, cache) = (followed.db.clone(), &followed.cache);
    let done: Result<(), Error> = transaction!(db, |tx| {
        sql(CHANGE_OF_A).execute(&mut *tx).await?;
        followed
            .run("INSERT INTO keystone_change (kind, ref) VALUES (2, 'b')")
            .await;
        followed.passes().await;
        followed.remember("a", Kind::User, "a");
        followed.passes().await;
        assert_eq!(cache.get("a"), Some(1), "nothing is committed");
        Ok(())
    })
    .await;
    done.unwrap();
    followed.passes().await;
    assert_eq!(cache.get("a"), None);
    assert_eq!(
        (
            followed.count(|it| &it.late),
            followed.count(|it| &it.starts)
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn what_begins_in_an_emptied_log_is_applied_when_it_appears() {
    for is_found_empty in [true, false] {
        let followed = Followed::new().await;
        if !followed.is_on_server() {
            return;
        }
        followed.passes().await;
        followed.run("TRUNCATE keystone_change").await;
        let db = followed.db.clone();
        let done: Result<(), Error> = transaction!(db, |tx| {
            sql(CHANGE_OF_A).execute(&mut *tx).await?;
            if !is_found_empty {
                followed
                    .run("INSERT INTO keystone_change (kind, ref) VALUES (2, 'b')")
                    .await;
            }
            followed.passes().await;
            followed.remember("a", Kind::User, "a");
            Ok(())
        })
        .await;
        done.unwrap();
        followed.passes().await;
        assert_eq!(followed.cache.get("a"), None, "{is_found_empty}");
        assert_eq!(followed.count(|it| &it.starts), 2);
    }
}

#[tokio::test]
async fn a_gap_is_closed_by_a_row_and_never_while_its_transaction_is_open() {
    let followed = Followed::with(Following {
        close_after: Some(Duration::ZERO),
        ..Following::default()
    })
    .await;
    if !followed.is_on_server() {
        return;
    }
    followed.passes().await;
    let db = followed.db.clone();
    let is_settled = async || {
        // Until the gaps that nobody holds are closed.
        while followed.count(|it| &it.closed) == 0 {
            followed.passes().await;
            tokio::task::yield_now().await;
        }
    };
    let undone: Result<(), Error> = transaction!(db, |tx| {
        sql(CHANGE_OF_A).execute(&mut *tx).await?;
        Err(Error::Validation("undone".to_owned()))
    })
    .await;
    undone.unwrap_err();
    let done: Result<(), Error> = transaction!(db, |tx| {
        sql(CHANGE_OF_A).execute(&mut *tx).await?;
        followed
            .run("INSERT INTO keystone_change (kind, ref) VALUES (2, 'b')")
            .await;
        followed.remember("a", Kind::User, "a");
        is_settled().await;
        Ok(())
    })
    .await;
    done.unwrap();
    followed.passes().await;
    assert_eq!(followed.cache.get("a"), None, "its gap was kept open");
    assert_eq!(followed.count(|it| &it.closed), 1);
}

#[tokio::test]
async fn old_rows_are_deleted_but_for_the_newest() {
    let followed = Followed::with(Following {
        keep: Duration::ZERO,
        ..Following::default()
    })
    .await;
    followed.passes().await;
    followed.remember("a", Kind::User, "a");
    // What closes a gap changes nothing.
    let newest = sql("SELECT MAX(id) FROM keystone_change").fetch_one(&followed.db);
    let (newest,): (i64,) = newest.await.unwrap();
    let filler = sql("INSERT INTO keystone_change (id, kind) VALUES (?, 0)").bind(newest + 1);
    filler.execute(&followed.db).await.unwrap();
    loop {
        followed.passes().await;
        let rows = sql("SELECT CAST(id AS CHAR) FROM keystone_change");
        if rows.fetch_texts(&followed.db).await.unwrap() == [(newest + 1).to_string()] {
            break;
        }
        tokio::task::yield_now().await;
    }
    followed.passes().await;
    assert_eq!(followed.cache.get("a"), Some(1));
    assert_eq!(followed.count(|it| &it.starts), 1);
}

#[tokio::test]
async fn every_cascade_of_the_schema_is_known() {
    let cloud = Box::pin(Cloud::with_change_log(Settings::default())).await;
    let db = cloud.keystone.db();
    if db.dialect() == Dialect::Sqlite {
        // There cascades fire triggers.
        return;
    }
    let found: Vec<(String, String)> = sql(
        "SELECT referenced_table_name, table_name FROM information_schema.referential_constraints \
          WHERE constraint_schema = DATABASE() AND (delete_rule = 'CASCADE' OR update_rule = 'CASCADE' \
             OR delete_rule = 'SET NULL' OR update_rule = 'SET NULL')",
    )
    .fetch_all(db)
    .await
    .unwrap();
    let found: BTreeSet<(&str, &str)> = found
        .iter()
        .map(|(from, to)| (from.as_str(), to.as_str()))
        .collect();
    assert_eq!(found, changes::CASCADES.iter().copied().collect());
}

/// Tables of which nothing in a token or its validity depends.
const WITHOUT_SAY: [&str; 20] = [
    "alembic_version",
    "config_register",
    "consumer",
    "credential",
    "id_mapping",
    "idp_remote_ids",
    "keystone_change",
    "keystone_native",
    "keystone_native_message",
    "limit",
    "mapping",
    "policy",
    "policy_association",
    "project_tag",
    "registered_limit",
    "request_token",
    "role_option",
    "sensitive_config",
    "token",
    "whitelisted_config",
];

#[tokio::test]
async fn every_table_logs_or_has_no_say() {
    let cloud = Box::pin(Cloud::with_change_log(Settings::default())).await;
    let db = cloud.keystone.db();
    let text = match db.dialect() {
        Dialect::MySql => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
        }
        Dialect::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        }
    };
    let found: BTreeSet<String> = sql(text)
        .fetch_texts(db)
        .await
        .unwrap()
        .into_iter()
        .collect();
    let known = changes::tables().chain(WITHOUT_SAY).map(str::to_owned);
    assert_eq!(found, known.collect());
}

#[tokio::test]
async fn a_database_that_is_away_is_a_503_or_what_held_a_moment_ago() {
    for (stale_for, expected) in [(Duration::ZERO, None), (Duration::from_mins(1), Some(1))] {
        let followed = Followed::with(Following {
            stale_for,
            ..Following::default()
        })
        .await;
        followed.passes().await;
        followed.remember("a", Kind::User, "a");
        followed.db.close().await;
        if followed.is_on_server() {
            // The reader has a connection of its own.
            continue;
        }
        let pass = followed.changes.pass().await;
        assert_eq!(
            pass.as_ref().ok().and_then(|_| followed.cache.get("a")),
            expected
        );
        if let Err(error) = pass {
            assert_eq!(error.status(), 503);
        }
    }
}

#[tokio::test]
async fn what_was_looked_up_without_a_log_is_never_answered_later() {
    let followed = Followed::with(Following {
        stale_for: Duration::from_mins(1),
        check_after: Duration::ZERO,
        ..Following::default()
    })
    .await;
    followed.passes().await;
    changes::remove(&followed.db).await.unwrap();
    assert_eq!(followed.passes().await, Source::Database);
    followed.remember("a", Kind::User, "a");
    followed.db.close().await;
    assert_eq!(followed.changes.pass().await.unwrap_err().status(), 503);
}
