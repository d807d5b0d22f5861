//! Faults from outside, such as disconnecting clients, which must leak nothing in a running server.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

mod leavers;
