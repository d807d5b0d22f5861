//! Following the changes of a database: one small read for everybody who waits.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keystone_storage::schema::changes::{Kind, incomplete};
use keystone_storage::{Db, Exec, Result, Tx};
use keystone_types::Error as ClientError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::log::{Advance, Place, close, prune};
use crate::tags::Tags;

/// How long a read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// The same with a new connection, the check of the triggers and a read of the whole log.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How old a gap is when it is closed first.
const CLOSE_AFTER: Duration = Duration::from_secs(10);
const CLOSE_AFTER_ON_GALERA: Duration = Duration::from_secs(30);

/// How soon the database is asked again while frozen answers are given.
const THAW_AFTER: Duration = Duration::from_secs(1);

/// What the operator decides, and how often the state of the log is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[cache] stale_for`: for how long answers may be given from memory while the database can't be asked. Zero is never.
    pub stale_for: Duration,
    /// How long it is relied on that the triggers are there.
    pub check_after: Duration,
    /// How old a gap is when it is closed first; by default 10 s, and 30 s on Galera, where a closed gap may fail another
    /// node's transaction.
    pub close_after: Option<Duration>,
    /// How long rows of the log are kept.
    pub keep: Duration,
    /// What questions are let through to.
    pub mode: Mode,
}

/// How questions are let through. Only tests choose another way than the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// After a read of the log, to memory.
    #[default]
    Gated,
    /// At once, to the database.
    Database,
    /// At once, to memory that never hears of a change: a test that looks for stale answers has to find them.
    Ungated,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stale_for: Duration::ZERO,
            check_after: Duration::from_secs(10),
            close_after: None,
            keep: Duration::from_hours(1),
            mode: Mode::default(),
        }
    }
}

/// Leave to answer.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// What from.
    pub source: Source,
    /// The question had been asked by then: what was looked at afterwards need not be looked at again.
    pub since: Instant,
}

/// What answers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From memory: every change that was committed before the question is applied.
    Memory,
    /// From the database only: changes can't be followed.
    Database,
}

/// What happened so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Reads of the log.
    pub reads: AtomicU64,
    /// Questions that were let through.
    pub passes: AtomicU64,
    /// Changes applied.
    pub changes: AtomicU64,
    /// Changes that appeared below newer ones.
    pub late: AtomicU64,
    /// How often the log was read from its beginning.
    pub starts: AtomicU64,
    /// The most gaps at a time.
    pub most_gaps: AtomicU64,
    /// Gaps that were closed.
    pub closed: AtomicU64,
    /// How many microseconds the reads took, those that failed included.
    pub read_micros: AtomicU64,
}

/// What questions are answered from at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answering {
    /// Nobody has asked yet, or the database could not be asked.
    #[default]
    Nothing,
    /// Memory, after a look at the log.
    Memory,
    /// The database: there is no complete log.
    Database,
    /// Memory as it was when the database could be asked last, which was then.
    Stale(Instant),
}

type Answer = Result<Source, ClientError>;
type Question = oneshot::Sender<Result<Pass, ClientError>>;

/// The changes of a database as they are committed, by whomever; clones share them.
///
/// A question passes once a read of the log that began after it has been applied to the caches. Questions that wait at the
/// same time share a read. While nobody asks, nothing is read.
#[derive(Clone, Debug)]
pub struct Changes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    db: Db,
    settings: Settings,
    tags: Arc<Tags>,
    counts: Arc<Counts>,
    answering: Arc<Mutex<Answering>>,
    /// To the task that reads. It is started by the first question, and again if it ended with the runtime that it was on.
    reader: Mutex<Reading>,
}

/// The task that reads, while there is one.
#[derive(Debug, Default)]
struct Reading {
    questions: Option<UnboundedSender<Question>>,
    task: Option<JoinHandle<()>>,
    /// Whether it must not begin again.
    closed: bool,
}

impl Changes {
    /// The changes of a database.
    pub fn of(db: &Db, settings: Settings) -> Self {
        Self(Arc::new(Shared {
            db: db.clone(),
            settings,
            tags: Arc::default(),
            counts: Arc::default(),
            answering: Arc::default(),
            reader: Mutex::default(),
        }))
    }

    /// Waits until every change that was committed before this call has been applied.
    pub async fn pass(&self) -> Result<Pass, ClientError> {
        let source = match self.0.settings.mode {
            Mode::Gated => None,
            Mode::Database => Some(Source::Database),
            Mode::Ungated => Some(Source::Memory),
        };
        if let Some(source) = source {
            let since = Instant::now();
            return Ok(Pass { source, since });
        }
        let (question, answer) = oneshot::channel();
        self.ask(question);
        self.0.counts.passes.fetch_add(1, Relaxed);
        let ended = |_| {
            Err(ClientError::unavailable(
                "the reader of the change log ended",
            ))
        };
        answer.await.unwrap_or_else(ended)
    }

    /// What happened so far.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// What questions are answered from at this moment. While nobody asks, that of the last question.
    pub fn answering(&self) -> Answering {
        let answering = self.0.answering.lock();
        *answering.unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changes of a kind were applied, whoever made them.
    pub fn of_kind(&self, kind: Kind) -> u64 {
        self.tags().of_kind(kind)
    }

    pub(crate) fn tags(&self) -> &Tags {
        &self.0.tags
    }

    fn ask(&self, question: Question) {
        let mut reader = self.reading();
        if reader.closed {
            // Dropped, which tells whoever asks that there is no answer.
            return;
        }
        let question = match &reader.questions {
            None => question,
            Some(sender) => match sender.send(question) {
                Ok(()) => return,
                Err(refused) => refused.0,
            },
        };
        let (sender, questions) = unbounded_channel();
        reader.task = Some(tokio::spawn(Reader::of(&self.0).run(questions)));
        // The receiver lives in the task, which has just begun.
        sender.send(question).ok();
        reader.questions = Some(sender);
    }

    /// Ends the task that reads, once all who wait have their answers, and waits for it. Whoever asks later is refused.
    pub async fn close(&self) {
        let task = {
            let mut reader = self.reading();
            reader.closed = true;
            reader.questions = None;
            reader.task.take()
        };
        if let Some(task) = task {
            // It fails where its runtime has ended.
            task.await.ok();
        }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that reads. It ends once nobody can ask any more.
struct Reader {
    db: Db,
    settings: Settings,
    tags: Arc<Tags>,
    counts: Arc<Counts>,
    answering: Arc<Mutex<Answering>>,
    state: State,
    /// When the last read that succeeded began, and when one failed last.
    good: Option<Instant>,
    failed: Option<Instant>,
    /// What was logged last of why there is no memory.
    complaint: Option<String>,
}

enum State {
    /// Nothing is known.
    New,
    Following(Box<Following>),
    /// The log is not complete, as it was seen then.
    Blind {
        checked: Instant,
    },
}

/// A log that is followed.
struct Following {
    /// A connection of its own, on `MariaDB`.
    on: Option<Tx>,
    place: Place,
    /// When the triggers were seen.
    checked: Instant,
}

impl Reader {
    fn of(shared: &Shared) -> Self {
        Self {
            db: shared.db.clone(),
            settings: shared.settings,
            tags: Arc::clone(&shared.tags),
            counts: Arc::clone(&shared.counts),
            answering: Arc::clone(&shared.answering),
            state: State::New,
            good: None,
            failed: None,
            complaint: None,
        }
    }

    async fn run(mut self, mut questions: UnboundedReceiver<Question>) {
        let mut batch = Vec::new();
        // Whoever is there before the read begins shares it.
        while questions.recv_many(&mut batch, usize::MAX).await > 0 {
            let since = Instant::now();
            let answer = self.answer().await;
            self.tell(since, &answer);
            let answer = answer.map(|source| Pass { source, since });
            for question in batch.drain(..) {
                // Somebody who left needs no answer.
                question.send(answer.clone()).ok();
            }
            self.look_after_the_log();
        }
    }

    /// Notes for the operator what the last question was answered from.
    fn tell(&self, since: Instant, answer: &Answer) {
        let took = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.counts.read_micros.fetch_add(took, Relaxed);
        let is_new = matches!(self.state, State::New);
        let now = match (answer, self.good) {
            (Err(_), _) => Answering::Nothing,
            (Ok(Source::Database), _) => Answering::Database,
            (Ok(Source::Memory), Some(good)) if is_new => Answering::Stale(good),
            (Ok(Source::Memory), _) => Answering::Memory,
        };
        let answering = self.answering.lock();
        *answering.unwrap_or_else(PoisonError::into_inner) = now;
    }

    async fn answer(&mut self) -> Answer {
        if let Some(frozen) = self.frozen() {
            return frozen;
        }
        // A second time at once where it was followed: its connection may be gone, or this is another log.
        let mut tries = if matches!(self.state, State::New) {
            1
        } else {
            2
        };
        loop {
            self.counts.reads.fetch_add(1, Relaxed);
            let limit = match self.state {
                State::Following(_) => READ_TIMEOUT,
                // There is an answer without it.
                State::New | State::Blind { .. } if self.may_be_stale() => READ_TIMEOUT,
                State::New | State::Blind { .. } => START_TIMEOUT,
            };
            let begun = Instant::now();
            let error = match timeout(limit, self.read()).await {
                Ok(Ok(Some(source))) => {
                    // Without a log nothing is known that could be answered later.
                    self.good = (source == Source::Memory).then_some(begun);
                    return Ok(source);
                }
                Ok(Ok(None)) => ClientError::unavailable("the change log is being replaced"),
                Ok(Err(error)) => error.into(),
                Err(_) => {
                    tries = 1;
                    let text = format!("the database did not answer within {limit:?}");
                    ClientError::unavailable(text)
                }
            };
            self.state = State::New;
            tries -= 1;
            if tries == 0 {
                // What the database refuses, such as a table without a grant, keeps nobody from answering without a log.
                return match error {
                    ClientError::Unavailable { .. } => self.without_database(error),
                    _ => Ok(self.go_blind(format!("it can't be read ({})", error.cause()))),
                };
            }
        }
    }

    /// The answer while the database can't be asked.
    fn without_database(&mut self, error: ClientError) -> Answer {
        self.failed = Some(Instant::now());
        if self.may_be_stale() {
            self.tags.freeze();
            return Ok(Source::Memory);
        }
        self.tags.forget_everything();
        Err(error)
    }

    /// The answer without asking the database, if it could not be asked a moment ago.
    fn frozen(&self) -> Option<Answer> {
        let is_away = self
            .failed
            .is_some_and(|failed| failed.elapsed() < THAW_AFTER);
        let is_new = matches!(self.state, State::New);
        (is_away && is_new && self.may_be_stale()).then_some(Ok(Source::Memory))
    }

    /// Whether what held at the last good read may still be answered.
    fn may_be_stale(&self) -> bool {
        let stale_for = self.settings.stale_for;
        self.good.is_some_and(|good| good.elapsed() < stale_for)
    }

    /// One read; `None` if this is not the log that was followed.
    async fn read(&mut self) -> Result<Option<Source>> {
        let check_after = self.settings.check_after;
        match &mut self.state {
            State::Following(following) if following.checked.elapsed() < check_after => {
                let Following { on, place, .. } = &mut **following;
                let exec = exec(on.as_mut(), &self.db);
                let advance = place.advance(exec, &self.tags).await?;
                let Advance::Applied { changes, late } = advance else {
                    return Ok(None);
                };
                self.counts.changes.fetch_add(changes as u64, Relaxed);
                self.counts.late.fetch_add(late as u64, Relaxed);
                let gaps = place.gaps() as u64;
                self.counts.most_gaps.fetch_max(gaps, Relaxed);
                return Ok(Some(Source::Memory));
            }
            State::Blind { checked } if checked.elapsed() < check_after => {
                return Ok(Some(Source::Database));
            }
            State::New | State::Following(_) | State::Blind { .. } => {}
        }
        if let Some(why) = incomplete(&self.db).await? {
            return Ok(Some(self.go_blind(why)));
        }
        if let State::Following(following) = &mut self.state {
            following.checked = Instant::now();
            return Box::pin(self.read()).await;
        }
        self.start().await
    }

    /// Finds the end of the log. What is remembered from before is forgotten afterwards: a lookup that began before may have
    /// missed what the log already had.
    async fn start(&mut self) -> Result<Option<Source>> {
        let mut on = self.db.causal().await?;
        let on_galera = on.as_ref().is_some_and(Tx::on_galera);
        let close_after = match self.settings.close_after {
            Some(given) => given,
            None if on_galera => CLOSE_AFTER_ON_GALERA,
            None => CLOSE_AFTER,
        };
        let Some(place) = Place::find(exec(on.as_mut(), &self.db), close_after).await? else {
            return Ok(None);
        };
        self.forget();
        self.state = State::Following(Box::new(Following {
            on,
            place,
            checked: Instant::now(),
        }));
        self.counts.starts.fetch_add(1, Relaxed);
        let again = self.complaint.take().is_some();
        if again || self.good.is_none() {
            tracing::info!(
                "validations are answered from memory until the change log tells of a change"
            );
        }
        Ok(Some(Source::Memory))
    }

    fn go_blind(&mut self, why: String) -> Source {
        self.forget();
        self.good = None;
        self.state = State::Blind {
            checked: Instant::now(),
        };
        if self.complaint.as_ref() != Some(&why) {
            tracing::warn!(
                why,
                "every validation asks the database: run `keystone-manage db_sync`, or let an administrator of the \
                 database run what `keystone-manage db_sync --print-triggers` prints"
            );
            self.complaint = Some(why);
        }
        Source::Database
    }

    fn forget(&mut self) {
        self.state = State::New;
        self.tags.forget_everything();
    }

    /// Closes gaps and deletes old rows, in the background.
    fn look_after_the_log(&mut self) {
        let State::Following(following) = &mut self.state else {
            return;
        };
        let place = &mut following.place;
        let due = place.due();
        if !due.is_empty() {
            let (db, counts) = (self.db.clone(), Arc::clone(&self.counts));
            tokio::spawn(async move {
                match close(&db, &due).await {
                    Ok(closed) => _ = counts.closed.fetch_add(closed, Relaxed),
                    Err(error) => tracing::debug!(%error, "gaps in the change log stay for now"),
                }
            });
        }
        if let Some(below) = place.prunable(self.settings.keep) {
            let db = self.db.clone();
            tokio::spawn(async move {
                if let Err(error) = prune(&db, below).await {
                    tracing::debug!(%error, "old rows of the change log stay for now");
                }
            });
        }
    }
}

fn exec<'a>(on: Option<&'a mut Tx>, db: &'a Db) -> Exec<'a> {
    match on {
        Some(tx) => tx.into(),
        None => db.into(),
    }
}
