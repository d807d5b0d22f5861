//! Domain configuration: sensitive options are stored apart and never returned.

use keystone::storage::sql;
use keystone_testkit::Cloud;
use serde_json::json;

#[tokio::test]
async fn passwords_are_kept_apart_and_never_shown() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let path = "/v3/domains/default/config";
    let config = json!({ "ldap": { "url": "ldap://%(password)s", "password": "s3cret" } });
    let put = |config| json!({ "config": config });
    let answer = admin
        .request("PUT", path, Some(&put(config)))
        .await
        .created();
    assert_eq!(
        answer,
        json!({ "config": { "ldap": { "url": "ldap://%(password)s" } } })
    );
    let (value,): (String,) = sql("SELECT value FROM sensitive_config WHERE `option` = 'password'")
        .fetch_one(cloud.keystone.db())
        .await
        .expect("it is stored there");
    assert_eq!(value, "\"s3cret\"");
    let changed = json!({ "password": "s3cret2" });
    let mut answers = vec![
        admin
            .request(
                "PUT",
                path,
                Some(&put(
                    json!({ "ldap": { "url": "x", "password": "s3cret" } }),
                )),
            )
            .await,
        admin
            .patch(&format!("{path}/ldap/password"), &put(changed))
            .await,
        admin
            .patch(
                path,
                &put(json!({ "ldap": { "password": "s3cret", "unknown": "s3cret" } })),
            )
            .await,
    ];
    for part in ["", "/ldap", "/ldap/password", "/ldap/url", "/ldap/unknown"] {
        answers.push(admin.get(&format!("{path}{part}")).await);
    }
    answers.push(admin.get("/v3/domains/config/ldap/password/default").await);
    for answer in answers {
        assert!(
            !answer.body.to_string().contains("s3cret"),
            "{}",
            answer.body
        );
    }
    admin
        .delete(&format!("{path}/ldap/password"))
        .await
        .no_content();
    admin
        .delete(&format!("{path}/ldap/password"))
        .await
        .refused(404);
    admin.get(path).await.ok();
}

#[tokio::test]
async fn a_domain_called_config_is_a_domain() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    assert_eq!(
        admin.get("/v3/domains/config").await.refused(404),
        "Could not find domain: config."
    );
    let defaults = admin.get("/v3/domains/config/default").await.ok();
    assert_eq!(
        defaults["config"]["identity"],
        json!({ "driver": "sql", "list_limit": null })
    );
    assert_eq!(defaults["config"]["ldap"].get("password"), None);
}
