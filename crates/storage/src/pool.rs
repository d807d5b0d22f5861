//! A `MariaDB` pool that survives a restart of the server.
//!
//! Pinging every connection before use would double the cost of a point read.
//! Instead a dead one is noticed when it fails: what can be sent twice is sent
//! again, and every connection as old as the failure is pinged before its next use.
//!
//! sqlx also pings each connection that is given back to it. So the few that reads
//! need at a time are not given back: they wait in a stack of their own.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Connection, MySql, Pool, pool::PoolConnection};

use crate::error::is_lost;

#[derive(Clone, Debug)]
pub(crate) struct MySqlPool {
    pub(crate) pool: Pool<MySql>,
    pub(crate) suspicion: Suspicion,
    spare: Arc<Mutex<Vec<Reader>>>,
    limits: Limits,
}

/// How connections for reads are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many at the most.
    pub(crate) spare: usize,
    /// For how long without use.
    pub(crate) idle: Duration,
    /// For how long at all.
    pub(crate) life: Duration,
}

/// A connection on which statements are run that can be sent twice.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) connection: PoolConnection<MySql>,
    taken: Instant,
    used: Instant,
}

impl MySqlPool {
    pub(crate) fn new(pool: Pool<MySql>, suspicion: Suspicion, limits: Limits) -> Self {
        let spare = Arc::default();
        Self {
            pool,
            suspicion,
            spare,
            limits,
        }
    }

    /// A connection for a read; one that breaks is simply dropped.
    pub(crate) async fn reader(&self) -> sqlx::Result<Reader> {
        while let Some(reader) = self.spare().pop() {
            let age = reader.taken.elapsed();
            let good = age < self.limits.life && reader.used.elapsed() < self.limits.idle;
            if good && !self.suspicion.covers(age) {
                return Ok(reader);
            }
        }
        let connection = self.pool.acquire().await?;
        let now = Instant::now();
        Ok(Reader {
            connection,
            taken: now,
            used: now,
        })
    }

    /// Keeps the connection of a read that went well, unless others wait for one.
    pub(crate) fn keep(&self, mut reader: Reader) {
        let most = self.pool.options().get_max_connections();
        let exhausted = self.pool.num_idle() == 0 && self.pool.size() >= most;
        let mut spare = self.spare();
        if !exhausted && spare.len() < self.limits.spare && !self.pool.is_closed() {
            reader.used = Instant::now();
            spare.push(reader);
        }
    }

    /// Closes every connection once it is idle.
    pub(crate) async fn close(&self) {
        let closing = self.pool.close();
        self.spare().clear();
        closing.await;
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `error` means a dead connection; if so the others are suspected too.
    pub(crate) fn lost(&self, error: &sqlx::Error) -> bool {
        let lost = is_lost(error);
        if lost {
            self.suspicion.raise();
        }
        lost
    }

    /// Takes note of a dead connection on the way of a result.
    pub(crate) fn heed<T>(&self, result: sqlx::Result<T>) -> sqlx::Result<T> {
        if let Err(error) = &result {
            self.lost(error);
        }
        result
    }

    /// A connection that answered just now, for a write that must not be sent twice.
    pub(crate) async fn live(&self) -> sqlx::Result<PoolConnection<MySql>> {
        let mut connection = self.pool.acquire().await?;
        if connection.ping().await.is_ok() {
            return Ok(connection);
        }
        connection.close_on_drop();
        drop(connection);
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
            raised: Arc::default(),
        }
    }

    fn raise(&self) {
        let now = millis(self.start.elapsed()).max(1);
        self.raised.fetch_max(now, Ordering::Relaxed);
    }

    /// Whether a connection of this age was there at the last failure.
    pub(crate) fn covers(&self, age: Duration) -> bool {
        let made = millis(self.start.elapsed().saturating_sub(age));
        let raised = self.raised.load(Ordering::Relaxed);
        raised > 0 && made <= raised
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_made_before_a_failure_are_suspected() {
        let start = Instant::now()
            .checked_sub(Duration::from_secs(100))
            .unwrap();
        let suspicion = Suspicion {
            start,
            raised: Arc::default(),
        };
        assert!(!suspicion.covers(Duration::from_secs(50)));
        suspicion.raised.store(60_000, Ordering::Relaxed);
        assert!(suspicion.covers(Duration::from_secs(50)));
        assert!(!suspicion.covers(Duration::from_secs(30)));
        suspicion.raise();
        assert!(suspicion.covers(Duration::from_secs(30)));
    }
}
