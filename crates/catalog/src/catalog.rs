//! The catalog of one deployment, and what can be set about it.

use keystone_storage::{Db, Tx, sql};
use keystone_types::Result;

/// Regions, services, endpoints, and what is associated with them; clones share the database.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub(crate) db: Db,
    pub(crate) settings: Settings,
}

/// The catalog's options in `keystone.conf`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[endpoint_filter] return_all_endpoints_if_no_filter`.
    pub return_all_endpoints_if_no_filter: bool,
    /// `[DEFAULT] public_endpoint`, which a URL template may name.
    pub public_endpoint: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            return_all_endpoints_if_no_filter: true,
            public_endpoint: None,
        }
    }
}

impl Catalog {
    /// The catalog that is stored in `db`.
    pub fn new(db: Db, settings: Settings) -> Self {
        Self { db, settings }
    }
}

/// Locks a row until the transaction ends; returns its id, which a request may have spelt differently.
pub(crate) async fn lock_id(text: &'static str, id: &str, tx: &mut Tx) -> Result<Option<String>> {
    let row: Option<(String,)> = sql(text).bind(id).locking().fetch_optional(tx).await?;
    Ok(row.map(|(id,)| id))
}
