//! The command lines of `keystone`, `keystone-manage` and `keystone-status`.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::arguments::{CommonArguments, WithCommon};
use crate::error::{CommandError, Result};
use crate::terminal::print_error;
use crate::{dev, logs, manage, serve, status};

/// The command line of the server.
#[derive(Debug, Parser)]
#[command(name = "keystone", version, about = "An OpenStack Identity service")]
struct Keystone {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the API with the database, keys and policy that keystone.conf names.
    Serve(WithCommon<serve::Arguments>),
    /// Answer the API with a database of its own, made on the first start.
    Dev(dev::Arguments),
}

/// The command line of the operator.
#[derive(Debug, Parser)]
#[command(
    name = "keystone-manage",
    version,
    about = "Looks after an OpenStack Identity service"
)]
struct Manage {
    #[command(flatten)]
    common: CommonArguments,
    #[command(subcommand)]
    command: manage::Command,
}

/// The command line that is asked before an upgrade.
#[derive(Debug, Parser)]
#[command(
    name = "keystone-status",
    version,
    about = "Tells whether an upgrade can begin"
)]
struct Status {
    #[command(flatten)]
    common: CommonArguments,
    #[command(subcommand)]
    command: status::Command,
}

/// The command `keystone`.
pub fn keystone() -> ExitCode {
    let done = match Keystone::parse().command {
        Command::Serve(WithCommon { own, common }) => {
            runtime(Builder::new_multi_thread()).and_then(|it| it.block_on(serve::run(own, common)))
        }
        Command::Dev(arguments) => {
            runtime(Builder::new_multi_thread()).and_then(|it| it.block_on(dev::run(arguments)))
        }
    };
    exit("keystone", done.map(|()| ExitCode::SUCCESS))
}

/// The command `keystone-manage`.
pub fn keystone_manage() -> ExitCode {
    let Manage { common, command } = Manage::parse();
    if let Err(missing) = command.check_owner() {
        Manage::command().error(missing.0, missing.1).exit();
    }
    let done = runtime(Builder::new_current_thread())
        .and_then(|it| it.block_on(manage::run(command, common)));
    exit("keystone-manage", done)
}

/// The command `keystone-status`.
pub fn keystone_status() -> ExitCode {
    let Status { common, command } = Status::parse();
    let done = runtime(Builder::new_current_thread())
        .map(|it| ExitCode::from(it.block_on(status::run(command, common))));
    exit("keystone-status", done)
}

fn runtime(mut builder: Builder) -> Result<Runtime> {
    let built = builder.enable_all().build();
    built.map_err(|error| CommandError::new(format!("no threads to work with: {error}")))
}

fn exit(program: &str, done: Result<ExitCode>) -> ExitCode {
    logs::flush();
    done.unwrap_or_else(|CommandError { text, status }| {
        print_error(&format!("{program}: {text}"));
        ExitCode::from(status)
    })
}
