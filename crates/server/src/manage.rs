//! `keystone-manage`: Keystone's subcommands, and `policy`.

mod bootstrap;
mod credential;
mod database;
mod doctor;
mod domain_config;
mod id_mapping;
mod key_sets;
mod keys;
mod mapping;
mod owner;
mod policy;
mod saml;
mod setup;
mod trusts;

use std::process::ExitCode;

use clap::Subcommand;
use clap::error::ErrorKind;
use keystone_config::Program;

use crate::arguments::{CommonArguments, NoArguments, WithCommon};
use crate::configuration::Configuration;
use crate::error::Result;

#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Create or repair the first domain, project, user, roles and endpoints.
    Bootstrap(WithCommon<bootstrap::Arguments>),
    /// Bring the database to this release's schema.
    DbSync(WithCommon<database::SyncArguments>),
    /// Print the revision of the database.
    DbVersion(WithCommon<NoArguments>),
    /// Look for common problems, and say what to do; exit with 1 if there are some.
    Doctor(WithCommon<doctor::Arguments>),
    /// Store the configuration files of domains in the database.
    DomainConfigUpload(WithCommon<domain_config::UploadArguments>),
    /// Print what a mapping of federation makes of attributes.
    MappingEngine(WithCommon<mapping::EngineArguments>),
    #[command(flatten)]
    Keys(keys::Command),
    /// Give ids to the users of a domain's directory.
    MappingPopulate(WithCommon<id_mapping::PopulateArguments>),
    /// Forget which ids here stand for which of other servers.
    MappingPurge(WithCommon<id_mapping::PurgeArguments>),
    /// Evaluate, list or check policy rules.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Create a project in the default domain, with an id of your choice.
    ProjectSetup(WithCommon<setup::ProjectArguments>),
    /// Remove the triggers and the table of the change log: every validation then asks the database.
    RemoveTriggers(WithCommon<NoArguments>),
    /// Let all users count as active today of whom no activity is known.
    ResetLastActive(WithCommon<setup::ResetArguments>),
    /// Print the metadata of this cloud as a SAML identity provider.
    SamlIdpMetadata(WithCommon<NoArguments>),
    /// Remove deleted and expired trusts from the database.
    TrustFlush(WithCommon<trusts::FlushArguments>),
    /// Create a user in the default domain, or enable one and set the password.
    UserSetup(WithCommon<setup::UserArguments>),
}

/// A missing argument.
pub(crate) struct Missing(pub(crate) ErrorKind, pub(crate) String);

impl Command {
    /// Requires the owner of new keys if the command runs as root: a server that runs as another user could not read
    /// root's keys.
    pub(crate) fn check_owner(&self) -> Result<(), Missing> {
        let Self::Keys(command) = self else {
            return Ok(());
        };
        let Some(owner) = command.owner() else {
            return Ok(());
        };
        owner
            .check()
            .map_err(|text| Missing(ErrorKind::MissingRequiredArgument, text))
    }
}

pub(crate) async fn run(command: Command, before: CommonArguments) -> Result<ExitCode> {
    let load = |after| Configuration::load(Program::Manage, &before.clone().merge(after));
    let done = match command {
        Command::Keys(command) => return keys::run(command, load).await,
        Command::Policy(command) => return Box::pin(policy::run(command, before)).await,
        Command::DbSync(WithCommon { own, common }) => {
            return database::sync(own, &load(common)?).await;
        }
        Command::Doctor(WithCommon { own, common }) => {
            return Ok(Box::pin(doctor::examine(&own, load(common))).await);
        }
        Command::DbVersion(WithCommon { common, .. }) => database::version(&load(common)?).await,
        Command::RemoveTriggers(WithCommon { common, .. }) => {
            database::remove_triggers(&load(common)?).await
        }
        Command::MappingEngine(WithCommon { own, common }) => {
            mapping::run(own, &load(common)?).await
        }
        Command::DomainConfigUpload(WithCommon { own, common }) => {
            domain_config::upload(own, &load(common)?).await
        }
        Command::MappingPopulate(WithCommon { own, common }) => {
            id_mapping::populate(own, &load(common)?).await
        }
        Command::MappingPurge(WithCommon { own, common }) => {
            id_mapping::purge(own, &load(common)?).await
        }
        Command::ProjectSetup(WithCommon { own, common }) => {
            setup::project(own, &load(common)?).await
        }
        Command::ResetLastActive(WithCommon { own, common }) => {
            setup::reset_last_active(own, &load(common)?).await
        }
        Command::UserSetup(WithCommon { own, common }) => setup::user(own, &load(common)?).await,
        Command::SamlIdpMetadata(WithCommon { common, .. }) => saml::print_metadata(&load(common)?),
        Command::Bootstrap(WithCommon { own, common }) => bootstrap::run(own, &load(common)?).await,
        Command::TrustFlush(WithCommon { own, common }) => trusts::flush(own, &load(common)?).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}
