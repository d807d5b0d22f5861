//! Deleting users, and ending their tokens.

use keystone_storage::transaction;
use keystone_types::Result;

use crate::user::locked;
use crate::{Identity, RevocationEvent, held, revoke};

impl Identity {
    /// Ends every token of a user.
    pub async fn revoke_tokens(&self, id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let event = RevocationEvent::user(&held::user(tx, id).await?);
            revoke(tx, event, self.clock.now()).await
        })
        .await
    }

    /// Deletes a user and all that refers to it.
    pub async fn delete_user(&self, id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let id = locked(tx, id).await?.id;
            self.remove_users(tx, &[id]).await
        })
        .await
    }
}
