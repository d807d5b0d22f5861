//! Where the time comes from.

use std::sync::Arc;

use chrono::{NaiveDateTime, SubsecRound, Utc};

/// The source of the current time, passed in so that tests own it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> NaiveDateTime + Send + Sync>);

impl Clock {
    /// The machine's clock, in UTC.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub fn system() -> Self {
        Self(Arc::new(|| Utc::now().naive_utc()))
    }

    /// A clock that tells what `now` returns.
    pub fn from_fn(now: impl Fn() -> NaiveDateTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The current time with microseconds.
    pub fn precise(&self) -> NaiveDateTime {
        (self.0)().trunc_subsecs(6)
    }

    /// The current time in whole seconds: what a `DATETIME` column keeps.
    pub fn now(&self) -> NaiveDateTime {
        (self.0)().trunc_subsecs(0)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.precise())
    }
}

/// Renders a time as the API does: `2026-01-31T12:00:00.000000Z`.
pub fn render_time(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Renders a time without its zone, as Keystone does where it leaves that to its JSON library.
pub fn render_zoneless_time(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}
