//! Orphans: rows that name something which is gone. Most of these columns have no foreign key in Keystone's schema, and its
//! deletions have left rows behind.

use crate::{Db, Result, sql};

/// Rows of a table that name something which does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphans {
    /// The table.
    pub table: &'static str,
    /// The column that names it.
    pub column: &'static str,
    /// How many rows.
    pub rows: i64,
    /// A statement that shows them.
    pub statement: &'static str,
}

struct Reference {
    table: &'static str,
    column: &'static str,
    /// Whether it names users or groups, which need not have rows where they are in a directory.
    to_actor: bool,
    count: &'static str,
    show: &'static str,
}

/// The rows of a table, narrowed by a condition, whose column names no row of another table, nor of `id_mapping` where that
/// has the users and groups of directories.
macro_rules! reference {
    ($table:literal, $column:literal, $of:literal) => {
        reference!($table, $column, $of, "1 = 1")
    };
    ($table:literal, $column:literal, $of:literal, $narrowed:literal) => {
        Reference {
            table: $table,
            column: $column,
            to_actor: false,
            count: concat!("SELECT COUNT(*)", reference!(@ $table, $column, $of, $narrowed)),
            show: concat!("SELECT *", reference!(@ $table, $column, $of, $narrowed)),
        }
    };
    (actor $table:literal, $column:literal, $of:literal) => {
        reference!(actor $table, $column, $of, "1 = 1")
    };
    (actor $table:literal, $column:literal, $of:literal, $narrowed:literal) => {
        Reference {
            to_actor: true,
            count: concat!("SELECT COUNT(*)", reference!(@ $table, $column, $of, $narrowed),
                " AND NOT EXISTS (SELECT 1 FROM id_mapping m WHERE m.public_id = `", $table, "`.", $column, ")"),
            show: concat!("SELECT *", reference!(@ $table, $column, $of, $narrowed),
                " AND NOT EXISTS (SELECT 1 FROM id_mapping m WHERE m.public_id = `", $table, "`.", $column, ")"),
            ..reference!($table, $column, $of, $narrowed)
        }
    };
    (@ $table:literal, $column:literal, $of:literal, $narrowed:literal) => {
        concat!(" FROM `", $table, "` WHERE `", $table, "`.", $column, " IS NOT NULL AND ", $narrowed,
            " AND NOT EXISTS (SELECT 1 FROM `", $of, "` r WHERE r.id = `", $table, "`.", $column, ")")
    };
}

const REFERENCES: &[Reference] = &[
    reference!(actor "assignment", "actor_id", "user", "type IN ('UserProject', 'UserDomain')"),
    reference!(actor "assignment", "actor_id", "group", "type IN ('GroupProject', 'GroupDomain')"),
    reference!("assignment", "target_id", "project"),
    reference!("assignment", "role_id", "role"),
    reference!(actor "system_assignment", "actor_id", "user", "type = 'UserSystem'"),
    reference!(actor "system_assignment", "actor_id", "group", "type = 'GroupSystem'"),
    reference!("system_assignment", "role_id", "role"),
    reference!(actor "trust", "trustor_user_id", "user", "deleted_at IS NULL"),
    reference!(actor "trust", "trustee_user_id", "user", "deleted_at IS NULL"),
    reference!("trust", "project_id", "project", "deleted_at IS NULL"),
    reference!("trust_role", "trust_id", "trust"),
    reference!("trust_role", "role_id", "role"),
    reference!(actor "application_credential", "user_id", "user"),
    reference!("application_credential", "project_id", "project"),
    reference!("application_credential_role", "role_id", "role"),
    reference!(actor "credential", "user_id", "user"),
    reference!(actor "access_token", "authorizing_user_id", "user"),
    reference!("access_token", "project_id", "project"),
    reference!("user", "domain_id", "project"),
    reference!("group", "domain_id", "project"),
    reference!("id_mapping", "domain_id", "project"),
    reference!("limit", "project_id", "project"),
    reference!("limit", "domain_id", "project"),
    reference!("limit", "registered_limit_id", "registered_limit"),
    reference!("project_endpoint", "project_id", "project"),
    reference!("project_endpoint", "endpoint_id", "endpoint"),
    reference!("project_endpoint_group", "project_id", "project"),
    reference!("whitelisted_config", "domain_id", "project"),
    reference!("sensitive_config", "domain_id", "project"),
];

/// Counts the orphans of each reference that has some; those to users and groups only where `actors` says that all of them
/// are in this database or in `id_mapping`. `progress` is called with the table that is looked at.
pub async fn orphans(
    db: &Db,
    actors: bool,
    progress: impl Fn(&str) + Send,
) -> Result<Vec<Orphans>> {
    let mut found = Vec::new();
    for it in REFERENCES.iter().filter(|it| actors || !it.to_actor) {
        progress(it.table);
        let (rows,): (i64,) = sql(it.count).fetch_one(db).await?;
        if rows > 0 {
            found.push(Orphans {
                table: it.table,
                column: it.column,
                rows,
                statement: it.show,
            });
        }
    }
    Ok(found)
}
