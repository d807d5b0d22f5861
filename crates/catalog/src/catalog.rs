//! The catalog of one deployment, and what can be set about it.

use keystone_storage::{Db, sql};
use keystone_types::Result;

/// Regions, services, endpoints, and what is associated with them; clones share the database.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub(crate) db: Db,
    pub(crate) settings: Settings,
}

/// What `keystone.conf` says about the catalog.
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

    /// Deletes the endpoint filters of a project that is no more.
    pub async fn forget_project(&self, project_id: &str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        sql("DELETE FROM project_endpoint WHERE project_id = ?")
            .bind(project_id)
            .execute(&mut tx)
            .await?;
        sql("DELETE FROM project_endpoint_group WHERE project_id = ?")
            .bind(project_id)
            .execute(&mut tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
