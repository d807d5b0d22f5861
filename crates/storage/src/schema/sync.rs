//! `db_sync`: runs the revisions that a database lacks.
//!
//! On `SQLite` all of it is one transaction. `MariaDB` commits every DDL statement,
//! so there each one can be repeated (`IF NOT EXISTS`, `IF EXISTS`) and a
//! revision is recorded after its last statement: a run that was cut off is
//! continued by the next. One connection holds a lock for the whole run, so that
//! two runs follow each other; on Galera the lock is the node's own.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use tokio::time::sleep;
use tracing::info;

use super::{
    SchemaState,
    revisions::{
        ADDITIONS, Branch, CONTRACT_HEAD, EXPAND_HEAD, NATIVE, REVISIONS, Revision, Revisions,
        before,
    },
    state,
};
use crate::{
    Db, Dialect, Error, Result, Tx,
    db::Session,
    driver::{MySqlConnection, SqliteConnection},
    error::is_lost,
    sql,
};

/// For how long a statement may wait for transactions that use its table, such as a backup's: whoever else uses it waits behind
/// the statement.
pub(super) const LOCK_WAIT: &str = "SET SESSION lock_wait_timeout = 2";
const LOCK_WAIT_OF_OTHERS: &str = "SET SESSION lock_wait_timeout = DEFAULT";

/// How often it is tried again, and after what time, in which the others go on.
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_secs(1);

/// Which revisions to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Both branches, for an upgrade with the service stopped.
    All,
    /// The changes that old and new releases both work with.
    Expand,
    /// The removal of what only old releases need.
    Contract,
}

/// The progress of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The revision being run.
    pub revision: &'static str,
    /// Statements done.
    pub done: usize,
    /// Statements in all.
    pub total: usize,
}

/// Brings `db` to the newest revision of `phase`; yields the revisions it ran.
pub async fn sync(
    db: &Db,
    phase: Phase,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Vec<&'static str>> {
    let mut tx = db.hold().await?;
    lock(&mut tx).await?;
    let ran = run(&mut tx, phase, &mut progress).await;
    unlock(&mut tx, ran.is_ok()).await?;
    ran
}

async fn run(
    tx: &mut Tx,
    phase: Phase,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<Vec<&'static str>> {
    let state = state(&mut *tx).await?;
    let found = found(&state)?;
    let dialect = tx.dialect();
    let steps: Vec<(&Revision, Vec<&str>)> = plan(&found, phase)?
        .into_iter()
        .map(|r| (r, statements(r.text(dialect, &found))))
        .collect();
    if state == SchemaState::Empty && !steps.is_empty() {
        mark(tx).await?;
    }
    let total = steps.iter().map(|(_, statements)| statements.len()).sum();
    let mut done = 0;
    for (revision, statements) in &steps {
        for statement in statements {
            progress(Progress {
                revision: revision.id,
                done,
                total,
            });
            raw(tx, statement).await?;
            done += 1;
        }
        record(tx, revision).await?;
        info!(revision = revision.id, "schema revision reached");
        progress(Progress {
            revision: revision.id,
            done,
            total,
        });
    }
    if phase != Phase::Contract {
        own(tx, ADDITIONS).await?;
    }
    Ok(steps.iter().map(|(revision, _)| revision.id).collect())
}

/// The revisions of the database, if this release can upgrade it.
fn found(state: &SchemaState) -> Result<Revisions> {
    match state {
        SchemaState::Unversioned | SchemaState::Newer(_) => Err(Error::Schema(state.to_string())),
        SchemaState::Empty => Ok(Revisions::default()),
        SchemaState::Older(found) | SchemaState::Expanded(found) => Ok(found.clone()),
        SchemaState::Current => Ok(Revisions {
            expand: Some(EXPAND_HEAD),
            contract: Some(CONTRACT_HEAD),
        }),
    }
}

/// The revisions that `phase` has to run, in order.
fn plan(found: &Revisions, phase: Phase) -> Result<Vec<&'static Revision>> {
    if phase == Phase::Contract && found.expand != Some(EXPAND_HEAD) {
        return Err(Error::Schema(
            "You are attempting to upgrade contract ahead of expand. Please refer to \
             https://docs.openstack.org/keystone/latest/admin/identity-upgrading.html \
             to see the proper steps for rolling upgrades."
                .to_owned(),
        ));
    }
    let wanted = |branch| match phase {
        Phase::All => true,
        Phase::Expand => branch != Branch::Contract,
        Phase::Contract => branch == Branch::Contract,
    };
    Ok(REVISIONS
        .iter()
        .filter(|r| wanted(r.branch) && !found.include(r))
        .collect())
}

/// The statements of a migration file: each ends with `;` at the end of a line.
fn statements(text: &str) -> Vec<&str> {
    text.split(";\n")
        .map(|part| {
            let mut rest = part.trim_start();
            while rest.starts_with("--") {
                rest = rest
                    .split_once('\n')
                    .map_or("", |(_, rest)| rest)
                    .trim_start();
            }
            rest
        })
        .filter(|statement| !statement.is_empty())
        .collect()
}

/// Marks a new database as created by this server.
async fn mark(tx: &mut Tx) -> Result<()> {
    own(tx, NATIVE).await?;
    let marked =
        sql("SELECT created_by FROM keystone_native LIMIT 1").fetch_optional::<(String,)>(&mut *tx);
    if marked.await?.is_none() {
        sql("INSERT INTO keystone_native (created_by) VALUES (?)")
            .bind(concat!("keystone-storage ", env!("CARGO_PKG_VERSION")))
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// Runs statements of this server's own, which can be repeated.
async fn own(tx: &mut Tx, (mysql, sqlite): (&str, &str)) -> Result<()> {
    let text = match tx.dialect() {
        Dialect::MySql => mysql,
        Dialect::Sqlite => sqlite,
    };
    for statement in statements(text) {
        raw(tx, statement).await?;
    }
    Ok(())
}

/// Writes a revision into `alembic_version`, replacing the one before it.
async fn record(tx: &mut Tx, revision: &Revision) -> Result<()> {
    if let Some(before) = before(revision) {
        let moved = sql("UPDATE alembic_version SET version_num = ? WHERE version_num = ?")
            .bind(revision.id)
            .bind(before)
            .execute(&mut *tx)
            .await?;
        if moved > 0 {
            return Ok(());
        }
    }
    sql("INSERT INTO alembic_version (version_num) VALUES (?)")
        .bind(revision.id)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn lock(tx: &mut Tx) -> Result<()> {
    if tx.dialect() == Dialect::Sqlite {
        // Rebuilding a table drops the old one, which must not cascade to its children.
        raw(tx, "PRAGMA foreign_keys = OFF").await?;
        return raw(tx, "BEGIN EXCLUSIVE").await;
    }
    for (seconds, patience) in [(0, true), (600, false)] {
        let held = sql("SELECT GET_LOCK(LEFT(CONCAT('keystone db_sync ', DATABASE()), 64), ?)")
            .bind(seconds)
            .fetch_one::<(Option<i64>,)>(&mut *tx)
            .await?;
        if held.0 == Some(1) {
            return Ok(());
        }
        if patience {
            info!("another db_sync is running; waiting for it to end");
        }
    }
    Err(Error::Schema(
        "another db_sync has been running for ten minutes".to_owned(),
    ))
}

/// Ends the run. Closing the connection releases the lock; on `SQLite` the pool resets the connection, which rolls back
/// what is not committed and turns foreign keys on again.
pub(super) async fn unlock(tx: &mut Tx, done: bool) -> Result<()> {
    if tx.dialect() == Dialect::Sqlite && done {
        raw(tx, "COMMIT").await?;
    }
    Ok(())
}

/// Runs a text of the migrations as it is, unprepared; again and again while somebody has its table locked.
pub(super) async fn raw(tx: &mut Tx, text: &str) -> Result<()> {
    if tx.dialect() == Dialect::Sqlite {
        return once(tx, text).await;
    }
    once(tx, LOCK_WAIT).await?;
    let mut left = LOCK_TRIES;
    while let Err(error) = once(tx, text).await {
        let lost = error.driver().is_some_and(is_lost);
        if left == 0 || lost || !error.is_retriable() {
            return Err(error);
        }
        if left == LOCK_TRIES {
            info!("a transaction uses a table that is to be changed; waiting for its end");
        }
        left -= 1;
        sleep(LOCK_PAUSE).await;
    }
    once(tx, LOCK_WAIT_OF_OTHERS).await
}

async fn once(tx: &mut Tx, text: &str) -> Result<()> {
    let query = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
    let done = match &mut tx.session {
        Session::MySql(lease) => {
            let run = async |on: &mut MySqlConnection| query.execute(on).await.map(drop);
            lease.work(None, run).await
        }
        Session::Sqlite(lease) => {
            let run = async |on: &mut SqliteConnection| query.execute(on).await.map(drop);
            lease.work(None, run).await
        }
    };
    done.map_err(|e| Error::of(e, text))
}
