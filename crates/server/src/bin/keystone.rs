//! The server.

use std::process::ExitCode;

// Requests allocate much and at the same time. `keystone-manage` does neither.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keystone_server::keystone()
}
