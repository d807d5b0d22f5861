//! Moves work on many rows off the async threads, where it would delay every other request.

use std::sync::Arc;

use keystone_types::{Error, Result};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Work on up to so many rows takes about a millisecond, which is not worth another thread.
const FEW: usize = 500;

/// How many threads may run at once, which bounds processor time and memory.
const AT_ONCE: usize = 2;

/// A bounded pool of threads for work on many rows; clones share it.
#[derive(Clone, Debug)]
pub struct Bulk(Arc<Semaphore>);

impl Default for Bulk {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Bulk {
    /// Runs the work: on the current thread for few rows, otherwise on a blocking thread once one is
    /// free. Work whose caller is dropped runs to its end if it has started, and not at all otherwise.
    pub async fn run<T: Send + 'static>(
        &self,
        rows: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        if rows <= FEW {
            return Ok(work());
        }
        let permit = Arc::clone(&self.0).acquire_owned().await;
        let permit = permit.map_err(Error::unavailable)?;
        let work = spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        work.await.map_err(Error::internal)
    }

    /// Waits for the work that has begun, and refuses what comes later.
    pub async fn close(&self) {
        let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        // An error means that it is closed already.
        let _ended = self.0.acquire_many(all).await.ok();
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn many_rows_leave_the_async_thread() {
        let bulk = Bulk::default();
        let here = thread::current().id();
        let few = bulk.run(FEW, || thread::current().id()).await.unwrap();
        let many = bulk.run(FEW + 1, || thread::current().id()).await.unwrap();
        assert_eq!(few, here);
        assert_ne!(many, here);
    }

    #[tokio::test]
    async fn closing_waits_for_work_and_refuses_more() {
        let bulk = Bulk::default();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let work = move || {
            begun.send(()).ok();
            gone.recv().ok();
        };
        let (working, closing) = (bulk.clone(), bulk.clone());
        let working = tokio::spawn(async move { working.run(FEW + 1, work).await });
        has_begun.await.unwrap();
        let closing = tokio::spawn(async move { closing.close().await });
        tokio::task::yield_now().await;
        assert!(!closing.is_finished());
        drop(go);
        closing.await.unwrap();
        assert!(working.await.unwrap().is_ok());
        let refused = bulk.run(FEW + 1, || ()).await.unwrap_err();
        assert_eq!(refused.status(), 503);
    }

    #[tokio::test]
    async fn work_that_panics_frees_its_thread() {
        let bulk = Bulk::default();
        for _ in 0..=AT_ONCE {
            let lost = bulk.run(FEW + 1, || panic!("as planned")).await;
            assert_eq!(lost.unwrap_err().status(), 500);
        }
        assert!(bulk.run(FEW + 1, || ()).await.is_ok());
    }
}
