//! The cascade of this crate: trusts, application credentials and `OAuth1` tokens of projects, users and roles.

use keystone_storage::{Cascade, Cleanup};

/// Tables of delegation. A trust is kept and marked as deleted, as in `keystone/trust/backends/sql.py`.
pub const CASCADE: Cascade = Cascade {
    projects: &[
        Cleanup::timed(
            1,
            "UPDATE trust SET deleted_at = ? WHERE project_id IN (?) AND deleted_at IS NULL",
        ),
        Cleanup::new("DELETE FROM application_credential WHERE project_id IN (?)"),
        Cleanup::new("DELETE FROM access_token WHERE project_id IN (?)"),
        Cleanup::new("DELETE FROM request_token WHERE requested_project_id IN (?)"),
    ],
    users: &[
        Cleanup::timed(
            1,
            "UPDATE trust SET deleted_at = ? WHERE trustor_user_id IN (?) AND deleted_at IS NULL",
        ),
        Cleanup::timed(
            1,
            "UPDATE trust SET deleted_at = ? WHERE trustee_user_id IN (?) AND deleted_at IS NULL",
        ),
        Cleanup::new("DELETE FROM access_token WHERE authorizing_user_id IN (?)"),
        Cleanup::new("DELETE FROM request_token WHERE authorizing_user_id IN (?)"),
        Cleanup::new(
            "DELETE FROM application_credential_access_rule WHERE application_credential_id IN \
             (SELECT a.internal_id FROM application_credential a WHERE a.user_id IN (?))",
        ),
        Cleanup::new(
            "DELETE FROM application_credential_role WHERE application_credential_id IN \
             (SELECT a.internal_id FROM application_credential a WHERE a.user_id IN (?))",
        ),
        Cleanup::new("DELETE FROM application_credential WHERE user_id IN (?)"),
        Cleanup::new("DELETE FROM access_rule WHERE user_id IN (?)"),
    ],
    roles: &[
        // An application credential is deleted with a role that its owner has on the project.
        Cleanup::new(
            "DELETE FROM application_credential WHERE EXISTS \
             (SELECT 1 FROM assignment a WHERE a.type = 'UserProject' AND a.actor_id = application_credential.user_id \
                 AND a.target_id = application_credential.project_id AND a.role_id IN (?))",
        ),
    ],
    named_with_users: &[
        (
            "application_credential",
            "SELECT id FROM application_credential WHERE user_id IN (?) ORDER BY id",
        ),
        (
            "access_rule",
            "SELECT external_id FROM access_rule WHERE user_id IN (?) ORDER BY external_id",
        ),
    ],
    ..Cascade::NONE
};
