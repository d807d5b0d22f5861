//! One look-up for all who wait for it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::TokenError;

/// Look-ups by key. Who comes while one runs waits for the next, which begins afterwards and
/// serves everybody who waits: no answer is older than its question.
#[derive(Debug)]
pub(crate) struct Shared<T>(Mutex<HashMap<String, Arc<Slot<T>>>>);

#[derive(Debug)]
struct Slot<T> {
    arrivals: AtomicU64,
    latest: tokio::sync::Mutex<Option<Latest<T>>>,
}

/// An answer, and how many had come when its look-up began.
#[derive(Debug)]
struct Latest<T> {
    serves: u64,
    answer: T,
}

impl<T: Clone> Shared<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The answer of `look_up`, this caller's or one that began after this call. A failure is not
    /// shared: the next in line tries for itself.
    pub(crate) async fn get<F>(
        &self,
        key: &str,
        look_up: impl FnOnce() -> F,
    ) -> Result<T, TokenError>
    where
        F: Future<Output = Result<T, TokenError>>,
    {
        let slot = self.enter(key);
        let ticket = slot.arrivals.fetch_add(1, Ordering::SeqCst);
        let answer = {
            let mut latest = slot.latest.lock().await;
            match &*latest {
                Some(latest) if ticket < latest.serves => Ok(latest.answer.clone()),
                _ => {
                    let serves = slot.arrivals.load(Ordering::SeqCst);
                    let answer = look_up().await;
                    *latest = answer.as_ref().ok().map(|answer| Latest {
                        serves,
                        answer: answer.clone(),
                    });
                    answer
                }
            }
        };
        self.leave(key, slot);
        answer
    }

    fn enter(&self, key: &str) -> Arc<Slot<T>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(key) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot {
            arrivals: AtomicU64::new(0),
            latest: tokio::sync::Mutex::new(None),
        });
        slots.insert(key.to_owned(), Arc::clone(&slot));
        slot
    }

    /// The last to leave takes the slot away.
    fn leave(&self, key: &str, slot: Arc<Slot<T>>) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(slot);
        if slots
            .get(key)
            .is_some_and(|slot| Arc::strong_count(slot) == 1)
        {
            slots.remove(key);
        }
    }
}
