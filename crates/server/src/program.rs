//! The command lines of `keystone`, `keystone-manage` and `keystone-status`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use tokio::runtime::Builder;

use crate::arguments::{CommonArguments, WithCommon};
use crate::error::{CommandError, Result};
use crate::terminal::print_error;
use crate::{dev, logs, manage, serve, status};

/// How long the end waits for work on threads of its own.
const LAST_THREADS: Duration = Duration::from_secs(5);

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
            run(Builder::new_multi_thread(), serve::run(own, common))
        }
        Command::Dev(arguments) => run(Builder::new_multi_thread(), dev::run(arguments)),
    };
    exit("keystone", done.map(|()| ExitCode::SUCCESS))
}

/// The command `keystone-manage`.
pub fn keystone_manage() -> ExitCode {
    let Manage { common, command } = Manage::parse();
    if let Err(missing) = command.check_owner() {
        Manage::command().error(missing.0, missing.1).exit();
    }
    let done = run(Builder::new_current_thread(), manage::run(command, common));
    exit("keystone-manage", done)
}

/// The command `keystone-status`.
pub fn keystone_status() -> ExitCode {
    let Status { common, command } = Status::parse();
    let checks = async { Ok(ExitCode::from(status::run(command, common).await)) };
    let done = run(Builder::new_current_thread(), checks);
    exit("keystone-status", done)
}

/// Runs a command to its end. Threads that hang then, on a file of a server that is away, are left behind.
fn run<T>(mut builder: Builder, command: impl Future<Output = Result<T>>) -> Result<T> {
    let built = builder.enable_all().build();
    let runtime =
        built.map_err(|error| CommandError::new(format!("no threads to work with: {error}")))?;
    let done = runtime.block_on(command);
    runtime.shutdown_timeout(LAST_THREADS);
    done
}

fn exit(program: &str, done: Result<ExitCode>) -> ExitCode {
    logs::flush();
    done.unwrap_or_else(|CommandError { text, status }| {
        print_error(&format!("{program}: {text}"));
        ExitCode::from(status)
    })
}
