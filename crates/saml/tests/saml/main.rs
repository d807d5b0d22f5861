//! Assertions made and verified, with what other implementations have signed, and with forgeries.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

mod forgeries;
mod identity_provider;
mod metadata;
mod properties;
mod requests;
mod rules;
mod samples;
mod signer;
