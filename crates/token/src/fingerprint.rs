//! Fingerprints of a directory: they show a change without reading its files.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{io, iter};

/// The metadata of a directory and of the key files in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    directory: (PathBuf, Stamp),
    pub(crate) files: Vec<KeyFile>,
}

/// A file that may hold a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyFile {
    /// The number that is its name; 0 in a directory whose names are no numbers.
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) stamp: Stamp,
}

/// Metadata that changes when a file does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: (u64, u64),
    pub(crate) size: u64,
    pub(crate) mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    /// Looks at the files whose names have a number by `number_of`.
    pub(crate) fn take(
        directory: &Path,
        number_of: impl Fn(&str) -> Option<u64>,
    ) -> io::Result<Self> {
        let mut files = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let Some(number) = entry.file_name().to_str().and_then(&number_of) else {
                continue;
            };
            let path = entry.path();
            match fs::metadata(&path) {
                Ok(found) if found.is_file() => {
                    files.push(KeyFile {
                        number,
                        path,
                        stamp: Stamp::of(&found),
                    });
                }
                Ok(_) => {}
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        files.sort_by(|a, b| (a.number, &a.path).cmp(&(b.number, &b.path)));
        let stamp = Stamp::of(&fs::metadata(directory)?);
        Ok(Self {
            directory: (directory.to_owned(), stamp),
            files,
        })
    }

    /// Whether the directory looks as it did; reads no directory and no file.
    pub(crate) fn still_holds(&self) -> bool {
        self.stamps()
            .all(|(path, stamp)| fs::metadata(path).is_ok_and(|found| Stamp::of(&found) == *stamp))
    }

    /// The time since the last change; zero if that lies in the future.
    ///
    /// Two changes in one tick of the file system's clock leave the same stamps, so a fingerprint
    /// is good for comparison only once it has some age.
    pub(crate) fn age(&self) -> Duration {
        let newest = self
            .stamps()
            .map(|(_, stamp)| stamp.changed.max(stamp.modified))
            .max();
        let since_epoch = newest.and_then(|(seconds, nanos)| {
            Some(Duration::new(
                u64::try_from(seconds).ok()?,
                u32::try_from(nanos).ok()?,
            ))
        });
        // The stamps come from the kernel's clock, whichever clock the server is given.
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        now.saturating_sub(since_epoch.unwrap_or_default())
    }

    /// When the newest file was written, which rotation does: it writes the next key.
    pub(crate) fn written(&self) -> Option<SystemTime> {
        let times = self.files.iter().map(|file| file.stamp.modified);
        let (seconds, _) = times.max()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.try_into().ok()?))
    }

    /// The files that users other than owner and group may read.
    pub(crate) fn world_readable(&self) -> impl Iterator<Item = &Path> {
        let open = |stamp: &Stamp| stamp.mode & 0o005 != 0;
        let reachable = open(&self.directory.1);
        let files = self
            .stamps()
            .filter(move |(_, stamp)| reachable && open(stamp));
        files.map(|(path, _)| path)
    }

    fn stamps(&self) -> impl Iterator<Item = (&Path, &Stamp)> {
        let directory = (self.directory.0.as_path(), &self.directory.1);
        let files = self
            .files
            .iter()
            .map(|file| (file.path.as_path(), &file.stamp));
        iter::once(directory).chain(files)
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            inode: (found.dev(), found.ino()),
            size: found.size(),
            mode: found.mode(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// The number of a numbered key file; `01` and `+1` are no such names.
pub(crate) fn parse_number(name: &str) -> Option<u64> {
    let number: u64 = name.parse().ok()?;
    (number.to_string() == name).then_some(number)
}
