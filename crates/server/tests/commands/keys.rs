//! `*_setup` and `*_rotate`, and `create_jws_keypair`.

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

#[test]
fn a_key_pair_is_written_to_the_working_directory_and_never_over_another() {
    let sandbox = Sandbox::new();
    let command = owned(&["create_jws_keypair"]);
    sandbox.manage(&command).succeeds().prints("");
    let [private, public] = ["private.pem", "public.pem"].map(|name| sandbox.path(name));
    assert_eq!(mode(&private), 0o600);
    assert_eq!(mode(&public), 0o644);
    let first = fs::read_to_string(&private).unwrap();
    assert!(first.starts_with("-----BEGIN PRIVATE KEY-----\n"));

    let refused = format!("Private key {} already exists", private.display());
    sandbox.manage(&command).exits_with(1).says(&refused);
    fs::remove_file(&private).unwrap();
    let refused = format!("Public key {} already exists", public.display());
    sandbox.manage(&command).exits_with(1).says(&refused);
    assert!(!private.exists());
    fs::write(&private, &first).unwrap();

    sandbox.configure("[jwt_tokens]\njws_algorithm = EdDSA\n");
    let forced = [command.as_slice(), &["--force"]].concat();
    sandbox.manage(&forced).succeeds();
    let second = fs::read_to_string(&private).unwrap();
    assert!(second.len() < first.len(), "a key of Ed25519: {second}");
    assert_eq!(mode(&private), 0o600);
}

#[test]
fn a_server_without_the_key_pair_makes_no_tokens_until_there_is_one() {
    let sandbox = Sandbox::ready();
    let dir = sandbox.path("jws");
    sandbox.configure(&format!(
        "[token]\nprovider = jws\n[jwt_tokens]\njws_private_key_repository = {dir}\n\
         jws_public_key_repository = {dir}/public\n",
        dir = dir.display()
    ));
    let server = sandbox.serve();
    assert_eq!(server.log_in("s3cret").0, 500);
    server.logs("no keys at");

    sandbox.manage(&owned(&["create_jws_keypair"])).succeeds();
    fs::create_dir_all(dir.join("public")).unwrap();
    for (name, place) in [
        ("private.pem", "private.pem"),
        ("public.pem", "public/public.pem"),
    ] {
        fs::rename(sandbox.path(name), dir.join(place)).unwrap();
    }
    assert_eq!(server.log_in("s3cret").0, 201);
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

#[tokio::test]
async fn trust_flush_removes_what_is_over() {
    let sandbox = Sandbox::ready();
    let db = database(&sandbox).await;
    for (id, columns) in [
        ("deleted", "'2020-01-01 00:00:00', NULL"),
        ("expired", "NULL, 1577836800000000"),
        ("open", "NULL, NULL"),
    ] {
        let text = format!(
            "INSERT INTO trust (id, trustor_user_id, trustee_user_id, impersonation, deleted_at, expires_at_int) \
             VALUES ('{id}', 'a', 'b', 0, {columns})"
        );
        let statement = sql(Box::leak(text.into_boxed_str()));
        statement.execute(&db).await.unwrap();
    }
    let left = async || {
        let ids = sql("SELECT id FROM trust ORDER BY id").fetch_all::<(String,)>(&db);
        let ids = ids.await.unwrap().into_iter();
        ids.map(|(id,)| id).collect::<Vec<_>>()
    };
    sandbox
        .manage(&["trust_flush", "--date", "2020-01-31"])
        .exits_with(1)
        .says("--date: 2020-01-31 is not a day as DD-MM-YYYY");
    sandbox
        .manage(&["trust_flush", "--trustor-user-id", "b"])
        .succeeds();
    assert_eq!(left().await, ["deleted", "expired", "open"]);
    sandbox
        .manage(&["trust_flush", "--date", "31-12-2019"])
        .succeeds();
    assert_eq!(left().await, ["expired", "open"]);
    let run = sandbox.manage(&["trust_flush"]).succeeds().prints("");
    assert!(!run.stderr.contains('\r'), "progress is for terminals");
    assert_eq!(left().await, ["open"]);
}
