//! The ids of users and groups that another server knows: digests, so that every node gives the same one.

use sha2::{Digest, Sha256};

/// The id of what a domain's other server calls `local_id`, as `keystone/identity/id_generators/sha256.py` makes it; `kind` is
/// `user` or `group`.
pub fn public_id(domain_id: &str, kind: &str, local_id: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(domain_id)
        .chain_update(kind)
        .chain_update(local_id);
    hex::encode(digest.finalize())
}
