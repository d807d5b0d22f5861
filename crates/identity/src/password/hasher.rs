//! The pool on which passwords are hashed: so many at once, so many waiting, the rest turned away.
//! Who that is, `turns` decides.

use std::sync::Arc;

use keystone_types::{Secret, json};
use tokio::task::spawn_blocking;

use super::bcrypt::KEY_BYTES;
use super::recipe::{Recipe, verify};
use super::turns::Turns;
use super::{Algorithm, CEILING, Claimant, Error, Options};

/// How long a full queue takes to drain: sixteen for each thread, at a fifth of a second.
const RETRY_AFTER: u32 = 3;

/// Hashes and verifies passwords off the async threads; clones share one pool.
#[derive(Clone, Debug)]
pub struct Hasher {
    recipe: Arc<Recipe>,
    max_password_length: usize,
    max_new_password_length: usize,
    turns: Turns,
}

impl Hasher {
    /// A pool that writes with this algorithm and reads every known format.
    pub fn new(algorithm: Algorithm, options: &Options) -> Result<Self, Error> {
        let max = options.max_password_length;
        let max_new = match algorithm {
            Algorithm::Bcrypt if options.strict => max.min(KEY_BYTES),
            _ => max,
        };
        Ok(Self {
            recipe: Arc::new(Recipe::new(algorithm, options)?),
            max_password_length: max,
            max_new_password_length: max_new,
            turns: Turns::new(options.threads.max(1), options.queue),
        })
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: Secret) -> Result<String, Error> {
        let max = self.max_new_password_length;
        if password.reveal().len() > max {
            return Err(Error::TooLong { max });
        }
        let password = meant(&password).ok_or(Error::NoText)?;
        let recipe = Arc::clone(&self.recipe);
        // However many are set at the same time, they leave those who log in their turn.
        let claimant = Claimant::default().marked("a new password");
        self.run(&claimant, move || {
            recipe.write(password.reveal().as_bytes())
        })
        .await?
    }

    /// Whether the password is the one that was hashed; a hash that can't be read costs the same
    /// time as one that can.
    pub async fn verify(
        &self,
        password: Secret,
        hash: String,
        claimant: &Claimant,
    ) -> Result<bool, Error> {
        if self.is_hopeless(&password) {
            return Ok(false);
        }
        let password = meant(&password).unwrap_or(password);
        let recipe = Arc::clone(&self.recipe);
        let max = self.max_password_length;
        self.run(claimant, move || {
            let password = password.reveal().as_bytes();
            match verify(password, &hash, max) {
                Err(Error::TooLong { .. }) => recipe.burn(password).map(|()| false),
                Err(error @ Error::Unreadable(_)) => {
                    recipe.burn(password)?;
                    Err(error)
                }
                outcome => outcome,
            }
        })
        .await?
    }

    /// Takes the time of [`Hasher::verify`] for a user who does not exist or has no password.
    pub async fn verify_dummy(&self, password: Secret, claimant: &Claimant) -> Result<(), Error> {
        if self.is_hopeless(&password) {
            return Ok(());
        }
        let recipe = Arc::clone(&self.recipe);
        self.run(claimant, move || recipe.burn(password.reveal().as_bytes()))
            .await?
    }

    /// No hash of any format is verified by a password this long.
    fn is_hopeless(&self, password: &Secret) -> bool {
        password.reveal().len() > self.max_password_length.max(CEILING)
    }

    /// Runs the work on a blocking thread. The turn goes with it: a caller who hangs up does not
    /// stop the thread, so that it must keep counting.
    pub(super) async fn run<T, W>(&self, claimant: &Claimant, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let turn = self.turns.turn(claimant).await.ok_or(Error::Busy {
            retry_after: RETRY_AFTER,
        })?;
        spawn_blocking(move || {
            let _held = turn;
            work()
        })
        .await
        .map_err(|e| Error::Failed(e.into()))
    }
}

/// The text that is hashed; none where the password holds half of a surrogate pair, which has no bytes.
fn meant(password: &Secret) -> Option<Secret> {
    let text = json::plain(password.reveal())?;
    Some(Secret::from(text.as_ref()))
}
