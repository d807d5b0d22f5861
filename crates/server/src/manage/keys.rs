//! `*_setup` and `*_rotate`: the key repositories; `create_jws_keypair`: the pair that signs tokens.
//!
//! A repository that does not exist or can't be written to is an error in the log, and the command
//! still exits with 0, as in `keystone.common.fernet_utils`.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use clap::Args;
use keystone::token::{KeyRepository, PairFiles};
use nix::unistd::{AccessFlags, access};

use super::owner::OwnerArguments;
use crate::configuration::Configuration;
use crate::error::{CommandError, Result};

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

pub(super) fn setup(
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

pub(super) fn rotate(
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
pub(super) fn create_pair(arguments: &PairArguments, configuration: &Configuration) -> Result<()> {
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
