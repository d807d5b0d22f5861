//! What a write depends on, read under a lock: it is there, and stays as it was read, until the transaction ends.
//!
//! Ids come as they are stored. The spelling of a request may differ: `MariaDB` compares ids without case and without
//! spaces at the end, and what is written in another spelling is not found again by those who compare exactly.

use keystone_storage::{Tx, sql};
use keystone_types::{Error, Result};

use crate::{Domain, Group, Project, Role, User};

/// The id of a user that is there.
pub(crate) async fn user(tx: &mut Tx, id: &str) -> Result<String> {
    let found = shared(tx, "SELECT id FROM user WHERE id = ?", id).await?;
    found.ok_or_else(|| Error::not_found::<User>(id))
}

/// The id of a group that is there.
pub(crate) async fn group(tx: &mut Tx, id: &str) -> Result<String> {
    let found = shared(tx, "SELECT id FROM `group` WHERE id = ?", id).await?;
    found.ok_or_else(|| Error::not_found::<Group>(id))
}

/// The id of a project or domain that is there.
pub(crate) async fn project(tx: &mut Tx, id: &str) -> Result<String> {
    let found = shared(tx, "SELECT id FROM project WHERE id = ?", id).await?;
    found.ok_or_else(|| Error::not_found::<Project>(id))
}

/// 404 for a domain that is not there. A domain's id counts as it is spelt.
pub(crate) async fn domain(tx: &mut Tx, id: &str) -> Result<()> {
    let text = "SELECT id FROM project WHERE id = ? AND is_domain = 1";
    let found = shared(tx, text, id).await?;
    match found {
        Some(found) if found == id => Ok(()),
        _ => Err(Error::not_found::<Domain>(id)),
    }
}

/// The id of a role that is there.
pub(crate) async fn role(tx: &mut Tx, id: &str) -> Result<String> {
    let found = shared(tx, "SELECT id FROM role WHERE id = ?", id).await?;
    found.ok_or_else(|| Error::not_found::<Role>(id))
}

async fn shared(tx: &mut Tx, text: &'static str, id: &str) -> Result<Option<String>> {
    let found: Option<(String,)> = sql(text).bind(id).sharing().fetch_optional(tx).await?;
    Ok(found.map(|(id,)| id))
}
