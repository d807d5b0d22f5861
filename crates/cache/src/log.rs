//! The place in the change log up to which it has been applied.
//!
//! Ids are not given out in the order of commits: each id below the newest one that is not there is a gap, and every read
//! looks at the gaps again, so that a change that is committed late is applied when it appears. A gap is closed only by a
//! row: see [`close`].

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use keystone_storage::schema::changes::{Kind, MOST_GAPS};
use keystone_storage::{Db, Dialect, Exec, Query, Result, Tx, sql};

use crate::tags::Tags;

macro_rules! rows_where {
    ($condition:literal) => {
        concat!(
            "SELECT id, kind, ref, CAST(at AS CHAR) FROM keystone_change WHERE ",
            $condition,
            " ORDER BY id"
        )
    };
}

/// How many gaps a read looks for by their ids. With more of them, it reads all from the first.
const SLOTS: usize = 16;

/// How long to wait before a gap that stayed open is closed again.
const CLOSE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How many ids before the first row of a log that was emptied may belong to open transactions.
const UNSETTLED: i64 = 1000;

/// In how many steps the age of rows is told.
const MARKS: u32 = 10;

/// How many rows are deleted at a time.
const PRUNED_AT_ONCE: i64 = 1000;

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    id: i64,
    kind: i64,
    of: String,
    at: String,
}

impl From<(i64, i64, String, String)> for Row {
    fn from((id, kind, of, at): (i64, i64, String, String)) -> Self {
        Self { id, kind, of, at }
    }
}

/// How far the log has been applied.
#[derive(Debug)]
pub(crate) struct Place {
    /// The newest row. It is read again each time: if it is not there as it was, this is not the log that was followed.
    last: Row,
    /// The ids below it that were not there, each with the time when it is to be closed. None on `SQLite`, where ids are in
    /// the order of commits.
    gaps: BTreeMap<i64, Instant>,
    tracks_gaps: bool,
    close_after: Duration,
    /// What was the newest row when, to tell the age of rows.
    marks: VecDeque<(Instant, i64)>,
}

/// What a read found.
#[derive(Debug)]
pub(crate) enum Advance {
    /// This many changes, so many of them late.
    Applied { changes: usize, late: usize },
    /// Another log than the one that was followed.
    Lost,
}

impl Place {
    /// Finds the end of the log, and each gap in it; none if somebody empties it meanwhile.
    pub(crate) async fn find(mut exec: Exec<'_>, close_after: Duration) -> Result<Option<Self>> {
        let tracks_gaps = exec.dialect() == Dialect::MySql;
        let mut ids = ids(exec.reborrow()).await?;
        let was_empty = ids.is_empty();
        if was_empty {
            // There has to be a row to hold on to.
            let first = sql("INSERT INTO keystone_change (kind) VALUES (0)");
            first.execute(exec.reborrow()).await?;
            ids = self::ids(exec.reborrow()).await?;
        }
        let newest = ids.last().copied().unwrap_or_default();
        let rows = rows_from(newest, exec).await?;
        let mut rows = rows.into_iter();
        let Some(last) = rows.next() else {
            return Ok(None);
        };
        let mut place = Self {
            last,
            gaps: BTreeMap::new(),
            tracks_gaps,
            close_after,
            marks: VecDeque::new(),
        };
        // Below the first row of a log that was pruned nothing can appear any more. In one that was emptied an open transaction
        // may have the ids before it.
        let first = ids.first().copied().unwrap_or_default();
        if was_empty || first <= UNSETTLED {
            place.add_gaps((first - UNSETTLED).max(0), first);
        }
        for pair in ids.windows(2) {
            place.add_gaps(pair[0], pair[1]);
        }
        for row in rows {
            place.step_to(row);
        }
        Ok(Some(place))
    }

    /// Reads what is new, and applies it.
    pub(crate) async fn advance(&mut self, exec: Exec<'_>, tags: &Tags) -> Result<Advance> {
        let rows = match self.gaps.len() {
            0 => rows_from(self.last.id, exec).await?,
            1..=SLOTS => {
                let query = sql(rows_where!(
                    "id >= ? OR id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                ));
                let mut gaps = self.gaps.keys().copied();
                let slots = (0..SLOTS).map(|_| gaps.next().unwrap_or_default());
                let query = slots.fold(query.bind(self.last.id), Query::bind);
                let rows: Vec<(i64, i64, String, String)> = query.fetch_all(exec).await?;
                rows.into_iter().map(Row::from).collect()
            }
            _ => {
                let first = self.gaps.keys().next().copied();
                rows_from(first.unwrap_or(self.last.id), exec).await?
            }
        };
        let (mut anchored, mut changes, mut late) = (false, 0, 0);
        for row in rows {
            if row.id - self.last.id > MOST_GAPS {
                return Ok(Advance::Lost);
            }
            if row.id > self.last.id {
                tags.apply(Kind::of(row.kind), &row.of);
                self.step_to(row);
                changes += 1;
            } else if row.id == self.last.id {
                if row != self.last {
                    return Ok(Advance::Lost);
                }
                anchored = true;
            } else if self.gaps.remove(&row.id).is_some() {
                tags.apply(Kind::of(row.kind), &row.of);
                changes += 1;
                late += usize::from(row.kind != Kind::Nothing as i64);
            }
        }
        // Without its newest row the log was emptied, restored, or pruned while nobody followed it here.
        Ok(if anchored {
            Advance::Applied { changes, late }
        } else {
            Advance::Lost
        })
    }

    fn step_to(&mut self, row: Row) {
        self.add_gaps(self.last.id, row.id);
        self.last = row;
    }

    fn add_gaps(&mut self, before: i64, after: i64) {
        if self.tracks_gaps && after - before > 1 {
            let due = Instant::now() + self.close_after;
            self.gaps.extend((before + 1..after).map(|id| (id, due)));
        }
    }

    /// How many gaps there are.
    pub(crate) fn gaps(&self) -> usize {
        self.gaps.len()
    }

    /// The gaps to close now.
    pub(crate) fn due(&mut self) -> Vec<i64> {
        let now = Instant::now();
        let due = self.gaps.iter_mut().filter(|(_, due)| **due <= now);
        due.map(|(id, due)| {
            *due = now + CLOSE_AGAIN_AFTER;
            *id
        })
        .collect()
    }

    /// The id below which rows are old enough to be deleted, at most once in a while.
    ///
    /// The row before the first gap stays, by which a reader finds that gap at its start: nothing can appear late below it.
    pub(crate) fn prunable(&mut self, keep: Duration) -> Option<i64> {
        let now = Instant::now();
        let step = keep / MARKS;
        let latest = self.marks.back();
        if latest.is_some_and(|(at, _)| now.duration_since(*at) < step) {
            return None;
        }
        self.marks.push_back((now, self.last.id));
        let mut below = None;
        while let Some((at, id)) = self.marks.front().copied()
            && now.duration_since(at) >= keep
        {
            below = Some(id);
            self.marks.pop_front();
        }
        let first_gap = self.gaps.keys().next().copied();
        below.map(|below| first_gap.map_or(below, |gap| below.min(gap - 1)))
    }
}

async fn ids(exec: Exec<'_>) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = sql("SELECT id FROM keystone_change ORDER BY id")
        .fetch_all(exec)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

async fn rows_from(id: i64, exec: Exec<'_>) -> Result<Vec<Row>> {
    let query = sql(rows_where!("id >= ?")).bind(id);
    let rows: Vec<(i64, i64, String, String)> = query.fetch_all(exec).await?;
    Ok(rows.into_iter().map(Row::from).collect())
}

/// Closes gaps by writing a row that tells nothing into each, and returns how many it closed.
///
/// An id whose transaction was rolled back is free. The row of an open transaction is locked: the statement fails at once,
/// and the gap stays, so that the change is applied when it is committed, however late. On Galera an open transaction of
/// another node loses against the row and is run again, like any that loses.
pub(crate) async fn close(db: &Db, gaps: &[i64]) -> Result<u64> {
    let Some(mut tx) = db.causal().await? else {
        return Ok(0);
    };
    at_once(&mut tx).await?;
    let mut closed = 0;
    for id in gaps {
        let fill = sql("INSERT INTO keystone_change (id, kind) VALUES (?, 0)").bind(*id);
        match fill.execute(&mut tx).await {
            Ok(rows) => closed += rows,
            Err(error) if error.is_retriable() || error.is_duplicate() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(closed)
}

/// Lets a statement fail that would have to wait for a lock.
async fn at_once(tx: &mut Tx) -> Result<()> {
    let set = sql("SET SESSION innodb_lock_wait_timeout = 0");
    set.execute(tx).await.map(drop)
}

/// Deletes rows below an id, some at a time.
pub(crate) async fn prune(db: &Db, below: i64) -> Result<()> {
    loop {
        let first: Option<(i64,)> = sql("SELECT id FROM keystone_change ORDER BY id LIMIT 1")
            .fetch_optional(db)
            .await?;
        let Some((first,)) = first.filter(|(first,)| *first < below) else {
            return Ok(());
        };
        let end = below.min(first + PRUNED_AT_ONCE);
        let delete = sql("DELETE FROM keystone_change WHERE id < ?").bind(end);
        delete.execute(db).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_before_the_first_gap_is_never_deleted() {
        let row = |id| Row {
            id,
            kind: 0,
            of: String::new(),
            at: String::new(),
        };
        let mut place = Place {
            last: row(4),
            gaps: BTreeMap::new(),
            tracks_gaps: true,
            close_after: Duration::ZERO,
            marks: VecDeque::new(),
        };
        assert_eq!(place.prunable(Duration::ZERO), Some(4));
        place.step_to(row(6));
        place.step_to(row(9));
        // A reader that starts finds 5, which is open, because 4 is there.
        assert_eq!(place.prunable(Duration::ZERO), Some(4));
    }
}
