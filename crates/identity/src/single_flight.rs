//! Single flight: concurrent lookups of one thing share one run.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keystone_types::Result;

/// Lookups by key; clones share them. A caller arriving during a lookup joins the next one, which begins when the running
/// one ends and serves all who joined: no answer is older than its question.
///
/// A lookup that fails because of this server, such as one without a database, fails for everybody waiting at its end:
/// a lookup of their own would only take as long again.
#[derive(Debug)]
pub struct SingleFlight<T>(Arc<Mutex<HashMap<String, Entry<T>>>>);

#[derive(Debug)]
struct Entry<T> {
    callers: usize,
    flight: Arc<Flight<T>>,
}

#[derive(Debug)]
struct Flight<T> {
    arrivals: AtomicU64,
    latest: tokio::sync::Mutex<Option<Latest<T>>>,
}

/// The outcome of a lookup, and the number of arrivals that it serves.
#[derive(Debug)]
struct Latest<T> {
    serves: u64,
    outcome: Result<T>,
}

impl<T> Clone for SingleFlight<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(HashMap::new())))
    }
}

impl<T: Clone> SingleFlight<T> {
    /// The outcome of `look_up`: this caller's, or one that began after this call.
    pub async fn run<F>(&self, key: &str, look_up: impl FnOnce() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let caller = self.join(key);
        let flight = &caller.flight;
        let ticket = flight.arrivals.fetch_add(1, Ordering::SeqCst);
        let mut latest = flight.latest.lock().await;
        if let Some(latest) = latest.as_ref().filter(|latest| ticket < latest.serves) {
            return latest.outcome.clone();
        }
        let before = flight.arrivals.load(Ordering::SeqCst);
        let outcome = look_up().await;
        let serves = match &outcome {
            Err(error) if error.status() >= 500 => flight.arrivals.load(Ordering::SeqCst),
            _ => before,
        };
        *latest = Some(Latest {
            serves,
            outcome: outcome.clone(),
        });
        outcome
    }

    fn join<'a>(&'a self, key: &'a str) -> Caller<'a, T> {
        let mut entries = self.entries();
        if !entries.contains_key(key) {
            let flight = Arc::new(Flight {
                arrivals: AtomicU64::new(0),
                latest: tokio::sync::Mutex::new(None),
            });
            entries.insert(key.to_owned(), Entry { callers: 0, flight });
        }
        let entry = entries.get_mut(key).expect("it was just put there");
        entry.callers += 1;
        Caller {
            lookups: self,
            key,
            flight: Arc::clone(&entry.flight),
        }
    }
}

impl<T> SingleFlight<T> {
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller of a lookup; the last one to leave, answered or not, removes the entry.
struct Caller<'a, T> {
    lookups: &'a SingleFlight<T>,
    key: &'a str,
    flight: Arc<Flight<T>>,
}

impl<T> Drop for Caller<'_, T> {
    fn drop(&mut self) {
        let mut entries = self.lookups.entries();
        if let Some(entry) = entries.get_mut(self.key) {
            entry.callers -= 1;
            if entry.callers == 0 {
                entries.remove(self.key);
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
    async fn waiting_callers_share_a_lookup_that_began_after_them() {
        let lookups = SingleFlight::<usize>::default();
        let (count, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let ask = || {
            let (lookups, count, go) = (lookups.clone(), Arc::clone(&count), Arc::clone(&go));
            tokio::spawn(async move {
                let look_up = || async {
                    let n = count.fetch_add(1, Ordering::SeqCst);
                    go.notified().await;
                    Ok(n)
                };
                lookups.run("key", look_up).await.unwrap()
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
        assert_eq!(third.await.unwrap(), 1, "one lookup serves both");
        assert!(lookups.entries().is_empty(), "nothing is remembered");
    }

    #[tokio::test]
    async fn waiting_callers_share_a_failure_of_this_server() {
        let lookups = SingleFlight::<usize>::default();
        let (count, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let ask = |fails: bool| {
            let (lookups, count, go) = (lookups.clone(), Arc::clone(&count), Arc::clone(&go));
            tokio::spawn(async move {
                let look_up = || async {
                    let n = count.fetch_add(1, Ordering::SeqCst);
                    go.notified().await;
                    if fails {
                        return Err(Error::busy(1, "the database"));
                    }
                    Ok(n)
                };
                lookups.run("key", look_up).await
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
        assert!(lookups.entries().is_empty());
    }

    #[tokio::test]
    async fn callers_who_leave_together_leave_no_entry() {
        let lookups = SingleFlight::<usize>::default();
        for _ in 0..2_000 {
            let callers = [lookups.join("key"), lookups.join("key")];
            std::thread::scope(|scope| {
                for caller in callers {
                    scope.spawn(move || drop(caller));
                }
            });
            assert!(lookups.entries().is_empty());
        }
    }
}
