//! What goes with projects, groups, users and roles when they go: the database ties only some of it to them.
//!
//! Each takes many at once, so that deleting a domain costs the same number of statements whatever it owns.

use keystone_storage::{Tx, sql};
use keystone_types::Result;

use crate::identity::Identity;

/// How many ids a statement names at most.
const BATCH: usize = 500;

const OF_PROJECTS: [&str; 12] = [
    "DELETE FROM assignment WHERE target_id IN (?)",
    "DELETE FROM credential WHERE project_id IN (?)",
    "DELETE FROM application_credential WHERE project_id IN (?)",
    "DELETE FROM access_token WHERE project_id IN (?)",
    "DELETE FROM request_token WHERE requested_project_id IN (?)",
    "DELETE FROM `limit` WHERE project_id IN (?)",
    "DELETE FROM project_endpoint WHERE project_id IN (?)",
    "DELETE FROM project_endpoint_group WHERE project_id IN (?)",
    "UPDATE user SET default_project_id = NULL WHERE default_project_id IN (?)",
    "DELETE FROM project_tag WHERE project_id IN (?)",
    "DELETE FROM project_option WHERE project_id IN (?)",
    "DELETE FROM project WHERE id IN (?)",
];

const OF_GROUPS: [&str; 6] = [
    "DELETE FROM user_group_membership WHERE group_id IN (?)",
    "DELETE FROM expiring_user_group_membership WHERE group_id IN (?)",
    "DELETE FROM assignment WHERE actor_id IN (?) AND type IN ('GroupProject', 'GroupDomain')",
    "DELETE FROM system_assignment WHERE actor_id IN (?) AND type = 'GroupSystem'",
    "DELETE FROM id_mapping WHERE public_id IN (?)",
    "DELETE FROM `group` WHERE id IN (?)",
];

/// Whoever is in a group that has roles: their tokens may hold them.
const MEMBERS_OF_GROUPS: [&str; 2] = [
    "INSERT INTO revocation_event (user_id, issued_before, revoked_at) \
     SELECT DISTINCT m.user_id, ?, ? FROM user_group_membership m WHERE m.group_id IN (?) AND \
     (EXISTS (SELECT 1 FROM assignment a WHERE a.actor_id = m.group_id AND a.type IN ('GroupProject', 'GroupDomain')) \
      OR EXISTS (SELECT 1 FROM system_assignment s WHERE s.actor_id = m.group_id AND s.type = 'GroupSystem'))",
    "INSERT INTO revocation_event (user_id, issued_before, revoked_at) \
     SELECT DISTINCT m.user_id, ?, ? FROM expiring_user_group_membership m WHERE m.group_id IN (?) AND \
     (EXISTS (SELECT 1 FROM assignment a WHERE a.actor_id = m.group_id AND a.type IN ('GroupProject', 'GroupDomain')) \
      OR EXISTS (SELECT 1 FROM system_assignment s WHERE s.actor_id = m.group_id AND s.type = 'GroupSystem'))",
];

const OF_USERS: [&str; 18] = [
    "DELETE FROM user_group_membership WHERE user_id IN (?)",
    "DELETE FROM expiring_user_group_membership WHERE user_id IN (?)",
    "DELETE FROM assignment WHERE actor_id IN (?) AND type IN ('UserProject', 'UserDomain')",
    "DELETE FROM system_assignment WHERE actor_id IN (?) AND type = 'UserSystem'",
    "DELETE FROM credential WHERE user_id IN (?)",
    "DELETE FROM access_token WHERE authorizing_user_id IN (?)",
    "DELETE FROM request_token WHERE authorizing_user_id IN (?)",
    "DELETE FROM id_mapping WHERE public_id IN (?)",
    "DELETE FROM application_credential_access_rule WHERE application_credential_id IN \
         (SELECT a.internal_id FROM application_credential a WHERE a.user_id IN (?))",
    "DELETE FROM application_credential_role WHERE application_credential_id IN \
         (SELECT a.internal_id FROM application_credential a WHERE a.user_id IN (?))",
    "DELETE FROM application_credential WHERE user_id IN (?)",
    "DELETE FROM access_rule WHERE user_id IN (?)",
    "DELETE FROM user_option WHERE user_id IN (?)",
    "DELETE FROM federated_user WHERE user_id IN (?)",
    "DELETE FROM nonlocal_user WHERE user_id IN (?)",
    "DELETE FROM password WHERE local_user_id IN (SELECT l.id FROM local_user l WHERE l.user_id IN (?))",
    "DELETE FROM local_user WHERE user_id IN (?)",
    "DELETE FROM user WHERE id IN (?)",
];

const OF_ROLES: [&str; 7] = [
    // Application credentials go with a role that their owner holds on the project.
    "DELETE FROM application_credential WHERE EXISTS \
         (SELECT 1 FROM assignment a WHERE a.type = 'UserProject' AND a.actor_id = application_credential.user_id \
             AND a.target_id = application_credential.project_id AND a.role_id IN (?))",
    "DELETE FROM assignment WHERE role_id IN (?)",
    "DELETE FROM system_assignment WHERE role_id IN (?)",
    "DELETE FROM implied_role WHERE prior_role_id IN (?)",
    "DELETE FROM implied_role WHERE implied_role_id IN (?)",
    "DELETE FROM role_option WHERE role_id IN (?)",
    "DELETE FROM role WHERE id IN (?)",
];

impl Identity {
    /// Deletes projects, none of which has others below it, and everything that refers to them.
    pub(crate) async fn remove_projects(&self, tx: &mut Tx, ids: &[String]) -> Result<()> {
        let now = self.clock.now();
        for batch in ids.chunks(BATCH) {
            sql("UPDATE trust SET deleted_at = ? WHERE project_id IN (?) AND deleted_at IS NULL")
                .bind(now)
                .bind_all(batch)
                .execute(&mut *tx)
                .await?;
            sql(
                "INSERT INTO revocation_event (project_id, issued_before, revoked_at) \
                 SELECT p.id, ?, ? FROM project p WHERE p.id IN (?)",
            )
            .bind(now)
            .bind(now)
            .bind_all(batch)
            .execute(&mut *tx)
            .await?;
            run(tx, &OF_PROJECTS, batch).await?;
        }
        Ok(())
    }

    /// Deletes groups and everything that refers to them; if they had roles, their members' tokens end.
    pub(crate) async fn remove_groups(&self, tx: &mut Tx, ids: &[String]) -> Result<()> {
        let now = self.clock.now();
        for batch in ids.chunks(BATCH) {
            for statement in MEMBERS_OF_GROUPS {
                let query = sql(statement).bind(now).bind(now).bind_all(batch);
                query.execute(&mut *tx).await?;
            }
            run(tx, &OF_GROUPS, batch).await?;
        }
        Ok(())
    }

    /// Deletes users and everything that refers to them.
    pub(crate) async fn remove_users(&self, tx: &mut Tx, ids: &[String]) -> Result<()> {
        let now = self.clock.now();
        for batch in ids.chunks(BATCH) {
            for statement in [
                "UPDATE trust SET deleted_at = ? WHERE trustor_user_id IN (?) AND deleted_at IS NULL",
                "UPDATE trust SET deleted_at = ? WHERE trustee_user_id IN (?) AND deleted_at IS NULL",
            ] {
                let query = sql(statement).bind(now).bind_all(batch);
                query.execute(&mut *tx).await?;
            }
            sql(
                "INSERT INTO revocation_event (user_id, issued_before, revoked_at) \
                 SELECT u.id, ?, ? FROM user u WHERE u.id IN (?)",
            )
            .bind(now)
            .bind(now)
            .bind_all(batch)
            .execute(&mut *tx)
            .await?;
            run(tx, &OF_USERS, batch).await?;
        }
        Ok(())
    }

    /// Deletes roles with every grant of them.
    pub(crate) async fn remove_roles(&self, tx: &mut Tx, ids: &[String]) -> Result<()> {
        for batch in ids.chunks(BATCH) {
            run(tx, &OF_ROLES, batch).await?;
        }
        Ok(())
    }
}

/// Runs statements that each name the ids once.
async fn run(tx: &mut Tx, statements: &[&'static str], ids: &[String]) -> Result<()> {
    for statement in statements {
        sql(statement).bind_all(ids).execute(&mut *tx).await?;
    }
    Ok(())
}
