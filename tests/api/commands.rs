//! What commands alone ask of the services, on both databases; `crates/server` tests the commands themselves, on SQLite.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use keystone::storage::sql;
use keystone_testkit::Cloud;
use serde_json::json;

#[tokio::test]
async fn a_configuration_is_stored_for_a_domain_that_has_none() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let identity = cloud.keystone.identity();
    let secret_alone = json!({ "ldap": { "password": "s3cret" } });
    assert!(
        identity
            .add_domain_config("default", &secret_alone)
            .await
            .unwrap()
    );
    // One that has sensitive options only is one, too.
    let other = json!({ "ldap": { "url": "ldap://other" } });
    assert!(!identity.add_domain_config("default", &other).await.unwrap());
    admin
        .get("/v3/domains/default/config/ldap/url")
        .await
        .refused(404);
}

#[tokio::test]
async fn stored_memberships_are_listed() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let user = cloud.user("alice").await;
    let body = json!({ "group": { "name": "staff", "domain_id": "default" } });
    let group = admin.post("/v3/groups", &body).await.created();
    let group = group["group"]["id"].as_str().unwrap();
    let identity = cloud.keystone.identity();
    assert_eq!(identity.stored_memberships().await.unwrap(), []);
    let path = format!("/v3/groups/{group}/users/{user}");
    admin.put(&path).await.no_content();
    let wanted = [(group.to_owned(), user)];
    assert_eq!(identity.stored_memberships().await.unwrap(), wanted);
}

#[tokio::test]
async fn users_count_as_active_from_today_on_where_nothing_is_known() {
    let cloud = Cloud::new().await;
    let known = cloud.user("alice").await;
    let unknown = cloud.user("bob").await;
    let long_ago = chrono::NaiveDate::from_ymd_opt(2020, 1, 2).unwrap();
    let db = cloud.keystone.db();
    let set = "UPDATE user SET last_active_at = ? WHERE id = ?";
    sql(set)
        .bind(long_ago)
        .bind(&known)
        .execute(db)
        .await
        .unwrap();
    let (count,): (i64,) = sql("SELECT COUNT(*) FROM user WHERE last_active_at IS NULL")
        .fetch_one(db)
        .await
        .unwrap();
    let identity = cloud.keystone.identity();
    let done = identity.reset_last_active(|_| {}).await.unwrap();
    assert_eq!(i64::try_from(done), Ok(count));
    for (id, day) in [(known, long_ago), (unknown, cloud.now().date())] {
        let (found,): (Option<chrono::NaiveDate>,) =
            sql("SELECT last_active_at FROM user WHERE id = ?")
                .bind(&id)
                .fetch_one(db)
                .await
                .unwrap();
        assert_eq!(found, Some(day));
    }
    assert_eq!(identity.reset_last_active(|_| {}).await.unwrap(), 0);
}

#[tokio::test]
async fn credentials_are_counted_that_no_known_key_has_sealed() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let user = cloud.user("alice").await;
    let body = json!({ "credential": { "type": "totp", "blob": "AAAA", "user_id": user } });
    admin.post("/v3/credentials", &body).await.created();
    let hash = sql("SELECT key_hash FROM credential").fetch_texts(cloud.keystone.db());
    let hash = hash.await.unwrap().remove(0);
    let identity = cloud.keystone.identity();
    let under_others = |known: &[&str]| {
        let known: Vec<String> = known.iter().map(|&it| it.to_owned()).collect();
        let identity = identity.clone();
        async move { identity.credentials_under_other_keys(known).await.unwrap() }
    };
    assert_eq!(under_others(&["another"]).await, 1);
    assert_eq!(under_others(&["another", &hash]).await, 0);
}
