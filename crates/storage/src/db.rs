//! The pools, open transactions, and where a statement runs.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use sqlx::{Connection, MySql, Pool, Sqlite, Transaction, pool::PoolConnection};

use crate::{Result, error::is_lost};

/// The two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MariaDB or MySQL.
    MySql,
    /// SQLite.
    Sqlite,
}

/// Sees the text of every statement before it runs.
pub type Observer = Arc<dyn Fn(&str) + Send + Sync>;

/// A connection pool to whichever database the deployment uses; clones share it.
#[derive(Clone)]
pub struct Db {
    pub(crate) pools: Pools,
    observer: Option<Observer>,
}

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    MySql(MySqlPool),
    Sqlite(Pool<Sqlite>),
}

/// An open transaction; rolled back unless [`Tx::commit`] is called.
pub struct Tx {
    pub(crate) inner: TxInner,
    observer: Option<Observer>,
}

#[derive(Debug)]
pub(crate) enum TxInner {
    MySql(Transaction<'static, MySql>),
    Sqlite(Transaction<'static, Sqlite>),
}

impl Db {
    pub(crate) fn new(pools: Pools) -> Self {
        Self {
            pools,
            observer: None,
        }
    }

    /// Begins a transaction.
    ///
    /// On SQLite it takes the write lock at once: a deferred transaction that
    /// reads and then writes can fail as busy without waiting.
    pub async fn begin(&self) -> Result<Tx> {
        let inner = match &self.pools {
            Pools::MySql(pool) => TxInner::MySql(match pool.pool.begin().await {
                Err(e) if pool.lost(&e) => pool.pool.begin().await?,
                other => other?,
            }),
            Pools::Sqlite(pool) => TxInner::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
        };
        Ok(Tx {
            inner,
            observer: self.observer.clone(),
        })
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
            Pools::MySql(pool) => pool.pool.close().await,
            Pools::Sqlite(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes the changes durable.
    pub async fn commit(self) -> Result<()> {
        match self.inner {
            TxInner::MySql(tx) => tx.commit().await?,
            TxInner::Sqlite(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Undoes the changes now, instead of when the value is dropped.
    pub async fn rollback(self) -> Result<()> {
        match self.inner {
            TxInner::MySql(tx) => tx.rollback().await?,
            TxInner::Sqlite(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.dialect()).finish()
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tx")
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

    pub(crate) fn observe(&self, text: &str) {
        let observer = match self {
            Self::Db(db) => &db.observer,
            Self::Tx(tx) => &tx.observer,
        };
        if let Some(observer) = observer {
            observer(text);
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

/// A MariaDB pool, and when a connection was last found dead.
///
/// Pinging every connection before use would double the cost of a point read.
/// Instead a dead one is noticed when it fails: what can be sent twice is sent
/// again, and every connection as old as the failure is pinged before use.
#[derive(Clone, Debug)]
pub(crate) struct MySqlPool {
    pub(crate) pool: Pool<MySql>,
    pub(crate) suspicion: Suspicion,
}

impl MySqlPool {
    /// Whether `error` means a dead connection; if so the others are suspected too.
    pub(crate) fn lost(&self, error: &sqlx::Error) -> bool {
        let lost = is_lost(error);
        if lost {
            self.suspicion.raise();
        }
        lost
    }

    /// A connection that answered just now, for a write that must not be sent twice.
    pub(crate) async fn live(&self) -> sqlx::Result<PoolConnection<MySql>> {
        let mut connection = self.pool.acquire().await?;
        if connection.ping().await.is_ok() {
            return Ok(connection);
        }
        drop(connection.detach());
        self.suspicion.raise();
        self.pool.acquire().await
    }
}

/// The moment up to which existing connections are not to be trusted.
#[derive(Clone, Debug)]
pub(crate) struct Suspicion {
    start: Instant,
    raised: Arc<AtomicU64>,
}

impl Suspicion {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            raised: Arc::new(AtomicU64::new(0)),
        }
    }

    fn raise(&self) {
        self.raised.fetch_max(self.millis(), Ordering::Relaxed);
    }

    /// Whether a connection of this age, in milliseconds, was there at the last failure.
    pub(crate) fn covers(&self, age: u64) -> bool {
        let raised = self.raised.load(Ordering::Relaxed);
        raised > 0 && self.millis().saturating_sub(age) <= raised
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
