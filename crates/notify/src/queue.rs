//! The bounded queue of messages for one sink. Adding to it never waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::message::Message;

/// How many messages a queue holds at most, those in flight included.
const MOST_MESSAGES: usize = 10_000;

/// How many bytes of messages a queue holds at most, those in flight included.
const MOST_BYTES: usize = 16 << 20;

/// How many messages a sink gets at once.
const BATCH_MESSAGES: usize = 100;

/// How many bytes a sink gets at once, unless the first message alone has more.
const BATCH_BYTES: usize = 1 << 20;

/// How often a sink that fails is logged.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// The messages for one sink.
#[derive(Debug)]
pub(crate) struct Queue {
    /// The name of the sink, for the log and for metrics.
    pub(crate) sink: String,
    state: Mutex<State>,
    /// There is something to send, or nothing will come any more.
    ready: Notify,
    /// Nothing waits and nothing is in flight.
    idle: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Arc<Message>>,
    /// The sizes of those that the sink has.
    in_flight: VecDeque<usize>,
    /// The size of all.
    bytes: usize,
    closed: bool,
    sent: u64,
    dropped: u64,
    /// Those that are not logged yet.
    unreported: u64,
    last_error: Option<String>,
    reported: Option<Instant>,
}

/// What became of the messages for one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// The sink, by its number and kind: `1:rabbit`, `2:json_lines`.
    pub sink: String,
    /// How many have not been sent yet.
    pub waiting: usize,
    /// How many were sent.
    pub sent: u64,
    /// How many were lost: the oldest of a full queue, what a sink refuses, what is left at the end.
    pub dropped: u64,
    /// Why the last attempt failed; none once one has succeeded.
    pub last_error: Option<String>,
}

impl Queue {
    pub(crate) fn new(sink: impl Into<String>) -> Self {
        Self {
            sink: sink.into(),
            state: Mutex::default(),
            ready: Notify::new(),
            idle: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message; where the queue is full, the oldest goes.
    pub(crate) fn add(&self, message: Arc<Message>) {
        let mut state = self.state();
        if state.closed {
            state.dropped += 1;
            return;
        }
        let mut is_full = false;
        while (state.count() >= MOST_MESSAGES || state.bytes + message.size() > MOST_BYTES)
            && let Some(oldest) = state.waiting.pop_front()
        {
            state.bytes -= oldest.size();
            state.lose(1);
            is_full = true;
        }
        if is_full {
            self.report(&mut state);
        }
        state.bytes += message.size();
        state.waiting.push_back(message);
        drop(state);
        self.ready.notify_one();
    }

    /// Notes that an event was not made into a message.
    pub(crate) fn reject(&self) {
        let mut state = self.state();
        state.lose(1);
        self.report(&mut state);
    }

    /// The oldest messages, once there are any; none after the last one.
    pub(crate) async fn next(&self) -> Option<Vec<Arc<Message>>> {
        loop {
            let ready = self.ready.notified();
            {
                let mut state = self.state();
                let batch = state.take_batch();
                if !batch.is_empty() {
                    return Some(batch);
                }
                if state.closed {
                    return None;
                }
            }
            ready.await;
        }
    }

    /// Notes that messages in flight were sent.
    pub(crate) fn sent(&self, count: usize) {
        if count == 0 {
            return;
        }
        let mut state = self.state();
        state.sent += u64::try_from(count).unwrap_or_default();
        if state.last_error.take().is_some() {
            tracing::info!(sink = self.sink, "notifications are sent again");
        }
        self.arrived(state, count);
    }

    /// Notes that the first of the messages in flight are lost.
    pub(crate) fn lost(&self, count: usize) {
        let mut state = self.state();
        state.lose(u64::try_from(count).unwrap_or_default());
        self.report(&mut state);
        self.arrived(state, count);
    }

    fn arrived(&self, mut state: MutexGuard<'_, State>, count: usize) {
        let count = count.min(state.in_flight.len());
        let size: usize = state.in_flight.drain(..count).sum();
        state.bytes -= size;
        let idle = state.is_idle();
        drop(state);
        if idle {
            self.idle.notify_waiters();
        }
    }

    /// Notes why nothing could be sent.
    pub(crate) fn failed(&self, error: String) {
        let mut state = self.state();
        let is_new = state.last_error.is_none();
        state.last_error = Some(error);
        if is_new {
            state.reported = None;
        }
        self.report(&mut state);
    }

    /// Logs a failing sink, once a minute at most.
    fn report(&self, state: &mut State) {
        let now = Instant::now();
        if state.reported.is_some_and(|last| now < last + LOG_INTERVAL) {
            return;
        }
        state.reported = Some(now);
        let dropped = std::mem::take(&mut state.unreported);
        tracing::warn!(
            sink = self.sink,
            waiting = state.count(),
            dropped,
            dropped_in_all = state.dropped,
            error = state.last_error.as_deref().unwrap_or("the queue is full"),
            "notifications can't be sent; requests go on, and the oldest notifications are dropped where too many wait"
        );
    }

    /// Lets no more messages in.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.ready.notify_one();
    }

    /// Returns once nothing waits and nothing is in flight.
    pub(crate) async fn emptied(&self) {
        loop {
            let idle = self.idle.notified();
            if self.state().is_idle() {
                return;
            }
            idle.await;
        }
    }

    /// Drops what is left, and returns how many messages that were.
    pub(crate) fn give_up(&self) -> usize {
        let mut state = self.state();
        let left = state.count();
        state.waiting.clear();
        state.in_flight.clear();
        state.bytes = 0;
        state.dropped += u64::try_from(left).unwrap_or_default();
        left
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.state();
        Counts {
            sink: self.sink.clone(),
            waiting: state.count(),
            sent: state.sent,
            dropped: state.dropped,
            last_error: state.last_error.clone(),
        }
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> usize {
        self.waiting.len() + self.in_flight.len()
    }

    fn take_batch(&mut self) -> Vec<Arc<Message>> {
        let mut bytes = 0;
        let mut batch = Vec::new();
        while batch.len() < BATCH_MESSAGES
            && let Some(size) = self.waiting.front().map(|message| message.size())
            && (batch.is_empty() || bytes + size <= BATCH_BYTES)
        {
            bytes += size;
            self.in_flight.push_back(size);
            batch.extend(self.waiting.pop_front());
        }
        batch
    }

    fn lose(&mut self, count: u64) {
        self.dropped += count;
        self.unreported += count;
    }
}
