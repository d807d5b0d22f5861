//! Everything against a provider on loopback that answers as each test wants, with keys made here.

#![expect(
    clippy::unwrap_used,
    reason = "tests may panic, outside of test functions too"
)]

mod access_tokens;
mod browser;
mod discovery;
mod introspection;
mod logout;
mod signer;
mod world;
