//! `*_setup` and `*_rotate`: the key repositories; `create_jws_keypair`: the pair that signs tokens.
//!
//! A repository that does not exist or can't be written to is an error in the log, and the command
//! still exits with 0, as in `keystone.common.fernet_utils`.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use clap::{Args, Subcommand};
use keystone::token::{KeyRepository, PairFiles};
use nix::unistd::{AccessFlags, access};

use super::credential;
use super::owner::OwnerArguments;
use crate::arguments::{CommonArguments, WithCommon};
use crate::configuration::Configuration;
use crate::error::{CommandError, Result};

#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Create a key pair for signed tokens in the working directory.
    CreateJwsKeypair(WithCommon<PairArguments>),
    /// Encrypt credentials again that are not encrypted with the primary key.
    CredentialMigrate(WithCommon<OwnerArguments>),
    /// Rotate the keys that credentials are encrypted with.
    CredentialRotate(WithCommon<OwnerArguments>),
    /// Create the repository of the keys that credentials are encrypted with.
    CredentialSetup(WithCommon<OwnerArguments>),
    /// Rotate the keys of tokens and receipts.
    FernetRotate(WithCommon<OwnerArguments>),
    /// Create the key repositories of tokens and receipts.
    FernetSetup(WithCommon<OwnerArguments>),
    /// Rotate the keys of receipts.
    ReceiptRotate(WithCommon<OwnerArguments>),
    /// Create the key repository of receipts.
    ReceiptSetup(WithCommon<OwnerArguments>),
    /// Rotate the keys of tokens.
    TokenRotate(WithCommon<OwnerArguments>),
    /// Create the key repository of tokens.
    TokenSetup(WithCommon<OwnerArguments>),
}

impl Command {
    /// The owner of the keys that it makes.
    pub(super) fn owner(&self) -> &OwnerArguments {
        match self {
            Self::CreateJwsKeypair(it) => &it.own.owner,
            Self::CredentialMigrate(it)
            | Self::CredentialRotate(it)
            | Self::CredentialSetup(it)
            | Self::FernetRotate(it)
            | Self::FernetSetup(it)
            | Self::ReceiptRotate(it)
            | Self::ReceiptSetup(it)
            | Self::TokenRotate(it)
            | Self::TokenSetup(it) => &it.own,
        }
    }
}

pub(super) async fn run(
    command: Command,
    load: impl Fn(CommonArguments) -> Result<Configuration>,
) -> Result<()> {
    use Repository::{Credentials, Receipts, Tokens};
    match command {
        Command::CreateJwsKeypair(WithCommon { own, common }) => create_pair(&own, &load(common)?),
        Command::CredentialMigrate(WithCommon { common, .. }) => {
            credential::migrate(&load(common)?).await
        }
        Command::CredentialRotate(WithCommon { own, common }) => {
            credential::rotate(&own, &load(common)?).await
        }
        Command::CredentialSetup(WithCommon { own, common }) => {
            setup(&own, &load(common)?, &[Credentials])
        }
        Command::FernetRotate(WithCommon { own, common }) => {
            rotate(&own, &load(common)?, &[Tokens, Receipts])
        }
        Command::FernetSetup(WithCommon { own, common }) => {
            setup(&own, &load(common)?, &[Tokens, Receipts])
        }
        Command::ReceiptRotate(WithCommon { own, common }) => {
            rotate(&own, &load(common)?, &[Receipts])
        }
        Command::ReceiptSetup(WithCommon { own, common }) => {
            setup(&own, &load(common)?, &[Receipts])
        }
        Command::TokenRotate(WithCommon { own, common }) => rotate(&own, &load(common)?, &[Tokens]),
        Command::TokenSetup(WithCommon { own, common }) => setup(&own, &load(common)?, &[Tokens]),
    }
}

/// The use of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repository {
    Tokens,
    Receipts,
    Credentials,
}

impl Repository {
    fn group(self) -> &'static str {
        match self {
            Self::Tokens => "fernet_tokens",
            Self::Receipts => "fernet_receipts",
            Self::Credentials => "credential",
        }
    }

    fn of(self, keys: &keystone::Keys) -> &KeyRepository {
        match self {
            Self::Tokens => &keys.tokens,
            Self::Receipts => &keys.receipts,
            Self::Credentials => &keys.credentials,
        }
    }
}

fn setup(
    owner: &OwnerArguments,
    configuration: &Configuration,
    wanted: &[Repository],
) -> Result<()> {
    let owner = owner.owner()?;
    for (repository, keys) in distinct(wanted, &configuration.settings.keys) {
        let path = keys.path();
        if path.exists() && !is_usable(repository, keys) {
            continue;
        }
        if keys.setup(owner)? {
            tracing::info!(path = %path.display(), "created the key repository");
        }
        is_usable(repository, keys);
    }
    Ok(())
}

fn rotate(
    owner: &OwnerArguments,
    configuration: &Configuration,
    wanted: &[Repository],
) -> Result<()> {
    let owner = owner.owner()?;
    for (repository, keys) in distinct(wanted, &configuration.settings.keys) {
        if is_usable(repository, keys) {
            keys.rotate(owner)?;
        }
    }
    Ok(())
}

#[derive(Debug, Args)]
pub(crate) struct PairArguments {
    #[command(flatten)]
    pub(super) owner: OwnerArguments,
    /// Replace a key that is there already.
    #[arg(long)]
    force: bool,
}

/// Writes a new key pair to the working directory, for an operator to put in its place.
fn create_pair(arguments: &PairArguments, configuration: &Configuration) -> Result<()> {
    let owner = arguments.owner.owner()?;
    let directory = env::current_dir()
        .map_err(|error| CommandError::new(format!("the working directory: {error}")))?;
    let files = PairFiles::within(&directory);
    for (kind, path) in [("Private", &files.private), ("Public", &files.public)] {
        if path.is_file() && !arguments.force {
            let text = format!("{kind} key {} already exists", path.display());
            return Err(CommandError::new(text));
        }
    }
    let algorithm = configuration.settings.keys.jws.algorithm;
    files.create(algorithm, owner).map_err(CommandError::new)
}

/// The repositories without duplicates: tokens and receipts often share a directory.
fn distinct<'a>(
    wanted: &[Repository],
    keys: &'a keystone::Keys,
) -> Vec<(Repository, &'a KeyRepository)> {
    let mut all: Vec<(Repository, &KeyRepository)> = Vec::new();
    for repository in wanted {
        let one = repository.of(keys);
        let absolute = |keys: &KeyRepository| std::path::absolute(keys.path()).ok();
        if !all
            .iter()
            .any(|(_, other)| absolute(other) == absolute(one))
        {
            all.push((*repository, one));
        }
    }
    all
}

/// Whether keys can be read and written there; logs the problem if not.
pub(super) fn is_usable(repository: Repository, keys: &KeyRepository) -> bool {
    let path = keys.path();
    let group = repository.group();
    if access(
        path,
        AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK,
    )
    .is_err()
    {
        tracing::error!(
            path = %path.display(),
            "[{group}] key_repository does not exist or can't be read and written"
        );
        return false;
    }
    let mode = fs::metadata(path).map(|meta| meta.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o005 != 0) {
        tracing::warn!(path = %path.display(), "[{group}] key_repository is open to everyone");
    }
    true
}
