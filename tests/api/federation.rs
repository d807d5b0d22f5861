//! Identity providers, protocols, mappings and service providers: what the recordings of Keystone can't show.

use keystone::Settings;
use keystone::storage::{Db, sql};
use keystone_testkit::{Answer, Cloud, Session};
use serde_json::{Value, json};

fn rules() -> Value {
    json!([{ "local": [{ "user": { "name": "{0}" } }], "remote": [{ "type": "NAME" }] }])
}

/// `PUT` below `/v3/OS-FEDERATION`.
async fn put(admin: &Session, path: &str, member: &str, attributes: Value) -> Answer {
    let path = format!("/v3/OS-FEDERATION/{path}");
    let body = json!({ member: attributes });
    admin.request("PUT", &path, Some(&body)).await
}

async fn provider(admin: &Session, id: &str, attributes: Value) -> Answer {
    let path = format!("identity_providers/{id}");
    put(admin, &path, "identity_provider", attributes).await
}

async fn service_provider(admin: &Session, id: &str, enabled: bool) {
    let (auth, sp) = (
        format!("https://{id}.test/a"),
        format!("https://{id}.test/s"),
    );
    let attributes = json!({ "auth_url": auth, "sp_url": sp, "enabled": enabled });
    let path = format!("service_providers/{id}");
    put(admin, &path, "service_provider", attributes)
        .await
        .created();
}

/// A cloud with these providers, each with the protocols `saml2` and `openid`.
async fn federating(providers: &[(&str, &str)]) -> (Cloud, Session) {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let mapping = json!({ "rules": rules() });
    put(&admin, "mappings/m", "mapping", mapping)
        .await
        .created();
    for (id, domain) in providers {
        let domain = json!({ "domain_id": domain, "enabled": true });
        provider(&admin, id, domain).await.created();
        for protocol in ["saml2", "openid"] {
            let path = format!("identity_providers/{id}/protocols/{protocol}");
            let mapping = json!({ "mapping_id": "m" });
            put(&admin, &path, "protocol", mapping).await.created();
        }
    }
    (cloud, admin)
}

async fn run(db: &Db, text: &'static str, values: &[&str]) {
    let query = values
        .iter()
        .fold(sql(text), |query, value| query.bind(*value));
    query.execute(db).await.expect("the database takes it");
}

/// A user of the default domain without a name, as a login makes one before it has an account.
async fn nameless(db: &Db, id: &str) {
    let text = "INSERT INTO user (id, enabled, domain_id) VALUES (?, 1, 'default')";
    run(db, text, &[id]).await;
}

async fn account(db: &Db, user: &str, provider: &str, protocol: &str) {
    let text = "INSERT INTO federated_user (user_id, idp_id, protocol_id, unique_id, display_name) \
                VALUES (?, ?, ?, ?, ?)";
    run(db, text, &[user, provider, protocol, user, user]).await;
}

async fn count(db: &Db, text: &'static str) -> i64 {
    let (count,): (i64,) = sql(text).fetch_one(db).await.expect("the table is there");
    count
}

async fn statuses(admin: &Session, users: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for user in users {
        statuses.push(admin.get(&format!("/v3/users/{user}")).await.status);
    }
    statuses
}

#[tokio::test]
async fn a_refused_provider_leaves_no_domain() {
    let (cloud, admin) = federating(&[("one", "default")]).await;
    let domains = "SELECT COUNT(*) FROM project";
    provider(&admin, "two", json!({ "remote_ids": ["r"] }))
        .await
        .created();
    let before = count(cloud.keystone.db(), domains).await;
    let long = "x".repeat(65);
    for (id, attributes, status) in [
        ("one", json!({}), 409),
        ("three", json!({ "remote_ids": ["r"] }), 409),
        ("three", json!({ "remote_ids": ["x".repeat(256)] }), 400),
        (long.as_str(), json!({}), 400),
        ("three", json!({ "authorization_ttl": 1_i64 << 31 }), 400),
        ("three", json!({ "enabled": null }), 400),
        ("three", json!({ "enabled": "true" }), 400),
    ] {
        let answer = provider(&admin, id, attributes).await;
        assert_eq!(answer.status, status, "{id}: {}", answer.body);
    }
    assert_eq!(count(cloud.keystone.db(), domains).await, before);
    let long = json!({ "identity_provider": { "authorization_ttl": 1_i64 << 31 } });
    let path = "/v3/OS-FEDERATION/identity_providers/one";
    admin.patch(path, &long).await.refused(400);
}

#[tokio::test]
async fn entity_ids_longer_than_keystone_takes_are_remote_ids() {
    let (_cloud, admin) = federating(&[]).await;
    let long = "é".repeat(255);
    let body = provider(&admin, "one", json!({ "remote_ids": [long] }))
        .await
        .created();
    assert_eq!(body["identity_provider"]["remote_ids"], json!([long]));
    let path = "/v3/OS-FEDERATION/identity_providers/one";
    let longer = json!({ "identity_provider": { "remote_ids": [format!("{long}x")] } });
    admin.patch(path, &longer).await.refused(400);
    let shown = admin.get(path).await.ok();
    assert_eq!(shown["identity_provider"]["remote_ids"], json!([long]));
}

#[tokio::test]
async fn remote_ids_that_stay_are_not_taken_by_others_meanwhile() {
    let (cloud, admin) = federating(&[("one", "default"), ("two", "default")]).await;
    let path = |id: &str| format!("/v3/OS-FEDERATION/identity_providers/{id}");
    let named = |ids: &[&str]| json!({ "identity_provider": { "remote_ids": ids } });
    admin.patch(&path("one"), &named(&["a", "b"])).await.ok();
    admin.patch(&path("one"), &named(&["b", "c"])).await.ok();
    let taken = admin.patch(&path("two"), &named(&["d", "C"])).await;
    assert_eq!(
        taken.refused(409),
        "Conflict occurred attempting to store identity_provider - Duplicate remote ID: C."
    );
    admin.patch(&path("two"), &named(&["a"])).await.ok();
    // Only the case changes.
    admin.patch(&path("one"), &named(&["B", "c"])).await.ok();
    let shown = admin.get(&path("one")).await.ok();
    assert_eq!(shown["identity_provider"]["remote_ids"], json!(["B", "c"]));
    let rows = "SELECT COUNT(*) FROM idp_remote_ids";
    assert_eq!(count(cloud.keystone.db(), rows).await, 3);
}

/// What is left of users once an identity provider, or a protocol of it, is deleted at this path.
async fn deletion_of(path: &str) -> (Cloud, Session, Vec<u16>) {
    let (cloud, admin) = federating(&[("one", "default"), ("two", "default")]).await;
    let db = cloud.keystone.db();
    for user in ["gone", "elsewhere", "other"] {
        nameless(db, user).await;
    }
    account(db, "gone", "one", "saml2").await;
    account(db, "elsewhere", "one", "saml2").await;
    account(db, "elsewhere", "two", "saml2").await;
    account(db, "other", "one", "openid").await;
    let local = cloud.user("local").await;
    account(db, &local, "one", "saml2").await;
    nameless(db, "ldap").await;
    let text = "INSERT INTO nonlocal_user (user_id, domain_id, name) VALUES ('ldap', 'default', ?)";
    run(db, text, &["ldap"]).await;
    account(db, "ldap", "one", "saml2").await;
    let group = json!({ "group": { "name": "g", "domain_id": "default" } });
    let group = admin.post("/v3/groups", &group).await.created();
    let group = group["group"]["id"].as_str().expect("an id");
    let text = "INSERT INTO expiring_user_group_membership (user_id, group_id, idp_id, last_verified) \
                VALUES (?, ?, 'two', '2026-01-01 00:00:00')";
    run(db, text, &["gone", group]).await;
    let project = cloud.project("p").await;
    cloud.grant("gone", &project, "reader").await;
    let path = format!("/v3/OS-FEDERATION/{path}");
    admin.delete(&path).await.no_content();
    let found = statuses(&admin, &["gone", "elsewhere", "other", &local, "ldap"]).await;
    assert_eq!(
        count(
            db,
            "SELECT COUNT(*) FROM assignment WHERE actor_id = 'gone'"
        )
        .await,
        0
    );
    let memberships = "SELECT COUNT(*) FROM expiring_user_group_membership";
    assert_eq!(count(db, memberships).await, 0);
    // Should the user come again, no token of before is valid again.
    let events = admin.get("/v3/OS-REVOKE/events").await.ok();
    let events = events["events"].as_array().expect("a list");
    assert!(events.iter().any(|event| event["user_id"] == "gone"));
    (cloud, admin, found)
}

#[tokio::test]
async fn deleting_a_provider_deletes_users_who_are_left_without_a_name() {
    let (cloud, admin, found) = deletion_of("identity_providers/one").await;
    assert_eq!(found, [404, 200, 404, 200, 200]);
    let db = cloud.keystone.db();
    let accounts = "SELECT COUNT(*) FROM federated_user";
    assert_eq!(count(db, accounts).await, 1);
    let protocols = "SELECT COUNT(*) FROM federation_protocol";
    assert_eq!(count(db, protocols).await, 2);
    let path = "/v3/OS-FEDERATION/identity_providers/one/protocols";
    assert_eq!(admin.get(path).await.ok()["protocols"], json!([]));
}

#[tokio::test]
async fn deleting_a_protocol_deletes_users_who_are_left_without_a_name() {
    let (cloud, _, found) = deletion_of("identity_providers/one/protocols/saml2").await;
    assert_eq!(found, [404, 200, 200, 200, 200]);
    let accounts = "SELECT COUNT(*) FROM federated_user";
    assert_eq!(count(cloud.keystone.db(), accounts).await, 2);
}

#[tokio::test]
async fn deleting_a_domain_deletes_users_of_its_providers_in_other_domains() {
    let (cloud, admin) = federating(&[]).await;
    let domain = json!({ "domain": { "name": "d", "enabled": false } });
    let domain = admin.post("/v3/domains", &domain).await.created();
    let domain = domain["domain"]["id"].as_str().expect("an id");
    provider(&admin, "one", json!({ "domain_id": domain }))
        .await
        .created();
    let mapping = json!({ "mapping_id": "m" });
    let path = "identity_providers/one/protocols/saml2";
    put(&admin, path, "protocol", mapping).await.created();
    let db = cloud.keystone.db();
    nameless(db, "gone").await;
    account(db, "gone", "one", "saml2").await;
    admin
        .delete(&format!("/v3/domains/{domain}"))
        .await
        .no_content();
    assert_eq!(statuses(&admin, &["gone"]).await, [404]);
}

#[tokio::test]
async fn a_domain_that_is_missing_or_spelt_otherwise_has_no_provider() {
    let (_cloud, admin) = federating(&[]).await;
    for domain in ["none", "DEFAULT"] {
        let answer = provider(&admin, "one", json!({ "domain_id": domain })).await;
        let text = answer.refused(404);
        assert_eq!(text, format!("Could not find domain: {domain}."));
    }
}

#[tokio::test]
async fn rules_of_an_unknown_version_or_without_room_are_refused() {
    let (_cloud, admin) = federating(&[]).await;
    for (version, shown) in [
        (json!("9"), "'9'"),
        (json!(1.0), "1.0"),
        (json!(["1.0"]), "['1.0']"),
    ] {
        let mapping = json!({ "rules": rules(), "schema_version": version });
        let text = put(&admin, "mappings/one", "mapping", mapping)
            .await
            .refused(400);
        let end = format!("{shown} is not one of ['1.0', '2.0', '3.0']");
        assert!(text.ends_with(&end), "{text}");
    }
    // As many bytes as a column of `MariaDB` holds, with the quotes in the stored text escaped once more.
    let with = |length: usize| {
        let name = "x".repeat(length);
        json!({ "rules": [{ "local": [{ "groups": name }], "remote": [{ "type": "a" }] }] })
    };
    let stored = |length: usize| {
        let text = keystone::types::to_python_json(&with(length)["rules"]);
        keystone::types::to_python_json(&text.into()).len()
    };
    let most = 65_535 - stored(0);
    put(&admin, "mappings/one", "mapping", with(most))
        .await
        .created();
    let longer = put(&admin, "mappings/two", "mapping", with(most + 1)).await;
    let text = longer.refused(400);
    assert!(text.contains("65536 bytes"), "{text}");
}

#[tokio::test]
async fn a_mapping_that_cannot_be_read_is_left_out_and_can_be_replaced() {
    let (cloud, admin) = federating(&[]).await;
    let text = "INSERT INTO mapping (id, rules, schema_version) VALUES (?, ?, '1.0')";
    let db = cloud.keystone.db();
    run(db, text, &["broken", "{"]).await;
    // Text of the rules themselves, as somebody may write it by hand.
    run(
        db,
        text,
        &[
            "plain",
            "[{\"local\": [], \"remote\": [{\"type\": \"a\"}]}]",
        ],
    )
    .await;
    let listed = admin.get("/v3/OS-FEDERATION/mappings").await.ok();
    let listed = listed["mappings"].as_array().expect("a list").iter();
    let ids: Vec<&str> = listed
        .filter_map(|mapping| mapping["id"].as_str())
        .collect();
    assert_eq!(ids, ["m", "plain"]);
    let path = "/v3/OS-FEDERATION/mappings/broken";
    admin.get(path).await.refused(500);
    let repaired = json!({ "mapping": { "rules": rules() } });
    admin.patch(path, &repaired).await.ok();
    assert_eq!(admin.get(path).await.ok()["mapping"]["rules"], rules());
}

#[tokio::test]
async fn collections_of_federation_have_pages() {
    let (_cloud, admin) =
        federating(&[("p1", "default"), ("p2", "default"), ("p3", "default")]).await;
    for id in ["s1", "s2", "s3"] {
        service_provider(&admin, id, true).await;
    }
    for id in ["m2", "m3"] {
        let path = format!("mappings/{id}");
        put(&admin, &path, "mapping", json!({ "rules": rules() }))
            .await
            .created();
    }
    for (path, collection, wanted) in [
        (
            "identity_providers",
            "identity_providers",
            &["p1", "p2", "p3"][..],
        ),
        (
            "identity_providers/p2/protocols",
            "protocols",
            &["openid", "saml2"],
        ),
        ("mappings", "mappings", &["m", "m2", "m3"]),
        (
            "service_providers",
            "service_providers",
            &["s1", "s2", "s3"],
        ),
    ] {
        let mut next = format!("/v3/OS-FEDERATION/{path}?limit=1");
        let mut seen = Vec::new();
        loop {
            let page = admin.get(&next).await.ok();
            let items = page[collection].as_array().expect("a list");
            assert!(items.len() <= 1);
            seen.extend(items.iter().map(|item| item["id"].clone()));
            match page["links"]["next"].as_str() {
                Some(url) => next = url.replacen("http://keystone.test:5000", "", 1),
                None => break,
            }
        }
        assert_eq!(seen, wanted, "{path}");
    }
}

/// The service providers that the body of a token names, by id; none where it has no such member.
fn named(body: &Value) -> Option<Vec<String>> {
    let named = body["token"].get("service_providers")?.as_array();
    let ids = named.expect("a list").iter();
    Some(
        ids.map(|one| one["id"].as_str().expect("an id").to_owned())
            .collect(),
    )
}

#[tokio::test]
async fn tokens_name_the_service_providers_of_now() {
    let cloud = Cloud::with_change_log(Settings::default()).await;
    let neighbour = cloud.neighbour().await;
    let (admin, other) = (cloud.admin().await, neighbour.admin().await);
    let token = admin.token();
    let seen = async |expected: Option<&[&str]>| {
        for session in [&admin, &other] {
            for path in ["/v3/auth/tokens", "/v3/auth/tokens?nocatalog"] {
                let body = session.about("GET", path, token).await.ok();
                let found = named(&body);
                let found: Option<Vec<&str>> = found
                    .as_ref()
                    .map(|found| found.iter().map(String::as_str).collect());
                assert_eq!(found.as_deref(), expected);
                assert_eq!(
                    body["token"].get("catalog").is_none(),
                    path.ends_with("nocatalog")
                );
            }
        }
    };
    seen(None).await;
    service_provider(&admin, "off", false).await;
    seen(None).await;
    service_provider(&admin, "b", true).await;
    seen(Some(&["b"])).await;
    service_provider(&other, "a", true).await;
    seen(Some(&["a", "b"])).await;
    let path = "/v3/OS-FEDERATION/service_providers/b";
    let off = json!({ "service_provider": { "enabled": false } });
    other.patch(path, &off).await.ok();
    seen(Some(&["a"])).await;
    let db = cloud.keystone.db();
    run(
        db,
        "UPDATE service_provider SET enabled = 1 WHERE id = ?",
        &["off"],
    )
    .await;
    seen(Some(&["a", "off"])).await;
    run(db, "DELETE FROM service_provider WHERE id <> ?", &["none"]).await;
    seen(None).await;
}

#[tokio::test]
async fn service_providers_are_read_once_until_they_change() {
    let cloud = Cloud::with_change_log(Settings::default()).await;
    let admin = cloud.admin().await;
    let reads = async || {
        let (answer, statements) = cloud.statements(admin.validate(admin.token())).await;
        answer.ok();
        let reads = statements
            .iter()
            .filter(|text| text.contains("service_provider"));
        reads.count()
    };
    reads().await;
    assert_eq!(reads().await, 0);
    service_provider(&admin, "a", true).await;
    assert_eq!([reads().await, reads().await], [1, 0]);
}

#[tokio::test]
async fn every_kind_of_login_names_service_providers() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    service_provider(&admin, "a", true).await;
    let own = admin.validate(admin.token()).await.ok()["token"].clone();
    let (user, project) = (own["user"]["id"].clone(), own["project"]["id"].clone());
    let (user, project) = (
        user.as_str().expect("an id"),
        project.as_str().expect("an id"),
    );
    let fields = json!({ "application_credential": { "name": "c", "secret": "s" } });
    let path = format!("/v3/users/{user}/application_credentials");
    let made = admin.post(&path, &fields).await.created();
    let known = json!({ "id": made["application_credential"]["id"], "secret": "s" });
    let identity =
        json!({ "methods": ["application_credential"], "application_credential": known });
    let by_credential = json!({ "auth": { "identity": identity } });
    let identity = json!({ "methods": ["token"], "token": { "id": admin.token() } });
    let exchanged =
        json!({ "auth": { "identity": identity, "scope": { "system": { "all": true } } } });
    let nobody = cloud.nobody();
    let mut bodies = Vec::new();
    for auth in [by_credential, exchanged] {
        bodies.push(nobody.post("/v3/auth/tokens", &auth).await.created());
    }
    let keys = json!({ "tenant_id": project });
    let keys = admin
        .post(&format!("/v3/users/{user}/credentials/OS-EC2"), &keys)
        .await;
    let signer = keystone_testkit::Signer::of(&keys.created()["credential"]);
    let request = signer.version_2("2099-01-01T00:00:00Z");
    bodies.push(admin.exchange("ec2tokens", &request).await.ok());
    bodies.push(admin.exchange("s3tokens", &signer.s3("x")).await.ok());
    let consumer = cloud.consumer().await;
    let role = cloud.role("admin").await;
    let token = consumer.granted(&admin, project, &[&role]).await;
    bodies.push(consumer.log_in(&token).await.created());
    for body in bodies {
        assert_eq!(named(&body), Some(vec!["a".to_owned()]), "{body}");
    }
}
