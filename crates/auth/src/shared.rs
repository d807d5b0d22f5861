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
        let visit = self.enter(key);
        let ticket = visit.slot.arrivals.fetch_add(1, Ordering::SeqCst);
        let mut latest = visit.slot.latest.lock().await;
        if let Some(latest) = latest.as_ref().filter(|latest| ticket < latest.serves) {
            return Ok(latest.answer.clone());
        }
        let serves = visit.slot.arrivals.load(Ordering::SeqCst);
        *latest = None;
        let answer = look_up().await?;
        *latest = Some(Latest {
            serves,
            answer: answer.clone(),
        });
        Ok(answer)
    }

    fn enter<'a>(&'a self, key: &'a str) -> Visit<'a, T> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(key) {
            return Visit {
                shared: self,
                key,
                slot: Arc::clone(slot),
            };
        }
        let slot = Arc::new(Slot {
            arrivals: AtomicU64::new(0),
            latest: tokio::sync::Mutex::new(None),
        });
        slots.insert(key.to_owned(), Arc::clone(&slot));
        Visit {
            shared: self,
            key,
            slot,
        }
    }
}

/// A caller at a slot; the last to leave, answered or not, takes the slot away.
struct Visit<'a, T> {
    shared: &'a Shared<T>,
    key: &'a str,
    slot: Arc<Slot<T>>,
}

impl<T> Drop for Visit<'_, T> {
    fn drop(&mut self) {
        let mut slots = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and this one.
        if Arc::strong_count(&self.slot) == 2 {
            slots.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn who_waits_shares_a_look_up_that_began_later() {
        let shared = Arc::new(Shared::<usize>::new());
        let (count, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let ask = || {
            let (shared, count, go) = (Arc::clone(&shared), Arc::clone(&count), Arc::clone(&go));
            tokio::spawn(async move {
                let look_up = || async {
                    let n = count.fetch_add(1, Ordering::SeqCst);
                    go.notified().await;
                    Ok(n)
                };
                shared.get("key", look_up).await.unwrap()
            })
        };
        let first = ask();
        tokio::task::yield_now().await;
        let (second, third) = (ask(), ask());
        tokio::task::yield_now().await;
        assert_eq!(count.load(Ordering::SeqCst), 1, "the others wait");
        go.notify_one();
        assert_eq!(first.await.unwrap(), 0);
        tokio::task::yield_now().await;
        go.notify_one();
        assert_eq!(
            second.await.unwrap(),
            1,
            "an answer from before the question will not do"
        );
        assert_eq!(third.await.unwrap(), 1, "one look-up serves both");
        assert!(shared.0.lock().unwrap().is_empty(), "nothing is remembered");
    }
}
