//! What is done to a running server from outside, and must leave nothing behind in it.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

mod leavers;
