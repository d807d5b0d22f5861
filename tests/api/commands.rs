//! What commands alone ask of the services, on both databases; `crates/server` tests the commands themselves, on SQLite.

use std::time::Duration;

use keystone::Settings;
use keystone::identity::DomainBackends;
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
    for (table, rows) in [
        ("SELECT value FROM whitelisted_config", 0),
        ("SELECT value FROM sensitive_config", 1),
    ] {
        let found = sql(table).fetch_texts(cloud.keystone.db());
        assert_eq!(found.await.unwrap().len(), rows, "{table}");
    }
}

#[tokio::test]
async fn stored_memberships_are_listed_as_long_as_they_last() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let identity = cloud.keystone.identity();
    assert_eq!(identity.stored_memberships().await.unwrap(), []);
    let body = json!({ "group": { "name": "staff", "domain_id": "default" } });
    let group = admin.post("/v3/groups", &body).await.created();
    let group = group["group"]["id"].as_str().unwrap();
    let path = "/v3/OS-FEDERATION/identity_providers/one";
    let body = json!({ "identity_provider": { "authorization_ttl": 60, "domain_id": "default" } });
    admin.request("PUT", path, Some(&body)).await.created();
    let ago = |minutes| cloud.now() - chrono::TimeDelta::minutes(minutes);
    let mut wanted = Vec::new();
    // Who is a member for good, and who was verified how many minutes ago.
    for (name, permanent, verified) in [
        ("permanent", true, None),
        ("lasting", false, Some(59)),
        ("over", false, Some(61)),
        ("both", true, Some(59)),
        ("neither", false, None),
    ] {
        let user = cloud.user(name).await;
        if permanent {
            let path = format!("/v3/groups/{group}/users/{user}");
            admin.put(&path).await.no_content();
        }
        if let Some(minutes) = verified {
            sql("INSERT INTO expiring_user_group_membership (user_id, group_id, idp_id, last_verified) VALUES (?, ?, 'one', ?)")
                .bind(&user)
                .bind(group)
                .bind(ago(minutes))
                .execute(cloud.keystone.db())
                .await
                .unwrap();
        }
        if permanent || verified == Some(59) {
            wanted.push((group.to_owned(), user));
        }
    }
    wanted.sort_unstable();
    assert_eq!(identity.stored_memberships().await.unwrap(), wanted);
}

#[tokio::test]
async fn directories_that_can_t_be_used_are_told_with_their_domains() {
    let mut settings = Settings::default();
    settings.identity.backends.domains = DomainBackends::Database;
    let cloud = Cloud::with(settings).await;
    let identity = cloud.keystone.identity();
    let limit = Duration::from_mins(1);
    let failing = || identity.failing_directories(limit);
    assert_eq!(failing().await.unwrap(), [] as [&str; 0]);
    let ldap = json!({ "url": "ldap://127.0.0.1:1", "password": "s3cret" });
    let config = json!({ "identity": { "driver": "ldap" }, "ldap": ldap });
    assert!(
        identity
            .add_domain_config("default", &config)
            .await
            .unwrap()
    );
    let failing = failing().await.unwrap();
    assert_eq!(failing.len(), 1, "{failing:?}");
    assert!(
        failing[0].starts_with("the directory of domain default: "),
        "{failing:?}"
    );
    assert!(failing[0].contains("ldap://127.0.0.1:1"), "{failing:?}");
}

#[tokio::test]
async fn wrong_options_of_directories_are_told_without_passwords() {
    for (value, told) in [("tree", "tree"), ("%(password)s", "***")] {
        let mut settings = Settings::default();
        settings.identity.backends.domains = DomainBackends::Database;
        let cloud = Cloud::with(settings).await;
        let identity = cloud.keystone.identity();
        let ldap = json!({ "query_scope": value, "password": "s3cret" });
        let config = json!({ "identity": { "driver": "ldap" }, "ldap": ldap });
        let added = identity.add_domain_config("default", &config).await;
        assert!(added.unwrap());
        let failing = identity.failing_directories(Duration::from_mins(1)).await;
        let failing = failing.unwrap();
        assert_eq!(failing.len(), 1, "{failing:?}");
        let wanted = format!("[ldap] query_scope: \"{told}\"");
        assert!(failing[0].contains(&wanted), "{failing:?}");
        assert!(!failing[0].contains("s3cret"), "{failing:?}");
    }
}

#[tokio::test]
async fn ids_of_users_and_groups_of_directories_are_listed() {
    let cloud = Cloud::new().await;
    let identity = cloud.keystone.identity();
    assert_eq!(identity.all_mapped_ids().await.unwrap(), [] as [&str; 0]);
    for (id, kind) in [("b", "user"), ("a", "group")] {
        sql("INSERT INTO id_mapping (public_id, domain_id, local_id, entity_type) VALUES (?, 'default', 'x', ?)")
            .bind(id)
            .bind(kind)
            .execute(cloud.keystone.db())
            .await
            .unwrap();
    }
    assert_eq!(identity.all_mapped_ids().await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn users_count_as_active_from_today_on_where_nothing_is_known() {
    // More than are done at a time.
    const USERS: u64 = 501;
    let cloud = Cloud::new().await;
    let known = cloud.user("alice").await;
    let long_ago = chrono::NaiveDate::from_ymd_opt(2020, 1, 2).unwrap();
    let db = cloud.keystone.db();
    sql("UPDATE user SET last_active_at = ?")
        .bind(long_ago)
        .execute(db)
        .await
        .unwrap();
    for index in 0..USERS {
        sql("INSERT INTO user (id, enabled, domain_id) VALUES (?, ?, 'default')")
            .bind(format!("user-{index}"))
            .bind(true)
            .execute(db)
            .await
            .unwrap();
    }
    let identity = cloud.keystone.identity();
    let progress = std::sync::Mutex::new(Vec::new());
    let reset = || identity.reset_last_active(|done| progress.lock().unwrap().push(done));
    assert_eq!(reset().await.unwrap(), USERS);
    assert_eq!(*progress.lock().unwrap(), [500, USERS]);
    for (id, day) in [
        (known.as_str(), long_ago),
        ("user-0", cloud.now().date()),
        ("user-500", cloud.now().date()),
    ] {
        let (found,): (Option<chrono::NaiveDate>,) =
            sql("SELECT last_active_at FROM user WHERE id = ?")
                .bind(id)
                .fetch_one(db)
                .await
                .unwrap();
        assert_eq!(found, Some(day));
    }
    assert_eq!(reset().await.unwrap(), 0);
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
