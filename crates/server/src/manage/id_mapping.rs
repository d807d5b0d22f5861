//! `mapping_purge` and `mapping_populate`: which ids here stand for which of other servers.

use clap::{Args, ValueEnum};
use keystone::identity::{Identity, MappedIds};
use keystone::storage::schema;
use keystone::types::{Clock, Error, Listing};

use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::terminal::{ProgressLine, print};
use crate::{readiness, serve};

#[derive(Clone, Debug, Args)]
pub(crate) struct PurgeArguments {
    /// All of them.
    #[arg(long)]
    all: bool,
    /// Those of this domain.
    #[arg(long)]
    domain_name: Option<String>,
    /// The one of this id here.
    #[arg(long)]
    public_id: Option<String>,
    /// Those of this id at the other server.
    #[arg(long)]
    local_id: Option<String>,
    /// Those of users, or those of groups.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    User,
    Group,
}

/// The texts of what can't be asked are those of `keystone.cmd.cli`.
pub(super) async fn purge(arguments: PurgeArguments, configuration: &Configuration) -> Result<()> {
    let PurgeArguments {
        all,
        domain_name,
        public_id,
        local_id,
        kind,
    } = arguments;
    let narrowed =
        domain_name.is_some() || public_id.is_some() || local_id.is_some() || kind.is_some();
    if !all && !narrowed {
        return Err(CommandError::new("At least one option must be provided"));
    }
    if all && narrowed {
        return Err(CommandError::new(
            "--all option cannot be mixed with other options",
        ));
    }
    let settings = &configuration.settings;
    let db = serve::connect(&settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let identity = Identity::new(db, Clock::system(), settings.identity.clone(), [])?;
    let domain_id = match &domain_name {
        Some(name) => Some(identity.domain_by_name(name).await?.id),
        None => None,
    };
    let entity_type = kind.map(|kind| match kind {
        Kind::User => "user".to_owned(),
        Kind::Group => "group".to_owned(),
    });
    let which = MappedIds {
        domain_id,
        public_id,
        local_id,
        entity_type,
    };
    let mappings = identity.purge_mapped_ids(&which).await?;
    tracing::info!(mappings, "removed");
    Ok(())
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PopulateArguments {
    /// The domain whose users are in a directory.
    #[arg(long)]
    domain_name: String,
}

/// A list of the users of a domain's directory gives an id to each of them who has none.
pub(super) async fn populate(
    arguments: PopulateArguments,
    configuration: &Configuration,
) -> Result<()> {
    let settings = &configuration.settings;
    let db = serve::connect(&settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let identity = Identity::new(db, Clock::system(), settings.identity.clone(), [])?;
    let domain = match identity.domain_by_name(&arguments.domain_name).await {
        // As in `keystone.cmd.cli`, which takes it for success.
        Err(Error::NotFound { .. }) => {
            print(&format!("Invalid domain name: {}", arguments.domain_name));
            return Ok(());
        }
        found => found?,
    };
    let all = Listing::default().with("domain_id", domain.id);
    let progress = ProgressLine::new();
    progress.show("reading the users of the domain, and giving ids to them");
    let users = identity.users(&all).await?.items.len();
    drop(progress);
    tracing::info!(users, "have ids");
    Ok(())
}
