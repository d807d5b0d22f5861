//! A connection pool of bounded size that never hands out a connection with an unfinished statement.
//!
//! sqlx has a pool too. It pings each released connection, without a time limit and while the connection counts as in
//! use, and it reuses connections whose statement was cancelled when a request was dropped: the next statement then reads
//! the rest of the last one's result. This pool reuses only idle connections. Any other is closed (`MariaDB`, where the
//! server rolls back its transaction) or reset first (`SQLite`, where the connection may be the database itself).
//!
//! A connection that was idle for some time may be lost without notice: it is pinged before its next use, with a short
//! timeout. When one is lost, all connections of its age or older are closed: reconnecting is cheaper than pinging each.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::Connection;
#[cfg(feature = "sqlite")]
use sqlx::Executor;
use tokio::{
    runtime::Handle,
    sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::{timeout, timeout_at},
};

#[cfg(feature = "mysql")]
use crate::driver::MySqlConnection;
#[cfg(feature = "sqlite")]
use crate::driver::SqliteConnection;
use crate::error::{is_answer, is_full, is_lost};

/// A boxed future, for fields and traits.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The pool's size and timeouts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The most connections at a time.
    pub(crate) size: usize,
    /// How long a caller waits for a connection.
    pub(crate) acquire_timeout: Duration,
    /// How long connecting may take.
    pub(crate) connect_timeout: Duration,
    /// After how long without use a connection is pinged before it is used. A database in this process needs no ping.
    pub(crate) ping_after_idle: Option<Duration>,
    /// How long an unused connection is kept.
    pub(crate) idle_timeout: Option<Duration>,
    /// How long a connection is kept at all.
    pub(crate) max_lifetime: Option<Duration>,
}

/// How long a ping may take.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// How soon the pool tries again to connect to a server that has no connections left, unless one of the pool's own is
/// released before.
const FULL_RETRY_DELAY: Duration = Duration::from_millis(100);

/// How long closing the idle connections may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The treatment of a connection whose statement was cancelled.
pub(crate) trait Recover: Connection + Sized + 'static {
    /// Makes the connection usable again; `None` closes it.
    fn recover(self) -> Option<BoxFuture<Option<Self>>>;
}

#[cfg(feature = "mysql")]
impl Recover for MySqlConnection {
    fn recover(self) -> Option<BoxFuture<Option<Self>>> {
        None
    }
}

#[cfg(feature = "sqlite")]
impl Recover for SqliteConnection {
    fn recover(mut self) -> Option<BoxFuture<Option<Self>>> {
        Some(Box::pin(async move {
            // It runs after whatever runs on the connection's thread. It fails if no transaction is open.
            self.execute("ROLLBACK").await.ok();
            // `db_sync` turns them off.
            let mended = self.execute("PRAGMA foreign_keys = ON").await;
            mended.is_ok().then_some(self)
        }))
    }
}

/// The connections to one database; clones share them.
pub(crate) struct Pool<C>(Arc<Inner<C>>);

struct Inner<C> {
    connect: Box<dyn Fn() -> BoxFuture<sqlx::Result<C>> + Send + Sync>,
    limits: Limits,
    permits: Arc<Semaphore>,
    idle: Mutex<Idle<C>>,
    returned: Notify,
    closed: AtomicBool,
    waited: AtomicU64,
    gave_up: AtomicU64,
    opened: AtomicU64,
}

/// The connections of a pool at one moment, and what has happened so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// The most connections at a time.
    pub size: usize,
    /// Those in use, and those that are being made.
    pub in_use: usize,
    /// Those that nobody uses.
    pub idle: usize,
    /// How often a caller had to wait for one.
    pub waited: u64,
    /// How often a caller waited in vain, for `[database] pool_timeout`.
    pub gave_up: u64,
    /// How many were made.
    pub opened: u64,
}

struct Idle<C> {
    /// The connection used last is at the back, and is reused first.
    connections: VecDeque<IdleConnection<C>>,
    /// Connections made before are closed instead of reused.
    valid_since: Option<Instant>,
}

/// An idle connection.
struct IdleConnection<C> {
    connection: C,
    made: Instant,
    used: Instant,
}

/// A connection in use.
pub(crate) struct Lease<C: Recover> {
    pool: Arc<Inner<C>>,
    permit: Option<OwnedSemaphorePermit>,
    connection: Option<C>,
    made: Instant,
    state: State,
}

/// The state of a connection in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing.
    Idle,
    /// A transaction, between two statements.
    InTransaction,
    /// A statement, or one that was cancelled.
    Busy,
}

impl<C: Recover> Pool<C> {
    pub(crate) fn new(
        limits: Limits,
        connect: impl Fn() -> BoxFuture<sqlx::Result<C>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            connect: Box::new(connect),
            limits,
            permits: Arc::new(Semaphore::new(limits.size)),
            idle: Mutex::new(Idle {
                connections: VecDeque::new(),
                valid_since: None,
            }),
            returned: Notify::new(),
            closed: AtomicBool::new(false),
            waited: AtomicU64::new(0),
            gave_up: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        }))
    }

    /// An idle or new connection.
    pub(crate) async fn lease(&self) -> sqlx::Result<Lease<C>> {
        let pool = Arc::clone(&self.0);
        let deadline = tokio::time::Instant::now() + pool.limits.acquire_timeout;
        let permit = pool.permit(deadline).await?;
        loop {
            if let Some(idle) = pool.reuse().await {
                return Ok(Lease::new(pool, permit, idle));
            }
            match pool.connect().await {
                Ok(idle) => return Ok(Lease::new(pool, permit, idle)),
                // The server accepts no more connections: wait for one of the pool's own.
                Err(error) if is_full(&error) => {
                    let returned = timeout(FULL_RETRY_DELAY, pool.returned.notified());
                    if timeout_at(deadline, returned).await.is_err() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A connection that has just answered a ping, for statements that must not be sent twice.
    pub(crate) async fn live(&self) -> sqlx::Result<Lease<C>> {
        let mut lease = self.lease().await?;
        let answered = lease
            .work(Some(PING_TIMEOUT), async |on| on.ping().await)
            .await;
        match answered {
            Ok(()) => Ok(lease),
            // All older connections are closed now, so the next one is new.
            Err(error) if is_lost(&error) => {
                drop(lease);
                self.lease().await
            }
            Err(error) => Err(error),
        }
    }

    /// A new connection beside the pool, which is closed when it is dropped.
    pub(crate) async fn separate(&self) -> sqlx::Result<Lease<C>> {
        let pool = Arc::clone(&self.0);
        let idle = pool.connect().await?;
        Ok(Lease {
            permit: None,
            connection: Some(idle.connection),
            made: idle.made,
            state: State::InTransaction,
            pool,
        })
    }

    /// The state of the pool.
    pub(crate) fn state(&self) -> PoolState {
        let pool = &self.0;
        PoolState {
            size: pool.limits.size,
            in_use: self.in_use(),
            idle: pool.idle().connections.len(),
            waited: pool.waited.load(Ordering::Relaxed),
            gave_up: pool.gave_up.load(Ordering::Relaxed),
            opened: pool.opened.load(Ordering::Relaxed),
        }
    }

    /// How many connections are in use.
    pub(crate) fn in_use(&self) -> usize {
        self.0.limits.size - self.0.permits.available_permits().min(self.0.limits.size)
    }

    /// Waits until no connection is in use, for `limit` at most, and closes them all. Who asks for one meanwhile gets none.
    /// Tells whether all were released in time.
    pub(crate) async fn drain(&self, limit: Duration) -> bool {
        let all = u32::try_from(self.0.limits.size).unwrap_or(u32::MAX);
        // Held until the pool is closed, so that nobody begins in between.
        let released = timeout(limit, Arc::clone(&self.0.permits).acquire_many_owned(all)).await;
        self.close().await;
        released.is_ok()
    }

    /// Closes the idle connections now and every other one once it is released.
    pub(crate) async fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.permits.close();
        let connections = std::mem::take(&mut self.0.idle().connections);
        let closing = async {
            for idle in connections {
                idle.connection.close().await.ok();
            }
        };
        timeout(CLOSE_TIMEOUT, closing).await.ok();
    }
}

impl<C: Recover> Inner<C> {
    /// Permission to use a connection, of which there are as many as connections.
    async fn permit(&self, deadline: tokio::time::Instant) -> sqlx::Result<OwnedSemaphorePermit> {
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::Closed) => return Err(sqlx::Error::PoolClosed),
            Err(TryAcquireError::NoPermits) => {}
        }
        self.waited.fetch_add(1, Ordering::Relaxed);
        let permit = timeout_at(deadline, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(permit) = permit else {
            self.gave_up.fetch_add(1, Ordering::Relaxed);
            return Err(sqlx::Error::PoolTimedOut);
        };
        permit.map_err(|_| sqlx::Error::PoolClosed)
    }

    /// The connection used last, if it is still usable.
    async fn reuse(&self) -> Option<IdleConnection<C>> {
        loop {
            let mut idle = self.idle().connections.pop_back()?;
            if self.is_outdated(&idle) {
                continue;
            }
            let limit = self.limits.ping_after_idle;
            if limit.is_none_or(|limit| idle.used.elapsed() < limit) {
                return Some(idle);
            }
            if let Ok(Ok(())) = timeout(PING_TIMEOUT, idle.connection.ping()).await {
                return Some(idle);
            }
            drop(idle);
            self.note_loss();
        }
    }

    async fn connect(&self) -> sqlx::Result<IdleConnection<C>> {
        let connection = with_timeout(Some(self.limits.connect_timeout), (self.connect)()).await?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        Ok(IdleConnection {
            connection,
            made: now,
            used: now,
        })
    }

    fn is_outdated(&self, idle: &IdleConnection<C>) -> bool {
        let past = |age: Duration, limit: Option<Duration>| limit.is_some_and(|limit| age >= limit);
        past(idle.made.elapsed(), self.limits.max_lifetime)
            || past(idle.used.elapsed(), self.limits.idle_timeout)
    }

    /// Closes every connection that was made before now.
    fn note_loss(&self) {
        let mut idle = self.idle();
        idle.valid_since = Some(Instant::now());
        idle.connections.clear();
    }

    fn release(&self, connection: C, made: Instant) {
        let mut idle = self.idle();
        let valid = idle.valid_since.is_none_or(|since| made > since);
        if valid && !self.closed.load(Ordering::SeqCst) {
            let used = Instant::now();
            idle.connections.push_back(IdleConnection {
                connection,
                made,
                used,
            });
        }
        // Those at the front have been idle the longest.
        while idle
            .connections
            .front()
            .is_some_and(|idle| self.is_outdated(idle))
        {
            idle.connections.pop_front();
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Recover> Lease<C> {
    fn new(pool: Arc<Inner<C>>, permit: OwnedSemaphorePermit, idle: IdleConnection<C>) -> Self {
        Self {
            pool,
            permit: Some(permit),
            connection: Some(idle.connection),
            made: idle.made,
            state: State::Idle,
        }
    }

    /// Runs work that leaves the connection in the state it was in: idle, or inside a transaction.
    ///
    /// Work that is cancelled, by the time limit or because the caller is dropped, or that fails without an answer of the
    /// server makes the connection unusable.
    pub(crate) async fn work<T>(
        &mut self,
        limit: Option<Duration>,
        work: impl AsyncFnOnce(&mut C) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let before = std::mem::replace(&mut self.state, State::Busy);
        let connection = match &mut self.connection {
            Some(connection) if before != State::Busy => connection,
            _ => return Err(sqlx::Error::WorkerCrashed),
        };
        let done = with_timeout(limit, work(connection)).await;
        match &done {
            Err(error) if is_lost(error) => self.pool.note_loss(),
            Err(error) if !is_answer(error) => {}
            _ => self.state = before,
        }
        done
    }

    /// A transaction has begun: the connection is not released before its end.
    pub(crate) fn begin(&mut self) {
        self.state = State::InTransaction;
    }

    /// The transaction has ended.
    pub(crate) fn end(&mut self) {
        if self.state == State::InTransaction {
            self.state = State::Idle;
        }
    }
}

impl<C: Recover> Drop for Lease<C> {
    fn drop(&mut self) {
        let (pool, made, permit) = (Arc::clone(&self.pool), self.made, self.permit.take());
        let Some(connection) = self.connection.take() else {
            return;
        };
        if self.state == State::Idle {
            pool.release(connection, made);
        } else if let Some(recovering) = connection.recover()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                if let Some(connection) = recovering.await {
                    pool.release(connection, made);
                }
                drop(permit);
            });
            return;
        }
        drop(permit);
        pool.returned.notify_one();
    }
}

/// Gives up waiting for the server after `limit`.
pub(crate) async fn with_timeout<T>(
    limit: Option<Duration>,
    work: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let Some(limit) = limit else {
        return work.await;
    };
    match timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            format!("no answer within {limit:?}"),
        ))),
    }
}

impl<C> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl<C: Recover> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
