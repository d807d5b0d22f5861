//! Key repositories: directories of numbered key files.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fingerprint::{Fingerprint, parse_number};
use crate::keys::{Key, KeySet, new_key};
use crate::replacement::{Replacement, sync_directory};
use crate::watch::{Directory, snapshot};

/// A directory of keys: the highest number encrypts, the others decrypt only, `0` is next.
#[derive(Clone, Debug)]
pub struct KeyRepository {
    path: PathBuf,
    max_active_keys: usize,
}

/// The owner of new files and directories; `None` leaves them to the user that runs this.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner {
    /// The user.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
}

impl KeyRepository {
    /// The repository at `path`, which need not exist yet; rotation leaves `max_active_keys`.
    pub fn new(path: impl Into<PathBuf>, max_active_keys: usize) -> Self {
        Self {
            path: path.into(),
            max_active_keys,
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many keys rotation leaves.
    pub fn max_active_keys(&self) -> usize {
        self.max_active_keys
    }

    /// Reads the keys; ignores empty files and names other than numbers.
    pub fn load(&self) -> Result<KeySet> {
        snapshot(self).keys
    }

    /// The directory and the keys in it that users other than owner and group can read.
    pub fn world_readable(&self) -> Result<Vec<PathBuf>> {
        let seen = self.look()?;
        Ok(seen.world_readable().map(Path::to_owned).collect())
    }

    /// Creates the directory and the keys `0` and `1`; returns false if there is a key `0` already.
    pub fn setup(&self, owner: Owner) -> Result<bool> {
        self.create_directory(owner)?;
        let _lock = self.lock()?;
        if fs::metadata(self.path.join("0")).is_ok_and(|found| found.len() > 0) {
            tracing::info!(path = %self.path.display(), "key repository is already initialized");
            return Ok(false);
        }
        self.stage(self.write_next_key(owner)?)?;
        self.rotate_locked(owner)?;
        Ok(true)
    }

    /// Makes the staged key the primary one, stages a new one and deletes what exceeds
    /// `max_active_keys`; returns the number of the new primary key.
    ///
    /// At each step the directory holds the keys that open everything any node has sealed.
    pub fn rotate(&self, owner: Owner) -> Result<u64> {
        let _lock = self.lock()?;
        self.rotate_locked(owner)
    }

    fn rotate_locked(&self, owner: Owner) -> Result<u64> {
        let files = self.look()?.files;
        let mut numbers: Vec<u64> = files
            .iter()
            .filter(|file| file.stamp.size > 0)
            .map(|file| file.number)
            .collect();
        let staged = self.path.join("0");
        if numbers.first() != Some(&0) {
            return Err(Error::NoKeys { path: staged });
        }
        let last = numbers.last().copied().unwrap_or_default();
        let primary = last.checked_add(1).ok_or(Error::InvalidKey {
            name: last.to_string(),
        })?;
        tracing::info!(path = %self.path.display(), keys = numbers.len(), primary, "rotating keys");

        let next = self.write_next_key(owner)?;
        let promoted = self.path.join(primary.to_string());
        // A second name first, so that a key 0 exists at every moment.
        if fs::hard_link(&staged, &promoted).is_err() {
            fs::rename(&staged, &promoted).map_err(Error::at(&staged))?;
        }
        // The key must not be lost with its first name.
        sync_directory(&self.path).map_err(Error::at(&self.path))?;
        self.stage(next)?;

        numbers[0] = primary;
        numbers.sort_unstable();
        let excess = numbers
            .len()
            .saturating_sub(self.max_active_keys.saturating_sub(1));
        for number in &numbers[..excess] {
            let path = self.path.join(number.to_string());
            tracing::info!(path = %path.display(), "deleting excess key");
            fs::remove_file(&path).map_err(Error::at(&path))?;
        }
        sync_directory(&self.path).map_err(Error::at(&self.path))?;
        Ok(primary)
    }

    /// Writes a new key under a name that is not a number.
    fn write_next_key(&self, owner: Owner) -> Result<Replacement> {
        let path = self.next_key();
        let key = new_key()?;
        Replacement::new(&path)
            .fill(key.as_bytes(), owner)
            .map_err(Error::at(&path))
    }

    fn stage(&self, next: Replacement) -> Result<()> {
        next.put(&self.path.join("0"))
            .map_err(Error::at(&self.next_key()))
    }

    fn create_directory(&self, owner: Owner) -> Result<()> {
        if self.path.exists() {
            return Ok(());
        }
        let made = || {
            if let Some(parent) = self.path.parent() {
                fs::create_dir_all(parent)?;
            }
            DirBuilder::new().mode(0o700).create(&self.path)?;
            if owner.uid.is_some() || owner.gid.is_some() {
                chown(&self.path, owner.uid, owner.gid)?;
            }
            Ok(())
        };
        made().map_err(Error::at(&self.path))
    }

    /// Locks out other rotations, where the file system supports it.
    fn lock(&self) -> Result<File> {
        let directory = File::open(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.no_keys(),
            _ => Error::at(&self.path)(error),
        })?;
        if let Err(error) = directory.lock() {
            tracing::debug!(path = %self.path.display(), %error, "can't lock key repository");
        }
        Ok(directory)
    }

    fn next_key(&self) -> PathBuf {
        self.path.join("0.tmp")
    }

    fn no_keys(&self) -> Error {
        Error::NoKeys {
            path: self.path.clone(),
        }
    }
}

impl Directory for KeyRepository {
    type Keys = KeySet;
    const SECRET: bool = true;

    fn path(&self) -> &Path {
        &self.path
    }

    fn look(&self) -> Result<Fingerprint> {
        Fingerprint::take(&self.path, parse_number).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.no_keys(),
            _ => Error::at(&self.path)(error),
        })
    }

    fn read(&self, seen: &Fingerprint) -> Result<KeySet> {
        let mut keys = Vec::new();
        for file in seen.files.iter().filter(|file| file.stamp.size > 0) {
            let bytes = fs::read(&file.path).map_err(Error::at(&file.path))?;
            let key = String::from_utf8(bytes)
                .ok()
                .and_then(|text| Key::parse(file.number, text));
            let name = || file.path.display().to_string();
            keys.push(key.ok_or_else(|| Error::InvalidKey { name: name() })?);
        }
        KeySet::from_keys(keys).ok_or_else(|| self.no_keys())
    }
}
