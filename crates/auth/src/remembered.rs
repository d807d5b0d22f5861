//! What is remembered of validations, and for how long.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime};
use keystone_cache::{Cache, Changes, Dependency, Kind};
use keystone_catalog::{Choice, Sources, Template};
use keystone_token::OpeningKeys;

use crate::token::AuthToken;

/// How much memory tokens may take, and a typical one.
const TOKENS: (usize, usize) = (48 << 20, 6 << 10);
/// The same of catalogs.
const CATALOGS: (usize, usize) = (16 << 20, 64 << 10);

/// The answers that validations share; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    pub(crate) tokens: Cache<KnownToken>,
    pub(crate) catalogs: Cache<Arc<KnownCatalog>>,
}

/// A token as it was looked up.
#[derive(Clone, Debug)]
pub(crate) struct KnownToken {
    pub(crate) token: Arc<AuthToken>,
    /// The keys that it was opened with.
    pub(crate) keys: OpeningKeys,
    /// The day on which it was looked up: users become inactive by the day.
    pub(crate) day: NaiveDate,
    /// When time alone changes what it was read from.
    pub(crate) until: Option<NaiveDateTime>,
}

/// What the catalog of some tokens is made from.
#[derive(Debug)]
pub(crate) struct KnownCatalog {
    pub(crate) sources: Arc<Sources>,
    pub(crate) choice: Choice,
    /// Absent where it has to be made for each token.
    pub(crate) template: Option<Template>,
}

impl Remembered {
    pub(crate) fn new(changes: &Changes) -> Self {
        Self {
            tokens: Cache::new(changes, TOKENS.0, TOKENS.1),
            catalogs: Cache::new(changes, CATALOGS.0, CATALOGS.1),
        }
    }
}

/// What a catalog depends on.
pub(crate) fn catalog_dependencies() -> [Dependency; 1] {
    [(Kind::Catalog, String::new())]
}
