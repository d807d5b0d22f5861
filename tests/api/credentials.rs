//! Credentials: the stored rows, and which callers reach which.

use std::path::PathBuf;
use std::sync::Arc;

use keystone::Settings;
use keystone::storage::sql;
use keystone::token::{Credentials, KeyRepository, KeyRing, Owner};
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

/// A directory that goes with the test.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        let name = format!("keystone-{}", keystone::types::new_id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a new name in a directory of one's own");
        Self(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn create(session: &Session, user: &str, kind: &str, blob: &str) -> Value {
    let credential = json!({ "user_id": user, "type": kind, "blob": blob, "project_id": "p" });
    let body = json!({ "credential": credential });
    session.post("/v3/credentials", &body).await.created()["credential"].clone()
}

async fn stored(cloud: &Cloud, id: &Value) -> (String, String) {
    sql("SELECT encrypted_blob, key_hash FROM credential WHERE id = ?")
        .bind(id.as_str())
        .fetch_one(cloud.keystone.db())
        .await
        .expect("the credential is stored")
}

async fn blobs(session: &Session, path: &str) -> Vec<String> {
    let body = session.get(path).await.ok();
    let credentials = body["credentials"].as_array().expect("a list").iter();
    let mut blobs: Vec<String> = credentials
        .map(|credential| credential["blob"].as_str().expect("a text").to_owned())
        .collect();
    blobs.sort();
    blobs
}

#[tokio::test]
async fn blobs_are_sealed_at_rest_and_follow_the_keys() {
    let home = Home::new();
    let repository = KeyRepository::new(&home.0, Credentials::MAX_ACTIVE_KEYS);
    repository.setup(Owner::default()).unwrap();
    let mut settings = Settings::default();
    settings.keys.credentials = repository.clone();
    let cloud = Cloud::with(settings).await;
    let admin = cloud.admin().await;
    let cipher = Credentials::new(Arc::new(KeyRing::new(repository.clone())));

    let seed = create(&admin, "u", "totp", "GEZDGNBV é").await;
    let keys = r#"{"access": "a", "secret": "hidden é"}"#;
    let ec2 = create(&admin, "u", "ec2", keys).await;
    assert_eq!(
        ec2["id"],
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    );
    let (blob, first) = stored(&cloud, &seed["id"]).await;
    assert_eq!(first, cipher.primary_key_hash().unwrap());
    assert_eq!(cipher.decrypt(&blob).unwrap(), "GEZDGNBV é");
    // As Python Keystone stores it: a JSON text of the JSON text.
    let (blob, _) = stored(&cloud, &ec2["id"]).await;
    assert_eq!(
        cipher.decrypt(&blob).unwrap(),
        r#""{\"access\": \"a\", \"secret\": \"hidden \u00e9\"}""#
    );

    repository.rotate(Owner::default()).unwrap();
    let path = format!("/v3/credentials/{}", seed["id"].as_str().unwrap());
    let change = json!({ "credential": { "blob": "NEW" } });
    admin.patch(&path, &change).await.ok();
    let (_, second) = stored(&cloud, &seed["id"]).await;
    assert_ne!(first, second);
    assert_eq!(blobs(&admin, "/v3/credentials").await, ["NEW", keys]);

    // Two rotations without a migration: the key of the other one is gone.
    repository.rotate(Owner::default()).unwrap();
    let ec2 = format!("/v3/credentials/{}", ec2["id"].as_str().unwrap());
    admin.get(&ec2).await.refused(500);
    assert_eq!(admin.get(&path).await.ok()["credential"]["blob"], "NEW");
    admin.delete(&ec2).await.no_content();
}

#[tokio::test]
async fn credentials_under_another_key_are_migrated_to_the_primary_one() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let auth = cloud.keystone.auth();
    let made = create(&admin, "u", "cert", "secret").await;
    assert!(auth.credentials().are_migrated().await.unwrap());
    let (before, primary) = stored(&cloud, &made["id"]).await;
    sql("UPDATE credential SET key_hash = 'another'")
        .execute(cloud.keystone.db())
        .await
        .unwrap();
    assert!(!auth.credentials().are_migrated().await.unwrap());
    assert_eq!(auth.credentials().migrate(|_, _| {}).await.unwrap(), 1);
    assert!(auth.credentials().are_migrated().await.unwrap());
    let (after, hash) = stored(&cloud, &made["id"]).await;
    assert_eq!(hash, primary);
    assert_ne!(after, before);
}

#[tokio::test]
async fn a_blob_that_python_encoded_once_is_served_as_text() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let credentials = cloud.keystone.auth();
    let credentials = credentials.credentials();
    let made = create(&admin, "u", "cert", r#"{"access": "a","secret":"s"}"#).await;
    sql("UPDATE credential SET type = 'ec2' WHERE id = ?")
        .bind(made["id"].as_str())
        .execute(cloud.keystone.db())
        .await
        .unwrap();
    let opened = credentials
        .open(made["id"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(opened.blob, r#"{"access": "a", "secret": "s"}"#);
    assert!(!format!("{opened:?}").contains("access"));
}

#[tokio::test]
async fn sec_38_a_list_shows_the_own_ones_page_by_page() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let alice = cloud.user("alice").await;
    for number in 0..3 {
        create(&admin, "somebody", "cert", &format!("other {number}")).await;
        create(&admin, &alice, "cert", &format!("own {number}")).await;
    }
    let session = cloud.session("alice", "alice", &Value::Null).await;
    let own = ["own 0", "own 1", "own 2"];
    assert_eq!(blobs(&session, "/v3/credentials").await, own);
    let others = "/v3/credentials?user_id=somebody";
    assert!(blobs(&session, others).await.is_empty());

    let mut seen = Vec::new();
    let mut next = Some("/v3/credentials?limit=1".to_owned());
    while let Some(path) = next {
        let body = session.get(&path).await.ok();
        let page = body["credentials"].as_array().unwrap();
        assert_eq!(page.len(), 1);
        seen.push(page[0]["blob"].as_str().unwrap().to_owned());
        let url = body["links"]["next"].as_str();
        next = url.map(|url| {
            url.trim_start_matches("http://keystone.test:5000")
                .to_owned()
        });
    }
    seen.sort();
    assert_eq!(seen, own);
    assert_eq!(blobs(&admin, "/v3/credentials").await.len(), 6);
}

/// A rule that looks at more than the owner is asked about each row.
#[tokio::test]
async fn an_operators_rule_decides_row_by_row() {
    let home = Home::new();
    let file = home.0.join("policy.json");
    let rule = r#"{"identity:get_credential": "'cert':%(target.credential.type)s"}"#;
    std::fs::write(&file, rule).unwrap();
    let mut settings = Settings::default();
    settings.policy.file = Some(file);
    let cloud = Cloud::with(settings).await;
    let admin = cloud.admin().await;
    let alice = cloud.user("alice").await;
    create(&admin, &alice, "totp", "own").await;
    create(&admin, "somebody", "cert", "other").await;
    let session = cloud.session("alice", "alice", &Value::Null).await;
    assert_eq!(blobs(&session, "/v3/credentials").await, ["other"]);
}
