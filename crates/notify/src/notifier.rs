//! The notifier: it puts messages into the queues of sinks, each of which has a task that sends them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keystone_types::{Clock, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::event::{Event, Initiator};
use crate::message::Writer;
use crate::queue::{Counts, Queue};
use crate::settings::Settings;
use crate::sink::{FailureKind, Sink};

/// How long the id of the observer is taken from memory.
const OBSERVER_AGE: Duration = Duration::from_mins(1);

/// How long the end waits for what has not been sent.
const LAST_MESSAGES: Duration = Duration::from_secs(5);

/// How many events are made at a time beside the requests that they are about.
const MOST_LATER: usize = 1000;

/// Looks up the id of this service in the catalog: of the first one of the type `identity`.
pub type Observer =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Option<String>>> + Send>> + Send + Sync>;

/// Announces events to sinks; clones share the queues.
#[derive(Clone, Debug)]
pub struct Notifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    writer: Writer,
    queues: Vec<Arc<Queue>>,
    /// Each task that makes an event holds a receiver, whose drop signals its end.
    making: watch::Sender<()>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// A notifier with the initiator of one request.
#[derive(Clone, Debug)]
pub struct Announcer {
    /// The notifier.
    pub notifier: Notifier,
    /// The user and the request behind its events.
    pub initiator: Initiator,
}

impl Notifier {
    /// Starts a task for each sink; without sinks there is no notifier. It must be called on a tokio runtime.
    ///
    /// The tasks end with [`Notifier::close`], or once no clone is left and all that waited is sent.
    ///
    /// # Errors
    ///
    /// A sink can't be used as it is configured.
    pub fn start(settings: &Settings, clock: Clock, observer: Observer) -> Result<Option<Self>> {
        if settings.sinks.is_empty() {
            return Ok(None);
        }
        let observers = Arc::new(ObserverCache::new(observer));
        let writer = Writer::new(settings, clock);
        let sinks = settings.sinks.iter();
        let sinks = sinks.map(|sink| Sink::new(sink, &writer.publisher));
        let sinks = sinks.collect::<Result<Vec<_>>>()?;
        let (queues, tasks) = sinks
            .into_iter()
            .zip(1..)
            .map(|(sink, number)| {
                // One driver may be configured several times.
                let name = format!("{number}:{}", sink.name());
                let queue = Arc::new(Queue::new(name));
                let task = tokio::spawn(deliver(Arc::clone(&queue), sink, Arc::clone(&observers)));
                (queue, task)
            })
            .unzip();
        Ok(Some(Self(Arc::new(Inner {
            writer,
            queues,
            making: watch::Sender::new(()),
            tasks: Mutex::new(tasks),
        }))))
    }

    /// Announces an event. It never waits: what a sink is too slow for is dropped and counted.
    pub fn send(&self, event: &Event) {
        let Some(message) = self.0.writer.message(event) else {
            return;
        };
        let message = Arc::new(message);
        for queue in &self.0.queues {
            queue.add(Arc::clone(&message));
        }
    }

    /// Announces an event that takes time to make, which the caller does not wait for: none where that turns out to be nothing to
    /// announce. Beyond a thousand at a time it is dropped and counted.
    ///
    /// It must be called on a tokio runtime.
    pub fn send_later(&self, event: impl Future<Output = Option<Event>> + Send + 'static) {
        if self.0.making.receiver_count() >= MOST_LATER {
            for queue in &self.0.queues {
                queue.reject();
            }
            return;
        }
        let made = self.0.making.subscribe();
        let notifier = self.clone();
        tokio::spawn(async move {
            if let Some(event) = event.await {
                notifier.send(&event);
            }
            drop(made);
        });
    }

    /// What became of the messages, by sink.
    pub fn counts(&self) -> Vec<Counts> {
        self.0.queues.iter().map(|queue| queue.counts()).collect()
    }

    /// A line for each sink that can't be reached, for the operator.
    pub fn remarks(&self) -> Vec<String> {
        let counts = self.counts().into_iter();
        let remark = |it: Counts| {
            let error = it.last_error?;
            let (sink, waiting) = (it.sink, it.waiting);
            Some(format!(
                "notifications can't be sent to {sink}, {waiting} wait: {error}"
            ))
        };
        counts.filter_map(remark).collect()
    }

    /// Returns once all that was announced so far is sent or given up.
    pub async fn flush(&self) {
        self.0.making.closed().await;
        for queue in &self.0.queues {
            queue.emptied().await;
        }
    }

    /// Ends the tasks, which have five seconds for what has not been sent. Events that come later are dropped.
    pub async fn close(&self) {
        self.close_within(LAST_MESSAGES).await;
    }

    /// The same with another time. Another call does not wait again.
    pub async fn close_within(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let tasks = {
            let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        if !tasks.is_empty() {
            // What is made later is dropped and counted.
            let _ = timeout(limit, self.0.making.closed()).await;
        }
        self.0.close();
        for mut task in tasks {
            let left = end.saturating_duration_since(Instant::now());
            if timeout(left, &mut task).await.is_err() {
                task.abort();
            }
        }
        for queue in &self.0.queues {
            let lost = queue.give_up();
            if lost > 0 {
                tracing::warn!(
                    sink = queue.sink,
                    lost,
                    "notifications were not sent before the end"
                );
            }
        }
    }
}

impl Inner {
    fn close(&self) {
        for queue in &self.queues {
            queue.close();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Announcer {
    /// Announces an event of this request.
    pub fn send(&self, event: Event) {
        self.notifier.send(&event.by(self.initiator.clone()));
    }
}

/// Sends what waits, in order, until nothing will come any more.
async fn deliver(queue: Arc<Queue>, mut sink: Sink, observers: Arc<ObserverCache>) {
    let mut failures = 0;
    loop {
        let messages = tokio::select! {
            messages = queue.next() => messages,
            () = sink.listen() => {
                sink.send_heartbeat().await;
                continue;
            }
        };
        let Some(messages) = messages else {
            return sink.close().await;
        };
        let observer = if messages.iter().any(|message| message.names_observer()) {
            observers.observer().await
        } else {
            None
        };
        let mut rest = &messages[..];
        let mut attempts = 0;
        while !rest.is_empty() {
            let (done, failure) = sink.send(rest, observer.as_deref()).await;
            queue.sent(done);
            rest = &rest[done..];
            if done > 0 {
                (attempts, failures) = (0, 0);
            }
            let Some(failure) = failure else { continue };
            queue.failed(failure.text);
            attempts += 1;
            let is_last = sink.retries().is_some_and(|retries| attempts > retries);
            let lost = match failure.kind {
                FailureKind::Refused => 1,
                FailureKind::Passing if is_last => 1,
                // The others would each be tried as often, with a connection for each attempt.
                FailureKind::Away if is_last => rest.len(),
                FailureKind::Passing | FailureKind::Away => 0,
            };
            if lost > 0 {
                queue.lost(lost);
                rest = &rest[lost..];
                attempts = 0;
            }
            if lost == 0 || failure.kind == FailureKind::Away {
                failures += 1;
                tokio::time::sleep(sink.pause(failures)).await;
            }
        }
    }
}

/// The id of the observer, asked for once a minute at most.
struct ObserverCache {
    ask: Observer,
    last: tokio::sync::Mutex<Option<(Instant, Option<String>)>>,
}

impl ObserverCache {
    fn new(ask: Observer) -> Self {
        Self {
            ask,
            last: tokio::sync::Mutex::default(),
        }
    }

    async fn observer(&self) -> Option<String> {
        let mut last = self.last.lock().await;
        let now = Instant::now();
        let before = match &*last {
            Some((asked, id)) if now < *asked + OBSERVER_AGE => return id.clone(),
            other => other.as_ref().and_then(|(_, id)| id.clone()),
        };
        let id = (self.ask)().await.unwrap_or_else(|error| {
            tracing::warn!(
                cause = error.cause(),
                "notifications name an observer that may be an old one"
            );
            before
        });
        *last = Some((now, id.clone()));
        id
    }
}
