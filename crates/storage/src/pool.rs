//! The connections to a database: so many at most, kept between requests, never given on with a statement half done.
//!
//! sqlx has a pool too. It pings each connection that is given back, without a limit of time and while it counts as in
//! use, and it gives back connections whose statement was cut off when a request was dropped: the next statement then
//! reads what was left of the last one. Here a connection is given back only at rest. One that is not is closed at once
//! (`MariaDB`, where the server undoes what was open) or mended first (`SQLite`, where it may be the database itself).
//!
//! A connection that nobody used for a while may be dead without anybody having said so: it is asked before its next
//! use, for a short time only. When one turns out dead, all that are as old are closed: new ones cost less than asking.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Connection, Executor, MySqlConnection, SqliteConnection};
use tokio::{
    runtime::Handle,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{timeout, timeout_at},
};

use crate::error::{is_answer, is_full, is_lost};

/// A future of a known type, for what is kept in a field or a trait.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How connections are made and kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many at most.
    pub(crate) size: usize,
    /// How long a caller waits for one.
    pub(crate) wait: Duration,
    /// How long making one may take.
    pub(crate) connect: Duration,
    /// After how long without use one is asked whether it still answers. A database in this process does, and may be
    /// lost with its connection.
    pub(crate) doubt: Option<Duration>,
    /// How long one is kept without use.
    pub(crate) idle: Option<Duration>,
    /// How long one is kept at all.
    pub(crate) life: Option<Duration>,
}

/// How long an answer to the question whether it still answers may take.
const PING: Duration = Duration::from_secs(2);

/// How soon a full server is asked again, if none of our own connections comes back before.
const FULL: Duration = Duration::from_millis(100);

/// How long saying goodbye to the server may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What becomes of a connection whose statement was cut off.
pub(crate) trait Kept: Connection + Sized + 'static {
    /// Brings it back to rest; `None` closes it.
    fn mend(self) -> Option<Work<Option<Self>>>;
}

impl Kept for MySqlConnection {
    fn mend(self) -> Option<Work<Option<Self>>> {
        None
    }
}

impl Kept for SqliteConnection {
    fn mend(mut self) -> Option<Work<Option<Self>>> {
        Some(Box::pin(async move {
            // After whatever is under way on its thread. Without a transaction there is none to end.
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
    connect: Box<dyn Fn() -> Work<sqlx::Result<C>> + Send + Sync>,
    limits: Limits,
    permits: Arc<Semaphore>,
    idle: Mutex<Idle<C>>,
    returned: Notify,
    closed: AtomicBool,
}

struct Idle<C> {
    /// The one used last is at the back, and is used first.
    waiting: VecDeque<Rest<C>>,
    /// Connections made before are not trusted.
    trusted_since: Option<Instant>,
}

/// A connection at rest.
struct Rest<C> {
    connection: C,
    made: Instant,
    used: Instant,
}

/// A connection in use.
pub(crate) struct Lease<C: Kept> {
    home: Arc<Inner<C>>,
    permit: Option<OwnedSemaphorePermit>,
    connection: Option<C>,
    made: Instant,
    state: State,
}

/// What is under way on a connection in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing.
    Resting,
    /// A transaction, between two statements.
    Open,
    /// A statement, or one that was cut off.
    Busy,
}

impl<C: Kept> Pool<C> {
    pub(crate) fn new(
        limits: Limits,
        connect: impl Fn() -> Work<sqlx::Result<C>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            connect: Box::new(connect),
            limits,
            permits: Arc::new(Semaphore::new(limits.size)),
            idle: Mutex::new(Idle {
                waiting: VecDeque::new(),
                trusted_since: None,
            }),
            returned: Notify::new(),
            closed: AtomicBool::new(false),
        }))
    }

    /// A connection at rest.
    pub(crate) async fn lease(&self) -> sqlx::Result<Lease<C>> {
        let home = Arc::clone(&self.0);
        let deadline = tokio::time::Instant::now() + home.limits.wait;
        let permit = timeout_at(deadline, Arc::clone(&home.permits).acquire_owned()).await;
        let permit = permit
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        loop {
            if let Some(rest) = home.reuse().await {
                return Ok(Lease::new(home, permit, rest));
            }
            match home.connect().await {
                Ok(rest) => return Ok(Lease::new(home, permit, rest)),
                // The server takes no more: then one of those that are there has to do.
                Err(error) if is_full(&error) => {
                    let returned = timeout(FULL, home.returned.notified());
                    if timeout_at(deadline, returned).await.is_err() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A connection that answered just now, for what must not be sent twice.
    pub(crate) async fn live(&self) -> sqlx::Result<Lease<C>> {
        let mut lease = self.lease().await?;
        let answered = lease.work(Some(PING), async |on| on.ping().await).await;
        match answered {
            Ok(()) => Ok(lease),
            // All that are as old are closed now: the next one is new.
            Err(error) if is_lost(&error) => {
                drop(lease);
                self.lease().await
            }
            Err(error) => Err(error),
        }
    }

    /// How many connections are in use.
    pub(crate) fn in_use(&self) -> usize {
        self.0.limits.size - self.0.permits.available_permits().min(self.0.limits.size)
    }

    /// Closes every connection once it is given back, and those at rest now.
    pub(crate) async fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.permits.close();
        let waiting = std::mem::take(&mut self.0.idle().waiting);
        let farewells = async {
            for rest in waiting {
                rest.connection.close().await.ok();
            }
        };
        timeout(FAREWELL, farewells).await.ok();
    }
}

impl<C: Kept> Inner<C> {
    /// The connection used last, if it is still good.
    async fn reuse(&self) -> Option<Rest<C>> {
        loop {
            let mut rest = self.idle().waiting.pop_back()?;
            if self.is_outdated(&rest) {
                continue;
            }
            let doubt = self.limits.doubt;
            if doubt.is_none_or(|doubt| rest.used.elapsed() < doubt) {
                return Some(rest);
            }
            if let Ok(Ok(())) = timeout(PING, rest.connection.ping()).await {
                return Some(rest);
            }
            drop(rest);
            self.distrust();
        }
    }

    async fn connect(&self) -> sqlx::Result<Rest<C>> {
        let connection = bounded(Some(self.limits.connect), (self.connect)()).await?;
        let now = Instant::now();
        Ok(Rest {
            connection,
            made: now,
            used: now,
        })
    }

    fn is_outdated(&self, rest: &Rest<C>) -> bool {
        let past = |age: Duration, limit: Option<Duration>| limit.is_some_and(|limit| age >= limit);
        past(rest.made.elapsed(), self.limits.life) || past(rest.used.elapsed(), self.limits.idle)
    }

    /// Closes every connection that was made before now.
    fn distrust(&self) {
        let mut idle = self.idle();
        idle.trusted_since = Some(Instant::now());
        idle.waiting.clear();
    }

    fn keep(&self, connection: C, made: Instant) {
        let mut idle = self.idle();
        let trusted = idle.trusted_since.is_none_or(|since| made > since);
        if trusted && !self.closed.load(Ordering::SeqCst) {
            let used = Instant::now();
            idle.waiting.push_back(Rest {
                connection,
                made,
                used,
            });
        }
        // Those at the front have been waiting the longest.
        while idle
            .waiting
            .front()
            .is_some_and(|rest| self.is_outdated(rest))
        {
            idle.waiting.pop_front();
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Kept> Lease<C> {
    fn new(home: Arc<Inner<C>>, permit: OwnedSemaphorePermit, rest: Rest<C>) -> Self {
        Self {
            home,
            permit: Some(permit),
            connection: Some(rest.connection),
            made: rest.made,
            state: State::Resting,
        }
    }

    /// Runs something that leaves the connection as it was: at rest, or inside a transaction.
    ///
    /// Where it is cut off, by time or because the caller is gone, or fails otherwise than by the server's word,
    /// nothing more can be run.
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
        let done = bounded(limit, work(connection)).await;
        match &done {
            Err(error) if is_lost(error) => self.home.distrust(),
            Err(error) if !is_answer(error) => {}
            _ => self.state = before,
        }
        done
    }

    /// A transaction has begun: the connection is not given back before its end.
    pub(crate) fn open(&mut self) {
        self.state = State::Open;
    }

    /// The transaction has ended.
    pub(crate) fn rest(&mut self) {
        if self.state == State::Open {
            self.state = State::Resting;
        }
    }
}

impl<C: Kept> Drop for Lease<C> {
    fn drop(&mut self) {
        let (home, made, permit) = (Arc::clone(&self.home), self.made, self.permit.take());
        let Some(connection) = self.connection.take() else {
            return;
        };
        if self.state == State::Resting {
            home.keep(connection, made);
        } else if let Some(mending) = connection.mend()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                if let Some(connection) = mending.await {
                    home.keep(connection, made);
                }
                drop(permit);
            });
            return;
        }
        drop(permit);
        home.returned.notify_one();
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

impl<C: Kept> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
