//! Cascades of projects, groups, users and roles. The database has foreign keys for a part of them only.
//!
//! The statements of other crates run first, in the same transaction. Each deletion takes many ids at once, so that
//! deleting a domain costs the same number of statements whatever it owns.

use keystone_storage::{Cascade, Cleanup, Deleted, Tx};
use keystone_types::Result;

use crate::identity::Identity;

/// The tables of this crate, with the revocation events that a deletion causes.
const OWN: Cascade = Cascade {
    projects: &[
        Cleanup::timed(
            2,
            "INSERT INTO revocation_event (project_id, issued_before, revoked_at) \
             SELECT p.id, ?, ? FROM project p WHERE p.id IN (?)",
        ),
        Cleanup::new("DELETE FROM assignment WHERE target_id IN (?)"),
        Cleanup::new("DELETE FROM credential WHERE project_id IN (?)"),
        Cleanup::new("DELETE FROM `limit` WHERE project_id IN (?)"),
        Cleanup::new("UPDATE user SET default_project_id = NULL WHERE default_project_id IN (?)"),
        Cleanup::new("DELETE FROM project_tag WHERE project_id IN (?)"),
        Cleanup::new("DELETE FROM project_option WHERE project_id IN (?)"),
        Cleanup::new("DELETE FROM project WHERE id IN (?)"),
    ],
    groups: &[
        // The tokens of members may have the roles of the group.
        Cleanup::timed(
            2,
            "INSERT INTO revocation_event (user_id, issued_before, revoked_at) \
             SELECT DISTINCT m.user_id, ?, ? FROM user_group_membership m WHERE m.group_id IN (?) AND \
             (EXISTS (SELECT 1 FROM assignment a WHERE a.actor_id = m.group_id AND a.type IN ('GroupProject', 'GroupDomain')) \
              OR EXISTS (SELECT 1 FROM system_assignment s WHERE s.actor_id = m.group_id AND s.type = 'GroupSystem'))",
        ),
        Cleanup::timed(
            2,
            "INSERT INTO revocation_event (user_id, issued_before, revoked_at) \
             SELECT DISTINCT m.user_id, ?, ? FROM expiring_user_group_membership m WHERE m.group_id IN (?) AND \
             (EXISTS (SELECT 1 FROM assignment a WHERE a.actor_id = m.group_id AND a.type IN ('GroupProject', 'GroupDomain')) \
              OR EXISTS (SELECT 1 FROM system_assignment s WHERE s.actor_id = m.group_id AND s.type = 'GroupSystem'))",
        ),
        Cleanup::new("DELETE FROM user_group_membership WHERE group_id IN (?)"),
        Cleanup::new("DELETE FROM expiring_user_group_membership WHERE group_id IN (?)"),
        Cleanup::new(
            "DELETE FROM assignment WHERE actor_id IN (?) AND type IN ('GroupProject', 'GroupDomain')",
        ),
        Cleanup::new(
            "DELETE FROM system_assignment WHERE actor_id IN (?) AND type = 'GroupSystem'",
        ),
        Cleanup::new("DELETE FROM id_mapping WHERE public_id IN (?)"),
        Cleanup::new("DELETE FROM `group` WHERE id IN (?)"),
    ],
    users: &[
        Cleanup::timed(
            2,
            "INSERT INTO revocation_event (user_id, issued_before, revoked_at) \
             SELECT u.id, ?, ? FROM user u WHERE u.id IN (?)",
        ),
        Cleanup::new("DELETE FROM user_group_membership WHERE user_id IN (?)"),
        Cleanup::new("DELETE FROM expiring_user_group_membership WHERE user_id IN (?)"),
        Cleanup::new(
            "DELETE FROM assignment WHERE actor_id IN (?) AND type IN ('UserProject', 'UserDomain')",
        ),
        Cleanup::new("DELETE FROM system_assignment WHERE actor_id IN (?) AND type = 'UserSystem'"),
        Cleanup::new("DELETE FROM credential WHERE user_id IN (?)"),
        Cleanup::new("DELETE FROM id_mapping WHERE public_id IN (?)"),
        Cleanup::new("DELETE FROM user_option WHERE user_id IN (?)"),
        Cleanup::new("DELETE FROM federated_user WHERE user_id IN (?)"),
        Cleanup::new("DELETE FROM nonlocal_user WHERE user_id IN (?)"),
        Cleanup::new(
            "DELETE FROM password WHERE local_user_id IN (SELECT l.id FROM local_user l WHERE l.user_id IN (?))",
        ),
        Cleanup::new("DELETE FROM local_user WHERE user_id IN (?)"),
        Cleanup::new("DELETE FROM user WHERE id IN (?)"),
    ],
    roles: &[
        Cleanup::new("DELETE FROM assignment WHERE role_id IN (?)"),
        Cleanup::new("DELETE FROM system_assignment WHERE role_id IN (?)"),
        Cleanup::new("DELETE FROM implied_role WHERE prior_role_id IN (?)"),
        Cleanup::new("DELETE FROM implied_role WHERE implied_role_id IN (?)"),
        Cleanup::new("DELETE FROM role_option WHERE role_id IN (?)"),
        Cleanup::new("DELETE FROM role WHERE id IN (?)"),
    ],
    named_with_users: &[],
};

/// Picks the statements for one kind of resource.
pub(crate) type Kind = fn(&Cascade) -> &'static [Cleanup];

impl Identity {
    /// Deletes projects without children, and everything that refers to them.
    pub(crate) async fn remove_projects(&self, tx: &mut Tx, ids: &[String]) -> Result<()> {
        self.remove(tx, ids, |cascade| cascade.projects).await
    }

    /// Deletes groups and everything that refers to them; the tokens of members are revoked if a group had roles.
    pub(crate) async fn remove_groups(&self, tx: &mut Tx, ids: &[String]) -> Result<()> {
        self.remove(tx, ids, |cascade| cascade.groups).await
    }

    /// Deletes users and everything that refers to them.
    pub(crate) async fn remove_users(&self, tx: &mut Tx, ids: &[String]) -> Result<()> {
        self.remove(tx, ids, |cascade| cascade.users).await
    }

    /// What is deleted with users, where deletions report it.
    pub(crate) async fn deleted_with_users(
        &self,
        tx: &mut Tx,
        ids: &[String],
    ) -> Result<Vec<Deleted>> {
        let mut deleted = Vec::new();
        if self.settings.reports_cascades {
            for cascade in &*self.cascades {
                deleted.extend(cascade.deleted_with_users(tx, ids).await?);
            }
        }
        Ok(deleted)
    }

    /// Deletes roles with every grant of them.
    pub(crate) async fn remove_roles(&self, tx: &mut Tx, ids: &[String]) -> Result<()> {
        self.remove(tx, ids, |cascade| cascade.roles).await
    }

    /// Deletes resources of a kind and everything that refers to them.
    pub(crate) async fn remove(&self, tx: &mut Tx, ids: &[String], of_kind: Kind) -> Result<()> {
        let cascades = self.cascades.iter().chain([&OWN]);
        let cleanups: Vec<Cleanup> = cascades.flat_map(of_kind).copied().collect();
        Cleanup::run_all(&cleanups, tx, self.clock.now(), ids).await
    }
}
