//! `keystone serve`: the service for a `keystone.conf`.

pub(crate) mod http;
mod reload;
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
use http::Listeners;
use tls::TlsArguments;

#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// The address to listen on; can be repeated.
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:5000")]
    listen: Vec<String>,
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
    let listeners = Listeners::bind(&arguments.listen).await?;
    let keystone = open(&configuration.settings).await?;
    readiness::warn_about_setup(&keystone, &configuration.settings).await;
    let reloading = tokio::spawn(reload::reload_on_sighup(
        keystone.clone(),
        configuration,
        tls.clone(),
    )?);
    systemd::notify("READY=1");
    listeners.serve(&keystone, tls).await?;
    reloading.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Connects, refuses the schema of another release, and builds the services.
pub(crate) async fn open(settings: &keystone::Settings) -> Result<Keystone> {
    let db = connect(&settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let built = Keystone::builder().settings(settings.clone()).db(db);
    let built = built.build().await;
    built.map_err(|error| CommandError::new(crate::error::with_causes(&error)))
}

/// Opens the database.
pub(crate) async fn connect(database: &keystone::Database) -> Result<Db> {
    let url = database.url.parse()?;
    Ok(Db::connect(&url, &database.pool).await?)
}
