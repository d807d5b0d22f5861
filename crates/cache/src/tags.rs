//! What has changed so far, and whether an answer still holds by that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keystone_storage::schema::changes::Kind;

/// Something that an answer depends on: a kind, and the id of one of it.
pub type Dependency = (Kind, String);

/// How long an answer holds at most: the bound for changes that fire no trigger.
const LONGEST: Duration = Duration::from_mins(1);

/// How many tags there may be before those are dropped that nothing depends on.
const SWEEP_AT: usize = 1 << 16;

/// How much had been applied at a moment. Taken before the first statement of a lookup, it tells which changes the lookup
/// has seen for sure.
#[derive(Clone, Copy, Debug)]
pub struct AsOf {
    epoch: u64,
    applied: u64,
    at: Instant,
}

/// When something changed last, counted in changes applied.
#[derive(Debug, Default)]
struct Tag(AtomicU64);

/// The dependencies of an answer.
#[derive(Debug)]
pub(crate) struct Basis {
    as_of: AsOf,
    tags: Box<[Arc<Tag>]>,
}

/// The changes applied so far, for all caches that follow them.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    /// Goes up when everything is forgotten.
    epoch: AtomicU64,
    applied: AtomicU64,
    /// How many changes of each kind there were, by the number of the kind.
    kinds: [AtomicU64; 12],
    /// Whether the database is away and answers are kept as they were.
    frozen: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    tags: HashMap<Dependency, Arc<Tag>>,
    /// Tags have been dropped since: a lookup that began before may depend on one of them.
    since: u64,
    sweep_at: usize,
}

impl Tags {
    pub(crate) fn now(&self) -> AsOf {
        AsOf {
            epoch: self.epoch.load(SeqCst),
            applied: self.applied.load(SeqCst),
            at: Instant::now(),
        }
    }

    /// The basis of an answer; none if something that it depends on has changed already.
    pub(crate) fn basis(
        &self,
        as_of: AsOf,
        on: impl IntoIterator<Item = Dependency>,
    ) -> Option<Basis> {
        let mut known = self.known();
        if as_of.applied < known.since {
            return None;
        }
        let tags = on
            .into_iter()
            .map(|(kind, id)| Arc::clone(known.tags.entry((kind, folded(&id))).or_default()))
            .collect();
        drop(known);
        let basis = Basis { as_of, tags };
        self.holds(&basis).then_some(basis)
    }

    /// Whether nothing has changed that an answer depends on.
    pub(crate) fn holds(&self, basis: &Basis) -> bool {
        let Basis { as_of, tags } = basis;
        as_of.epoch == self.epoch.load(SeqCst)
            && (as_of.at.elapsed() < LONGEST || self.frozen.load(SeqCst))
            && tags.iter().all(|tag| tag.0.load(SeqCst) <= as_of.applied)
    }

    /// Applies a change. It is noted even if nothing depends on it yet: a lookup under way may.
    pub(crate) fn apply(&self, kind: Kind, id: &str) {
        self.kinds[kind as usize].fetch_add(1, SeqCst);
        match kind {
            Kind::Nothing => {}
            Kind::Everything => self.forget_everything(),
            // A trigger that found no id, or an id whose comparison is the database's own matter.
            _ if (id.is_empty() && kind != Kind::Catalog) || !id.is_ascii() => {
                self.forget_everything();
            }
            _ => {
                let mut known = self.known();
                let now = self.applied.fetch_add(1, SeqCst) + 1;
                let tag = known.tags.entry((kind, folded(id))).or_default();
                tag.0.store(now, SeqCst);
                if known.tags.len() >= known.sweep_at.max(SWEEP_AT) {
                    known.tags.retain(|_, tag| Arc::strong_count(tag) > 1);
                    known.since = now;
                    // Twice what is left, so that sweeping costs little for each change.
                    known.sweep_at = known.tags.len() * 2;
                }
            }
        }
    }

    /// How many changes of a kind were applied.
    pub(crate) fn of_kind(&self, kind: Kind) -> u64 {
        self.kinds[kind as usize].load(SeqCst)
    }

    pub(crate) fn forget_everything(&self) {
        let mut known = self.known();
        self.epoch.fetch_add(1, SeqCst);
        known.tags.clear();
        known.sweep_at = 0;
        self.frozen.store(false, SeqCst);
    }

    /// Keeps all answers as they are, without their age limit, until everything is forgotten.
    pub(crate) fn freeze(&self) {
        self.frozen.store(true, SeqCst);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids compare as the columns do: without case and without spaces at the end.
fn folded(id: &str) -> String {
    id.trim_end_matches(' ').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> Dependency {
        (Kind::User, id.to_owned())
    }

    #[test]
    fn a_change_during_a_lookup_voids_its_answer() {
        let tags = Tags::default();
        let before = tags.now();
        assert!(tags.basis(before, [user("a")]).is_some());
        tags.apply(Kind::User, "a");
        assert!(tags.basis(before, [user("a")]).is_none());
        assert!(tags.basis(before, [user("b")]).is_some());
        assert!(tags.basis(tags.now(), [user("a")]).is_some());
    }

    #[test]
    fn ids_compare_as_the_columns_do() {
        let tags = Tags::default();
        let basis = tags.basis(tags.now(), [user("Ab")]).unwrap();
        tags.apply(Kind::Project, "aB");
        assert!(tags.holds(&basis), "another kind");
        tags.apply(Kind::User, "aB  ");
        assert!(!tags.holds(&basis));
    }

    #[test]
    fn what_is_not_understood_voids_everything() {
        for (kind, id) in [
            (Kind::Everything, ""),
            (Kind::User, ""),
            (Kind::User, "\u{e4}"),
            (Kind::of(77), "x"),
        ] {
            let tags = Tags::default();
            let basis = tags.basis(tags.now(), [user("a")]).unwrap();
            tags.apply(kind, id);
            assert!(!tags.holds(&basis), "{kind:?} {id:?}");
        }
        let tags = Tags::default();
        let basis = tags.basis(tags.now(), [user("a")]).unwrap();
        tags.apply(Kind::Nothing, "");
        tags.apply(Kind::Catalog, "");
        assert!(tags.holds(&basis));
    }

    #[test]
    fn tags_that_nothing_depends_on_are_dropped_and_no_lookup_under_way_is_misled() {
        let tags = Tags::default();
        let early = tags.now();
        let kept = tags.basis(early, [user("kept")]).unwrap();
        for n in 0..SWEEP_AT * 2 {
            tags.apply(Kind::User, &format!("u{n}"));
        }
        assert!(tags.known().tags.len() <= SWEEP_AT);
        assert!(tags.holds(&kept));
        assert!(
            tags.basis(early, [user("u1")]).is_none(),
            "its tag is gone, and with it the change"
        );
        tags.apply(Kind::User, "kept");
        assert!(!tags.holds(&kept), "its tag is still the one that changes");
    }

    #[test]
    fn forgetting_voids_lookups_under_way() {
        let tags = Tags::default();
        let before = tags.now();
        tags.forget_everything();
        assert!(tags.basis(before, []).is_none());
        assert!(tags.basis(tags.now(), []).is_some());
    }
}
