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
use sqlx::{Executor, MySqlConnection, SqliteConnection};
use tokio::time::sleep;
use tracing::warn;

use crate::{
    Result,
    error::{Rerun, is_lost, is_timeout},
    pool::{Kept, Lease, Pool},
};

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

/// How often a transaction is run at most, and after which pause at first; each further pause is up to twice as long.
pub(crate) const RUNS: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How often one is run again because of a constraint: the first time another writer may have been in between.
const CONSTRAINT_RUNS: u32 = 3;

/// For how long a transaction is run again, where statements have no limit.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Does something in a transaction of a [`Db`] and commits what was done, or, where it fails, nothing of it.
///
/// It is run again from its start where the database says that another writer was in the way (a deadlock, a lock that
/// was waited for too long, a conflict that Galera found when it was to be committed), and where a constraint refused
/// what it had found in order: it then sees what the other has done. So it must have no effect besides the
/// transaction's, and what takes long, such as hashing, comes before.
///
/// It is a macro, since the future of an async closure that borrows is not known to be `Send`
/// (<https://github.com/rust-lang/rust/issues/110338>). It yields a future, in which `?` and `return` end one run.
#[macro_export]
macro_rules! transaction {
    ($db:expr, |$tx:ident| $work:expr) => {
        async {
            let mut runs = $crate::Runs::of(&$db);
            loop {
                let mut begun = match runs.begin().await {
                    ::core::result::Result::Ok(begun) => begun,
                    ::core::result::Result::Err(error) => break ::core::result::Result::Err(error),
                };
                let done = async {
                    let $tx = &mut begun;
                    $work
                };
                let done = done.await;
                if let ::core::option::Option::Some(done) = runs.end(begun, done).await {
                    break done;
                }
            }
        }
    };
}

/// The runs of one transaction.
#[doc(hidden)]
#[derive(Debug)]
pub struct Runs<'d> {
    db: &'d Db,
    started: Instant,
    done: u32,
}

impl<'d> Runs<'d> {
    pub fn of(db: &'d Db) -> Self {
        Self {
            db,
            started: Instant::now(),
            done: 0,
        }
    }

    pub async fn begin(&self) -> Result<Tx, KeystoneError> {
        Ok(self.db.begin().await?)
    }

    /// What came out in the end; nothing, if it is to be run again.
    pub async fn end<T>(
        &mut self,
        tx: Tx,
        done: Result<T, KeystoneError>,
    ) -> Option<Result<T, KeystoneError>> {
        let done = match done {
            Ok(value) => tx.commit().await.map(|()| value).map_err(Into::into),
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        };
        self.done += 1;
        let Err(error) = done else { return Some(done) };
        let Some(rerun) = Rerun::of(&error) else {
            return Some(Err(error));
        };
        let most = match rerun {
            Rerun::Contention => RUNS,
            Rerun::Constraint => CONSTRAINT_RUNS,
        };
        if self.done >= most || self.started.elapsed() >= self.db.limit.unwrap_or(PATIENCE) {
            given_up(self.done, &error);
            return Some(Err(rerun.given_up(error)));
        }
        sleep(pause(self.done)).await;
        None
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
            // The first statement shows whether the connection is alive; nothing was done before.
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

    /// A connection of one's own, without a transaction and without a time limit. It is not given back as it is.
    pub(crate) async fn hold(&self) -> Result<Tx> {
        let session = match &self.pools {
            Pools::MySql(pool) => {
                let mut lease = pool.live().await?;
                lease.open();
                Session::MySql(lease)
            }
            Pools::Sqlite(pool) => {
                let mut lease = pool.lease().await?;
                lease.open();
                Session::Sqlite(lease)
            }
        };
        Ok(self.tx(session, None))
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

    /// How many connections are in use.
    pub fn connections_in_use(&self) -> usize {
        match &self.pools {
            Pools::MySql(pool) => pool.in_use(),
            Pools::Sqlite(pool) => pool.in_use(),
        }
    }

    /// Closes the connections, those in use once they are given back. It does not wait for them.
    pub async fn close(&self) {
        match &self.pools {
            Pools::MySql(pool) => pool.close().await,
            Pools::Sqlite(pool) => pool.close().await,
        }
    }
}

async fn begun<C: Kept>(
    pool: &Pool<C>,
    text: &'static str,
    limit: Option<Duration>,
) -> sqlx::Result<Lease<C>>
where
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    let mut lease = pool.lease().await?;
    ran(&mut lease, text, limit).await?;
    lease.open();
    Ok(lease)
}

async fn ran<C: Kept>(
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

/// Up to twice as long as the last one, by chance, so that those who met do not meet again.
pub(crate) fn pause(runs: u32) -> Duration {
    let longest = FIRST_PAUSE
        .saturating_mul(1 << runs.min(10))
        .min(LONGEST_PAUSE);
    let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
    longest.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// Tells how often was tried what is given up, and what the server said.
pub(crate) fn given_up(runs: u32, error: &dyn std::error::Error) {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    let cause = causes.join(": ");
    warn!(
        runs,
        cause, "a transaction was given up: other writers were in the way each time"
    );
}

impl Tx {
    /// Makes the changes durable.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let done = self.end("COMMIT").await;
        if done.is_err() {
            // Where the server has refused it, the transaction may still be there.
            self.rollback().await;
        }
        Ok(done?)
    }

    /// Undoes the changes. Where that fails the connection is closed, which undoes them too.
    async fn rollback(mut self) {
        self.end("ROLLBACK").await.ok();
    }

    async fn end(&mut self, text: &'static str) -> sqlx::Result<()> {
        match &mut self.session {
            Session::MySql(lease) => {
                ran(lease, text, self.limit).await?;
                lease.rest();
            }
            Session::Sqlite(lease) => {
                ran(lease, text, self.limit).await?;
                lease.rest();
            }
        }
        Ok(())
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
