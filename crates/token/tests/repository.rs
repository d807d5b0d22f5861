//! Key repositories on disk.

#![expect(
    clippy::unwrap_used,
    reason = "tests may panic, outside of test functions too"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use keystone_token::{Error, KeyRepository, KeySet, Owner};

type Files = BTreeMap<String, String>;

fn files(path: &Path) -> Files {
    let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    entries
        .map(|entry| (name(&entry), fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

fn names(path: &Path) -> Vec<String> {
    files(path).into_keys().collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn setup_makes_a_staged_and_a_primary_key() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("etc/keystone/fernet-keys");
    let repository = KeyRepository::new(&path, 3);
    assert!(matches!(repository.load(), Err(Error::NoKeys { .. })));
    assert!(repository.setup(Owner::default()).unwrap());
    assert_eq!(names(&path), ["0", "1"]);
    assert_eq!(mode(&path), 0o700);
    for (name, text) in files(&path) {
        assert_eq!(mode(&path.join(name)), 0o600);
        assert_eq!(text.len(), 44);
        assert!(KeySet::new([text]).is_ok());
    }
    assert_eq!(repository.load().unwrap().primary_number(), 1);

    let before = files(&path);
    assert!(!repository.setup(Owner::default()).unwrap());
    assert_eq!(files(&path), before);
}

#[test]
fn rotation_promotes_the_staged_key_and_deletes_the_oldest() {
    let home = tempfile::tempdir().unwrap();
    let repository = KeyRepository::new(home.path(), 3);
    repository.setup(Owner::default()).unwrap();
    for (primary, expected) in [
        (2, ["0", "1", "2"]),
        (3, ["0", "2", "3"]),
        (4, ["0", "3", "4"]),
    ] {
        let before = files(home.path());
        assert_eq!(repository.rotate(Owner::default()).unwrap(), primary);
        let after = files(home.path());
        assert_eq!(names(home.path()), expected);
        assert_eq!(after[&primary.to_string()], before["0"]);
        assert_ne!(after["0"], before["0"]);
        let kept = before
            .iter()
            .filter(|(name, _)| *name != "0" && after.contains_key(*name));
        assert!(kept.count() > 0);
        let changed = before.iter().filter(|(name, text)| {
            *name != "0" && after.get(*name).is_some_and(|now| now != *text)
        });
        assert_eq!(changed.count(), 0);
    }
}

#[test]
fn rotation_follows_max_active_keys_both_ways() {
    let home = tempfile::tempdir().unwrap();
    let rotate = |max| {
        KeyRepository::new(home.path(), max)
            .rotate(Owner::default())
            .unwrap()
    };
    KeyRepository::new(home.path(), 3)
        .setup(Owner::default())
        .unwrap();
    for _ in 0..4 {
        rotate(5);
    }
    assert_eq!(names(home.path()), ["0", "2", "3", "4", "5"]);
    rotate(2);
    assert_eq!(names(home.path()), ["0", "6"]);
    // Not even the new primary key stays: as in Keystone.
    rotate(1);
    assert_eq!(names(home.path()), ["0"]);
    rotate(1);
    assert_eq!(names(home.path()), ["0"]);
    rotate(3);
    assert_eq!(names(home.path()), ["0", "1"]);
}

#[test]
fn rotation_without_a_staged_key_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let repository = KeyRepository::new(home.path(), 3);
    assert!(matches!(
        repository.rotate(Owner::default()),
        Err(Error::NoKeys { .. })
    ));
    assert_eq!(names(home.path()), [""; 0]);
    repository.setup(Owner::default()).unwrap();
    for broken in [None, Some("")] {
        match broken {
            None => fs::remove_file(home.path().join("0")).unwrap(),
            Some(text) => fs::write(home.path().join("0"), text).unwrap(),
        }
        let before = files(home.path());
        assert!(matches!(
            repository.rotate(Owner::default()),
            Err(Error::NoKeys { .. })
        ));
        assert_eq!(files(home.path()), before);
    }
    assert!(repository.setup(Owner::default()).unwrap());
    assert_eq!(names(home.path()), ["0", "1", "2"]);
    let absent = KeyRepository::new(home.path().join("absent"), 3);
    assert!(matches!(
        absent.rotate(Owner::default()),
        Err(Error::NoKeys { .. })
    ));
}

#[test]
fn a_rotation_succeeds_after_an_interrupted_one() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let repository = KeyRepository::new(home.path(), 4);
    repository.setup(Owner::default()).unwrap();
    fs::write(at("precious"), "kept").unwrap();
    symlink(at("precious"), at("0.tmp")).unwrap();
    fs::write(at("2"), "").unwrap();
    let staged = files(home.path())["0"].clone();
    assert_eq!(repository.rotate(Owner::default()).unwrap(), 2);
    assert_eq!(names(home.path()), ["0", "1", "2", "precious"]);
    assert_eq!(files(home.path())["2"], staged);
    assert_eq!(files(home.path())["precious"], "kept");
}

#[test]
fn other_names_and_empty_files_are_ignored() {
    let home = tempfile::tempdir().unwrap();
    let repository = KeyRepository::new(home.path(), 3);
    repository.setup(Owner::default()).unwrap();
    for name in [
        "0.tmp",
        "1.bak",
        "-2",
        "+3",
        "04",
        "5 ",
        ".6.x",
        "README",
        "99999999999999999999",
    ] {
        fs::write(home.path().join(name), "no key").unwrap();
    }
    fs::create_dir(home.path().join("7")).unwrap();
    fs::write(home.path().join("8"), "").unwrap();
    symlink("nowhere", home.path().join("9")).unwrap();
    assert_eq!(format!("{:?}", repository.load().unwrap()), "[1, 0]");
    symlink("1", home.path().join("10")).unwrap();
    assert_eq!(format!("{:?}", repository.load().unwrap()), "[10, 1, 0]");
}

#[test]
fn keys_are_read_in_every_spelling_of_base64() {
    let hash = |text: &str| KeySet::new([text]).map(|keys| keys.primary_key_hash());
    let key = "-_ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    assert_eq!(
        hash(key).unwrap(),
        "de95a0ff1814ce4e167b714d71f9da89d16d016d"
    );
    assert_ne!(hash(&format!("{key}\n")).unwrap(), hash(key).unwrap());
    assert!(hash(&key.replace('-', "+").replace('_', "/")).is_ok());
    for wrong in [
        "",
        "=",
        &key[1..],
        &format!("{key}AAAA"),
        "\u{e9}",
        &key.replace('Q', "!"),
    ] {
        assert!(
            matches!(hash(wrong), Err(Error::InvalidKey { .. })),
            "{wrong}"
        );
    }
    assert!(matches!(KeySet::new([""; 0]), Err(Error::NoKeys { .. })));
    assert!(!format!("{:?}", KeySet::new([key]).unwrap()).contains("ECAwQ"));
}

#[test]
fn new_files_are_given_to_the_owner() {
    use std::os::unix::fs::MetadataExt;

    let home = tempfile::tempdir().unwrap();
    let me = fs::metadata(home.path()).unwrap();
    // Only root may give files away.
    let shift = u32::from(me.uid() == 0) * 4242;
    let owner = Owner {
        uid: Some(me.uid() + shift),
        gid: Some(me.gid() + shift),
    };
    let path = home.path().join("keys");
    let repository = KeyRepository::new(&path, 3);
    repository.setup(owner).unwrap();
    repository.rotate(owner).unwrap();
    for file in [path.clone(), path.join("0"), path.join("1"), path.join("2")] {
        let found = fs::metadata(&file).unwrap();
        assert_eq!(
            (Some(found.uid()), Some(found.gid())),
            (owner.uid, owner.gid),
            "{file:?}"
        );
    }
}
