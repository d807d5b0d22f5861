//! A fair queue for the hashing threads: who hashes next, and who is rejected when the queue is full.
//!
//! Each request carries marks: the account that it names, the client's address, the address of the connection. A request
//! is due later the more requests with the same marks run or wait. When the queue is full, the waiter who is due last
//! gives way to one who is due earlier. One client with many connections, many guesses at one account, and many new
//! passwords therefore delay each other, and everybody else waits for a few hashes at most.
//!
//! The account is marked as the request names it, whether it exists or not: who is rejected must not show which names are
//! known. Where only the names tell clients apart, as behind a proxy that does not forward addresses, the queue is first
//! come, first served.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::oneshot::{Receiver, Sender, channel};

/// The origin of a request for a hash: marks, which requests of the same client or for the same account share.
#[derive(Clone, Debug, Default)]
pub struct Claimant(Vec<u64>);

impl Claimant {
    /// Adds a mark; equal values are equal marks.
    #[must_use]
    pub fn marked(mut self, mark: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        mark.hash(&mut hasher);
        self.0.push(hasher.finish());
        self
    }
}

/// The hashes at one moment, and what has happened so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashing {
    /// The most hashes at a time.
    pub threads: usize,
    /// Those that run.
    pub running: usize,
    /// The most requests that may wait for one.
    pub capacity: usize,
    /// Those that wait.
    pub waiting: usize,
    /// How many were begun.
    pub begun: u64,
    /// How many requests were refused because the queue was full.
    pub rejected: u64,
}

/// A queue for a limited number of permits; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    state: Arc<Mutex<State>>,
    /// Told whenever a permit is given back or a waiter leaves.
    left: Arc<Notify>,
    threads: usize,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    /// How many permits were given.
    given: u64,
    /// How many permits are held.
    running: usize,
    waiting: Vec<Waiter>,
    /// How many of those who run or wait have a mark, by mark.
    marked: HashMap<u64, u64>,
    /// How many have entered the queue.
    arrivals: u64,
    /// How many were rejected.
    rejected: u64,
    /// Whether nobody else may enter.
    closed: bool,
}

#[derive(Debug)]
struct Waiter {
    /// The count of given permits at which it is due, and its arrival, which decides between equals.
    due: (u64, u64),
    marks: Vec<u64>,
    call: Sender<Permit>,
}

/// Permission to run; it is given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    queue: Queue,
    marks: Vec<u64>,
}

/// A waiter's entry in the queue; it is removed when dropped.
#[derive(Debug)]
struct Waiting {
    queue: Queue,
    due: (u64, u64),
}

impl Queue {
    /// A queue for `threads` permits and `capacity` waiters.
    pub(super) fn new(threads: usize, capacity: usize) -> Self {
        Self {
            state: Arc::default(),
            left: Arc::default(),
            threads,
            capacity,
        }
    }

    /// Waits for a permit; `None` when the queue is full of waiters who are due earlier.
    pub(super) async fn acquire(&self, claimant: &Claimant) -> Option<Permit> {
        let (called, waiting) = self.enqueue(claimant)?;
        let permit = called.await.ok();
        drop(waiting);
        permit
    }

    /// The state of the queue.
    pub(super) fn hashing(&self) -> Hashing {
        let state = self.state();
        Hashing {
            threads: self.threads,
            running: state.running,
            capacity: self.capacity,
            waiting: state.waiting.len(),
            begun: state.given,
            rejected: state.rejected,
        }
    }

    /// Waits until nobody runs or waits; rejects whoever comes later.
    pub(super) async fn close(&self) {
        loop {
            // Before the look, so that nobody leaves unnoticed in between.
            let left = self.left.notified();
            {
                let mut state = self.state();
                state.closed = true;
                if state.running == 0 && state.waiting.is_empty() {
                    return;
                }
            }
            left.await;
        }
    }

    fn enqueue(&self, claimant: &Claimant) -> Option<(Receiver<Permit>, Waiting)> {
        let marks = claimant.0.clone();
        let (call, called) = channel();
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let due = (state.due(&marks), state.arrivals);
        state.arrivals += 1;
        if state.waiting.len() >= self.capacity && state.running >= self.threads {
            // Dropping its sender tells the waiter that it is rejected.
            state.rejected += 1;
            let latest = state
                .latest()
                .filter(|at| state.waiting[*at].due.0 > due.0)?;
            state.remove(latest);
        }
        for mark in &marks {
            *state.marked.entry(*mark).or_default() += 1;
        }
        state.waiting.push(Waiter { due, marks, call });
        drop(state);
        self.grant_free();
        let queue = self.clone();
        Some((called, Waiting { queue, due }))
    }

    /// Gives free permits to the waiters who are due first.
    fn grant_free(&self) {
        let mut state = self.state();
        while state.running < self.threads {
            let Some(next) = state.earliest() else { return };
            let Waiter { marks, call, .. } = state.waiting.swap_remove(next);
            state.given += 1;
            state.running += 1;
            drop(state);
            let queue = self.clone();
            // If the waiter is gone, dropping the permit gives it back.
            drop(call.send(Permit { queue, marks }));
            state = self.state();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn due(&self, marks: &[u64]) -> u64 {
        let alike = |mark| self.marked.get(mark).copied().unwrap_or_default();
        self.given + marks.iter().map(alike).sum::<u64>()
    }

    fn earliest(&self) -> Option<usize> {
        (0..self.waiting.len()).min_by_key(|at| self.waiting[*at].due)
    }

    fn latest(&self) -> Option<usize> {
        (0..self.waiting.len()).max_by_key(|at| self.waiting[*at].due)
    }

    fn remove(&mut self, at: usize) {
        let waiter = self.waiting.swap_remove(at);
        self.forget(&waiter.marks);
    }

    fn forget(&mut self, marks: &[u64]) {
        for mark in marks {
            if let Some(count) = self.marked.get_mut(mark) {
                *count -= 1;
                if *count == 0 {
                    self.marked.remove(mark);
                }
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.running -= 1;
        state.forget(&self.marks);
        drop(state);
        self.queue.grant_free();
        self.queue.left.notify_waiters();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        let mut waiting = state.waiting.iter();
        if let Some(at) = waiting.position(|waiter| waiter.due == self.due) {
            state.remove(at);
            drop(state);
            self.queue.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
