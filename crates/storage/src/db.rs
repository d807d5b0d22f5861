//! The database, open transactions, and where a statement runs.

use std::{fmt, sync::Arc, time::Duration};

use sqlx::{
    MySql, MySqlConnection, Pool, Sqlite, SqliteConnection, Transaction, pool::PoolConnection,
};

use crate::{Result, pool::MySqlPool};

/// The two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `MariaDB` or `MySQL`.
    MySql,
    /// `SQLite`.
    Sqlite,
}

/// Sees the text of every statement before it runs.
pub type Observer = Arc<dyn Fn(&str) + Send + Sync>;

/// A connection pool to whichever database the deployment uses; clones share it.
#[derive(Clone)]
pub struct Db {
    pub(crate) pools: Pools,
    limit: Option<Duration>,
    observer: Option<Observer>,
}

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    MySql(MySqlPool),
    Sqlite(Pool<Sqlite>),
}

/// An open transaction; rolled back unless [`Tx::commit`] is called.
///
/// On `MariaDB` it reads `READ COMMITTED`: each statement sees what is committed
/// when it starts, as statements outside a transaction do.
pub struct Tx {
    pub(crate) session: Session,
    limit: Option<Duration>,
    observer: Option<Observer>,
}

#[derive(Debug)]
pub(crate) enum Session {
    MySql(Transaction<'static, MySql>),
    Sqlite(Transaction<'static, Sqlite>),
    /// A connection that `db_sync` holds, with transactions of its own making.
    HeldMySql(PoolConnection<MySql>),
    HeldSqlite(PoolConnection<Sqlite>),
}

pub(crate) enum Line<'c> {
    MySql(&'c mut MySqlConnection),
    Sqlite(&'c mut SqliteConnection),
}

impl Session {
    pub(crate) fn line(&mut self) -> Line<'_> {
        match self {
            Self::MySql(tx) => Line::MySql(tx),
            Self::Sqlite(tx) => Line::Sqlite(tx),
            Self::HeldMySql(connection) => Line::MySql(connection),
            Self::HeldSqlite(connection) => Line::Sqlite(connection),
        }
    }
}

impl Db {
    pub(crate) fn new(pools: Pools, limit: Option<Duration>) -> Self {
        Self {
            pools,
            limit,
            observer: None,
        }
    }

    /// Begins a transaction.
    ///
    /// On `SQLite` it takes the write lock at once: a deferred transaction that
    /// reads and then writes can fail as busy without waiting.
    pub async fn begin(&self) -> Result<Tx> {
        let session = match &self.pools {
            Pools::MySql(pool) => Session::MySql(
                // Boxed: callers' futures stay small.
                bounded(
                    self.limit,
                    Box::pin(async {
                        match pool.pool.begin().await {
                            Err(e) if pool.lost(&e) => pool.pool.begin().await,
                            other => other,
                        }
                    }),
                )
                .await?,
            ),
            Pools::Sqlite(pool) => Session::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
        };
        Ok(self.tx(session, self.limit))
    }

    /// A connection of one's own, without a transaction and without a time limit.
    pub(crate) async fn hold(&self) -> Result<Tx> {
        let session = match &self.pools {
            Pools::MySql(pool) => {
                let mut connection = pool.live().await?;
                // Locks and settings of the session end with it.
                connection.close_on_drop();
                Session::HeldMySql(connection)
            }
            Pools::Sqlite(pool) => Session::HeldSqlite(pool.acquire().await?),
        };
        Ok(self.tx(session, None))
    }

    fn tx(&self, session: Session, limit: Option<Duration>) -> Tx {
        Tx {
            session,
            limit,
            observer: self.observer.clone(),
        }
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::MySql(_) => Dialect::MySql,
            Pools::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// The same database, with `observer` told every statement run through this handle.
    #[must_use]
    pub fn observed(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Closes every connection once it is idle.
    pub async fn close(&self) {
        match &self.pools {
            Pools::MySql(pool) => pool.close().await,
            Pools::Sqlite(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes the changes durable.
    pub async fn commit(self) -> Result<()> {
        match self.session {
            Session::MySql(tx) => bounded(self.limit, tx.commit()).await?,
            Session::Sqlite(tx) => tx.commit().await?,
            Session::HeldMySql(_) | Session::HeldSqlite(_) => {}
        }
        Ok(())
    }

    /// Undoes the changes now, instead of when the value is dropped.
    pub async fn rollback(self) -> Result<()> {
        match self.session {
            Session::MySql(tx) => bounded(self.limit, tx.rollback()).await?,
            Session::Sqlite(tx) => tx.rollback().await?,
            Session::HeldMySql(_) | Session::HeldSqlite(_) => {}
        }
        Ok(())
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.session {
            Session::MySql(_) | Session::HeldMySql(_) => Dialect::MySql,
            Session::Sqlite(_) | Session::HeldSqlite(_) => Dialect::Sqlite,
        }
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.dialect()).finish()
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tx").field(&self.dialect()).finish()
    }
}

/// Where a statement runs: on any pooled connection, or inside a transaction.
#[derive(Debug)]
pub enum Exec<'c> {
    /// On any pooled connection, committed at once.
    Db(&'c Db),
    /// Inside a transaction.
    Tx(&'c mut Tx),
}

impl Exec<'_> {
    /// Lends the place to a statement, so that several can run there in turn.
    pub fn reborrow(&mut self) -> Exec<'_> {
        match self {
            Self::Db(db) => Exec::Db(db),
            Self::Tx(tx) => Exec::Tx(tx),
        }
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Db(db) => db.dialect(),
            Self::Tx(tx) => tx.dialect(),
        }
    }

    pub(crate) fn observe(&self, text: &str) {
        let observer = match self {
            Self::Db(db) => &db.observer,
            Self::Tx(tx) => &tx.observer,
        };
        if let Some(observer) = observer {
            observer(text);
        }
    }

    pub(crate) fn limit(&self) -> Option<Duration> {
        match self {
            Self::Db(db) => db.limit,
            Self::Tx(tx) => tx.limit,
        }
    }
}

impl<'c> From<&'c Db> for Exec<'c> {
    fn from(db: &'c Db) -> Self {
        Self::Db(db)
    }
}

impl<'c> From<&'c mut Tx> for Exec<'c> {
    fn from(tx: &'c mut Tx) -> Self {
        Self::Tx(tx)
    }
}

/// Waits for a server that no longer answers only as long as `limit`.
pub(crate) async fn bounded<T>(
    limit: Option<Duration>,
    work: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let Some(limit) = limit else {
        return work.await;
    };
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            format!("no answer within {limit:?}"),
        ))),
    }
}
