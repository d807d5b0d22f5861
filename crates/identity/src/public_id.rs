//! The ids of users and groups that another server knows: digests, so that every node gives the same one.

use keystone_storage::select;
use keystone_types::Result;
use sha2::{Digest, Sha256};

use crate::identity::Identity;

/// Which rows of `id_mapping`: those that have all of it; the default has all rows.
#[derive(Clone, Debug, Default)]
pub struct MappedIds {
    /// The id of the domain.
    pub domain_id: Option<String>,
    /// The id here.
    pub public_id: Option<String>,
    /// The id at the other server.
    pub local_id: Option<String>,
    /// `user` or `group`.
    pub entity_type: Option<String>,
}

/// The id of what a domain's other server calls `local_id`, as `keystone/identity/id_generators/sha256.py` makes it; `kind` is
/// `user` or `group`.
pub fn public_id(domain_id: &str, kind: &str, local_id: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(domain_id)
        .chain_update(kind)
        .chain_update(local_id);
    hex::encode(digest.finalize())
}

impl Identity {
    /// Forgets which ids here stand for which of other servers, and returns how many it has forgotten. They are mapped again,
    /// to the same ids, when the users and groups are met again.
    pub async fn purge_mapped_ids(&self, which: &MappedIds) -> Result<u64> {
        let purge = select("DELETE FROM id_mapping")
            .filter("domain_id = ?", which.domain_id.as_ref())
            .filter("public_id = ?", which.public_id.as_ref())
            .filter("local_id = ?", which.local_id.as_ref())
            .filter("entity_type = ?", which.entity_type.as_ref());
        Ok(purge.then("").execute(&self.db).await?)
    }
}
