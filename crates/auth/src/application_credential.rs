//! Application credentials: a user delegates roles on a project to a program.

use keystone_storage::sql;
use keystone_types::{Error, Result};

use crate::auth::Auth;

/// An application credential.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct ApplicationCredential {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) unrestricted: bool,
}

impl Auth {
    /// One application credential.
    pub(crate) async fn application_credential(&self, id: &str) -> Result<ApplicationCredential> {
        let found = sql(
            "SELECT id, name, COALESCE(unrestricted, 0) AS unrestricted \
               FROM application_credential WHERE id = ?",
        );
        let found = found.bind(id).fetch_optional(&self.db).await?;
        found.ok_or_else(|| Error::NotFound {
            kind: "Application Credential",
            id: id.to_owned(),
        })
    }
}
