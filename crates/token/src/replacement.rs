//! Files that replace another one whole or not at all, even if the process or the machine stops.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::Owner;

/// A file under a temporary name, readable by its owner only.
#[derive(Debug)]
pub struct Replacement(PathBuf);

impl Replacement {
    /// The file with this temporary name, which must be in the directory of the one it replaces.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Writes it from scratch, and to the disk.
    pub fn fill(self, bytes: &[u8], owner: Owner) -> Result<Self> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Never through a link, which the directory's owner could have left for root to follow.
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.0);
        let written = file.and_then(|mut file| {
            file.set_permissions(Permissions::from_mode(0o600))?;
            if owner.uid.is_some() || owner.gid.is_some() {
                fchown(&file, owner.uid, owner.gid)?;
            }
            file.write_all(bytes)?;
            file.sync_all()
        });
        match written {
            Ok(()) => Ok(self),
            Err(error) => {
                let _ = fs::remove_file(&self.0);
                Err(error)
            }
        }
    }

    /// Gives it its final name; from here on it survives a crash.
    pub fn put(self, path: &Path) -> Result<()> {
        fs::rename(&self.0, path)?;
        sync_directory(path.parent().unwrap_or(Path::new(".")))
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_left_by_a_crash_is_replaced_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let [new, path, other] = [".key.new", "key", "other"].map(|name| dir.path().join(name));
        fs::write(&other, "kept").unwrap();
        let replace = |text: &str| {
            let file = Replacement::new(&new).fill(text.as_bytes(), Owner::default());
            file.unwrap().put(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
            assert!(!new.exists());
        };
        fs::write(&new, "half a key that is longer than the next").unwrap();
        replace("first");
        symlink(&other, &new).unwrap();
        replace("second");
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let [new, path] = ["new", "key"].map(|name| dir.path().join(name));
        fs::write(&path, "old").unwrap();
        fs::create_dir(&new).unwrap();
        let file = Replacement::new(&new).fill(b"text", Owner::default());
        assert!(file.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }
}
