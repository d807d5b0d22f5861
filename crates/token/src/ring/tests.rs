use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use super::{KeyRing, Keys, Watch};
use crate::keys::new_key;
use crate::{Error, KeyRepository, Owner};

const FOREVER: Duration = Duration::from_hours(1);

struct Cloud {
    _home: TempDir,
    path: PathBuf,
    repository: KeyRepository,
    ring: KeyRing,
}

/// A repository that is not set up, and a ring that accepts a directory unchanged for `quiet`.
fn cloud(quiet: Duration) -> Cloud {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("fernet-keys");
    let repository = KeyRepository::new(&path, 5);
    let watch = Watch::accepting_after(quiet, repository.clone());
    let ring = KeyRing(Keys::Directory(Box::new(watch)));
    Cloud {
        _home: home,
        path,
        repository,
        ring,
    }
}

impl Cloud {
    fn write(&self, name: &str, text: &str) {
        fs::write(self.path.join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap()
    }

    fn numbers(&self) -> String {
        format!("{:?}", self.ring.keys().unwrap())
    }
}

/// Runs `story` and returns what it logged.
fn logged(story: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::WARN)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, story);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn keys_that_appear_later_are_used() {
    let cloud = cloud(FOREVER);
    let missing = cloud.ring.keys().unwrap_err();
    assert!(
        matches!(&missing, Error::NoKeys { path } if *path == cloud.path),
        "{missing}"
    );
    fs::create_dir(&cloud.path).unwrap();
    assert!(matches!(cloud.ring.keys(), Err(Error::NoKeys { .. })));
    cloud.write("0", "");
    cloud.write("readme", "not a key");
    assert!(matches!(cloud.ring.keys(), Err(Error::NoKeys { .. })));
    cloud.repository.setup(Owner::default()).unwrap();
    assert_eq!(cloud.numbers(), "[1, 0]");
}

#[test]
fn rotation_shows_on_the_next_use_and_no_change_keeps_the_set() {
    let cloud = cloud(FOREVER);
    cloud.repository.setup(Owner::default()).unwrap();
    let before = cloud.ring.keys().unwrap();
    assert!(Arc::ptr_eq(&before, &cloud.ring.keys().unwrap()));
    let staged = cloud.read("0");
    cloud.repository.rotate(Owner::default()).unwrap();
    let after = cloud.ring.keys().unwrap();
    assert_eq!(format!("{after:?}"), "[2, 1, 0]");
    assert_eq!(cloud.read("2"), staged);
    for _ in 0..5 {
        cloud.repository.rotate(Owner::default()).unwrap();
    }
    assert_eq!(cloud.numbers(), "[7, 6, 5, 4, 0]");
}

#[test]
fn who_asked_before_a_look_shares_it_and_who_asks_later_sees_the_change() {
    let cloud = cloud(FOREVER);
    cloud.repository.setup(Owner::default()).unwrap();
    let asked = Instant::now();
    let before = cloud.ring.keys_since(asked).unwrap();
    cloud.repository.rotate(Owner::default()).unwrap();
    let shared = cloud.ring.keys_since(asked).unwrap();
    assert!(Arc::ptr_eq(&before, &shared));
    let after = cloud.ring.keys_since(Instant::now()).unwrap();
    assert_eq!(format!("{after:?}"), "[2, 1, 0]");
}

#[test]
fn keys_written_over_in_place_show_on_the_next_use() {
    let cloud = cloud(FOREVER);
    cloud.repository.setup(Owner::default()).unwrap();
    let hash = cloud.ring.keys().unwrap().primary_key_hash();
    let old = cloud.read("1");
    cloud.write("1", &cloud.read("0"));
    cloud.write("0", &old);
    assert_ne!(cloud.ring.keys().unwrap().primary_key_hash(), hash);
}

/// Two changes in one tick of the file system's clock look like one.
#[test]
fn stamps_of_a_recent_change_are_not_trusted() {
    let cloud = cloud(Duration::ZERO);
    cloud.repository.setup(Owner::default()).unwrap();
    cloud.ring.keys().unwrap();
    let Keys::Directory(watch) = &cloud.ring.0 else {
        unreachable!()
    };
    assert!(!watch.is_settled());
}

/// A key that was written while the clock was ahead.
#[test]
fn stamps_of_a_time_to_come_are_trusted_once_they_have_been_seen_for_a_while() {
    let cloud = cloud(FOREVER);
    cloud.repository.setup(Owner::default()).unwrap();
    let key = fs::File::open(cloud.path.join("1")).unwrap();
    key.set_modified(SystemTime::now() + FOREVER).unwrap();
    let Keys::Directory(watch) = &cloud.ring.0 else {
        unreachable!()
    };
    let begun = Instant::now();
    cloud.ring.keys().unwrap();
    assert!(!watch.is_settled());
    while !watch.is_settled() && begun.elapsed() < Duration::from_mins(1) {
        thread::park_timeout(Duration::from_millis(50));
        cloud.ring.keys().unwrap();
    }
    assert!(watch.is_settled());
}

#[test]
fn a_broken_key_keeps_the_last_good_set_and_warns_once() {
    let cloud = cloud(Duration::ZERO);
    cloud.repository.setup(Owner::default()).unwrap();
    let good = cloud.ring.keys().unwrap();
    let half = &new_key().unwrap()[..20];
    let log = logged(|| {
        cloud.write("2", half);
        for _ in 0..3 {
            assert!(Arc::ptr_eq(&good, &cloud.ring.keys().unwrap()));
        }
    });
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(
        log.contains("not a key: ") && log.contains("fernet-keys/2"),
        "{log}"
    );
    assert!(!log.contains(half));

    cloud.write("2", &new_key().unwrap());
    assert_eq!(cloud.numbers(), "[2, 1, 0]");
}

#[test]
fn a_broken_key_from_the_start_is_an_error_until_it_is_repaired() {
    let cloud = cloud(Duration::ZERO);
    cloud.repository.setup(Owner::default()).unwrap();
    cloud.write("2", "short");
    let error = cloud.ring.keys().unwrap_err();
    assert!(
        matches!(&error, Error::InvalidKey { name } if name.ends_with("/2")),
        "{error}"
    );
    cloud.write("2", "");
    assert_eq!(cloud.numbers(), "[1, 0]");
}

/// `rm *` and then `cp`, file by file.
#[test]
fn a_half_copied_directory_keeps_the_last_good_set() {
    let cloud = cloud(FOREVER);
    cloud.repository.setup(Owner::default()).unwrap();
    for _ in 0..3 {
        cloud.repository.rotate(Owner::default()).unwrap();
    }
    let good = cloud.ring.keys().unwrap();
    assert_eq!(format!("{good:?}"), "[4, 3, 2, 1, 0]");
    let [zero, two, three, four] = ["0", "2", "3", "4"].map(|name| cloud.read(name));
    let same = || Arc::ptr_eq(&good, &cloud.ring.keys().unwrap());

    let log = logged(|| {
        for name in ["0", "1", "2", "3", "4"] {
            fs::remove_file(cloud.path.join(name)).unwrap();
            assert!(same(), "removed {name}");
        }
        fs::remove_dir(&cloud.path).unwrap();
        assert!(same());
        fs::create_dir(&cloud.path).unwrap();
        let new = new_key().unwrap();
        for (name, text) in [("0", &new), ("2", &two), ("3", &three), ("4", &four)] {
            cloud.write(name, text);
            assert!(same(), "wrote {name}");
        }
        cloud.write("5", "");
        assert!(same());
        cloud.write("5", &zero);
        assert!(!same());
    });
    assert_eq!(cloud.numbers(), "[5, 4, 3, 2, 0]");
    assert!(
        log.contains("looks half copied") && log.contains("no keys at"),
        "{log}"
    );
}

#[test]
fn the_staged_key_arriving_before_the_new_primary_key_is_half_a_copy() {
    let cloud = cloud(FOREVER);
    cloud.repository.setup(Owner::default()).unwrap();
    let good = cloud.ring.keys().unwrap();
    let staged = cloud.read("0");
    cloud.write("0", &new_key().unwrap());
    assert!(Arc::ptr_eq(&good, &cloud.ring.keys().unwrap()));
    cloud.write("2", &staged);
    assert_eq!(cloud.numbers(), "[2, 1, 0]");
}

#[test]
fn a_smaller_or_empty_directory_is_accepted_once_it_stays_unchanged() {
    let cloud = cloud(Duration::ZERO);
    cloud.repository.setup(Owner::default()).unwrap();
    cloud.repository.rotate(Owner::default()).unwrap();
    assert_eq!(cloud.numbers(), "[2, 1, 0]");
    fs::remove_file(cloud.path.join("2")).unwrap();
    assert_eq!(cloud.numbers(), "[1, 0]");
    fs::remove_dir_all(&cloud.path).unwrap();
    assert!(matches!(cloud.ring.keys(), Err(Error::NoKeys { .. })));
    cloud.repository.setup(Owner::default()).unwrap();
    assert_eq!(cloud.numbers(), "[1, 0]");
}

#[test]
fn a_new_repository_in_place_of_the_old_one_is_accepted_at_once() {
    let cloud = cloud(FOREVER);
    cloud.repository.setup(Owner::default()).unwrap();
    let old = cloud.ring.keys().unwrap();
    fs::remove_dir_all(&cloud.path).unwrap();
    cloud.repository.setup(Owner::default()).unwrap();
    let new = cloud.ring.keys().unwrap();
    assert_ne!(new.primary_key_hash(), old.primary_key_hash());
}

#[test]
fn a_file_in_place_of_the_directory_keeps_the_last_good_set() {
    let cloud = cloud(Duration::ZERO);
    cloud.repository.setup(Owner::default()).unwrap();
    let good = cloud.ring.keys().unwrap();
    fs::remove_dir_all(&cloud.path).unwrap();
    fs::write(&cloud.path, "").unwrap();
    assert!(Arc::ptr_eq(&good, &cloud.ring.keys().unwrap()));
}

#[test]
fn loose_modes_warn_once_for_each_change() {
    let open = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let cloud = cloud(FOREVER);
    cloud.repository.setup(Owner::default()).unwrap();
    assert_eq!(logged(|| drop(cloud.ring.keys())), "");
    open(&cloud.path, 0o755);
    open(&cloud.path.join("1"), 0o644);
    let log = logged(|| (0..3).for_each(|_| drop(cloud.ring.keys())));
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(log.contains("fernet-keys is world readable"), "{log}");
    assert!(log.contains("fernet-keys/1 is world readable"), "{log}");
    open(&cloud.path, 0o700);
    open(&cloud.path.join("1"), 0o600);
    assert_eq!(logged(|| drop(cloud.ring.keys())), "");
}

#[test]
fn many_readers_during_rotations_never_lack_a_key() {
    let cloud = cloud(FOREVER);
    cloud.repository.setup(Owner::default()).unwrap();
    let sealed = cloud.ring.keys().unwrap().primary().encrypt(b"x");
    let done = Mutex::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !*done.lock().unwrap() {
                    let keys = cloud.ring.keys().unwrap();
                    assert!(keys.each().any(|key| key.decrypt(&sealed).is_ok()));
                }
            });
        }
        for _ in 0..3 {
            cloud.repository.rotate(Owner::default()).unwrap();
        }
        *done.lock().unwrap() = true;
    });
    assert_eq!(cloud.numbers(), "[4, 3, 2, 1, 0]");
}
