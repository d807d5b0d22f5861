//! `user_setup`, `project_setup` and `reset_last_active`: users and projects without a server.

use std::io::{self, BufRead, Write};

use clap::Args;
use keystone::identity::Identity;
use keystone::storage::schema;
use keystone::types::{Clock, Secret};

use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::terminal::ProgressLine;
use crate::{readiness, serve};

#[derive(Clone, Args)]
pub(crate) struct UserArguments {
    /// The name of a user of the default domain.
    #[arg(long)]
    username: String,
    /// The password. Every user of this machine can read it while the command runs.
    #[arg(long)]
    user_password_plain: String,
    /// The id of a new user; made up if it is not given.
    #[arg(long)]
    user_id: Option<String>,
}

impl std::fmt::Debug for UserArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserArguments").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ProjectArguments {
    /// The name of a project of the default domain.
    #[arg(long)]
    project_name: String,
    /// The id of a new project; made up if it is not given.
    #[arg(long)]
    project_id: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ResetArguments {
    /// Don't ask for confirmation.
    #[arg(long)]
    force: bool,
}

pub(super) async fn user(arguments: UserArguments, configuration: &Configuration) -> Result<()> {
    let keystone = serve::open(&configuration.settings).await?;
    let password = Secret::from(arguments.user_password_plain);
    let id = given(arguments.user_id.as_deref());
    let done = keystone.ensure_user(&arguments.username, &password, id);
    let done = done.await;
    // Sends what was announced.
    keystone.shutdown().await;
    done?;
    Ok(())
}

pub(super) async fn project(
    arguments: ProjectArguments,
    configuration: &Configuration,
) -> Result<()> {
    let keystone = serve::open(&configuration.settings).await?;
    let id = given(arguments.project_id.as_deref());
    let done = keystone.ensure_project(&arguments.project_name, id).await;
    keystone.shutdown().await;
    done?;
    Ok(())
}

/// Nobody could ask for what has an empty id.
fn given(id: Option<&str>) -> Option<&str> {
    id.filter(|id| !id.is_empty())
}

/// Keystone's text (`keystone.cmd.cli`).
const QUESTION: &str = "\
Security Warning: reset_last_active  will update all users
in the database with a NULL value for last_active_at to be
last active at the current time.  This includes users that
have never logged in.  If your Keystone deployment is
configured to use disable_user_account_days_inactive, these
users will still be enabled and won't be disabled until the
configured amount of time has passed after this command is
run.
Are you sure you want to continue [y/N]? ";

pub(super) async fn reset_last_active(
    arguments: ResetArguments,
    configuration: &Configuration,
) -> Result<()> {
    if !arguments.force && !is_confirmed()? {
        return Err(CommandError::new("reset_last_active aborted."));
    }
    let settings = &configuration.settings;
    let db = serve::connect(&settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let identity = Identity::new(db, Clock::system(), settings.identity.clone(), [])?;
    let progress = ProgressLine::new();
    let reset = identity.reset_last_active(|done| progress.show(&format!("{done} users")));
    let users = reset.await?;
    drop(progress);
    tracing::info!(users, "count as active today");
    Ok(())
}

fn is_confirmed() -> Result<bool> {
    let mut answer = String::new();
    let mut out = io::stdout().lock();
    let asked = write!(out, "{QUESTION}").and_then(|()| out.flush());
    asked
        .and_then(|()| io::stdin().lock().read_line(&mut answer))
        .map_err(|error| CommandError::new(format!("no answer could be read: {error}")))?;
    let answer = answer.trim_end_matches(['\r', '\n']);
    Ok(["y", "yes"].contains(&answer.to_lowercase().as_str()))
}
