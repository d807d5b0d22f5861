//! The schema: which revision a database is at, and bringing it to the newest.
//!
//! The tables are Keystone's, and so are the revisions in `alembic_version`: each
//! side's `db_sync` continues where the other's stopped. A database that this
//! server created also has a table `keystone_native`; an adopted one has not.

pub mod changes;
mod orphans;
mod revisions;
mod sync;

use std::fmt;

use chrono::NaiveDateTime;

use crate::{Db, Dialect, Exec, Result, select, sql};
pub use orphans::{Orphans, orphans};
pub use revisions::{CONTRACT_HEAD, EXPAND_HEAD, Revisions};
pub use sync::{Phase, Progress, sync};

/// The contents of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// No table of Keystone's.
    Empty,
    /// Tables of Keystone's name without a revision: older than Yoga, or another program's.
    Unversioned,
    /// A revision older than this release.
    Older(Revisions),
    /// Every expand step, not every contract step: usable, as in a rolling upgrade.
    Expanded(Revisions),
    /// Exactly what this release knows.
    Current,
    /// Revisions that this release does not know: it is older than the database.
    Newer(Vec<String>),
}

/// Reads which revision a database is at.
pub async fn state(exec: impl Into<Exec<'_>>) -> Result<SchemaState> {
    let mut exec = exec.into();
    let tables = tables(
        exec.reborrow(),
        &["alembic_version", "keystone_native", "project", "user"],
    )
    .await?;
    let has = |name: &str| tables.iter().any(|table| table == name);
    let rows = if has("alembic_version") {
        sql("SELECT version_num FROM alembic_version ORDER BY version_num")
            .fetch_all::<(String,)>(exec)
            .await?
    } else {
        Vec::new()
    };
    if rows.is_empty() {
        let foreign = (has("project") || has("user")) && !has("keystone_native");
        return Ok(if foreign {
            SchemaState::Unversioned
        } else {
            SchemaState::Empty
        });
    }
    let rows: Vec<String> = rows.into_iter().map(|(row,)| row).collect();
    Ok(match Revisions::of(&rows) {
        Err(unknown) => SchemaState::Newer(unknown),
        Ok(found) if found.expand != Some(EXPAND_HEAD) => SchemaState::Older(found),
        Ok(found) if found.contract != Some(CONTRACT_HEAD) => SchemaState::Expanded(found),
        Ok(_) => SchemaState::Current,
    })
}

impl Db {
    /// Whether this server created the database, rather than adopting it from Keystone.
    pub async fn created_here(&self) -> Result<bool> {
        Ok(!tables(self.into(), &["keystone_native"]).await?.is_empty())
    }
}

/// The time in UTC of the database server's clock; `None` for a database in this process.
pub async fn server_time(exec: impl Into<Exec<'_>>) -> Result<Option<NaiveDateTime>> {
    let exec = exec.into();
    match exec.dialect() {
        Dialect::MySql => {
            let (now,): (NaiveDateTime,) = sql("SELECT UTC_TIMESTAMP(6)").fetch_one(exec).await?;
            Ok(Some(now))
        }
        Dialect::Sqlite => Ok(None),
    }
}

/// Which of the named tables exist.
async fn tables(exec: Exec<'_>, names: &[&'static str]) -> Result<Vec<String>> {
    let (query, column) = match exec.dialect() {
        Dialect::MySql => (
            select("SELECT table_name FROM information_schema.tables")
                .and("table_schema = DATABASE()"),
            "table_name",
        ),
        Dialect::Sqlite => (
            select("SELECT name FROM sqlite_master").and("type = 'table'"),
            "name",
        ),
    };
    let query = query.within(column, names.iter().copied()).then("");
    let rows = query.fetch_all::<(String,)>(exec).await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

impl SchemaState {
    /// The revision that `keystone-manage db_version` prints, if there is one.
    pub fn expand(&self) -> Option<&'static str> {
        match self {
            Self::Older(found) | Self::Expanded(found) => found.expand,
            Self::Current => Some(EXPAND_HEAD),
            Self::Empty | Self::Unversioned | Self::Newer(_) => None,
        }
    }

    /// The revision of the contract branch, if there is one.
    pub fn contract(&self) -> Option<&'static str> {
        match self {
            Self::Older(found) | Self::Expanded(found) => found.contract,
            Self::Current => Some(CONTRACT_HEAD),
            Self::Empty | Self::Unversioned | Self::Newer(_) => None,
        }
    }

    /// Whether a server can work with the database: every expand step is there.
    pub fn is_usable(&self) -> bool {
        matches!(self, Self::Expanded(_) | Self::Current)
    }

    /// The exit status of `keystone-manage db_sync --check`.
    pub fn check(&self) -> u8 {
        match self {
            Self::Current => 0,
            Self::Expanded(_) => 4,
            Self::Empty | Self::Unversioned | Self::Older(_) | Self::Newer(_) => 2,
        }
    }
}

impl fmt::Display for SchemaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the database is empty: run `keystone-manage db_sync`"),
            Self::Unversioned => f.write_str(
                "the database has tables named like Keystone's but no row in alembic_version: \
                 if it is older than Yoga, upgrade it with Keystone Yoga first; \
                 if it is another program's, give Keystone a database of its own",
            ),
            Self::Older(found) => write!(
                f,
                "the database schema is older than this release: found expand {}, contract {}, \
                 expected {EXPAND_HEAD} and {CONTRACT_HEAD}: run `keystone-manage db_sync`",
                found.expand.unwrap_or("none"),
                found.contract.unwrap_or("none"),
            ),
            Self::Expanded(found) => write!(
                f,
                "the database schema is expanded but not contracted: found contract {}, \
                 expected {CONTRACT_HEAD}: run `keystone-manage db_sync --contract` \
                 once every node runs this release",
                found.contract.unwrap_or("none"),
            ),
            Self::Current => f.write_str("the database schema is up to date"),
            Self::Newer(unknown) => write!(
                f,
                "the database schema is newer than this release: found {}, which it does not know \
                 (it knows up to {EXPAND_HEAD} and {CONTRACT_HEAD}): run the release that upgraded \
                 the database, or restore a backup",
                unknown.join(", "),
            ),
        }
    }
}
