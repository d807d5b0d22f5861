//! Work beside the requests, and its orderly end.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keystone_api::WeakLive;
use tokio::sync::{OnceCell, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::Keystone;

/// How long housekeeping waits for its next turn.
const TURN: Duration = Duration::from_mins(10);

/// How long a shutdown waits for requests whose clients have left.
const LAST_REQUESTS: Duration = Duration::from_secs(10);

/// How long a shutdown waits for statements that run.
const LAST_STATEMENTS: Duration = Duration::from_secs(30);

/// What runs beside the requests; clones of a [`Keystone`] share it.
#[derive(Debug)]
pub(crate) struct Background {
    housekeeping: Mutex<Option<JoinHandle<()>>>,
    stop: watch::Sender<bool>,
    ended: OnceCell<()>,
    /// How many revocation events the database had when housekeeping looked.
    pub(crate) revocations: Arc<AtomicU64>,
}

impl Default for Background {
    fn default() -> Self {
        Self {
            housekeeping: Mutex::default(),
            stop: watch::Sender::new(false),
            ended: OnceCell::new(),
            revocations: Arc::default(),
        }
    }
}

impl Background {
    /// Returns when the shutdown begins; never where that can't happen any more.
    #[cfg(feature = "sqlite")]
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopped = self.stop.subscribe();
        async move { told(&mut stopped).await }
    }

    fn housekeeping(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.housekeeping
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keystone {
    /// Starts a task that deletes expired revocation events, and messages of identity providers that nobody would take any
    /// more, now and every ten minutes: a database that is kept needs one, in some process. Another call changes nothing. The
    /// task ends with [`Keystone::shutdown`], and after the last use of this instance and its routers.
    ///
    /// It must be called on a tokio runtime.
    pub fn start_housekeeping(&self) {
        let mut running = self.background.housekeeping();
        let stopped = self.background.stop.subscribe();
        if running.is_none() && !*stopped.borrow() {
            let counted = Arc::clone(&self.background.revocations);
            let task = keep_house(self.live.downgrade(), counted, stopped);
            *running = Some(tokio::spawn(task));
        }
    }

    /// Ends all work in the background and waits for it: housekeeping, the reader of the change log, hashes and checks on
    /// threads of their own, and statements that run, for 30 s at most; notifications have 5 s to be sent. Then it closes the
    /// database, also one that was given to the builder. Requests that go on without their clients have 10 s before that.
    ///
    /// Stop serving the router first: what is asked from then on is answered with 503. Each call returns once all is done.
    pub async fn shutdown(&self) {
        let end = || async {
            self.background.stop.send_replace(true);
            let housekeeping = self.background.housekeeping().take();
            if let Some(task) = housekeeping {
                // It fails where its runtime has ended.
                task.await.ok();
            }
            if timeout(LAST_REQUESTS, self.live.finished()).await.is_err() {
                tracing::warn!(
                    "requests of clients that had left were cut off that took longer than {LAST_REQUESTS:?}"
                );
            }
            let app = self.live.app();
            if let Some(notifier) = &app.notifier {
                notifier.close().await;
            }
            app.identity.close().await;
            app.remote_checks.close().await;
            self.changes.close().await;
            if !self.db.drain(LAST_STATEMENTS).await {
                tracing::warn!("statements were cut off that took longer than {LAST_STATEMENTS:?}");
            }
        };
        self.background.ended.get_or_init(end).await;
    }

    /// Counts and logs the notifications that have not been sent, and drops them and those to come.
    pub async fn drop_notifications(&self) {
        if let Some(notifier) = self.notifier() {
            notifier.close_within(Duration::ZERO).await;
        }
    }
}

async fn keep_house(
    live: WeakLive,
    revocations: Arc<AtomicU64>,
    mut stopped: watch::Receiver<bool>,
) {
    while let Some(app) = live.app() {
        match app.identity.prune_revocations().await {
            Ok(0) => {}
            Ok(events) => tracing::info!(
                events,
                "dropped revocation events that no token can outlive"
            ),
            Err(error) => {
                tracing::warn!(cause = error.cause(), "old revocation events stay for now");
            }
        }
        match app.identity.count_revocations().await {
            Ok(count) => revocations.store(count, Relaxed),
            Err(error) => tracing::debug!(
                cause = error.cause(),
                "revocation events could not be counted"
            ),
        }
        if app.uses_messages()
            && let Err(error) = app.identity.prune_messages().await
        {
            tracing::warn!(
                cause = error.cause(),
                "old messages of identity providers stay for now"
            );
        }
        drop(app);
        tokio::select! {
            () = sleep(TURN) => {}
            () = told(&mut stopped) => return,
        }
    }
}

/// Returns when it is told to stop. Routers may be left when nobody can tell any more.
async fn told(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        pending::<()>().await;
    }
}
