//! `--keystone-user` and `--keystone-group`: the owner of new keys.

use clap::Args;
use keystone::token::Owner;
use nix::unistd::{Gid, Group, Uid, User};

use crate::error::{CommandError, Result};

#[derive(Clone, Debug, Args)]
pub(crate) struct OwnerArguments {
    /// The user, by name or id, that the server runs as; required for root.
    #[arg(long, value_name = "USER")]
    keystone_user: Option<String>,
    /// The group, by name or id, that the server runs as; required for root.
    #[arg(long, value_name = "GROUP")]
    keystone_group: Option<String>,
}

impl OwnerArguments {
    /// An error that names the missing options, if they are required.
    pub(super) fn check(&self) -> Result<(), String> {
        let options = [
            (&self.keystone_user, "--keystone-user"),
            (&self.keystone_group, "--keystone-group"),
        ];
        let missing = options.into_iter().filter(|(given, _)| given.is_none());
        let missing: Vec<_> = missing.map(|(_, name)| name).collect();
        if missing.is_empty() || !Uid::effective().is_root() {
            return Ok(());
        }
        let names = missing.join(", ");
        Err(format!("the following arguments are required: {names}"))
    }

    /// The ids; one without the other has no effect, as in `keystone.common.fernet_utils`.
    pub(super) fn owner(&self) -> Result<Owner> {
        let user = self.keystone_user.as_deref().filter(|it| !it.is_empty());
        let group = self.keystone_group.as_deref().filter(|it| !it.is_empty());
        let uid = user.map(uid).transpose()?;
        let gid = group.map(gid).transpose()?;
        if uid.is_some() != gid.is_some() {
            tracing::warn!(
                "keys are given away only with both --keystone-user and --keystone-group: \
                 they stay with whoever runs this"
            );
            return Ok(Owner::default());
        }
        Ok(Owner { uid, gid })
    }
}

fn uid(text: &str) -> Result<u32> {
    let named = User::from_name(text).ok().flatten();
    let numbered = || User::from_uid(Uid::from_raw(text.trim().parse().ok()?)).ok()?;
    let found = named.or_else(numbered).map(|user| user.uid.as_raw());
    found.ok_or_else(|| CommandError::new(format!("Unknown user '{text}' in --keystone-user")))
}

fn gid(text: &str) -> Result<u32> {
    let named = Group::from_name(text).ok().flatten();
    let numbered = || Group::from_gid(Gid::from_raw(text.trim().parse().ok()?)).ok()?;
    let found = named.or_else(numbered).map(|group| group.gid.as_raw());
    found.ok_or_else(|| CommandError::new(format!("Unknown group '{text}' in --keystone-group")))
}
