//! `trust_flush`: trusts that are over.

use chrono::{NaiveDate, NaiveTime};
use clap::Args;
use keystone::auth::{TrustFilter, flush_trusts};
use keystone::storage::schema;
use keystone::types::Clock;

use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::terminal::ProgressLine;
use crate::{readiness, serve};

#[derive(Clone, Debug, Args)]
pub(crate) struct FlushArguments {
    /// Only the trusts on this project.
    #[arg(long)]
    project_id: Option<String>,
    /// Only the trusts of this trustor.
    #[arg(long)]
    trustor_user_id: Option<String>,
    /// Only the trusts of this trustee.
    #[arg(long)]
    trustee_user_id: Option<String>,
    /// Only the expired trusts that did so before this day, DD-MM-YYYY; all of them if it is not given.
    #[arg(long)]
    date: Option<String>,
}

pub(super) async fn flush(arguments: FlushArguments, configuration: &Configuration) -> Result<()> {
    let before = match &arguments.date {
        None => Clock::system().precise(),
        Some(text) => NaiveDate::parse_from_str(text, "%d-%m-%Y")
            .map(|date| date.and_time(NaiveTime::MIN))
            .map_err(|_| CommandError::new(format!("--date: {text} is not a day as DD-MM-YYYY")))?,
    };
    // As in Keystone, an empty id is none.
    let given = |id: Option<String>| id.filter(|id| !id.is_empty());
    let filter = TrustFilter {
        before,
        project_id: given(arguments.project_id),
        trustor_user_id: given(arguments.trustor_user_id),
        trustee_user_id: given(arguments.trustee_user_id),
    };
    let db = serve::connect(&configuration.settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let progress = ProgressLine::new();
    let removed = flush_trusts(&db, &filter, |done| {
        progress.show(&format!("{done} trusts removed"));
    });
    let removed = removed.await?;
    drop(progress);
    tracing::info!(trusts = removed, "removed");
    Ok(())
}
