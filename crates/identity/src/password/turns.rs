//! Who hashes next, and who is turned away, where more want to than can.
//!
//! Whoever asks is marked: by the account that is claimed, by the client's address, by the
//! connection's. The more others with the same marks are here, the later is the turn, and when all
//! places are taken the latest turn is given up for an earlier one. So one client with many
//! connections, many guesses at one account, and many new passwords each stand in their own way,
//! and leave everybody else a turn within as many hashes as there are others to share with.
//!
//! The claim is marked as it was sent, whether the account exists or not: that a name is unknown
//! must not show in who is turned away. Where nothing but different names tells callers apart, as
//! behind a proxy that does not say who its clients are, they all are equal, and the first to come
//! are served.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{Receiver, Sender, channel};

/// What tells those who want to hash apart.
#[derive(Clone, Debug, Default)]
pub struct Claimant(Vec<u64>);

impl Claimant {
    /// The same, with another mark: what is hashed equal is the same.
    #[must_use]
    pub fn marked(mut self, mark: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        mark.hash(&mut hasher);
        self.0.push(hasher.finish());
        self
    }
}

/// Turns to do something that only so many can at a time; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    state: Arc<Mutex<State>>,
    threads: usize,
    places: usize,
}

#[derive(Debug, Default)]
struct State {
    /// How many turns have begun.
    begun: u64,
    /// How many have not ended.
    running: usize,
    waiting: Vec<Waiter>,
    /// How many of those who run or wait have a mark.
    marked: HashMap<u64, u64>,
    /// Those who came.
    arrivals: u64,
}

#[derive(Debug)]
struct Waiter {
    /// When the turn comes, in turns begun; of those with the same, the first to come is first.
    due: (u64, u64),
    marks: Vec<u64>,
    call: Sender<Turn>,
}

/// A turn; it ends when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    marks: Vec<u64>,
}

/// A place among those who wait; it is left when dropped.
#[derive(Debug)]
struct Place {
    turns: Turns,
    due: (u64, u64),
}

impl Turns {
    /// So many turns at a time, and so many more who wait.
    pub(super) fn new(threads: usize, places: usize) -> Self {
        Self {
            state: Arc::default(),
            threads,
            places,
        }
    }

    /// Waits for a turn; `None` where others have a better claim to all places.
    pub(super) async fn turn(&self, claimant: &Claimant) -> Option<Turn> {
        let (called, place) = self.arrive(claimant)?;
        let turn = called.await.ok();
        drop(place);
        turn
    }

    fn arrive(&self, claimant: &Claimant) -> Option<(Receiver<Turn>, Place)> {
        let marks = claimant.0.clone();
        let (call, called) = channel();
        let mut state = self.state();
        let due = (state.due(&marks), state.arrivals);
        state.arrivals += 1;
        if state.waiting.len() >= self.places && state.running >= self.threads {
            // Its call is dropped with it, and that tells it.
            let latest = state
                .latest()
                .filter(|at| state.waiting[*at].due.0 > due.0)?;
            state.leave(latest);
        }
        for mark in &marks {
            *state.marked.entry(*mark).or_default() += 1;
        }
        state.waiting.push(Waiter { due, marks, call });
        drop(state);
        self.call();
        let turns = self.clone();
        Some((called, Place { turns, due }))
    }

    /// Calls those whose turn it is.
    fn call(&self) {
        let mut state = self.state();
        while state.running < self.threads {
            let Some(next) = state.earliest() else { return };
            let Waiter { marks, call, .. } = state.waiting.swap_remove(next);
            state.begun += 1;
            state.running += 1;
            drop(state);
            let turns = self.clone();
            // Given back by its end, where nobody waits for it any more.
            drop(call.send(Turn { turns, marks }));
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
        self.begun + marks.iter().map(alike).sum::<u64>()
    }

    fn earliest(&self) -> Option<usize> {
        (0..self.waiting.len()).min_by_key(|at| self.waiting[*at].due)
    }

    fn latest(&self) -> Option<usize> {
        (0..self.waiting.len()).max_by_key(|at| self.waiting[*at].due)
    }

    fn leave(&mut self, at: usize) {
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

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.running -= 1;
        state.forget(&self.marks);
        drop(state);
        self.turns.call();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        let mut waiting = state.waiting.iter();
        if let Some(at) = waiting.position(|waiter| waiter.due == self.due) {
            state.leave(at);
        }
    }
}

#[cfg(test)]
mod tests;
