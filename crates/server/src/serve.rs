//! `keystone serve`: the service for a `keystone.conf`.

pub(crate) mod http;
mod operations;
mod reload;
mod sockets;
mod systemd;
pub(crate) mod tls;

use clap::Args;
use keystone::Keystone;
use keystone::storage::{Db, schema};
use keystone_config::Program;

use crate::arguments::CommonArguments;
use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::readiness;
use http::{Listeners, Traffic};
use operations::Operations;
use sockets::Inherited;
use tls::TlsArguments;

#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// The address to listen on, or unix:PATH; can be repeated. By default 0.0.0.0:5000, or what systemd hands over
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<String>,
    /// Where to answer /metrics and /ready: an address for nobody but the operator, or unix:PATH; can be repeated
    #[arg(long, value_name = "ADDR:PORT")]
    metrics_listen: Vec<String>,
    /// The most connections of clients at a time; by default 10000, or less where file descriptors are limited
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: Option<u32>,
    #[command(flatten)]
    tls: TlsArguments,
}

pub(crate) async fn run(arguments: Arguments, common: CommonArguments) -> Result<()> {
    let configuration = Configuration::load(Program::Server, &common)?;
    let log_in_file = configuration.logs.is_to_file();
    let done = Box::pin(serve(arguments, configuration)).await;
    if let Err(failure) = &done
        && log_in_file
    {
        tracing::error!("{failure}");
    }
    done
}

async fn serve(arguments: Arguments, configuration: Configuration) -> Result<()> {
    let tls = arguments.tls.load()?;
    // Before anything else, so that a second server does not disturb the one that is running.
    let mut inherited = Inherited::take()?;
    let mut addresses = arguments.listen;
    if addresses.is_empty() && inherited.api.0.is_empty() {
        addresses.push("0.0.0.0:5000".to_owned());
    }
    let mut listeners = Listeners::bind("--listen", &addresses).await?;
    listeners.0.append(&mut inherited.api.0);
    let metrics = Listeners::bind("--metrics-listen", &arguments.metrics_listen);
    let mut metrics = metrics.await?;
    metrics.0.append(&mut inherited.metrics.0);
    let traffic = Traffic::new(connection_limit(arguments.max_connections));
    let keystone = open(&configuration.settings).await?;
    readiness::warn_about_setup(&keystone, &configuration.settings).await;
    let reloading = tokio::spawn(reload::reload_on_sighup(
        keystone.clone(),
        configuration,
        tls.clone(),
    )?);
    let operations = Operations::new(keystone.clone(), traffic.clone());
    let operations = tokio::spawn(operations.serve(metrics));
    let watchdog = tokio::spawn(systemd::keep_watchdog());
    systemd::notify("READY=1");
    listeners.serve(&keystone, tls, &traffic).await?;
    for task in [reloading, operations, watchdog] {
        task.abort();
        // Whatever it holds, such as the file of a socket, is gone then.
        task.await.ok();
    }
    tracing::info!("stopped");
    Ok(())
}

/// How many file descriptors are left for the database, keys and logs.
const OTHER_FILES: u64 = 200;

/// The most connections at a time: as the operator says, else as the system lets this process have descriptors.
pub(crate) fn connection_limit(given: Option<u32>) -> usize {
    let limit = given.unwrap_or_else(|| {
        let files = raise_file_limit().saturating_sub(OTHER_FILES);
        u32::try_from(files).unwrap_or(u32::MAX).clamp(50, 10_000)
    });
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Lets this process have as many file descriptors as it may, and returns the number.
fn raise_file_limit() -> u64 {
    use nix::sys::resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(RLIMIT_NOFILE) else {
        return 0;
    };
    match setrlimit(RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Connects, refuses the schema of another release, and builds the services.
pub(crate) async fn open(settings: &keystone::Settings) -> Result<Keystone> {
    let db = connect(&settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let built = Keystone::builder().settings(settings.clone()).db(db);
    let built = built.build().await;
    built.map_err(|error| CommandError::new(crate::error::with_causes(&error)))
}

/// Opens the database. A `SQLite` file that is missing is not made, whose owner would be whoever looked first: it is taken for an
/// empty database.
pub(crate) async fn connect(database: &keystone::Database) -> Result<Db> {
    let url = database.url.parse()?;
    Ok(Db::connect_existing(&url, &database.pool).await?)
}
