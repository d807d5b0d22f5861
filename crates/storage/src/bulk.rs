//! Work on many rows, which would keep everybody else waiting on the async threads.

use std::sync::Arc;

use keystone_types::{Error, Result};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// As many rows are worked on in about a millisecond, which is not worth another thread.
const FEW: usize = 500;

/// How many may work at once: less than the machine has, and less memory than all would take.
const AT_ONCE: usize = 2;

/// Threads for what is made of many rows; clones share them.
#[derive(Clone, Debug)]
pub struct Bulk(Arc<Semaphore>);

impl Default for Bulk {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Bulk {
    /// Does the work, which is about so many rows: here where they are few, else on a thread that
    /// may block, once there is one. A caller who leaves does not stop it, but nobody starts it then.
    pub async fn run<T: Send + 'static>(
        &self,
        rows: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        if rows <= FEW {
            return Ok(work());
        }
        let thread = Arc::clone(&self.0).acquire_owned().await;
        let thread = thread.map_err(Error::internal)?;
        let work = spawn_blocking(move || {
            let _held = thread;
            work()
        });
        work.await.map_err(Error::internal)
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
    async fn work_that_is_lost_frees_its_thread() {
        let bulk = Bulk::default();
        for _ in 0..=AT_ONCE {
            let lost = bulk.run(FEW + 1, || panic!("as planned")).await;
            assert_eq!(lost.unwrap_err().status(), 500);
        }
        assert!(bulk.run(FEW + 1, || ()).await.is_ok());
    }
}
