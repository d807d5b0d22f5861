//! The server.

use std::process::ExitCode;

fn main() -> ExitCode {
    keystone_server::keystone()
}
