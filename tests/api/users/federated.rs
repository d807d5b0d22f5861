//! The attribute `federated`, over identity providers that are put into the database.

use keystone::storage::sql;
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

/// A cloud with the providers `one` and `two`, each with the protocols `saml2` and `openid`.
async fn federating() -> (Cloud, Session) {
    let cloud = Cloud::new().await;
    let db = cloud.keystone.db();
    for idp in ["one", "two"] {
        sql("INSERT INTO identity_provider (id, enabled, domain_id) VALUES (?, ?, 'default')")
            .bind(idp)
            .bind(true)
            .execute(db)
            .await
            .expect("the database takes it");
        for protocol in ["saml2", "openid"] {
            sql("INSERT INTO federation_protocol (id, idp_id, mapping_id) VALUES (?, ?, 'm')")
                .bind(protocol)
                .bind(idp)
                .execute(db)
                .await
                .expect("the database takes it");
        }
    }
    let admin = cloud.admin().await;
    (cloud, admin)
}

fn account(idp: &str, identities: &[(&str, &str)]) -> Value {
    let protocols: Vec<Value> = identities
        .iter()
        .map(|(protocol, unique)| json!({ "protocol_id": protocol, "unique_id": unique }))
        .collect();
    json!({ "idp_id": idp, "protocols": protocols })
}

fn user(name: &str, federated: &[Value]) -> Value {
    json!({ "user": { "name": name, "domain_id": "default", "federated": federated } })
}

async fn created(admin: &Session, name: &str, federated: &[Value]) -> String {
    let body = admin
        .post("/v3/users", &user(name, federated))
        .await
        .created();
    assert_eq!(body["user"]["federated"], json!(federated));
    body["user"]["id"]
        .as_str()
        .expect("a user has an id")
        .to_owned()
}

async fn names(admin: &Session, query: &str) -> Vec<String> {
    let body = admin.get(&format!("/v3/users?{query}")).await.ok();
    let users = body["users"].as_array().expect("a collection").iter();
    let mut names: Vec<String> = users
        .map(|user| {
            assert!(user.get("federated").is_none(), "lists do not tell");
            user["name"].as_str().expect("a name").to_owned()
        })
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn federated_accounts_are_replaced_as_a_whole() {
    let (_cloud, admin) = federating().await;
    let first = [
        account("one", &[("saml2", "a")]),
        account("two", &[("saml2", "a")]),
        account("one", &[("openid", "b")]),
    ];
    let id = created(&admin, "ann", &first).await;
    let path = format!("/v3/users/{id}");
    let kept = json!([
        account("one", &[("saml2", "a"), ("openid", "b")]),
        account("two", &[("saml2", "a")])
    ]);
    assert_eq!(admin.get(&path).await.ok()["user"]["federated"], kept);
    for untouched in [json!({ "federated": [] }), json!({ "colour": "red" })] {
        let body = admin.patch(&path, &json!({ "user": untouched })).await.ok();
        assert_eq!(body["user"]["federated"], kept);
        assert!(body["user"]["extra"].get("federated").is_none());
    }
    let other = json!([account("two", &[("openid", "c")])]);
    let body = admin
        .patch(
            &path,
            &json!({ "user": { "federated": other, "name": "anna" } }),
        )
        .await
        .ok();
    assert_eq!(body["user"]["federated"], other);
    let shown = admin.get(&path).await.ok();
    assert_eq!(shown["user"]["federated"], other);
    assert_eq!(shown["user"]["name"], "anna");
    assert_eq!(names(&admin, "name=anna").await, ["anna"]);
    assert!(names(&admin, "unique_id=a").await.is_empty());
}

#[tokio::test]
async fn a_refused_federated_account_changes_nothing() {
    let (_cloud, admin) = federating().await;
    let id = created(&admin, "ann", &[account("one", &[("saml2", "a")])]).await;
    let taken = [account("one", &[("openid", "b"), ("saml2", "a")])];
    let text = "Conflict occurred attempting to store federated_user - Duplicate entry.";
    let answer = admin.post("/v3/users", &user("bob", &taken)).await;
    assert_eq!(answer.refused(409), text);
    assert!(names(&admin, "name=bob").await.is_empty());
    let bob = created(&admin, "bob", &[account("two", &[("saml2", "a")])]).await;
    let patch = json!({ "user": { "federated": taken, "colour": "red" } });
    let place = format!("/v3/users/{bob}");
    assert_eq!(admin.patch(&place, &patch).await.refused(409), text);
    let shown = admin.get(&place).await.ok();
    assert_eq!(
        shown["user"]["federated"],
        json!([account("two", &[("saml2", "a")])])
    );
    assert!(shown["user"].get("colour").is_none());
    for (federated, text) in [
        (
            account("three", &[("saml2", "x")]),
            "Could not find Identity Provider: three",
        ),
        (
            account("one", &[("saml2", "x"), ("none", "x")]),
            "Could not find federated protocol none for Identity Provider: one.",
        ),
    ] {
        let answer = admin
            .post("/v3/users", &user("carl", std::slice::from_ref(&federated)))
            .await;
        assert_eq!(answer.refused(400), text);
        let patch = json!({ "user": { "federated": [federated] } });
        let place = format!("/v3/users/{id}");
        assert_eq!(admin.patch(&place, &patch).await.refused(400), text);
    }
    let long = account("one", &[("saml2", &"x".repeat(256))]);
    let answer = admin.post("/v3/users", &user("dora", &[long])).await;
    assert!(
        answer
            .refused(400)
            .starts_with("String length exceeded. The length of string 'xxx")
    );
}

#[tokio::test]
async fn filters_hold_for_one_account_together() {
    let (_cloud, admin) = federating().await;
    created(
        &admin,
        "ann",
        &[
            account("one", &[("saml2", "a")]),
            account("two", &[("openid", "b")]),
        ],
    )
    .await;
    created(&admin, "bob", &[account("one", &[("openid", "c")])]).await;
    for (query, found) in [
        ("idp_id=one", &["ann", "bob"][..]),
        ("idp_id=two", &["ann"]),
        ("protocol_id=openid", &["ann", "bob"]),
        ("unique_id=c", &["bob"]),
        ("idp_id=one&protocol_id=openid", &["bob"]),
        ("idp_id=two&protocol_id=saml2", &[]),
        ("idp_id=one&name=ann", &["ann"]),
        ("name=ann", &["ann"]),
        ("idp_id=one&enabled=false", &[]),
        ("idp_id=", &[]),
    ] {
        assert_eq!(names(&admin, query).await, found, "{query}");
    }
}

/// A user that only federation knows, as Python Keystone makes one at the first login.
async fn shadow(cloud: &Cloud, id: &str, name: &str) {
    let db = cloud.keystone.db();
    sql("INSERT INTO user (id, enabled, domain_id) VALUES (?, ?, 'default')")
        .bind(id)
        .bind(true)
        .execute(db)
        .await
        .expect("the database takes it");
    sql(
        "INSERT INTO federated_user (user_id, idp_id, protocol_id, unique_id, display_name) \
         VALUES (?, 'one', 'saml2', ?, ?)",
    )
    .bind(id)
    .bind(name)
    .bind(name)
    .execute(db)
    .await
    .expect("the database takes it");
}

#[tokio::test]
async fn federated_users_have_names_and_no_passwords() {
    let (cloud, admin) = federating().await;
    shadow(&cloud, "fed", "fay").await;
    assert_eq!(names(&admin, "name=fay").await, ["fay"]);
    assert_eq!(names(&admin, "name__contains=ay").await, ["fay"]);
    let patch = json!({ "user": { "name": "faye", "email": "f@x" } });
    let body = admin.patch("/v3/users/fed", &patch).await.ok();
    assert_eq!(body["user"]["name"], "faye");
    assert_eq!(body["user"]["federated"][0]["idp_id"], "one");
    assert_eq!(names(&admin, "name=faye").await, ["faye"]);
    for password in [json!("secret"), Value::Null] {
        let patch = json!({ "user": { "password": password } });
        admin.patch("/v3/users/fed", &patch).await.refused(400);
    }
    let change = json!({ "user": { "original_password": "x", "password": "y" } });
    let nobody = cloud.nobody();
    nobody
        .post("/v3/users/fed/password", &change)
        .await
        .refused(401);
    admin.delete("/v3/users/fed").await.no_content();
    assert!(names(&admin, "idp_id=one").await.is_empty());
}
