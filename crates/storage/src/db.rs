//! The database, transactions, and where a statement runs.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use keystone_types::Error as KeystoneError;
use sqlx::Executor;
use tokio::time::sleep;
use tracing::warn;

use crate::{
    Result,
    driver::{MySqlConnection, SqliteConnection},
    error::{Retry, is_lost, is_timeout},
    pool::{Lease, Pool, PoolState, Recover},
    sql::Running,
};

/// The two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `MariaDB` or `MySQL`.
    MySql,
    /// `SQLite`.
    Sqlite,
}

/// Receives the text of every statement before it runs.
pub type Observer = Arc<dyn Fn(&str) + Send + Sync>;

/// The connections to whichever database the deployment uses; clones share them.
#[derive(Clone)]
pub struct Db {
    pub(crate) pools: Pools,
    limit: Option<Duration>,
    observer: Option<Observer>,
    galera: Galera,
}

/// Whether the server is a node of a Galera cluster, as the last connection found it.
pub(crate) type Galera = Arc<AtomicBool>;

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    MySql(Pool<MySqlConnection>),
    Sqlite(Pool<SqliteConnection>),
}

/// An open transaction, as [`transaction!`](crate::transaction) hands it out.
///
/// On `MariaDB` it reads `READ COMMITTED`: each statement sees what is committed
/// when it starts, as statements outside a transaction do.
pub struct Tx {
    pub(crate) session: Session,
    pub(crate) galera: bool,
    limit: Option<Duration>,
    observer: Option<Observer>,
}

#[derive(Debug)]
pub(crate) enum Session {
    MySql(Lease<MySqlConnection>),
    Sqlite(Lease<SqliteConnection>),
}

/// How often a transaction is run at most, and the first pause between two runs; each further pause is up to twice as
/// long.
pub(crate) const RUNS: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How often a transaction is run at most when a constraint is violated, which another writer may have caused, or when its
/// connection is lost, each time to another server.
const CONSTRAINT_RUNS: u32 = 3;
const LOST_RUNS: u32 = 3;

/// For how long a transaction is retried, where statements have no time limit.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Runs work in a transaction of a [`Db`] and commits it, or rolls it back where the work fails.
///
/// The work is retried from its start when it conflicts with another writer (a deadlock, a lock wait timeout, a failed
/// certification on Galera), when a constraint is violated although the work has checked it, since the next run sees what
/// the other writer committed, and when the connection is lost before the commit. One that is lost while it commits is not:
/// nobody knows whether it did. So the work must have no effect outside of the transaction, and anything slow, such as
/// hashing, must be done before.
///
/// It is a macro because the compiler can't prove that the future of a borrowing async closure is `Send`
/// (<https://github.com/rust-lang/rust/issues/110338>). It evaluates to a future, in which `?` and `return` end one run.
#[macro_export]
macro_rules! transaction {
    ($db:expr, |$tx:ident| $work:expr) => {
        async {
            let mut attempts = $crate::Attempts::of(&$db);
            loop {
                let mut begun = match attempts.begin().await {
                    ::core::result::Result::Ok(begun) => begun,
                    ::core::result::Result::Err(error) => break ::core::result::Result::Err(error),
                };
                let done = async {
                    let $tx = &mut begun;
                    $work
                };
                let done = done.await;
                if let ::core::option::Option::Some(done) = attempts.end(begun, done).await {
                    break done;
                }
            }
        }
    };
}

/// The attempts to run one transaction.
#[doc(hidden)]
#[derive(Debug)]
pub struct Attempts<'d> {
    db: &'d Db,
    started: Instant,
    done: u32,
}

impl<'d> Attempts<'d> {
    pub fn of(db: &'d Db) -> Self {
        Self {
            db,
            started: Instant::now(),
            done: 0,
        }
    }

    /// Behind a pointer for the reason that [`Query`](crate::Query) gives, as is what `end` does.
    pub fn begin(&self) -> Running<'_, Result<Tx, KeystoneError>> {
        Box::pin(async { Ok(self.db.begin().await?) })
    }

    /// The final result; `None` if the transaction must be run again.
    pub async fn end<T>(
        &mut self,
        tx: Tx,
        done: Result<T, KeystoneError>,
    ) -> Option<Result<T, KeystoneError>> {
        let (value, failed) = match done {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(error)),
        };
        match self.settle(tx, failed).await? {
            Ok(()) => value.map(Ok),
            Err(error) => Some(Err(error)),
        }
    }

    /// Commits, or rolls back what failed; `None` if the transaction must be run again.
    fn settle(
        &mut self,
        tx: Tx,
        failed: Option<KeystoneError>,
    ) -> Running<'_, Option<Result<(), KeystoneError>>> {
        Box::pin(async {
            let committing = failed.is_none();
            let error = match failed {
                None => match tx.commit().await {
                    Ok(()) => return Some(Ok(())),
                    Err(error) => error.into(),
                },
                Some(error) => {
                    tx.rollback().await;
                    error
                }
            };
            self.done += 1;
            let Some(retry) = Retry::of(&error) else {
                return Some(Err(error));
            };
            let most = match retry {
                Retry::Contention => RUNS,
                Retry::Constraint => CONSTRAINT_RUNS,
                Retry::Lost if committing => return Some(Err(error)),
                Retry::Lost => LOST_RUNS,
            };
            if self.done >= most || self.started.elapsed() >= self.db.limit.unwrap_or(PATIENCE) {
                given_up(self.done, &error);
                return Some(Err(retry.given_up(error)));
            }
            sleep(pause(self.done)).await;
            None
        })
    }
}

impl Db {
    pub(crate) fn new(pools: Pools, limit: Option<Duration>, galera: Galera) -> Self {
        Self {
            pools,
            limit,
            observer: None,
            galera,
        }
    }

    /// Begins a transaction.
    ///
    /// On `SQLite` it takes the write lock at once: a deferred transaction that
    /// reads and then writes can fail as busy without waiting.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        let session = match &self.pools {
            // The first statement shows whether the connection is alive, and can be sent again.
            Pools::MySql(pool) => match begun(pool, "START TRANSACTION", self.limit).await {
                Err(error) if is_lost(&error) && !is_timeout(&error) => {
                    Session::MySql(begun(pool, "START TRANSACTION", self.limit).await?)
                }
                lease => Session::MySql(lease?),
            },
            Pools::Sqlite(pool) => {
                Session::Sqlite(begun(pool, "BEGIN IMMEDIATE", self.limit).await?)
            }
        };
        Ok(self.tx(session, self.limit))
    }

    /// A connection for exclusive use, without a transaction and without a time limit. The pool does not reuse it as it is.
    pub(crate) async fn hold(&self) -> Result<Tx> {
        let session = match &self.pools {
            Pools::MySql(pool) => {
                let mut lease = pool.live().await?;
                lease.begin();
                Session::MySql(lease)
            }
            Pools::Sqlite(pool) => {
                let mut lease = pool.lease().await?;
                lease.begin();
                Session::Sqlite(lease)
            }
        };
        Ok(self.tx(session, None))
    }

    /// A connection beside the pool on which each statement sees everything that any node had committed before it, whatever
    /// the operator set. `SQLite` has none: there each statement on any connection does.
    pub async fn causal(&self) -> Result<Option<Tx>> {
        let Pools::MySql(pool) = &self.pools else {
            return Ok(None);
        };
        let mut lease = pool.separate().await?;
        if self.galera.load(Ordering::Relaxed) {
            ran(&mut lease, "SET SESSION wsrep_sync_wait = 7", self.limit).await?;
        }
        Ok(Some(self.tx(Session::MySql(lease), self.limit)))
    }

    fn tx(&self, session: Session, limit: Option<Duration>) -> Tx {
        Tx {
            session,
            galera: self.galera.load(Ordering::Relaxed),
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

    /// The pool of connections.
    pub fn pool(&self) -> PoolState {
        match &self.pools {
            Pools::MySql(pool) => pool.state(),
            Pools::Sqlite(pool) => pool.state(),
        }
    }

    /// How many connections are in use.
    pub fn connections_in_use(&self) -> usize {
        match &self.pools {
            Pools::MySql(pool) => pool.in_use(),
            Pools::Sqlite(pool) => pool.in_use(),
        }
    }

    /// Waits until no statement and no transaction runs any more, for `limit` at most, and closes the connections. Who asks
    /// for one meanwhile gets none. Returns whether all had ended; those that had not lose their connections once they do.
    pub async fn drain(&self, limit: Duration) -> bool {
        match &self.pools {
            Pools::MySql(pool) => pool.drain(limit).await,
            Pools::Sqlite(pool) => pool.drain(limit).await,
        }
    }

    /// Closes the connections, those in use once they are released. It does not wait for them.
    pub async fn close(&self) {
        match &self.pools {
            Pools::MySql(pool) => pool.close().await,
            Pools::Sqlite(pool) => pool.close().await,
        }
    }
}

async fn begun<C: Recover>(
    pool: &Pool<C>,
    text: &'static str,
    limit: Option<Duration>,
) -> sqlx::Result<Lease<C>>
where
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    let mut lease = pool.lease().await?;
    ran(&mut lease, text, limit).await?;
    lease.begin();
    Ok(lease)
}

async fn ran<C: Recover>(
    lease: &mut Lease<C>,
    text: &'static str,
    limit: Option<Duration>,
) -> sqlx::Result<()>
where
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    let run = async |on: &mut C| on.execute(text).await.map(drop);
    lease.work(limit, run).await
}

/// A random pause, on average twice as long as the one before, so that the same writers do not conflict again.
pub(crate) fn pause(runs: u32) -> Duration {
    let longest = FIRST_PAUSE
        .saturating_mul(1 << runs.min(10))
        .min(LONGEST_PAUSE);
    let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
    longest.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// Logs how often a transaction was tried before it was given up, and the server's error.
pub(crate) fn given_up(runs: u32, error: &dyn std::error::Error) {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    let cause = causes.join(": ");
    warn!(
        runs,
        cause,
        "a transaction was given up: another writer was in the way, or the connection was lost, each time"
    );
}

impl Tx {
    /// Makes the changes durable.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let done = self.end("COMMIT").await;
        if done.is_err() {
            // If the server refused to commit, the transaction may still be open.
            self.rollback().await;
        }
        Ok(done?)
    }

    /// Rolls back. If that fails the connection is closed, which rolls back too.
    pub(crate) async fn rollback(mut self) {
        self.end("ROLLBACK").await.ok();
    }

    async fn end(&mut self, text: &'static str) -> sqlx::Result<()> {
        match &mut self.session {
            Session::MySql(lease) => {
                ran(lease, text, self.limit).await?;
                lease.end();
            }
            Session::Sqlite(lease) => {
                ran(lease, text, self.limit).await?;
                lease.end();
            }
        }
        Ok(())
    }

    /// Whether it is on a node of a Galera cluster.
    pub fn on_galera(&self) -> bool {
        self.galera
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.session {
            Session::MySql(_) => Dialect::MySql,
            Session::Sqlite(_) => Dialect::Sqlite,
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
    /// Lends the executor to one statement, so that several can run in turn.
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
