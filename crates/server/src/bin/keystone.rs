//! The server.

use std::process::ExitCode;

// Requests allocate much and at the same time. `keystone-manage` does neither.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages, of which a server at rest uses a part only: without them it takes 24 MiB in place of 40,
    // and answers as fast.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_thp_disable(true).ok();
    keystone_server::keystone()
}
