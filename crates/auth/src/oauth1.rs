//! `OAuth1`: a user delegates roles on a project to a consumer.

use keystone_storage::sql;
use keystone_types::{Error, Result};

use crate::auth::Auth;

/// An access token.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct AccessToken {
    pub(crate) id: String,
    pub(crate) consumer_id: String,
}

impl Auth {
    /// One access token.
    pub(crate) async fn access_token(&self, id: &str) -> Result<AccessToken> {
        let found = sql("SELECT id, consumer_id FROM access_token WHERE id = ?");
        let found = found.bind(id).fetch_optional(&self.db).await?;
        found.ok_or_else(|| Error::Missing("Access token not found".to_owned()))
    }
}
