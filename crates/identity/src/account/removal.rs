//! Deleting users, and ending their tokens.

use keystone_types::Result;

use crate::{Identity, RevocationEvent, revoke};

impl Identity {
    /// Ends every token of a user.
    pub async fn revoke_tokens(&self, id: &str) -> Result<()> {
        self.user_row(id).await?;
        let mut tx = self.db.begin().await?;
        let event = RevocationEvent::user(id);
        revoke(&mut tx, &self.settings, event, self.clock.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Deletes a user and all that refers to it.
    pub async fn delete_user(&self, id: &str) -> Result<()> {
        self.user_row(id).await?;
        let mut tx = self.db.begin().await?;
        self.remove_users(&mut tx, &[id.to_owned()]).await?;
        Ok(tx.commit().await?)
    }
}
