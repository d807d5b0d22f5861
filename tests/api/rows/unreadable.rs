//! Rows that can't be read: a list goes on without them, or without the part, and says so in the log.

use keystone::storage::Dialect;
use keystone_testkit::{Cloud, Log};
use serde_json::{Value, json};

use super::{KINDS, create, of_list, run, stored, unrelated};

/// Insists on one line of the log that names the place; forgets what was written.
#[track_caller]
fn names(log: &Log, table: &str, row: &str, column: &str) {
    let text = log.take();
    let place = format!("corrupt row: table {table}, row {row}, column {column}");
    assert_eq!(
        text.lines().filter(|line| line.contains(&place)).count(),
        1,
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[tokio::test]
async fn attributes_that_cant_be_read_are_not_shown_and_kept() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    let (log, _guard) = Log::start("error");
    for (path, kind, select, update, body) in KINDS {
        let table = if kind == "domain" { "project" } else { kind };
        let id = create(&admin, path, kind, body, "").await;
        log.take();
        let one = format!("/v3/{path}/{id}");
        for text in ["[1]", "{", "7"] {
            run(db, update, &[text, &id]).await;
            let list = admin.get(&format!("/v3/{path}")).await.ok();
            names(&log, table, &id, "extra");
            let listed = of_list(&list, path, &id).expect("it is in the list");
            assert_eq!(listed["id"], id);
            let shown = admin.get(&one).await.ok();
            names(&log, table, &id, "extra");
            assert_eq!(shown[kind], *listed, "{kind}");
            admin.patch(&one, &unrelated(kind)).await.ok();
            names(&log, table, &id, "extra");
            assert_eq!(stored(db, select, &id).await, text, "{kind}");

            let more = json!({ kind: { "colour": "red" } });
            admin.patch(&one, &more).await.refused(500);
            log.take();
            assert_eq!(stored(db, select, &id).await, text, "{kind}");
        }
    }
    let user = json!({ "name": "frank", "domain": { "id": "default" } });
    let answer = admin.log_in(&user, "erin", &Value::Null).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
}

#[tokio::test]
async fn options_that_cant_be_read_let_nothing_through() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    let user = cloud.user("erin").await;
    let project = cloud.project("erin").await;
    let role = json!({ "role": { "name": "erin" } });
    let role = admin.post("/v3/roles", &role).await.created()["role"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (log, _guard) = Log::start("error");
    for (path, kind, id, insert) in [
        (
            "users",
            "user",
            &user,
            "INSERT INTO user_option (user_id, option_id, option_value) VALUES (?, 'MFAE', ?)",
        ),
        (
            "projects",
            "project",
            &project,
            "INSERT INTO project_option (project_id, option_id, option_value) VALUES (?, 'IMMU', ?)",
        ),
        (
            "roles",
            "role",
            &role,
            "INSERT INTO role_option (role_id, option_id, option_value) VALUES (?, 'IMMU', ?)",
        ),
    ] {
        run(db, insert, &[id, "tru"]).await;
        let list = admin.get(&format!("/v3/{path}")).await.ok();
        names(&log, kind, id, "options");
        assert_eq!(of_list(&list, path, id), None, "{kind}");
        assert!(!list[path].as_array().unwrap().is_empty());
        let one = format!("/v3/{path}/{id}");
        admin.get(&one).await.refused(500);
        names(&log, kind, id, "options");
        admin.patch(&one, &unrelated(kind)).await.refused(500);
        admin.delete(&one).await.refused(500);
        log.take();
    }
    let erin = json!({ "name": "erin", "domain": { "id": "default" } });
    admin.log_in(&erin, "erin", &Value::Null).await.refused(500);
    names(&log, "user", &user, "options");
}

#[tokio::test]
async fn pages_go_past_rows_that_cant_be_read() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    let mut users = vec![];
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        users.push(cloud.user(name).await);
    }
    users.sort();
    for (n, user) in users.iter().enumerate() {
        if n != 3 {
            let insert = "INSERT INTO user_option (user_id, option_id, option_value) VALUES (?, '1001', 'x')";
            run(db, insert, &[user]).await;
        }
    }
    let mut seen = vec![];
    let mut next = Some("/v3/users?limit=1".to_owned());
    while let Some(path) = next {
        let page = admin.get(&path).await.ok();
        assert_eq!(page["users"].as_array().unwrap().len(), 1, "{page}");
        seen.push(page["users"][0]["name"].clone());
        next = page["links"]["next"]
            .as_str()
            .map(|url| url.replace("http://keystone.test:5000", ""));
    }
    let readable = admin.get("/v3/users").await.ok();
    let readable: Vec<_> = readable["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["name"].clone())
        .collect();
    assert_eq!(seen, readable);
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn texts_that_cant_be_read_are_left_out() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    let user = cloud.user("erin").await;
    let policy = json!({ "policy": { "type": "x", "blob": "{}" } });
    let policy = admin.post("/v3/policies", &policy).await.created()["policy"]["id"].clone();
    let group = json!({ "endpoint_group": { "name": "x", "filters": { "interface": "public" } } });
    let groups = "OS-EP-FILTER/endpoint_groups";
    let group =
        admin.post(&format!("/v3/{groups}"), &group).await.created()["endpoint_group"]["id"]
            .clone();
    let credential = json!({ "credential": { "type": "x", "user_id": user, "blob": "{}" } });
    let credential =
        admin.post("/v3/credentials", &credential).await.created()["credential"]["id"].clone();
    let (log, _guard) = Log::start("error");
    for (path, collection, id, update, table, column) in [
        (
            "policies",
            "policies",
            &policy,
            "UPDATE policy SET `blob` = 'x' WHERE id = ?",
            "policy",
            "blob",
        ),
        (
            groups,
            "endpoint_groups",
            &group,
            "UPDATE endpoint_group SET filters = '[]' WHERE id = ?",
            "endpoint_group",
            "filters",
        ),
        (
            "credentials",
            "credentials",
            &credential,
            "UPDATE credential SET encrypted_blob = 'x' WHERE id = ?",
            "credential",
            "encrypted_blob",
        ),
    ] {
        let id = id.as_str().unwrap();
        run(db, update, &[id]).await;
        let list = admin.get(&format!("/v3/{path}")).await.ok();
        names(&log, table, id, column);
        assert_eq!(list[collection], json!([]));
        admin.get(&format!("/v3/{path}/{id}")).await.refused(500);
        names(&log, table, id, column);
    }
}

#[tokio::test]
async fn a_domains_option_that_cant_be_read_is_left_out() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    let config = json!({ "config": { "ldap": { "url": "u", "user_tree_dn": "d" } } });
    let path = "/v3/domains/default/config";
    admin.request("PUT", path, Some(&config)).await.created();
    let (log, _guard) = Log::start("error");
    run(
        db,
        "UPDATE whitelisted_config SET value = 'x' WHERE `option` = 'url'",
        &[],
    )
    .await;
    assert_eq!(
        admin.get(path).await.ok(),
        json!({ "config": { "ldap": { "user_tree_dn": "d" } } })
    );
    names(&log, "whitelisted_config", "default/ldap/url", "value");
    admin.get(&format!("{path}/ldap/url")).await.refused(500);
}

#[tokio::test]
async fn an_invalid_time_hides_only_its_user() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    let user = cloud.user("erin").await;
    // Dates that are none come from a server without strict mode.
    let statement = match db.dialect() {
        Dialect::Sqlite => "UPDATE user SET created_at = '0000-00-00 00:00:00' WHERE id = ?",
        Dialect::MySql => {
            "SET STATEMENT sql_mode = '' FOR UPDATE user SET created_at = '0000-00-00 00:00:00' WHERE id = ?"
        }
    };
    run(db, statement, &[&user]).await;
    let (log, _guard) = Log::start("error");
    let list = admin.get("/v3/users").await.ok();
    let one = format!("/v3/users/{user}");
    match db.dialect() {
        Dialect::Sqlite => {
            names(&log, "user", &user, "created_at");
            assert_eq!(of_list(&list, "users", &user), None);
            admin.get(&one).await.refused(500);
        }
        // The driver takes it for NULL.
        Dialect::MySql => {
            assert!(of_list(&list, "users", &user).is_some());
            admin.get(&one).await.ok();
        }
    }
}
