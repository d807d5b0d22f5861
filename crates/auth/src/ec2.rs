//! EC2 credentials: pairs of an access key and a secret that users sign requests with, those of EC2's and S3's protocols.
//!
//! A service that gets a signed request asks for a token of the user by telling what was signed ([`Claim`]); the
//! signature is computed again with the stored secret, and both are compared. Each protocol has a file.

mod blob;
mod claim;
mod keys;
mod login;
mod s3;
mod signature;
mod v4;

pub use keys::{Ec2Keys, ec2_credential_id};
pub use login::SigningProtocol;

pub(crate) use blob::Ec2Blob;

#[cfg(test)]
mod tests;
