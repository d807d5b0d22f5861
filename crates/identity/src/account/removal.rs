//! Deleting users, and ending their tokens.

use keystone_storage::{Tx, sql};
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
        self.remove_user(&mut tx, id).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn remove_user(&self, tx: &mut Tx, id: &str) -> Result<()> {
        let now = self.clock.now();
        for statement in [
            "DELETE FROM user_group_membership WHERE user_id = ?",
            "DELETE FROM expiring_user_group_membership WHERE user_id = ?",
            "DELETE FROM assignment WHERE actor_id = ? AND type IN ('UserProject', 'UserDomain')",
            "DELETE FROM system_assignment WHERE actor_id = ? AND type = 'UserSystem'",
            "DELETE FROM credential WHERE user_id = ?",
            "DELETE FROM id_mapping WHERE public_id = ?",
            "DELETE FROM application_credential_access_rule WHERE application_credential_id IN \
                 (SELECT a.internal_id FROM application_credential a WHERE a.user_id = ?)",
            "DELETE FROM application_credential_role WHERE application_credential_id IN \
                 (SELECT a.internal_id FROM application_credential a WHERE a.user_id = ?)",
            "DELETE FROM application_credential WHERE user_id = ?",
            "DELETE FROM access_rule WHERE user_id = ?",
            "DELETE FROM user_option WHERE user_id = ?",
            "DELETE FROM federated_user WHERE user_id = ?",
            "DELETE FROM nonlocal_user WHERE user_id = ?",
            "DELETE FROM password WHERE local_user_id IN (SELECT l.id FROM local_user l WHERE l.user_id = ?)",
            "DELETE FROM local_user WHERE user_id = ?",
            "DELETE FROM user WHERE id = ?",
        ] {
            sql(statement).bind(id).execute(&mut *tx).await?;
        }
        sql("UPDATE trust SET deleted_at = ? WHERE (trustor_user_id = ? OR trustee_user_id = ?) AND deleted_at IS NULL")
            .bind(now)
            .bind(id)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        revoke(tx, &self.settings, RevocationEvent::user(id), now).await
    }
}
