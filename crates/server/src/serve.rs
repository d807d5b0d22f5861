//! `keystone serve`: the service for a `keystone.conf`.

pub(crate) mod http;
mod reload;
mod systemd;

use clap::Args;
use keystone::Keystone;
use keystone::storage::{Db, schema};
use keystone_config::Program;

use crate::arguments::Common;
use crate::configuration::Configuration;
use crate::failure::{Failure, Result};
use crate::readiness;
use http::Listeners;

#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen; can be repeated.
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:5000")]
    listen: Vec<String>,
}

pub(crate) async fn run(arguments: Arguments, common: Common) -> Result<()> {
    let configuration = Configuration::load(Program::Server, &common)?;
    let hidden = configuration.logs.is_hidden();
    let done = serve(arguments, configuration).await;
    if let Err(failure) = &done
        && hidden
    {
        tracing::error!("{failure}");
    }
    done
}

async fn serve(arguments: Arguments, configuration: Configuration) -> Result<()> {
    // First of all, so that a second server does no harm to the one that is running.
    let listeners = Listeners::bind(&arguments.listen).await?;
    let keystone = open(&configuration.settings).await?;
    readiness::advise(&keystone, &configuration.settings).await;
    let reloading = tokio::spawn(reload::on_hangup(keystone.clone(), configuration)?);
    systemd::tell("READY=1");
    listeners.serve(&keystone).await?;
    reloading.abort();
    keystone.db().close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Connects, refuses a schema that is not this release's, and builds the services.
pub(crate) async fn open(settings: &keystone::Settings) -> Result<Keystone> {
    let db = connect(&settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let built = Keystone::builder().settings(settings.clone()).db(db);
    let built = built.build().await;
    built.map_err(|error| Failure::new(crate::failure::with_causes(&error)))
}

/// Opens the database.
pub(crate) async fn connect(database: &keystone::Database) -> Result<Db> {
    let url = database.url.parse()?;
    Ok(Db::connect(&url, &database.pool).await?)
}
