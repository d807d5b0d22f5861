//! Trusts: a trustor delegates roles on a project to a trustee.

use keystone_storage::sql;
use keystone_types::{Error, Result};

use crate::auth::Auth;

/// A trust that was not deleted.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Trust {
    pub(crate) id: String,
    pub(crate) trustor_user_id: String,
    pub(crate) trustee_user_id: String,
    pub(crate) impersonation: bool,
}

impl Auth {
    /// One trust.
    pub(crate) async fn trust(&self, id: &str) -> Result<Trust> {
        let found = sql(
            "SELECT id, trustor_user_id, trustee_user_id, impersonation \
               FROM trust WHERE id = ? AND deleted_at IS NULL",
        );
        let found = found.bind(id).fetch_optional(&self.db).await?;
        found.ok_or_else(|| Error::NotFound {
            kind: "trust",
            id: id.to_owned(),
        })
    }
}
