//! A `MariaDB` pool that survives a restart of the server.
//!
//! Pinging every connection before use would double the cost of a point read.
//! Instead a dead one is noticed when it fails: what can be sent twice is sent
//! again, and every connection as old as the failure is pinged before its next use.

use std::{
    sync::{
        Arc,
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
