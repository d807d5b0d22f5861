//! What only commands ask of the services, on both databases; `crates/server` tests the commands themselves, on SQLite.

use keystone_testkit::Cloud;
use serde_json::json;

#[tokio::test]
async fn commands_read_and_change_all_of_something() {
    let cloud = Cloud::new().await;
    let identity = cloud.keystone.identity();
    let domain = &identity.settings().default_domain_id;
    assert!(identity.all_memberships().await.is_ok());
    let config = json!({"identity": {"driver": "sql"}});
    assert!(
        identity
            .add_domain_config(domain, &config)
            .await
            .is_ok_and(|added| added)
    );
    assert!(
        identity
            .add_domain_config(domain, &config)
            .await
            .is_ok_and(|added| !added)
    );
    assert!(
        identity
            .reset_last_active(|_| {})
            .await
            .is_ok_and(|done| done > 0)
    );
    assert!(
        identity
            .reset_last_active(|_| {})
            .await
            .is_ok_and(|done| done == 0)
    );
}
