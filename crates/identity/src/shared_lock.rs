//! Shared locks on the rows that a write refers to: each row exists and stays as it is until the transaction ends.
//!
//! Each function returns the id as it is stored. A request may spell it differently, because `MariaDB` ignores case and
//! trailing spaces; a reference in another spelling would not be found by those who compare exactly.

use keystone_storage::{Tx, sql};
use keystone_types::{Error, Resource, Result};

use crate::domain::Domain;
use crate::group::Group;
use crate::project::Project;
use crate::role::Role;
use crate::user::User;

/// The id of a user.
pub(crate) async fn user(tx: &mut Tx, id: &str) -> Result<String> {
    lock::<User>(tx, "SELECT id FROM user WHERE id = ?", id).await
}

/// The id of a group.
pub(crate) async fn group(tx: &mut Tx, id: &str) -> Result<String> {
    lock::<Group>(tx, "SELECT id FROM `group` WHERE id = ?", id).await
}

/// The id of a project or domain.
pub(crate) async fn project(tx: &mut Tx, id: &str) -> Result<String> {
    lock::<Project>(tx, "SELECT id FROM project WHERE id = ?", id).await
}

/// Checks that a domain exists; its id must be spelt as it is stored. The hidden root of all domains, which is its own
/// domain, is none.
pub(crate) async fn domain(tx: &mut Tx, id: &str) -> Result<()> {
    let text = "SELECT id FROM project WHERE id = ? AND is_domain = 1 AND id <> domain_id";
    if lock::<Domain>(tx, text, id).await? == id {
        return Ok(());
    }
    Err(Error::not_found::<Domain>(id))
}

/// The id of a role.
pub(crate) async fn role(tx: &mut Tx, id: &str) -> Result<String> {
    lock::<Role>(tx, "SELECT id FROM role WHERE id = ?", id).await
}

async fn lock<R: Resource>(tx: &mut Tx, text: &'static str, id: &str) -> Result<String> {
    let row = sql(text).bind(id).sharing();
    let (id,): (String,) = row.fetch_or(tx, || Error::not_found::<R>(id)).await?;
    Ok(id)
}
