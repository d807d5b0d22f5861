//! Cascades: a deleted domain or project leaves no rows behind that refer to it, in the tables of any crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keystone::identity::{Identity, Settings};
use keystone::storage::{Db, sql};
use keystone::types::Clock;
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

/// Every table with rows that refer to users, groups, projects, domains or roles, and those that depend on such rows.
const TABLES: [&str; 38] = [
    "access_rule",
    "access_token",
    "application_credential",
    "application_credential_access_rule",
    "application_credential_role",
    "assignment",
    "config_register",
    "consumer",
    "credential",
    "endpoint",
    "endpoint_group",
    "expiring_user_group_membership",
    "federated_user",
    "federation_protocol",
    "group",
    "id_mapping",
    "identity_provider",
    "idp_remote_ids",
    "implied_role",
    "limit",
    "local_user",
    "nonlocal_user",
    "password",
    "project",
    "project_endpoint",
    "project_endpoint_group",
    "project_option",
    "project_tag",
    "registered_limit",
    "request_token",
    "role",
    "role_option",
    "sensitive_config",
    "system_assignment",
    "user",
    "user_group_membership",
    "user_option",
    "whitelisted_config",
];

/// The parts of what refers to a project `{p}`, user `{u}`, group `{g}`, role `{r}` and domain `{d}` that the API does
/// not make.
const ROWS: [&str; 25] = [
    "INSERT INTO limit_ (id, project_id, resource_limit) VALUES ('l1', '{p}', 1)",
    "INSERT INTO limit_ (id, domain_id, resource_limit) VALUES ('l2', '{d}', 1)",
    "INSERT INTO credential (id, user_id, project_id, type, key_hash, encrypted_blob) VALUES ('c1', '{u}', '{p}', 't', 'k', 'b')",
    "INSERT INTO credential (id, user_id, type, key_hash, encrypted_blob) VALUES ('c2', '{u}', 't', 'k', 'b')",
    "INSERT INTO access_token (id, access_secret, authorizing_user_id, project_id, role_ids, consumer_id) \
         VALUES ('t1', 's', '{u}', '{p}', '[]', 'consumer')",
    "INSERT INTO request_token (id, request_secret, requested_project_id, consumer_id) VALUES ('t2', 's', '{p}', 'consumer')",
    "INSERT INTO application_credential (internal_id, id, name, secret_hash, user_id, project_id) \
         VALUES (77, 'a', 'a', 'h', '{u}', '{p}')",
    "INSERT INTO application_credential_role (application_credential_id, role_id) VALUES (77, '{r}')",
    "INSERT INTO access_rule (id, external_id, user_id) VALUES (78, 'rule', '{u}')",
    "INSERT INTO application_credential_access_rule (application_credential_id, access_rule_id) VALUES (77, 78)",
    "INSERT INTO project_endpoint (endpoint_id, project_id) VALUES ('e', '{p}')",
    "INSERT INTO project_endpoint_group (endpoint_group_id, project_id) VALUES ('eg', '{p}')",
    "INSERT INTO project_option (project_id, option_id, option_value) VALUES ('{p}', 'IMMU', 'false')",
    "INSERT INTO user_option (user_id, option_id, option_value) VALUES ('{u}', '1003', 'false')",
    "INSERT INTO role_option (role_id, option_id, option_value) VALUES ('{r}', 'IMMU', 'false')",
    "INSERT INTO nonlocal_user (domain_id, name, user_id) VALUES ('{d}', 'shadow', '{u}')",
    "INSERT INTO id_mapping (public_id, domain_id, local_id, entity_type) VALUES ('gone', '{d}', 'x', 'user')",
    "INSERT INTO whitelisted_config (domain_id, `group`, `option`, value) VALUES ('{d}', 'ldap', 'url', '\"x\"')",
    "INSERT INTO sensitive_config (domain_id, `group`, `option`, value) VALUES ('{d}', 'ldap', 'password', '\"x\"')",
    "INSERT INTO config_register (type, domain_id) VALUES ('SQL', '{d}')",
    "INSERT INTO identity_provider (id, enabled, domain_id) VALUES ('idp', 1, '{d}')",
    "INSERT INTO idp_remote_ids (idp_id, remote_id) VALUES ('idp', 'remote')",
    "INSERT INTO federation_protocol (id, idp_id, mapping_id) VALUES ('saml2', 'idp', 'm')",
    "INSERT INTO federated_user (user_id, idp_id, protocol_id, unique_id) VALUES ('{u}', 'idp', 'saml2', 'x')",
    "INSERT INTO expiring_user_group_membership (user_id, group_id, idp_id, last_verified) \
         VALUES ('{u}', '{g}', 'idp', '2026-01-01 00:00:00')",
];

/// Tables whose rows outlive what they refer to: events and trusts, which are marked as deleted; the table of tokens that
/// are stored, which no release writes any more.
const KEPT: [&str; 4] = ["revocation_event", "token", "trust", "trust_role"];

#[test]
fn every_table_that_refers_to_a_deleted_resource_is_counted() {
    const SCHEMA: &str = include_str!("../../migrations/sqlite/0001_27e647c0fad4_yoga.sql");
    const REFERENCES: [&str; 8] = [
        "user_id",
        "project_id",
        "domain_id",
        "group_id",
        "role_id",
        "actor_id",
        "target_id",
        "public_id",
    ];
    let mut forgotten = Vec::new();
    for table in SCHEMA.split("CREATE TABLE ").skip(1) {
        let (name, columns) = table.split_once(" (").expect("a table has columns");
        let name = name.trim_matches('"');
        let mut columns = columns
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        let refers = columns.any(|column| {
            REFERENCES
                .iter()
                .any(|reference| column.ends_with(reference))
        });
        if refers && !TABLES.contains(&name) && !KEPT.contains(&name) {
            forgotten.push(name);
        }
    }
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

async fn run(db: &Db, text: String) -> u64 {
    // Made of literals and ids of this test.
    sql(Box::leak(text.into_boxed_str()))
        .execute(db)
        .await
        .expect("the row fits the schema")
}

async fn counts(db: &Db) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in TABLES {
        let text: &'static str =
            Box::leak(format!("SELECT COUNT(*) FROM `{table}`").into_boxed_str());
        let (count,): (i64,) = sql(text).fetch_one(db).await.expect("the table is there");
        counts.push((table, count));
    }
    counts
}

async fn made(admin: &Session, kind: &str, body: Value) -> String {
    let answer = admin
        .post(&format!("/v3/{kind}s"), &json!({ kind: body }))
        .await
        .created();
    answer[kind]["id"].as_str().expect("an id").to_owned()
}

/// A domain with everything, and its own id first.
async fn furnish(cloud: &Cloud, admin: &Session) -> [String; 5] {
    let domain = made(admin, "domain", json!({ "name": "Gone", "tags": ["x"] })).await;
    let mut parent = domain.clone();
    for name in ["a", "b", "c"] {
        let project =
            json!({ "name": name, "domain_id": domain, "parent_id": parent, "tags": ["x", "y"] });
        parent = made(admin, "project", project).await;
    }
    let (project, other) = (parent, cloud.project("other").await);
    let user =
        json!({ "name": "u", "domain_id": domain, "password": "u", "default_project_id": project });
    let user = made(admin, "user", user).await;
    let outsider = cloud.user("outsider").await;
    admin
        .patch(
            &format!("/v3/users/{outsider}"),
            &json!({ "user": { "default_project_id": project } }),
        )
        .await
        .ok();
    let group = made(admin, "group", json!({ "name": "g", "domain_id": domain })).await;
    let role = made(admin, "role", json!({ "name": "r", "domain_id": domain })).await;
    let reader = cloud.role("reader").await;
    for path in [
        format!("groups/{group}/users/{user}"),
        format!("groups/{group}/users/{outsider}"),
        format!("projects/{project}/users/{outsider}/roles/{reader}"),
        format!("projects/{other}/users/{user}/roles/{reader}"),
        format!("projects/{other}/groups/{group}/roles/{reader}"),
        format!("domains/{domain}/users/{outsider}/roles/{reader}"),
        format!("domains/{domain}/users/{user}/roles/{role}"),
        format!("system/users/{user}/roles/{reader}"),
        format!("system/groups/{group}/roles/{reader}"),
        format!(
            "OS-INHERIT/domains/{domain}/users/{outsider}/roles/{reader}/inherited_to_projects"
        ),
        format!("roles/{role}/implies/{reader}"),
    ] {
        let status = admin.put(&format!("/v3/{path}")).await.status;
        assert!(status < 300, "{path}: {status}");
    }
    [domain, project, user, group, role]
}

/// A domain with everything, and every row that can refer to it.
async fn fill(cloud: &Cloud, admin: &Session) -> [String; 5] {
    let db = cloud.keystone.db();
    let made = furnish(cloud, admin).await;
    let [domain, project, user, group, role] = &made;
    for row in ROWS {
        let row = row
            .replace("limit_", "`limit`")
            .replace("{d}", domain)
            .replace("{p}", project)
            .replace("{u}", user)
            .replace("{g}", group)
            .replace("{r}", role);
        run(db, row).await;
    }
    let trust = format!(
        "INSERT INTO trust (id, trustor_user_id, trustee_user_id, project_id, impersonation) \
         VALUES ('trust', 'somebody', 'else', '{project}', 0)"
    );
    run(db, trust).await;
    made
}

/// What the rows of a domain hang on without belonging to it.
async fn common(db: &Db) {
    for row in [
        "INSERT INTO consumer (id, secret, extra) VALUES ('consumer', 's', '{}')",
        "INSERT INTO endpoint_group (id, name, filters) VALUES ('eg', 'eg', '{}')",
    ] {
        run(db, row.to_owned()).await;
    }
}

#[tokio::test]
async fn a_domain_leaves_nothing_behind() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let db = cloud.keystone.db().clone();
    cloud.user("outsider").await;
    cloud.project("other").await;
    common(&db).await;
    let before = counts(&db).await;
    for name in ["outsider", "other"] {
        let kind = if name == "other" { "projects" } else { "users" };
        let found = admin.get(&format!("/v3/{kind}?name={name}")).await.ok();
        let id = found[kind][0]["id"].as_str().expect("an id");
        admin.delete(&format!("/v3/{kind}/{id}")).await.no_content();
    }
    let refers = fill(&cloud, &admin).await;
    let [domain, project, user, ..] = &refers;
    for table in before
        .iter()
        .zip(counts(&db).await)
        .filter(|(before, after)| before.1 >= after.1)
    {
        let untouched = ["consumer", "endpoint", "endpoint_group", "registered_limit"];
        assert!(
            untouched.contains(&table.0.0),
            "nothing refers from {table:?}"
        );
    }
    admin
        .delete(&format!("/v3/domains/{domain}"))
        .await
        .refused(403);
    admin
        .patch(
            &format!("/v3/domains/{domain}"),
            &json!({ "domain": { "enabled": false } }),
        )
        .await
        .ok();
    admin
        .delete(&format!("/v3/domains/{domain}"))
        .await
        .no_content();

    assert_eq!(counts(&db).await, before);
    let (live,): (i64,) = sql("SELECT COUNT(*) FROM trust WHERE deleted_at IS NULL")
        .fetch_one(&db)
        .await
        .expect("the table is there");
    assert_eq!(live, 0);
    let users = admin.get("/v3/users?name=outsider").await.ok();
    assert_eq!(users["users"][0].get("default_project_id"), None);
    // Projects and users end their tokens, and so do groups that had roles.
    let events = admin.get("/v3/OS-REVOKE/events").await.ok();
    let named = |id: &str| {
        events["events"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|event| event["user_id"] == id || event["project_id"] == id)
    };
    let outsider = users["users"][0]["id"].as_str().expect("an id");
    assert!(named(project) && named(user) && named(outsider) && named(domain));
}

#[tokio::test]
async fn a_project_leaves_nothing_behind() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let db = cloud.keystone.db().clone();
    common(&db).await;
    let user = cloud.user("u").await;
    let before = counts(&db).await;
    let project = cloud.project("gone").await;
    cloud.grant(&user, &project, "member").await;
    for row in ROWS.iter().filter(|row| row.contains("{p}")) {
        let row = row
            .replace("limit_", "`limit`")
            .replace("{p}", &project)
            .replace("{u}", &user);
        run(&db, row).await;
    }
    assert_ne!(counts(&db).await, before);
    admin
        .delete(&format!("/v3/projects/{project}"))
        .await
        .no_content();
    assert_eq!(counts(&db).await, before);
}

#[tokio::test]
async fn an_immutable_project_keeps_its_domain() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let domain = made(&admin, "domain", json!({ "name": "d" })).await;
    let held = json!({ "name": "held", "domain_id": domain, "options": { "immutable": true } });
    let held = made(&admin, "project", held).await;
    let user = made(&admin, "user", json!({ "name": "u", "domain_id": domain })).await;
    admin
        .patch(
            &format!("/v3/domains/{domain}"),
            &json!({ "domain": { "enabled": false } }),
        )
        .await
        .ok();
    let message = admin
        .delete(&format!("/v3/domains/{domain}"))
        .await
        .refused(403);
    assert!(message.contains(&held), "{message}");
    admin.get(&format!("/v3/users/{user}")).await.ok();
}

#[tokio::test]
async fn a_larger_domain_takes_no_more_statements() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let db = cloud
        .keystone
        .db()
        .clone()
        .observed(Arc::new(move |_: &str| {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
    let identity = Identity::new(db, Clock::system(), Settings::default(), [])
        .expect("the settings are the defaults");
    let mut taken = Vec::new();
    for size in [1, 5] {
        let domain = made(&admin, "domain", json!({ "name": "d", "enabled": true })).await;
        for number in 0..size {
            for kind in ["project", "user", "group", "role"] {
                made(
                    &admin,
                    kind,
                    json!({ "name": format!("n{number}"), "domain_id": domain }),
                )
                .await;
            }
        }
        admin
            .patch(
                &format!("/v3/domains/{domain}"),
                &json!({ "domain": { "enabled": false } }),
            )
            .await
            .ok();
        count.store(0, Ordering::Relaxed);
        identity
            .delete_domain(&domain)
            .await
            .expect("it is disabled");
        taken.push(count.load(Ordering::Relaxed));
    }
    assert_eq!(taken[0], taken[1]);
}
