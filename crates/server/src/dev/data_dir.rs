//! The directory of `keystone dev`, which only its owner can read.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use keystone::token::{Owner, Replacement};
use keystone::types::Secret;
use nix::sys::stat::{Mode, umask};

use crate::error::{CommandError, Result};

/// The file that marks a directory of `keystone dev`.
const MARKER: &str = ".keystone-dev";

/// An absolute path to a directory that exists.
#[derive(Debug)]
pub(super) struct DataDir(PathBuf);

impl DataDir {
    /// Creates the directory and its `keystone.conf` if they are missing; refuses a directory with other content.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if !path.join(MARKER).exists() && fs::read_dir(path).is_ok_and(|mut it| it.next().is_some())
        {
            let path = path.display();
            return Err(CommandError::new(format!(
                "--data-dir {path}: there is something in it that `keystone dev` has not made; \
                 name an empty directory or a new one"
            )));
        }
        // Other crates create the database and the keys, which only the owner may read either.
        umask(Mode::from_bits_truncate(0o077));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        let absolute = made.and_then(|()| fs::canonicalize(path));
        let dir = Self(absolute.map_err(|error| failed(path, &error))?);
        fs::set_permissions(&dir.0, Permissions::from_mode(0o700))
            .map_err(|error| failed(path, &error))?;
        dir.write(MARKER, "The data of `keystone dev`.")?;
        if !dir.config().exists() {
            dir.write("keystone.conf", &keystone_conf(&dir.0))?;
        }
        Ok(dir)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn config(&self) -> PathBuf {
        self.0.join("keystone.conf")
    }

    /// The text of a file without its last newline, if the file exists.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim_end_matches('\n').to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// Writes a file atomically, readable by its owner only.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.0.join(name);
        let text = format!("{}\n", text.trim_end_matches('\n'));
        Replacement::new(self.0.join(format!(".{name}.new")))
            .fill(text.as_bytes(), Owner::default())
            .and_then(|file| file.put(&path))
            .map_err(|error| failed(&path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> CommandError {
    CommandError::new(format!("{}: {error}", path.display()))
}

/// 128 random bits.
pub(super) fn new_password() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| CommandError::new(format!("no random bytes for a password: {error}")))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

fn keystone_conf(dir: &Path) -> String {
    let dir = dir.display().to_string().replace('$', "$$");
    format!(
        "# Made by `keystone dev`; changes stay.\n\
         [database]\nconnection = sqlite:///{dir}/keystone.db\n\n\
         [fernet_tokens]\nkey_repository = {dir}/fernet-keys\n\n\
         [fernet_receipts]\nkey_repository = {dir}/fernet-keys\n\n\
         [credential]\nkey_repository = {dir}/credential-keys\n"
    )
}

/// Lines for a shell.
pub(super) fn openrc(url: &str, password: &Secret) -> String {
    let password = password.reveal().replace('\'', "'\\''");
    format!(
        "export OS_AUTH_URL={url}\n\
         export OS_IDENTITY_API_VERSION=3\n\
         export OS_USERNAME=admin\n\
         export OS_PASSWORD='{password}'\n\
         export OS_USER_DOMAIN_NAME=Default\n\
         export OS_PROJECT_NAME=admin\n\
         export OS_PROJECT_DOMAIN_NAME=Default\n\
         export OS_REGION_NAME=RegionOne\n"
    )
}

/// The file that `openstack --os-cloud keystone-dev` reads.
pub(super) fn clouds_yaml(url: &str, password: &Secret) -> String {
    // Every JSON string is a YAML string.
    let password = serde_json::Value::from(password.reveal());
    format!(
        "clouds:\n\
         \x20 keystone-dev:\n\
         \x20   auth:\n\
         \x20     auth_url: {url}\n\
         \x20     username: admin\n\
         \x20     password: {password}\n\
         \x20     user_domain_name: Default\n\
         \x20     project_name: admin\n\
         \x20     project_domain_name: Default\n\
         \x20   identity_api_version: 3\n\
         \x20   region_name: RegionOne\n"
    )
}
