//! `*_setup` and `*_rotate`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use keystone::storage::{DatabaseUrl, Db, PoolOptions, sql};
use keystone::token::{Credentials, KeyRepository, KeyRing};

use nix::unistd::Uid;

use crate::world::{World, mode, names, owned};

#[test]
fn setup_makes_two_keys_that_only_their_owner_reads() {
    let world = World::new();
    world
        .manage(&owned(&["fernet_setup"]))
        .succeeds()
        .prints("");
    let keys = world.path("fernet-keys");
    assert_eq!(names(&keys), ["0", "1"]);
    assert_eq!(mode(&keys), 0o700);
    assert_eq!(mode(&keys.join("0")), 0o600);
    assert_eq!(mode(&keys.join("1")), 0o600);

    let before = fs::read(keys.join("1")).unwrap();
    world.manage(&owned(&["fernet_setup"])).succeeds();
    assert_eq!(fs::read(keys.join("1")).unwrap(), before);
}

#[test]
fn rotation_promotes_the_staged_key_and_drops_the_oldest() {
    let world = World::new();
    let keys = world.path("fernet-keys");
    world.manage(&owned(&["fernet_setup"])).succeeds();
    let staged = fs::read(keys.join("0")).unwrap();
    world.manage(&owned(&["fernet_rotate"])).succeeds();
    assert_eq!(names(&keys), ["0", "1", "2"]);
    assert_eq!(fs::read(keys.join("2")).unwrap(), staged);
    world.manage(&owned(&["token_rotate"])).succeeds();
    assert_eq!(names(&keys), ["0", "2", "3"]);
    world.manage(&owned(&["receipt_rotate"])).succeeds();
    assert_eq!(names(&keys), ["0", "3", "4"]);
}

#[test]
fn repositories_apart_are_handled_apart() {
    let world = World::new();
    let receipts = world.path("receipt-keys");
    world.configure(&format!(
        "[fernet_receipts]\nkey_repository = {}\nmax_active_keys = 2\n",
        receipts.display()
    ));
    world.manage(&owned(&["token_setup"])).succeeds();
    assert!(!receipts.exists());
    world.manage(&owned(&["fernet_setup"])).succeeds();
    world.manage(&owned(&["fernet_rotate"])).succeeds();
    assert_eq!(names(&world.path("fernet-keys")), ["0", "1", "2"]);
    assert_eq!(names(&receipts), ["0", "2"]);
    world.manage(&owned(&["receipt_rotate"])).succeeds();
    assert_eq!(names(&receipts), ["0", "3"]);
}

/// As the reference: an error in the log, but no failure.
#[test]
fn a_repository_that_is_not_there_is_not_rotated() {
    let world = World::new();
    for command in ["fernet_rotate", "receipt_rotate", "credential_rotate"] {
        world
            .manage(&owned(&[command]))
            .succeeds()
            .says("key_repository does not exist");
    }
    assert!(!world.path("fernet-keys").exists());
}

#[test]
fn root_says_whom_the_keys_are_for() {
    let world = World::new();
    let unknown = ["--keystone-user", "no-such-user", "--keystone-group", "0"];
    world
        .manage(&[&["fernet_setup"], unknown.as_slice()].concat())
        .exits_with(1)
        .says("Unknown user 'no-such-user' in --keystone-user");
    if !Uid::effective().is_root() {
        return;
    }
    world
        .manage(&["fernet_setup"])
        .exits_with(2)
        .says("the following arguments are required: --keystone-user, --keystone-group");
    world
        .manage(&["fernet_setup", "--keystone-user", "root"])
        .exits_with(2)
        .says("the following arguments are required: --keystone-group");
    world
        .manage(&[
            "fernet_setup",
            "--keystone-user",
            "nobody",
            "--keystone-group",
            "65534",
        ])
        .succeeds();
    let keys = world.path("fernet-keys");
    for path in [keys.clone(), keys.join("0"), keys.join("1")] {
        assert_eq!(
            fs::metadata(&path).unwrap().uid(),
            65534,
            "{}",
            path.display()
        );
    }
}

async fn database(world: &World) -> Db {
    let url = DatabaseUrl::file(world.path("keystone.db"));
    Db::connect(&url, &PoolOptions::default()).await.unwrap()
}

#[tokio::test]
async fn credentials_hold_a_rotation_up_until_they_are_migrated() {
    let world = World::ready();
    let repository = KeyRepository::new(world.path("credential-keys"), 3);
    let credentials = Credentials::new(Arc::new(KeyRing::new(repository)));
    let db = database(&world).await;
    let stored = credentials.encrypt("the blob").unwrap();
    sql("INSERT INTO credential (id, user_id, type, key_hash, encrypted_blob) VALUES ('c', 'u', 'cert', ?, ?)")
        .bind(&stored.key_hash)
        .bind(&stored.blob)
        .execute(&db)
        .await
        .unwrap();
    let keys = world.path("credential-keys");
    world.manage(&owned(&["credential_rotate"])).succeeds();
    world
        .manage(&owned(&["credential_rotate"]))
        .exits_with(1)
        .says("Unable to rotate credential keys because not all credentials are encrypted");
    assert_eq!(names(&keys), ["0", "1", "2"]);

    world.manage(&owned(&["credential_migrate"])).succeeds();
    let (blob, hash) = sql("SELECT encrypted_blob, key_hash FROM credential")
        .fetch_one::<(String, String)>(&db)
        .await
        .unwrap();
    assert_eq!(credentials.decrypt(&blob).unwrap(), "the blob");
    assert_eq!(hash, credentials.primary_key_hash().unwrap());
    assert_ne!(hash, stored.key_hash);
    world.manage(&owned(&["credential_rotate"])).succeeds();
    assert_eq!(names(&keys), ["0", "2", "3"]);
}

#[test]
fn credential_keys_rotate_while_there_are_no_credentials() {
    let world = World::new();
    world.manage(&["db_sync"]).succeeds();
    world.manage(&owned(&["credential_setup"])).succeeds();
    world.manage(&owned(&["credential_rotate"])).succeeds();
    let keys = world.path("credential-keys");
    assert_eq!(names(&keys), ["0", "1", "2"]);
    world
        .manage(&owned(&["credential_migrate"]))
        .succeeds()
        .prints("");
}
