//! Rows of other writers: all that Python's `json` can write, unreadable rows, and times in both spellings.

mod times;
mod unreadable;

use keystone::storage::{Db, sql};
use keystone::types::json;
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

/// Everything that Python writes and JSON does not have, as Python writes it.
fn python() -> String {
    let deep = "[".repeat(300) + &"]".repeat(300);
    format!(
        r#"[NaN, Infinity, -Infinity, 123456789012345678901234567890, -9223372036854775809, 1e+16, 1.0, -0.0, 5e-324, "\ud800", "\ud83d\ude00", {{"\udfff": "\udbff\udfff"}}, {deep}]"#
    )
}

/// The resources that have attributes which no column holds: path, table's `SELECT` and `UPDATE` of `extra`, body.
const KINDS: [(&str, &str, &str, &str, &str); 9] = [
    (
        "users",
        "user",
        "SELECT extra FROM user WHERE id = ?",
        "UPDATE user SET extra = ? WHERE id = ?",
        r#""name": "erin", "domain_id": "default", "password": "erin""#,
    ),
    (
        "projects",
        "project",
        "SELECT extra FROM project WHERE id = ?",
        "UPDATE project SET extra = ? WHERE id = ?",
        r#""name": "erin", "domain_id": "default""#,
    ),
    (
        "domains",
        "domain",
        "SELECT extra FROM project WHERE id = ?",
        "UPDATE project SET extra = ? WHERE id = ?",
        r#""name": "erin""#,
    ),
    (
        "groups",
        "group",
        "SELECT extra FROM `group` WHERE id = ?",
        "UPDATE `group` SET extra = ? WHERE id = ?",
        r#""name": "erin", "domain_id": "default""#,
    ),
    (
        "roles",
        "role",
        "SELECT extra FROM role WHERE id = ?",
        "UPDATE role SET extra = ? WHERE id = ?",
        r#""name": "erin""#,
    ),
    (
        "regions",
        "region",
        "SELECT extra FROM region WHERE id = ?",
        "UPDATE region SET extra = ? WHERE id = ?",
        r#""id": "erin""#,
    ),
    (
        "services",
        "service",
        "SELECT extra FROM service WHERE id = ?",
        "UPDATE service SET extra = ? WHERE id = ?",
        r#""type": "erin""#,
    ),
    (
        "endpoints",
        "endpoint",
        "SELECT extra FROM endpoint WHERE id = ?",
        "UPDATE endpoint SET extra = ? WHERE id = ?",
        r#""interface": "public", "url": "http://erin", "service_id": "$service""#,
    ),
    (
        "policies",
        "policy",
        "SELECT extra FROM policy WHERE id = ?",
        "UPDATE policy SET extra = ? WHERE id = ?",
        r#""type": "erin", "blob": "{}""#,
    ),
];

/// A change of something else than the attributes that no column holds.
fn unrelated(kind: &str) -> Value {
    match kind {
        "user" => json!({ "user": { "name": "frank" } }),
        "region" => json!({ "region": { "description": "frank" } }),
        "service" => json!({ "service": { "type": "frank" } }),
        "endpoint" => json!({ "endpoint": { "url": "http://frank" } }),
        "policy" => json!({ "policy": { "type": "frank" } }),
        kind => json!({ kind: { "name": "frank" } }),
    }
}

/// Creates one of a kind with more attributes, and gives its id.
async fn create(admin: &Session, path: &str, kind: &str, body: &str, more: &str) -> String {
    let services = admin.get("/v3/services").await.ok();
    let service = services["services"][0]["id"].as_str().expect("an id");
    let body = body.replace("$service", service);
    let body = format!(r#"{{"{kind}": {{{body}{more}}}}}"#);
    let made = admin
        .raw("POST", &format!("/v3/{path}"), body)
        .await
        .created();
    made[kind]["id"].as_str().expect("an id").to_owned()
}

async fn run(db: &Db, statement: &'static str, values: &[&str]) {
    let query = values
        .iter()
        .fold(sql(statement), |query, value| query.bind(*value));
    query.execute(db).await.expect("the statement is right");
}

async fn stored(db: &Db, select: &'static str, id: &str) -> String {
    let row: (Option<String>,) = sql(select)
        .bind(id)
        .fetch_one(db)
        .await
        .expect("it is stored");
    row.0.unwrap_or_default()
}

/// The member of a collection with this id.
fn of_list<'a>(list: &'a Value, path: &str, id: &str) -> Option<&'a Value> {
    let items = list[path].as_array().expect("a list");
    items.iter().find(|item| item["id"] == id)
}

#[tokio::test]
async fn json_that_python_writes_is_read_served_and_kept() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    let value = python();
    for (path, kind, select, update, body) in KINDS {
        let id = create(&admin, path, kind, body, "").await;
        let text = format!(r#"{{"a": {value}, "b": 1}}"#);
        sql(update).bind(&text).bind(&id).execute(db).await.unwrap();
        let one = format!("/v3/{path}/{id}");
        let shown = admin.get(&one).await.ok();
        assert_eq!(json::write(&shown[kind]["a"]), value, "{kind}");
        let list = admin.get(&format!("/v3/{path}")).await.ok();
        let listed = of_list(&list, path, &id).expect("it is in the list");
        assert_eq!(json::write(&listed["a"]), value, "{kind}");

        let changed = admin.patch(&one, &unrelated(kind)).await.ok();
        assert_eq!(json::write(&changed[kind]["a"]), value, "{kind}");
        assert_eq!(stored(db, select, &id).await, text, "{kind}");
        let more = json!({ kind: { "b": 2 } });
        admin.patch(&one, &more).await.ok();
        let text = text.replace("1}", "2}");
        assert_eq!(stored(db, select, &id).await, text, "{kind}");
    }
    let scope = json!({ "system": { "all": true } });
    let user = json!({ "name": "frank", "domain": { "id": "default" } });
    let answer = admin.log_in(&user, "erin", &Value::Null).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    cloud
        .session("admin", keystone_testkit::ADMIN_PASSWORD, &scope)
        .await;
}

#[tokio::test]
async fn bodies_are_read_as_python_reads_them() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    let value = python();
    for (path, kind, select, _, body) in KINDS {
        let more = format!(r#", "a": {value}, "b": [1e999, 1.50, 1E5, "\uD83D\uDE00", 1 , {{}}]"#);
        let id = create(&admin, path, kind, body, &more).await;
        let text =
            format!(r#""a": {value}, "b": [Infinity, 1.5, 100000.0, "\ud83d\ude00", 1, {{}}]"#);
        let stored = stored(db, select, &id).await;
        assert!(stored.contains(&text), "{kind}: {stored}");
    }
    for encoding in ["utf-16", "with a mark"] {
        let text = format!(r#"{{"role": {{"name": "é {encoding}"}}}}"#);
        let bytes = if encoding == "utf-16" {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        } else {
            [b"\xef\xbb\xbf", text.as_bytes()].concat()
        };
        let made = admin.raw("POST", "/v3/roles", bytes).await.created();
        assert_eq!(made["role"]["name"], format!("é {encoding}"));
    }
}

#[tokio::test]
async fn json_that_python_refuses_or_that_nests_too_deeply_is_400() {
    let cloud = Cloud::new().await;
    let nobody = cloud.nobody();
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    let objects = r#"{"a":"#.repeat(20_000);
    let digits = "1".repeat(4301);
    let too_deep = json::MAX_DEPTH;
    for attribute in [
        "nan",
        "01",
        "1.",
        ".5",
        "+1",
        "[1,]",
        r#""\x""#,
        "\"\n\"",
        &digits,
        &nested(too_deep),
        &nested(50_000),
        &objects,
    ] {
        let body = format!(r#"{{"auth": {attribute}}}"#);
        let answer = nobody.raw("POST", "/v3/auth/tokens", body).await;
        let message = answer.refused(400);
        assert!(
            message.starts_with("Expecting to find valid JSON in request body."),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_value_that_is_not_text_is_400() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let user = |name: &str, more: &str| {
        format!(r#"{{"user": {{"name": {name}, "domain_id": "default"{more}}}}}"#)
    };
    for (body, expected) in [
        (
            user("NaN", ""),
            "Invalid input for field/attribute name. Value: nan. nan is not of type 'string'",
        ),
        (
            user(r#""x""#, r#", "enabled": NaN"#),
            "Invalid input for field/attribute enabled. Value: nan. nan is not of type 'boolean', 'string', 'null'",
        ),
        (
            user(r#""x""#, r#", "description": Infinity"#),
            "Invalid input for field/attribute description. Value: inf. inf is not of type 'string', 'null'",
        ),
        (
            user(r#""x""#, r#", "password": 123456789012345678901"#),
            "Invalid input for field/attribute password. Value: 123456789012345678901. 123456789012345678901 is not of \
             type 'string', 'null'",
        ),
        (
            user(r#""x""#, r#", "options": {"ignore_password_expiry": NaN}"#),
            "Invalid input for field/attribute ignore_password_expiry. Value: nan. nan is not of type 'boolean', 'null'",
        ),
    ] {
        assert_eq!(
            admin.raw("POST", "/v3/users", body).await.refused(400),
            expected
        );
    }
    // Python Keystone drops the connection.
    for body in [
        user(r#""\ud800""#, ""),
        user(r#""x""#, r#", "default_project_id": "\ud800""#),
        user(r#""x""#, r#", "password": "\ud800""#),
    ] {
        admin.raw("POST", "/v3/users", body).await.refused(400);
    }
    let described = user(r#""x""#, r#", "description": "\ud800""#);
    let made = admin.raw("POST", "/v3/users", described).await.created();
    assert_eq!(json::write(&made["user"]["description"]), r#""\ud800""#);
    let credential = r#"{"credential": {"type": "cert", "user_id": "u", "blob": "\ud800"}}"#;
    admin
        .raw("POST", "/v3/credentials", credential)
        .await
        .refused(400);
}

#[tokio::test]
async fn options_and_configuration_are_what_python_wrote() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    let user = cloud.user("erin").await;
    for value in ["NaN", "1e+16", "123456789012345678901", r#"["\ud800"]"#] {
        sql("DELETE FROM user_option WHERE user_id = ?")
            .bind(&user)
            .execute(db)
            .await
            .unwrap();
        let insert =
            "INSERT INTO user_option (user_id, option_id, option_value) VALUES (?, '1001', ?)";
        sql(insert)
            .bind(&user)
            .bind(value)
            .execute(db)
            .await
            .unwrap();
        let shown = admin.get(&format!("/v3/users/{user}")).await.ok();
        let shown = json::write(&shown["user"]["options"]["ignore_password_expiry"]);
        assert_eq!(shown, value);
        cloud.session("erin", "erin", &Value::Null).await;
    }
    let path = "/v3/domains/default/config";
    let config = r#"{"config": {"ldap": {"page_size": 123456789012345678901, "url": NaN, "user_tree_dn": "\ud800"}}}"#;
    let made = admin.raw("PUT", path, config).await.created();
    assert_eq!(json::write(&made), config);
    assert_eq!(json::write(&admin.get(path).await.ok()), config);
    let text = "SELECT value FROM whitelisted_config WHERE `option` = ?";
    assert_eq!(stored(db, text, "user_tree_dn").await, r#""\ud800""#);
}
