//! The identity service: what every resource of this crate is read from and written to.

use std::sync::Arc;

use keystone_storage::{Bulk, Cascade, Db, Query};
use keystone_types::{Clock, Error, Listing, Result};

use crate::directory::Directories;
use crate::facts::Queue;
use crate::password::{Algorithm, Hasher};
use crate::settings::Settings;

/// Domains, projects, users, groups, roles and assignments; clones share one database.
#[derive(Clone, Debug)]
pub struct Identity {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) settings: Arc<Settings>,
    pub(crate) hasher: Hasher,
    pub(crate) bulk: Bulk,
    pub(crate) cascades: Arc<[Cascade]>,
    pub(crate) facts: Queue,
    pub(crate) directories: Arc<Directories>,
}

impl Identity {
    /// Identity over a database whose schema is current. The `cascades` are those of all crates that refer to users, groups,
    /// projects or roles in tables of their own.
    pub fn new(
        db: Db,
        clock: Clock,
        settings: Settings,
        cascades: impl Into<Arc<[Cascade]>>,
    ) -> Result<Self> {
        // Python Keystone can read bcrypt, which is why it is the default.
        let algorithm = settings.password_algorithm.unwrap_or(Algorithm::Bcrypt);
        let hasher = Hasher::new(algorithm, &settings.passwords)?;
        Ok(Self {
            db,
            clock,
            directories: Arc::new(Directories::new(&settings.backends)),
            settings: settings.into(),
            hasher,
            bulk: Bulk::default(),
            cascades: cascades.into(),
            facts: Queue::default(),
        })
    }

    /// 404 for a page that starts behind a row which is not there; `row` reads the one of an id.
    pub(crate) async fn check_marker(&self, listing: &Listing, row: Query) -> Result<()> {
        let Some(marker) = &listing.marker else {
            return Ok(());
        };
        if listing.resumed || row.bind(marker).exists(&self.db).await? {
            return Ok(());
        }
        Err(Error::Missing(format!(
            "Marker {marker} could not be found."
        )))
    }

    /// The bounded pool of threads for work on many rows.
    pub fn bulk(&self) -> &Bulk {
        &self.bulk
    }

    /// The bounded pool of threads that hashes secrets.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Waits for the work on threads of its own, and refuses what comes later.
    pub async fn close(&self) {
        self.hasher.close().await;
        self.bulk.close().await;
    }

    /// The operator's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
