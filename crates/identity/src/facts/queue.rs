//! The queue of callers that wait for facts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use keystone_types::{Error, Result};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::{Asked, Facts};
use crate::directory::users::UserWithGroups;
use crate::identity::Identity;

/// How many statements run at a time. With more of them, each would answer fewer callers.
const LANES: usize = 2;

/// How many callers a statement answers at most.
const BATCH: usize = 64;

/// Callers that wait; clones share them.
///
/// A lane is a task that takes everybody who waits, runs their statement, and ends when nobody waits any more. So a caller
/// that leaves takes no statement with it, and no task outlives the work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    callers: VecDeque<Caller>,
    lanes: usize,
}

#[derive(Debug)]
struct Caller {
    asked: Asked,
    directory_answers: DirectoryAnswers,
    answer: oneshot::Sender<Result<Arc<Facts>>>,
}

/// What directories said about users, and since when.
#[derive(Clone, Debug, Default)]
struct DirectoryAnswers(BTreeMap<String, (Instant, Option<UserWithGroups>)>);

impl DirectoryAnswers {
    /// Of two answers about one user the one to the later question counts for all.
    fn add(&mut self, other: Self) {
        for (id, (since, member)) in other.0 {
            let known = self.0.get(&id);
            if known.is_none_or(|(earlier, _)| *earlier < since) {
                self.0.insert(id, (since, member));
            }
        }
    }

    fn members(self) -> BTreeMap<String, Option<UserWithGroups>> {
        let answers = self.0.into_iter();
        answers.map(|(id, (_, member))| (id, member)).collect()
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a caller; tells whether it needs a lane of its own.
    fn add(&self, caller: Caller) -> Option<Lane> {
        let mut waiting = self.waiting();
        waiting.callers.push_back(caller);
        (waiting.lanes < LANES).then(|| {
            waiting.lanes += 1;
            Lane {
                queue: self.clone(),
                counts: true,
            }
        })
    }
}

/// A lane, which counts until it has ended.
struct Lane {
    queue: Queue,
    counts: bool,
}

impl Lane {
    /// Takes those who wait; `None` ends the lane.
    fn take(&mut self) -> Option<Vec<Caller>> {
        let mut waiting = self.queue.waiting();
        let count = waiting.callers.len().min(BATCH);
        if count == 0 {
            // Under the same lock, so that the next caller finds no lane that is about to end.
            waiting.lanes -= 1;
            self.counts = false;
            return None;
        }
        Some(waiting.callers.drain(..count).collect())
    }

    async fn run(mut self, identity: Identity) {
        loop {
            // Those come along who are ready, but wait for a thread.
            yield_now().await;
            let Some(callers) = self.take() else { return };
            if let Err(error) = identity.answer(callers).await {
                self.fail(&error);
            }
        }
    }

    /// Fails everybody who waits: a statement of their own would only take as long again.
    fn fail(&self, error: &Error) {
        let callers = std::mem::take(&mut self.queue.waiting().callers);
        for caller in callers {
            caller.answer.send(Err(error.clone())).ok();
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if !self.counts {
            return;
        }
        // It was cut off. Nobody may wait without a lane.
        let mut waiting = self.queue.waiting();
        waiting.lanes -= 1;
        if waiting.lanes == 0 {
            waiting.callers.clear();
        }
    }
}

impl Identity {
    /// The facts that are asked about, read after this call.
    pub async fn facts(&self, mut asked: Asked) -> Result<Arc<Facts>> {
        let directory_answers = self.ask_directories(&mut asked).await?;
        let (answer, answered) = oneshot::channel();
        let caller = Caller {
            asked,
            directory_answers,
            answer,
        };
        if let Some(lane) = self.facts.add(caller) {
            tokio::spawn(lane.run(self.clone()));
        }
        let gone = |_| Err(Error::internal("the task that reads facts has ended"));
        answered.await.unwrap_or_else(gone)
    }

    /// Asks directories about the users among the actors, and the database about their groups.
    async fn ask_directories(&self, asked: &mut Asked) -> Result<DirectoryAnswers> {
        let since = Instant::now();
        let ids: Vec<&str> = asked.actors.iter().map(String::as_str).collect();
        let found = self.directory_members(&ids).await?;
        for member in found.iter().filter_map(|(_, member)| member.as_ref()) {
            asked.actors.extend(member.groups.iter().cloned());
        }
        let answers = found.into_iter();
        Ok(DirectoryAnswers(
            answers.map(|(id, member)| (id, (since, member))).collect(),
        ))
    }

    /// Answers all of them by one statement; fails if the database can't be asked.
    async fn answer(&self, mut callers: Vec<Caller>) -> Result<()> {
        callers.retain(|caller| !caller.answer.is_closed());
        if callers.is_empty() {
            return Ok(());
        }
        let (mut all, mut directory_answers) = (Asked::default(), DirectoryAnswers::default());
        for caller in &callers {
            all.add(caller.asked.clone());
            directory_answers.add(caller.directory_answers.clone());
        }
        let facts = self.facts_with(&all, directory_answers).await;
        let several = callers.len() > 1;
        let failure = facts.as_ref().err().cloned();
        let is_away = failure.as_ref().is_some_and(|error| error.status() == 503);
        for caller in callers {
            let facts = if failure.is_some() && !is_away && several {
                // A row that can't be read fails those who need it, and nobody else.
                self.facts_with(&caller.asked, caller.directory_answers)
                    .await
            } else {
                facts.clone()
            };
            caller.answer.send(facts).ok();
        }
        failure.filter(|_| is_away).map_or(Ok(()), Err)
    }

    async fn facts_with(
        &self,
        asked: &Asked,
        directory_answers: DirectoryAnswers,
    ) -> Result<Arc<Facts>> {
        let mut facts = self.read_facts(asked).await?;
        facts.add_directory_users(directory_answers.members());
        Ok(Arc::new(facts))
    }
}
