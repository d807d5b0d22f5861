//! `keystone-manage`: the subcommands of the reference, and `policy`.

mod bootstrap;
mod credential;
mod database;
mod keys;
mod owner;
mod policy;

use std::process::ExitCode;

use clap::Subcommand;
use clap::error::ErrorKind;
use keystone_config::Program;

use crate::arguments::{Common, Nothing, With};
use crate::configuration::Configuration;
use crate::failure::Result;
use keys::Repository;
use owner::OwnerArguments;

#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Create or repair the first domain, project, user, roles and endpoints.
    Bootstrap(With<bootstrap::Arguments>),
    /// Encrypt credentials again that are not encrypted with the primary key.
    CredentialMigrate(With<OwnerArguments>),
    /// Rotate the keys that credentials are encrypted with.
    CredentialRotate(With<OwnerArguments>),
    /// Create the repository of the keys that credentials are encrypted with.
    CredentialSetup(With<OwnerArguments>),
    /// Bring the database to this release's schema.
    DbSync(With<database::SyncArguments>),
    /// Print the revision of the database.
    DbVersion(With<Nothing>),
    /// Rotate the keys of tokens and receipts.
    FernetRotate(With<OwnerArguments>),
    /// Create the key repositories of tokens and receipts.
    FernetSetup(With<OwnerArguments>),
    /// Ask the policy rules.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Rotate the keys of receipts.
    ReceiptRotate(With<OwnerArguments>),
    /// Create the key repository of receipts.
    ReceiptSetup(With<OwnerArguments>),
    /// Rotate the keys of tokens.
    TokenRotate(With<OwnerArguments>),
    /// Create the key repository of tokens.
    TokenSetup(With<OwnerArguments>),
}

/// What is missing on the command line.
pub(crate) struct Missing(pub(crate) ErrorKind, pub(crate) String);

impl Command {
    /// Root has to say whom the keys are for: a server that doesn't run as root could not read them.
    pub(crate) fn check_owner(&self) -> Result<(), Missing> {
        let owner = match self {
            Self::CredentialMigrate(it)
            | Self::CredentialRotate(it)
            | Self::CredentialSetup(it)
            | Self::FernetRotate(it)
            | Self::FernetSetup(it)
            | Self::ReceiptRotate(it)
            | Self::ReceiptSetup(it)
            | Self::TokenRotate(it)
            | Self::TokenSetup(it) => &it.own,
            Self::Bootstrap(_) | Self::DbSync(_) | Self::DbVersion(_) | Self::Policy(_) => {
                return Ok(());
            }
        };
        owner
            .check()
            .map_err(|text| Missing(ErrorKind::MissingRequiredArgument, text))
    }
}

pub(crate) async fn run(command: Command, before: Common) -> Result<ExitCode> {
    let load = |after| Configuration::load(Program::Manage, &before.clone().and(after));
    let done = match command {
        Command::Policy(command) => return policy::run(command, before),
        Command::DbSync(With { own, common }) => return database::sync(own, &load(common)?).await,
        Command::DbVersion(With { common, .. }) => database::version(&load(common)?).await,
        Command::Bootstrap(With { own, common }) => bootstrap::run(own, &load(common)?).await,
        Command::CredentialMigrate(With { common, .. }) => {
            credential::migrate(&load(common)?).await
        }
        Command::CredentialRotate(With { own, common }) => {
            credential::rotate(&own, &load(common)?).await
        }
        Command::CredentialSetup(With { own, common }) => {
            keys::setup(&own, &load(common)?, &[Repository::Credentials])
        }
        Command::FernetSetup(With { own, common }) => keys::setup(
            &own,
            &load(common)?,
            &[Repository::Tokens, Repository::Receipts],
        ),
        Command::FernetRotate(With { own, common }) => keys::rotate(
            &own,
            &load(common)?,
            &[Repository::Tokens, Repository::Receipts],
        ),
        Command::TokenSetup(With { own, common }) => {
            keys::setup(&own, &load(common)?, &[Repository::Tokens])
        }
        Command::TokenRotate(With { own, common }) => {
            keys::rotate(&own, &load(common)?, &[Repository::Tokens])
        }
        Command::ReceiptSetup(With { own, common }) => {
            keys::setup(&own, &load(common)?, &[Repository::Receipts])
        }
        Command::ReceiptRotate(With { own, common }) => {
            keys::rotate(&own, &load(common)?, &[Repository::Receipts])
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}
