//! The bounded pool of threads that hashes passwords. `queue` decides who is next, and who is rejected when it is full.
//!
//! Each hash has a thread of its own, whose start is nothing beside a hash. The threads have a low priority: a hash takes a
//! processor for a fifth of a second, which requests that take microseconds would otherwise wait for.

use std::sync::Arc;
use std::thread;

use keystone_types::{Secret, json};
use rustix::process::nice;
use tokio::sync::oneshot;

use super::bcrypt::KEY_BYTES;
use super::queue::{Hashing, Queue};
use super::scheme::{Scheme, verify};
use super::{Algorithm, CEILING, Claimant, Error, Options};

/// Seconds that a full queue takes to drain, about: sixteen hashes for each processor, a fifth of a second each.
const RETRY_AFTER: u32 = 3;

/// How much nicer than the others the threads are: beside busy ones they still get a tenth of a processor.
const NICENESS: i32 = 10;

/// Hashes and verifies passwords off the async threads; clones share one pool.
#[derive(Clone, Debug)]
pub struct Hasher {
    scheme: Arc<Scheme>,
    max_password_length: usize,
    max_new_password_length: usize,
    queue: Queue,
}

impl Hasher {
    /// A pool that hashes with this algorithm and verifies every known format.
    pub fn new(algorithm: Algorithm, options: &Options) -> Result<Self, Error> {
        let max = options.max_password_length;
        let max_new = match algorithm {
            Algorithm::Bcrypt if options.strict => max.min(KEY_BYTES),
            _ => max,
        };
        Ok(Self {
            scheme: Arc::new(Scheme::new(algorithm, options)?),
            max_password_length: max,
            max_new_password_length: max_new,
            queue: Queue::new(options.threads.max(1), options.queue),
        })
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: Secret) -> Result<String, Error> {
        self.hash_up_to(self.max_new_password_length, password)
            .await
    }

    /// Hashes the new secret of a program, which the limits of passwords do not apply to.
    pub async fn hash_secret(&self, secret: Secret) -> Result<String, Error> {
        self.hash_up_to(CEILING, secret).await
    }

    async fn hash_up_to(&self, max: usize, password: Secret) -> Result<String, Error> {
        if password.reveal().len() > max {
            return Err(Error::TooLong { max });
        }
        let password = as_text(&password).ok_or(Error::Unencodable)?;
        let scheme = Arc::clone(&self.scheme);
        // All new passwords share one mark, so that many of them at a time do not delay logins.
        let claimant = Claimant::default().marked("a new password");
        self.run(&claimant, move || {
            scheme.write(password.reveal().as_bytes())
        })
        .await?
    }

    /// Whether the password is the one that was hashed. A hash that can't be read takes as long as one that can.
    pub async fn verify(
        &self,
        password: Secret,
        hash: String,
        claimant: &Claimant,
    ) -> Result<bool, Error> {
        self.verify_up_to(self.max_password_length, password, hash, claimant)
            .await
    }

    /// The same for the secret of a program, which the limits of passwords do not apply to.
    pub async fn verify_secret(
        &self,
        secret: Secret,
        hash: String,
        claimant: &Claimant,
    ) -> Result<bool, Error> {
        self.verify_up_to(CEILING, secret, hash, claimant).await
    }

    async fn verify_up_to(
        &self,
        max: usize,
        password: Secret,
        hash: String,
        claimant: &Claimant,
    ) -> Result<bool, Error> {
        if self.exceeds_every_limit(&password) {
            return Ok(false);
        }
        let password = as_text(&password).unwrap_or(password);
        let scheme = Arc::clone(&self.scheme);
        let cut = self.max_password_length;
        self.run(claimant, move || {
            let password = password.reveal().as_bytes();
            match verify(password, &hash, cut, max) {
                Err(Error::TooLong { .. }) => scheme.dummy_hash(password).map(|()| false),
                Err(error @ Error::Unreadable(_)) => {
                    scheme.dummy_hash(password)?;
                    Err(error)
                }
                outcome => outcome,
            }
        })
        .await?
    }

    /// Takes as long as [`Hasher::verify`], for a user who does not exist or has no password.
    pub async fn verify_dummy(&self, password: Secret, claimant: &Claimant) -> Result<(), Error> {
        if self.exceeds_every_limit(&password) {
            return Ok(());
        }
        let scheme = Arc::clone(&self.scheme);
        self.run(claimant, move || {
            scheme.dummy_hash(password.reveal().as_bytes())
        })
        .await?
    }

    /// Waits for the hashes that run or wait, and refuses those that come later.
    pub async fn close(&self) {
        self.queue.close().await;
    }

    /// The state of the pool.
    pub fn state(&self) -> Hashing {
        self.queue.hashing()
    }

    /// Whether a password is too long for every format.
    fn exceeds_every_limit(&self, password: &Secret) -> bool {
        password.reveal().len() > self.max_password_length.max(CEILING)
    }

    /// Runs work on a thread of its own, which holds the permit, because it goes on when the caller hangs up.
    pub(super) async fn run<T, W>(&self, claimant: &Claimant, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let permit = self.queue.acquire(claimant).await.ok_or(Error::Busy {
            retry_after: RETRY_AFTER,
        })?;
        let (answer, answered) = oneshot::channel();
        let hash = move || {
            // Linux takes this for the thread, other systems for the process; without it hashing is only less polite.
            if cfg!(target_os = "linux") {
                nice(NICENESS).ok();
            }
            let outcome = work();
            drop(permit);
            // A caller who hung up does not want it any more.
            drop(answer.send(outcome));
        };
        let thread = thread::Builder::new().name("hash".to_owned()).spawn(hash);
        thread.map_err(|e| Error::Failed(e.into()))?;
        answered.await.map_err(|e| Error::Failed(e.into()))
    }
}

/// The text that is hashed; `None` if the password holds half of a surrogate pair, which has no UTF-8.
fn as_text(password: &Secret) -> Option<Secret> {
    let text = json::plain(password.reveal())?;
    Some(Secret::from(text.as_ref()))
}
