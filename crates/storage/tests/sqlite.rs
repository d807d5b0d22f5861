//! The whole crate on `SQLite`, in process.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod statements;

use keystone_storage::{
    DatabaseUrl, Db, Error, PoolOptions,
    schema::{self, Phase, SchemaState},
    sql, transaction,
};

async fn current() -> Db {
    let db = Db::memory().await.unwrap();
    schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    db
}

#[tokio::test]
async fn every_statement_works_in_memory() {
    statements::all(&current().await).await;
}

#[tokio::test]
async fn an_empty_database_becomes_current_and_is_marked_as_created_here() {
    let db = Db::memory().await.unwrap();
    assert_eq!(schema::state(&db).await.unwrap(), SchemaState::Empty);
    let mut seen = Vec::new();
    let ran = schema::sync(&db, Phase::All, |p| seen.push(p))
        .await
        .unwrap();
    assert_eq!(ran.len(), 10);
    assert!(seen.len() > 50 && seen.iter().all(|p| p.total == seen[0].total));
    assert_eq!(seen.last().unwrap().done, seen[0].total);
    assert_eq!(schema::state(&db).await.unwrap(), SchemaState::Current);
    assert!(db.created_here().await.unwrap());
    assert!(
        schema::sync(&db, Phase::All, |_| {})
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn contract_before_expand_is_refused() {
    let db = Db::memory().await.unwrap();
    let early = schema::sync(&db, Phase::Contract, |_| {})
        .await
        .unwrap_err();
    assert!(
        early.to_string().contains("contract ahead of expand"),
        "{early}"
    );
    schema::sync(&db, Phase::Expand, |_| {}).await.unwrap();
    let state = schema::state(&db).await.unwrap();
    assert_eq!((state.check(), state.is_usable()), (4, true));
    assert_eq!(state.expand(), Some(schema::EXPAND_HEAD));
    assert_eq!(state.contract(), None);
    schema::sync(&db, Phase::Contract, |_| {}).await.unwrap();
    assert_eq!(schema::state(&db).await.unwrap().check(), 0);
}

#[tokio::test]
async fn rebuilding_a_table_keeps_the_rows_that_refer_to_it() {
    let db = Db::memory().await.unwrap();
    schema::sync(&db, Phase::Expand, |_| {}).await.unwrap();
    for text in [
        "INSERT INTO access_rule (id, user_id) VALUES (1, 'u')",
        "INSERT INTO application_credential (internal_id, id, name, secret_hash, user_id) VALUES (1, 'a', 'n', 's', 'u')",
        "INSERT INTO application_credential_access_rule VALUES (1, 1)",
    ] {
        run(&db, text).await.unwrap();
    }
    schema::sync(&db, Phase::Contract, |_| {}).await.unwrap();
    let count = "SELECT COUNT(*) FROM application_credential_access_rule";
    assert_eq!(sql(count).fetch_one::<(i64,)>(&db).await.unwrap().0, 1);
    let orphan = "INSERT INTO application_credential_access_rule VALUES (1, 7)";
    let refused = run(&db, orphan).await.unwrap_err();
    assert!(matches!(refused, Error::ForeignKey(_)), "{refused:?}");
}

async fn run(db: &Db, text: &'static str) -> Result<u64, Error> {
    sql(text).execute(db).await
}

#[tokio::test]
async fn unknown_and_missing_revisions_are_refused() {
    let db = current().await;
    sql("UPDATE alembic_version SET version_num = 'feedc0de' WHERE version_num = ?")
        .bind(schema::EXPAND_HEAD)
        .execute(&db)
        .await
        .unwrap();
    let state = schema::state(&db).await.unwrap();
    assert!(state.to_string().contains("feedc0de"), "{state}");
    assert_eq!((state.check(), state.is_usable()), (2, false));
    assert!(schema::sync(&db, Phase::All, |_| {}).await.is_err());

    sql("DELETE FROM alembic_version")
        .execute(&db)
        .await
        .unwrap();
    sql("DROP TABLE keystone_native")
        .execute(&db)
        .await
        .unwrap();
    assert_eq!(schema::state(&db).await.unwrap(), SchemaState::Unversioned);
    assert!(schema::sync(&db, Phase::All, |_| {}).await.is_err());
}

#[tokio::test]
async fn a_failed_upgrade_leaves_nothing_behind() {
    let db = Db::memory().await.unwrap();
    sql("CREATE TABLE trust (id TEXT)")
        .execute(&db)
        .await
        .unwrap();
    assert!(schema::sync(&db, Phase::All, |_| {}).await.is_err());
    assert!(!db.created_here().await.unwrap());
    assert_eq!(schema::state(&db).await.unwrap(), SchemaState::Empty);
    assert_foreign_keys(&db).await;
}

#[tokio::test]
async fn a_cancelled_upgrade_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}", dir.path().join("k.db").display());
    let url: DatabaseUrl = url.parse().unwrap();
    let file = Db::connect(&url, &PoolOptions::default()).await.unwrap();
    for db in [file, Db::memory().await.unwrap()] {
        for statements in [1, 20, 60] {
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
            assert_eq!(schema::state(&db).await.unwrap(), SchemaState::Empty);
            assert_foreign_keys(&db).await;
        }
        schema::sync(&db, Phase::All, |_| {}).await.unwrap();
    }
}

/// Asserts that foreign keys are on, on every connection of the pool.
async fn assert_foreign_keys(db: &Db) {
    let on = || sql("SELECT foreign_keys FROM pragma_foreign_keys").fetch_all::<(i64,)>(db);
    let (one, two, three) = tokio::join!(on(), on(), on());
    for on in [one, two, three] {
        assert_eq!(on.unwrap(), [(1,)]);
    }
}

#[tokio::test]
async fn two_connections_create_one_file_together() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}", dir.path().join("k.db").display());
    let url: DatabaseUrl = url.parse().unwrap();
    let options = PoolOptions::default();
    let (one, two) = tokio::join!(Db::connect(&url, &options), Db::connect(&url, &options));
    let (one, two) = (one.unwrap(), two.unwrap());
    let (first, second) = tokio::join!(
        schema::sync(&one, Phase::All, |_| {}),
        schema::sync(&two, Phase::All, |_| {}),
    );
    assert_eq!(first.unwrap().len() + second.unwrap().len(), 10);
    statements::all(&two).await;
    let url: DatabaseUrl = "sqlite:////nowhere/k.db".parse().unwrap();
    let error = Db::connect(&url, &PoolOptions::default())
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot connect to sqlite:////nowhere/k.db"),
        "{error}"
    );
}

#[tokio::test]
async fn a_statement_outside_of_the_open_transaction_fails() {
    let db = current().await;
    let escaped = transaction!(db, |_tx| {
        let query = sql("SELECT id FROM project");
        Ok(query.fetch_all::<(String,)>(&db).await)
    });
    let escaped = escaped.await.unwrap();
    assert!(matches!(escaped, Err(Error::Unavailable(_))), "{escaped:?}");
}
