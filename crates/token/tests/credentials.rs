//! Stored credentials and the keys that they are encrypted with.

use std::fs;
use std::sync::Arc;

use keystone_token::{Credentials, Error, KeyRepository, KeyRing, KeySet, Owner};

#[test]
fn a_credential_opens_until_its_key_leaves_the_repository() {
    let home = tempfile::tempdir().unwrap();
    let repository = KeyRepository::new(home.path(), Credentials::MAX_ACTIVE_KEYS);
    repository.setup(Owner::default()).unwrap();
    let credentials = Credentials::new(Arc::new(KeyRing::new(repository.clone())));
    let encrypted = credentials.encrypt(r#"{"secret": "s3cr\u00e9t"}"#).unwrap();
    assert_eq!(encrypted.key_hash, credentials.primary_key_hash().unwrap());
    assert_eq!(encrypted.key_hash.len(), 40);
    assert_eq!(encrypted.blob.len() % 4, 0, "padding is stored");
    assert!(!format!("{encrypted:?}").contains(&encrypted.blob));

    repository.rotate(Owner::default()).unwrap();
    assert_eq!(
        credentials.decrypt(&encrypted.blob).unwrap(),
        r#"{"secret": "s3cr\u00e9t"}"#
    );
    assert_ne!(credentials.primary_key_hash().unwrap(), encrypted.key_hash);

    repository.rotate(Owner::default()).unwrap();
    assert!(matches!(
        credentials.decrypt(&encrypted.blob),
        Err(Error::Unrecognized)
    ));
}

#[test]
fn without_keys_the_null_key_is_used_and_goes_on_opening() {
    let home = tempfile::tempdir().unwrap();
    let repository = KeyRepository::new(home.path().join("keys"), 3);
    let credentials = Credentials::new(Arc::new(KeyRing::new(repository.clone())));
    let encrypted = credentials.encrypt("early").unwrap();
    assert_eq!(
        encrypted.key_hash,
        "c5bdc272b97a0d521ef878dc26fb73e4075544dc"
    );
    repository.setup(Owner::default()).unwrap();
    assert_eq!(credentials.decrypt(&encrypted.blob).unwrap(), "early");
    assert_ne!(
        credentials.encrypt("late").unwrap().key_hash,
        encrypted.key_hash
    );
}

#[test]
fn a_broken_repository_is_an_error_and_not_the_null_key() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("1"), "broken").unwrap();
    let ring = KeyRing::new(KeyRepository::new(home.path(), 3));
    let credentials = Credentials::new(Arc::new(ring));
    assert!(matches!(
        credentials.encrypt("x"),
        Err(Error::InvalidKey { .. })
    ));
    assert!(matches!(
        credentials.decrypt("x"),
        Err(Error::InvalidKey { .. })
    ));
}

#[test]
fn a_blob_under_no_known_key_is_unrecognized() {
    let ring = || Arc::new(KeyRing::fixed(KeySet::generate().unwrap()));
    let elsewhere = Credentials::new(ring()).encrypt("x").unwrap();
    let here = Credentials::new(ring());
    for blob in [elsewhere.blob.as_str(), "", "plain text"] {
        assert!(matches!(here.decrypt(blob), Err(Error::Unrecognized)));
    }
}
