//! `*_setup` and `*_rotate`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use keystone::storage::{DatabaseUrl, Db, PoolOptions, sql};
use keystone::token::{Credentials, KeyRepository, KeyRing};

use nix::unistd::Uid;

use crate::sandbox::{Sandbox, mode, names, owned};

#[test]
fn setup_creates_two_keys_that_only_their_owner_can_read() {
    let sandbox = Sandbox::new();
    sandbox
        .manage(&owned(&["fernet_setup"]))
        .succeeds()
        .prints("");
    let keys = sandbox.path("fernet-keys");
    assert_eq!(names(&keys), ["0", "1"]);
    assert_eq!(mode(&keys), 0o700);
    assert_eq!(mode(&keys.join("0")), 0o600);
    assert_eq!(mode(&keys.join("1")), 0o600);

    let before = fs::read(keys.join("1")).unwrap();
    sandbox.manage(&owned(&["fernet_setup"])).succeeds();
    assert_eq!(fs::read(keys.join("1")).unwrap(), before);
}

#[test]
fn rotation_promotes_the_staged_key_and_drops_the_oldest() {
    let sandbox = Sandbox::new();
    let keys = sandbox.path("fernet-keys");
    sandbox.manage(&owned(&["fernet_setup"])).succeeds();
    let staged = fs::read(keys.join("0")).unwrap();
    sandbox.manage(&owned(&["fernet_rotate"])).succeeds();
    assert_eq!(names(&keys), ["0", "1", "2"]);
    assert_eq!(fs::read(keys.join("2")).unwrap(), staged);
    sandbox.manage(&owned(&["token_rotate"])).succeeds();
    assert_eq!(names(&keys), ["0", "2", "3"]);
    sandbox.manage(&owned(&["receipt_rotate"])).succeeds();
    assert_eq!(names(&keys), ["0", "3", "4"]);
}

#[test]
fn separate_repositories_are_rotated_separately() {
    let sandbox = Sandbox::new();
    let receipts = sandbox.path("receipt-keys");
    sandbox.configure(&format!(
        "[fernet_receipts]\nkey_repository = {}\nmax_active_keys = 2\n",
        receipts.display()
    ));
    sandbox.manage(&owned(&["token_setup"])).succeeds();
    assert!(!receipts.exists());
    sandbox.manage(&owned(&["fernet_setup"])).succeeds();
    sandbox.manage(&owned(&["fernet_rotate"])).succeeds();
    assert_eq!(names(&sandbox.path("fernet-keys")), ["0", "1", "2"]);
    assert_eq!(names(&receipts), ["0", "2"]);
    sandbox.manage(&owned(&["receipt_rotate"])).succeeds();
    assert_eq!(names(&receipts), ["0", "3"]);
}

/// As in Keystone: an error in the log, and exit status 0.
#[test]
fn a_missing_repository_is_not_rotated() {
    let sandbox = Sandbox::new();
    for command in ["fernet_rotate", "receipt_rotate", "credential_rotate"] {
        sandbox
            .manage(&owned(&[command]))
            .succeeds()
            .says("key_repository does not exist");
    }
    assert!(!sandbox.path("fernet-keys").exists());
}

#[test]
fn root_must_name_the_owner_of_keys() {
    let sandbox = Sandbox::new();
    let unknown = ["--keystone-user", "no-such-user", "--keystone-group", "0"];
    sandbox
        .manage(&[&["fernet_setup"], unknown.as_slice()].concat())
        .exits_with(1)
        .says("Unknown user 'no-such-user' in --keystone-user");
    if !Uid::effective().is_root() {
        return;
    }
    sandbox
        .manage(&["fernet_setup"])
        .exits_with(2)
        .says("the following arguments are required: --keystone-user, --keystone-group");
    sandbox
        .manage(&["fernet_setup", "--keystone-user", "root"])
        .exits_with(2)
        .says("the following arguments are required: --keystone-group");
    sandbox
        .manage(&[
            "fernet_setup",
            "--keystone-user",
            "nobody",
            "--keystone-group",
            "65534",
        ])
        .succeeds();
    let keys = sandbox.path("fernet-keys");
    for path in [keys.clone(), keys.join("0"), keys.join("1")] {
        assert_eq!(
            fs::metadata(&path).unwrap().uid(),
            65534,
            "{}",
            path.display()
        );
    }
}

async fn database(sandbox: &Sandbox) -> Db {
    let url = DatabaseUrl::file(sandbox.path("keystone.db"));
    Db::connect(&url, &PoolOptions::default()).await.unwrap()
}

#[tokio::test]
async fn rotation_is_refused_until_credentials_are_migrated() {
    let sandbox = Sandbox::ready();
    let repository = KeyRepository::new(sandbox.path("credential-keys"), 3);
    let credentials = Credentials::new(Arc::new(KeyRing::new(repository)));
    let db = database(&sandbox).await;
    let stored = credentials.encrypt("the blob").unwrap();
    sql("INSERT INTO credential (id, user_id, type, key_hash, encrypted_blob) VALUES ('c', 'u', 'cert', ?, ?)")
        .bind(&stored.key_hash)
        .bind(&stored.blob)
        .execute(&db)
        .await
        .unwrap();
    let keys = sandbox.path("credential-keys");
    sandbox.manage(&owned(&["credential_rotate"])).succeeds();
    sandbox
        .manage(&owned(&["credential_rotate"]))
        .exits_with(1)
        .says("Unable to rotate credential keys because not all credentials are encrypted");
    assert_eq!(names(&keys), ["0", "1", "2"]);

    sandbox.manage(&owned(&["credential_migrate"])).succeeds();
    let (blob, hash) = sql("SELECT encrypted_blob, key_hash FROM credential")
        .fetch_one::<(String, String)>(&db)
        .await
        .unwrap();
    assert_eq!(credentials.decrypt(&blob).unwrap(), "the blob");
    assert_eq!(hash, credentials.primary_key_hash().unwrap());
    assert_ne!(hash, stored.key_hash);
    sandbox.manage(&owned(&["credential_rotate"])).succeeds();
    assert_eq!(names(&keys), ["0", "2", "3"]);
}

#[test]
fn credential_keys_rotate_without_credentials() {
    let sandbox = Sandbox::new();
    sandbox.manage(&["db_sync"]).succeeds();
    sandbox.manage(&owned(&["credential_setup"])).succeeds();
    sandbox.manage(&owned(&["credential_rotate"])).succeeds();
    let keys = sandbox.path("credential-keys");
    assert_eq!(names(&keys), ["0", "1", "2"]);
    sandbox
        .manage(&owned(&["credential_migrate"]))
        .succeeds()
        .prints("");
}
