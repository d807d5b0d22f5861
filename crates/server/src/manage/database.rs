//! `db_sync`, `db_version` and `remove_triggers`: the schema, and the triggers of the change log.

use std::process::ExitCode;

use clap::Args;
use keystone::storage::Db;
use keystone::storage::schema::{self, CONTRACT_HEAD, EXPAND_HEAD, Phase, changes};

use crate::configuration::Configuration;
use crate::error::{CommandError, Result, with_causes};
use crate::serve;
use crate::terminal::{ProgressLine, print};

#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct SyncArguments {
    /// No longer supported, as in Keystone.
    #[arg(hide = true)]
    version: Option<String>,
    /// Make only the changes that old and new releases both work with.
    #[arg(long, group = "phase")]
    expand: bool,
    /// Do nothing: data needs no migration.
    #[arg(long, group = "phase")]
    migrate: bool,
    /// Remove what only old releases need, once no node runs one.
    #[arg(long, group = "phase")]
    contract: bool,
    /// Change nothing; exit with 0 if there is nothing to do, 2 if --expand is needed, 4 if --contract is needed.
    #[arg(long, group = "phase")]
    check: bool,
    /// Change nothing; print the statements that make the triggers of the change log, for an administrator of the database.
    #[arg(long, group = "phase")]
    print_triggers: bool,
    /// Leave the triggers of the change log alone. Without them every validation asks the database.
    #[arg(long)]
    without_triggers: bool,
}

pub(super) async fn sync(
    arguments: SyncArguments,
    configuration: &Configuration,
) -> Result<ExitCode> {
    if arguments.migrate {
        // Keystone's text (`keystone.cmd.cli`).
        print("Data migrations are no longer supported with alembic. This is now a no-op.");
        return Ok(ExitCode::SUCCESS);
    }
    let without_triggers = arguments.without_triggers;
    let phase = match arguments {
        SyncArguments {
            print_triggers: true,
            ..
        } => return print_triggers(configuration).await,
        SyncArguments { expand: true, .. } => Phase::Expand,
        SyncArguments { contract: true, .. } => Phase::Contract,
        SyncArguments { check: true, .. } => return check(configuration).await,
        SyncArguments {
            version: Some(_), ..
        } => {
            return Err(CommandError::new(
                "Specifying a version is no longer supported",
            ));
        }
        _ => Phase::All,
    };
    let database = &configuration.settings.database;
    let db = Db::connect(&database.url.parse()?, &database.pool).await?;
    let line = ProgressLine::new();
    schema::sync(&db, phase, |progress| line.schema(progress)).await?;
    drop(line);
    if !without_triggers {
        install_triggers(&db).await?;
    }
    db.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Installs the triggers where they are not as they should be, or refuse writes, as those of an account that is gone do. Not being
/// allowed to is no failure where there are none: the server works without them, only slower.
async fn install_triggers(db: &Db) -> Result<()> {
    let incomplete = changes::incomplete(db).await?;
    let refused = changes::check_write(db).await.err();
    if incomplete.is_none() && refused.is_none() {
        return Ok(());
    }
    match (changes::install(db).await, refused) {
        (Ok(()), None) => {}
        (Ok(()), Some(_)) => changes::check_write(db).await?,
        (Err(error), None) => tracing::warn!(
            why = incomplete,
            error = with_causes(&error),
            "the triggers of the change log could not be made, so every validation will ask the database: let an \
             administrator of the database run what `keystone-manage db_sync --print-triggers` prints"
        ),
        (Err(error), Some(refused)) => {
            return Err(CommandError::new(format!(
                "the database refuses to write ({}), and the triggers of the change log could not be made anew ({}): let an \
                 administrator of the database run what `keystone-manage db_sync --print-triggers` prints",
                with_causes(&refused),
                with_causes(&error)
            )));
        }
    }
    Ok(())
}

async fn print_triggers(configuration: &Configuration) -> Result<ExitCode> {
    let db = serve::connect(&configuration.settings.database).await?;
    let script = changes::script(&db).await?;
    print(script.trim_end());
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn remove_triggers(configuration: &Configuration) -> Result<()> {
    let db = serve::connect(&configuration.settings.database).await?;
    changes::remove(&db).await?;
    db.close().await;
    Ok(())
}

async fn check(configuration: &Configuration) -> Result<ExitCode> {
    let db = serve::connect(&configuration.settings.database).await?;
    let state = schema::state(&db).await?;
    tracing::info!("{state}");
    tracing::info!(
        "expand: {} (head: {EXPAND_HEAD}), contract: {} (head: {CONTRACT_HEAD})",
        state.expand().unwrap_or("none"),
        state.contract().unwrap_or("none"),
    );
    Ok(ExitCode::from(state.check()))
}

pub(super) async fn version(configuration: &Configuration) -> Result<()> {
    let db = serve::connect(&configuration.settings.database).await?;
    // Keystone prints Python's `None` for a database without a revision.
    print(schema::state(&db).await?.expand().unwrap_or("None"));
    Ok(())
}
