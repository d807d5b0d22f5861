//! The state of a server in numbers, for Prometheus.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keystone_api::Exposition;
use keystone_auth::TokenKeys;
use keystone_cache::{Answering, CacheState, Kind};
use keystone_notify::Counts;
use keystone_token::KeyState;

use crate::Keystone;

/// The kinds of changes by name. Rows that tell nothing are no changes.
const KINDS: [(Kind, &str); 10] = [
    (Kind::Everything, "everything"),
    (Kind::User, "user"),
    (Kind::Group, "group"),
    (Kind::Project, "project"),
    (Kind::Catalog, "catalog"),
    (Kind::Audit, "token"),
    (Kind::Chain, "token_chain"),
    (Kind::Trust, "trust"),
    (Kind::ApplicationCredential, "application_credential"),
    (Kind::AccessToken, "access_token"),
];

/// What is written of each cache: the name, the kind and the help of the family, and the number.
type OfCache = (
    &'static str,
    &'static str,
    &'static str,
    fn(&CacheState) -> u64,
);

const OF_CACHES: [OfCache; 7] = [
    (
        "keystone_cache_entries",
        "gauge",
        "Answers remembered.",
        |it| it.entries as u64,
    ),
    (
        "keystone_cache_size_bytes",
        "gauge",
        "About how much memory they take.",
        |it| it.bytes,
    ),
    (
        "keystone_cache_capacity_bytes",
        "gauge",
        "The most that they may take.",
        |it| it.capacity,
    ),
    ("keystone_cache_hits", "counter", "Answers found.", |it| {
        it.hits
    }),
    (
        "keystone_cache_misses",
        "counter",
        "Answers not found, or no longer true.",
        |it| it.misses,
    ),
    (
        "keystone_cache_outdated",
        "counter",
        "Answers found that were no longer true.",
        |it| it.outdated,
    ),
    (
        "keystone_cache_evictions",
        "counter",
        "Answers that made room for others.",
        |it| it.evicted,
    ),
];

impl Keystone {
    /// Writes the state of this server: atomics and locks of a moment, no statement. What the services count begins anew at
    /// each [`Keystone::reload`], as it does at a restart.
    ///
    /// Who adds a family, adds it here, or writes it to the same text afterwards.
    pub fn write_metrics(&self, to: &mut Exposition) {
        to.family(
            "keystone_build",
            "info",
            "This release, and that of Keystone which it is compatible with.",
        );
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("keystone", "30.0.0"),
        ];
        to.sample("keystone_build_info", &build, 1);
        self.live.requests().write(to);
        self.write_logins(to);
        self.write_hashing(to);
        self.write_database(to);
        self.write_caches(to);
        self.write_changes(to);
        self.write_keys(to);
        self.write_notifications(to);
        let kept = self.background.revocations.load(Relaxed);
        to.gauge(
            "keystone_revocation_events",
            "Revocation events in the database, as of the last ten minutes.",
            kept,
        );
    }

    /// The keys in use, by what they are for: nothing secret of them, or why there are none.
    pub fn keys(&self) -> [(&'static str, keystone_token::Result<KeyState>); 3] {
        let tokens = match &self.keys.tokens {
            TokenKeys::Fernet(keys) => keys.state(),
            TokenKeys::Jws(keys) => keys.state(),
        };
        [
            ("tokens", tokens),
            ("receipts", self.keys.receipts.state()),
            ("credentials", self.keys.credentials.state()),
        ]
    }

    fn write_logins(&self, to: &mut Exposition) {
        let help = "Logins, of several methods once for each: success, receipt (more methods are wanted), refused, failed.";
        to.family("keystone_logins", "counter", help);
        for (method, outcome, count) in self.auth().outcomes() {
            let labels = [("method", method), ("outcome", outcome.name())];
            to.sample("keystone_logins_total", &labels, count);
        }
    }

    /// Nothing without a notifier.
    fn write_notifications(&self, to: &mut Exposition) {
        let Some(notifier) = self.notifier() else {
            return;
        };
        let counts = notifier.counts();
        let mut write = |name, kind, help, value: fn(&Counts) -> u64| {
            to.family(name, kind, help);
            let sample = match kind {
                "counter" => format!("{name}_total"),
                _ => name.to_owned(),
            };
            for it in &counts {
                to.sample(&sample, &[("sink", &*it.sink)], value(it));
            }
        };
        write(
            "keystone_notifications_failing",
            "gauge",
            "Whether the last attempt to send notifications failed: 1 or 0.",
            |it| it.last_error.is_some().into(),
        );
        write(
            "keystone_notifications_waiting",
            "gauge",
            "Notifications that have not been sent yet.",
            |it| it.waiting as u64,
        );
        write(
            "keystone_notifications_sent",
            "counter",
            "Notifications that were sent.",
            |it| it.sent,
        );
        write(
            "keystone_notifications_dropped",
            "counter",
            "Notifications that were lost: the oldest of a full queue, and what was refused or not tried again.",
            |it| it.dropped,
        );
    }

    fn write_hashing(&self, to: &mut Exposition) {
        let state = self.identity().hasher().state();
        to.gauge(
            "keystone_hashing_threads",
            "The most hashes of secrets at a time.",
            state.threads,
        );
        to.gauge(
            "keystone_hashing_running",
            "Hashes that run.",
            state.running,
        );
        to.gauge(
            "keystone_hashing_capacity",
            "The most requests that may wait for a hash.",
            state.capacity,
        );
        to.gauge(
            "keystone_hashing_waiting",
            "Requests that wait for a hash.",
            state.waiting,
        );
        to.counter("keystone_hashing_begun", "Hashes begun.", state.begun);
        to.counter(
            "keystone_hashing_rejected",
            "Requests refused with 503 because too many waited.",
            state.rejected,
        );
    }

    fn write_database(&self, to: &mut Exposition) {
        let pool = self.db.pool();
        to.gauge(
            "keystone_database_connections_limit",
            "The most connections of the pool.",
            pool.size,
        );
        to.gauge(
            "keystone_database_connections_in_use",
            "Connections in use.",
            pool.in_use,
        );
        to.gauge(
            "keystone_database_connections_idle",
            "Connections that wait for use.",
            pool.idle,
        );
        to.counter(
            "keystone_database_connections_opened",
            "Connections made.",
            pool.opened,
        );
        to.counter(
            "keystone_database_waits",
            "Requests that had to wait for a connection.",
            pool.waited,
        );
        to.counter(
            "keystone_database_timeouts",
            "Requests that waited for a connection in vain.",
            pool.gave_up,
        );
    }

    fn write_caches(&self, to: &mut Exposition) {
        let caches = self.auth().caches();
        for (name, kind, help, number) in OF_CACHES {
            to.family(name, kind, help);
            let suffix = if kind == "counter" { "_total" } else { "" };
            for (cache, state) in &caches {
                to.sample(
                    &format!("{name}{suffix}"),
                    &[("cache", cache)],
                    number(state),
                );
            }
        }
    }

    fn write_changes(&self, to: &mut Exposition) {
        let answering = self.changes.answering();
        let help = "What validations are answered from: memory, the database (there are no triggers), memory as it was before \
                    the database went away (stale), or nothing yet.";
        let name = "keystone_answers_from";
        to.family(name, "stateset", help);
        for (source, is) in [
            ("nothing", answering == Answering::Nothing),
            ("memory", answering == Answering::Memory),
            ("database", answering == Answering::Database),
            ("stale", matches!(answering, Answering::Stale(_))),
        ] {
            to.sample(name, &[(name, source)], u8::from(is));
        }
        let lag = match answering {
            Answering::Stale(since) => since.elapsed(),
            Answering::Nothing | Answering::Memory | Answering::Database => Duration::ZERO,
        };
        let help = "How old the answers are: 0 unless the database is away and [cache] stale_for lets them go on.";
        to.gauge("keystone_answers_lag_seconds", help, lag.as_secs_f64());

        let counts = self.changes.counts();
        let of = |count: &AtomicU64| count.load(Relaxed);
        let name = "keystone_change_log_read_seconds";
        to.family(
            name,
            "summary",
            "Reads of the change log, which validations wait for, several of them for one.",
        );
        to.sample(&format!("{name}_count"), &[], of(&counts.reads));
        let took = Duration::from_micros(of(&counts.read_micros));
        to.sample(&format!("{name}_sum"), &[], took.as_secs_f64());
        to.counter(
            "keystone_change_log_questions",
            "Requests that had to know what has changed.",
            of(&counts.passes),
        );
        to.counter(
            "keystone_change_log_starts",
            "Times that everything remembered was forgotten.",
            of(&counts.starts),
        );
        to.family(
            "keystone_changes",
            "counter",
            "Changes seen in the database, by whichever node.",
        );
        for (kind, name) in KINDS {
            to.sample(
                "keystone_changes_total",
                &[("kind", name)],
                self.changes.of_kind(kind),
            );
        }
    }

    fn write_keys(&self, to: &mut Exposition) {
        let states = self.keys();
        let states = states
            .iter()
            .filter_map(|(name, state)| Some((*name, state.as_ref().ok()?)));
        let states: Vec<_> = states.collect();
        let help = "The keys in use. Nodes with the same keys have the same code, which tells nothing else of them.";
        to.family("keystone_key_set", "info", help);
        for (name, state) in &states {
            let labels = [("keys", *name), ("code", state.code.as_str())];
            to.sample("keystone_key_set_info", &labels, 1);
        }
        to.family("keystone_key_set_size", "gauge", "How many keys there are.");
        for (name, state) in &states {
            to.sample("keystone_key_set_size", &[("keys", name)], state.keys);
        }
        to.family(
            "keystone_key_set_primary",
            "gauge",
            "The number of the key that seals.",
        );
        for (name, state) in &states {
            if let Some(primary) = state.primary {
                to.sample("keystone_key_set_primary", &[("keys", name)], primary);
            }
        }
        let name = "keystone_key_set_written_timestamp_seconds";
        to.family(
            name,
            "gauge",
            "When the newest key was written, as at the last rotation.",
        );
        for (keys, state) in &states {
            if let Some(written) = state.written {
                to.sample(name, &[("keys", keys)], seconds(written));
            }
        }
    }
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
