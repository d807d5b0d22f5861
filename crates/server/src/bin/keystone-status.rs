//! The command that tells whether an upgrade can begin.

use std::process::ExitCode;

fn main() -> ExitCode {
    keystone_server::keystone_status()
}
