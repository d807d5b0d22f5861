//! The operator's command.

use std::process::ExitCode;

fn main() -> ExitCode {
    keystone_server::keystone_manage()
}
