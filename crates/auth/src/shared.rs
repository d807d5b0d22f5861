//! One look-up for all who wait for it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::TokenError;

/// Look-ups by key. A caller arriving during one waits for the next, which begins afterwards and
/// serves everybody who waits: no answer is older than its question.
///
/// A look-up that this server could not do, because the database does not answer, say, fails for all who wait by then:
/// each of them would only wait as long again.
#[derive(Debug)]
pub(crate) struct Shared<T>(Mutex<HashMap<String, Visited<T>>>);

#[derive(Debug)]
struct Visited<T> {
    visitors: usize,
    slot: Arc<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    arrivals: AtomicU64,
    latest: tokio::sync::Mutex<Option<Latest<T>>>,
}

/// The outcome of a look-up, and how many had come whom it serves.
#[derive(Debug)]
struct Latest<T> {
    serves: u64,
    outcome: Result<T, TokenError>,
}

impl<T: Clone> Shared<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The outcome of `look_up`, this caller's or one that began after this call.
    pub(crate) async fn get<F>(
        &self,
        key: &str,
        look_up: impl FnOnce() -> F,
    ) -> Result<T, TokenError>
    where
        F: Future<Output = Result<T, TokenError>>,
    {
        let visit = self.enter(key);
        let slot = &visit.slot;
        let ticket = slot.arrivals.fetch_add(1, Ordering::SeqCst);
        let mut latest = slot.latest.lock().await;
        if let Some(latest) = latest.as_ref().filter(|latest| ticket < latest.serves) {
            return latest.outcome.clone();
        }
        let before = slot.arrivals.load(Ordering::SeqCst);
        let outcome = look_up().await;
        let serves = match &outcome {
            Err(error) if error.is_ours() => slot.arrivals.load(Ordering::SeqCst),
            _ => before,
        };
        *latest = Some(Latest {
            serves,
            outcome: outcome.clone(),
        });
        outcome
    }

    fn enter<'a>(&'a self, key: &'a str) -> Visit<'a, T> {
        let mut slots = self.slots();
        if !slots.contains_key(key) {
            let slot = Arc::new(Slot {
                arrivals: AtomicU64::new(0),
                latest: tokio::sync::Mutex::new(None),
            });
            slots.insert(key.to_owned(), Visited { visitors: 0, slot });
        }
        let visited = slots.get_mut(key).expect("it was just put there");
        visited.visitors += 1;
        Visit {
            shared: self,
            key,
            slot: Arc::clone(&visited.slot),
        }
    }
}

impl<T> Shared<T> {
    fn slots(&self) -> MutexGuard<'_, HashMap<String, Visited<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut slots = self.shared.slots();
        if let Some(visited) = slots.get_mut(self.key) {
            visited.visitors -= 1;
            if visited.visitors == 0 {
                slots.remove(self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use keystone_types::Error;
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
        assert!(shared.slots().is_empty(), "nothing is remembered");
    }

    #[tokio::test]
    async fn those_who_wait_share_what_this_server_could_not_do() {
        let shared = Arc::new(Shared::<usize>::new());
        let (count, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let ask = |fails: bool| {
            let (shared, count, go) = (Arc::clone(&shared), Arc::clone(&count), Arc::clone(&go));
            tokio::spawn(async move {
                let look_up = || async {
                    let n = count.fetch_add(1, Ordering::SeqCst);
                    go.notified().await;
                    if fails {
                        return Err(Error::busy(1, "the database").into());
                    }
                    Ok(n)
                };
                shared.get("key", look_up).await
            })
        };
        let first = ask(true);
        tokio::task::yield_now().await;
        let others = [ask(false), ask(false)];
        tokio::task::yield_now().await;
        go.notify_one();
        assert!(first.await.unwrap().is_err());
        for other in others {
            assert!(other.await.unwrap().is_err(), "it waited long enough");
        }
        go.notify_one();
        assert_eq!(
            ask(false).await.unwrap().unwrap(),
            1,
            "a later call tries for itself"
        );
        assert!(shared.slots().is_empty());
    }

    #[tokio::test]
    async fn nothing_is_left_by_callers_who_leave_together() {
        let shared = Arc::new(Shared::<usize>::new());
        for _ in 0..2_000 {
            let visits = [shared.enter("key"), shared.enter("key")];
            std::thread::scope(|scope| {
                for visit in visits {
                    scope.spawn(move || drop(visit));
                }
            });
            assert!(shared.slots().is_empty());
        }
    }
}
