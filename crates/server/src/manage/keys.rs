//! `*_setup` and `*_rotate`: the key repositories; `create_jws_keypair`: the pair that signs tokens.
//!
//! A repository that does not exist or can't be written to is an error in the log, and the command
//! still exits with 0, as in `keystone.common.fernet_utils`.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use keystone::token::{KeyRepository, PairFiles};
use nix::unistd::{AccessFlags, access};

use super::credential;
use super::key_sets::{check_rotation, log_next_rotation, print_comparison, print_key_sets};
use super::owner::OwnerArguments;
use crate::arguments::{CommonArguments, NoArguments, WithCommon};
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
    CredentialRotate(WithCommon<RotateArguments>),
    /// Create the repository of the keys that credentials are encrypted with.
    CredentialSetup(WithCommon<OwnerArguments>),
    /// Rotate the keys of tokens and receipts.
    FernetRotate(WithCommon<RotateArguments>),
    /// Create the key repositories of tokens and receipts.
    FernetSetup(WithCommon<OwnerArguments>),
    /// Compare the keys of this node with those of others, and tell whether they can be rotated.
    KeyCompare(WithCommon<CompareArguments>),
    /// Print what tells the keys of this node from those of another, as JSON without secrets.
    KeyFingerprint(WithCommon<NoArguments>),
    /// Rotate the keys of receipts.
    ReceiptRotate(WithCommon<RotateArguments>),
    /// Create the key repository of receipts.
    ReceiptSetup(WithCommon<OwnerArguments>),
    /// Rotate the keys of tokens.
    TokenRotate(WithCommon<RotateArguments>),
    /// Create the key repository of tokens.
    TokenSetup(WithCommon<OwnerArguments>),
}

impl Command {
    /// The owner of the keys that it makes, if it makes any.
    pub(super) fn owner(&self) -> Option<&OwnerArguments> {
        match self {
            Self::CreateJwsKeypair(it) => Some(&it.own.owner),
            Self::CredentialRotate(it)
            | Self::FernetRotate(it)
            | Self::ReceiptRotate(it)
            | Self::TokenRotate(it) => Some(&it.own.owner),
            Self::CredentialMigrate(it)
            | Self::CredentialSetup(it)
            | Self::FernetSetup(it)
            | Self::ReceiptSetup(it)
            | Self::TokenSetup(it) => Some(&it.own),
            Self::KeyCompare(_) | Self::KeyFingerprint(_) => None,
        }
    }
}

pub(super) async fn run(
    command: Command,
    load: impl Fn(CommonArguments) -> Result<Configuration>,
) -> Result<ExitCode> {
    use Repository::{Credentials, Receipts, Tokens};
    let done = match command {
        Command::KeyCompare(WithCommon { own, common }) => {
            return print_comparison(&own.nodes, &load(common)?);
        }
        Command::KeyFingerprint(WithCommon { common, .. }) => print_key_sets(&load(common)?),
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
    };
    done.map(|()| ExitCode::SUCCESS)
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RotateArguments {
    #[command(flatten)]
    pub(super) owner: OwnerArguments,
    /// What `key_fingerprint` printed on another node, for each of them: rotate only if no token is lost by it.
    #[arg(long = "node", value_name = "FILE")]
    pub(super) nodes: Vec<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CompareArguments {
    /// What `key_fingerprint` printed on another node, for each of them.
    #[arg(value_name = "FILE", required = true)]
    nodes: Vec<PathBuf>,
}

/// The use of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repository {
    Tokens,
    Receipts,
    Credentials,
}

impl Repository {
    pub(super) const ALL: [Self; 3] = [Self::Tokens, Self::Receipts, Self::Credentials];

    /// The section of its options.
    pub(super) fn group(self) -> &'static str {
        match self {
            Self::Tokens => "fernet_tokens",
            Self::Receipts => "fernet_receipts",
            Self::Credentials => "credential",
        }
    }

    pub(super) fn of(self, keys: &keystone::Keys) -> &KeyRepository {
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
    arguments: &RotateArguments,
    configuration: &Configuration,
    wanted: &[Repository],
) -> Result<()> {
    let owner = arguments.owner.owner()?;
    let wanted = distinct(wanted, &configuration.settings.keys);
    if !arguments.nodes.is_empty() {
        check_rotation(&arguments.nodes, configuration, &wanted)?;
    }
    for (repository, keys) in wanted {
        if is_usable(repository, keys) {
            keys.rotate(owner)?;
            if !arguments.nodes.is_empty() {
                log_next_rotation(configuration, repository)?;
            }
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
pub(super) fn distinct<'a>(
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
