//! Application credentials of other writers, and what a login and a validation cost.

use chrono::Duration;
use keystone::Settings;
use keystone::identity::password::Algorithm;
use keystone::storage::{Dialect, sql};
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

const SECRET: &str =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_0123456789abcdefghijkl";

/// Hashes of [`SECRET`] that Python Keystone wrote, and whether it looked at the whole.
const PYTHON: [(&str, bool); 4] = [
    (
        "$2b$04$HrjJbFdAmijuhwRjXLziO.vtNzoJuaS5lBEW5QikOqudy1o5lgVZm",
        false,
    ),
    (
        "$bcrypt-sha256$v=2,t=2b,r=10$hOMwuqtIxOCgMXPc8UrDsu$jjwdnsSpJPSusgnY3tqucPe3jkHTJ06",
        true,
    ),
    (
        "$scrypt$ln=16,r=8,p=1$elrylA/jaz5x+/OmSJ6/8A$Ov48TAQDtTfgVnqPHs5JdfnxzR2m59klNonZ5yDJOew",
        true,
    ),
    (
        "$pbkdf2-sha512$100$CddWxBveA4uDfRUkgBHdNw$\
         6XlkkqWiUu94G1JHvYzjPgDkC+ndyq3ZWXclsf87/OA7qRHU2oQF8z3tXME2TxiqTYa6rFm7IomJuNTT6+UoYg",
        true,
    ),
];

/// The administrator, the path of the own credentials, and the id of one of them.
async fn program(cloud: &Cloud) -> (Session, String, String) {
    let admin = cloud.admin().await;
    let own = admin.validate(admin.token()).await.ok();
    let user = own["token"]["user"]["id"].as_str().expect("a user");
    let path = format!("/v3/users/{user}/application_credentials");
    let rule = json!({ "service": "identity", "path": "/v3/auth/projects", "method": "GET" });
    let new = json!({ "name": "program", "secret": SECRET, "access_rules": [rule] });
    let new = json!({ "application_credential": new });
    let made = admin.post(&path, &new).await.created();
    let id = made["application_credential"]["id"].as_str();
    let id = id.expect("an id").to_owned();
    (admin, path, id)
}

fn login(id: &str, secret: &str) -> Value {
    json!({ "auth": { "identity": {
        "methods": ["application_credential"],
        "application_credential": { "id": id, "secret": secret },
    } } })
}

#[tokio::test]
async fn hashes_of_python_verify_what_they_verified_there() {
    let cloud = Cloud::new().await;
    let (_, _, id) = program(&cloud).await;
    let nobody = cloud.nobody();
    let cut = format!("{}{}", &SECRET[..72], "x".repeat(14));
    for (hash, whole) in PYTHON {
        sql("UPDATE application_credential SET secret_hash = ? WHERE id = ?")
            .bind(hash)
            .bind(&id)
            .execute(cloud.keystone.db())
            .await
            .unwrap();
        for (secret, status) in [
            (SECRET, 201),
            (cut.as_str(), if whole { 401 } else { 201 }),
            (&SECRET[..71], 401),
            ("", 401),
        ] {
            let answer = nobody.post("/v3/auth/tokens", &login(&id, secret)).await;
            assert_eq!(answer.status, status, "{hash} {secret}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_damaged_hash_lets_nobody_in() {
    let cloud = Cloud::new().await;
    let (_, _, id) = program(&cloud).await;
    let nobody = cloud.nobody();
    for hash in ["", "$", "plain", SECRET, "$2b$04$short"] {
        sql("UPDATE application_credential SET secret_hash = ? WHERE id = ?")
            .bind(hash)
            .bind(&id)
            .execute(cloud.keystone.db())
            .await
            .unwrap();
        for secret in [SECRET, hash] {
            let login = login(&id, secret);
            let status = nobody.post("/v3/auth/tokens", &login).await.status;
            assert!(matches!(status, 401 | 500), "{hash}: {status}");
        }
    }
}

#[tokio::test]
async fn new_hashes_are_those_that_python_reads_where_it_is_to_read_them() {
    // As on a database that Python Keystone has made.
    let mut settings = Settings::default();
    settings.identity.password_algorithm = Some(Algorithm::Bcrypt);
    settings.identity.passwords.rounds = Some(4);
    let cloud = Cloud::with(settings).await;
    let (_, _, id) = program(&cloud).await;
    let hash = sql("SELECT secret_hash FROM application_credential WHERE id = ?").bind(&id);
    let (hash,): (String,) = hash.fetch_one(cloud.keystone.db()).await.unwrap();
    assert!(hash.starts_with("$bcrypt-sha256$v=2,t=2b,r="), "{hash}");
}

#[tokio::test]
async fn logins_and_validations_take_few_statements() {
    let cloud = Cloud::new().await;
    let (admin, path, id) = program(&cloud).await;
    let (answer, issued) = cloud
        .statements(cloud.nobody().post("/v3/auth/tokens", &login(&id, SECRET)))
        .await;
    let token = answer.header("x-subject-token").unwrap().to_owned();
    let used = admin.with_token(&token);
    let (answer, statements) = cloud.statements(used.get("/v3/auth/projects")).await;
    answer.ok();
    let (answer, plain) = cloud.statements(admin.get("/v3/auth/projects")).await;
    answer.ok();
    // The record and its access rules are read at once, and the catalog for the rules.
    let more = statements.len() - plain.len();
    assert!(more <= 2, "{more}\n{}", statements.join("\n"));
    assert!(issued.len() <= 10, "{}", issued.join("\n"));
    let (answer, listed) = cloud.statements(admin.get(&path)).await;
    answer.ok();
    let own = plain.len();
    assert!(listed.len() <= own + 2, "{}", listed.join("\n"));
}

/// How often the statements read all application credentials, as SQLite plans them.
async fn scans(cloud: &Cloud, statements: Vec<String>) -> usize {
    let mut count = 0;
    for text in statements {
        let places = text.matches('?').count();
        let plan = sql(format!("EXPLAIN QUERY PLAN {text}").leak());
        let plan = (0..places).fold(plan, |plan, _| plan.bind("x"));
        let steps: Vec<(i64, i64, i64, String)> = plan
            .fetch_all(cloud.keystone.db())
            .await
            .expect("the plan can be asked for");
        let whole = ["SCAN c", "SCAN application_credential"];
        count += steps
            .iter()
            .filter(|step| whole.iter().any(|scan| step.3 == *scan))
            .count();
    }
    count
}

#[tokio::test]
async fn no_request_for_an_id_reads_all_rows() {
    let cloud = Cloud::new().await;
    if cloud.keystone.db().dialect() == Dialect::MySql {
        // It plans by the number of rows.
        return;
    }
    let (admin, path, id) = program(&cloud).await;
    let (answer, statements) = cloud
        .statements(cloud.nobody().post("/v3/auth/tokens", &login(&id, SECRET)))
        .await;
    answer.created();
    assert_eq!(scans(&cloud, statements).await, 0);
    let one = format!("{path}/{id}");
    let (answer, statements) = cloud.statements(admin.get(&one)).await;
    answer.ok();
    assert_eq!(scans(&cloud, statements).await, 0);
    let (answer, statements) = cloud.statements(admin.delete(&one)).await;
    answer.no_content();
    assert_eq!(scans(&cloud, statements).await, 0);
}

/// The status of a login, and how many hashes it took.
async fn hashed(cloud: &Cloud, login: &Value) -> (u16, u64) {
    let identity = cloud.keystone.identity();
    let before = identity.hasher().state().begun;
    let answer = cloud.nobody().post("/v3/auth/tokens", login).await;
    (answer.status, identity.hasher().state().begun - before)
}

#[tokio::test]
async fn a_second_login_computes_no_hash() {
    let cloud = Cloud::new().await;
    let (admin, path, id) = program(&cloud).await;
    let right = login(&id, SECRET);
    assert_eq!(hashed(&cloud, &right).await, (201, 1));
    assert_eq!(hashed(&cloud, &right).await, (201, 0));

    // A wrong secret takes a hash each time, one of another credential too.
    let other = json!({ "application_credential": { "name": "other", "secret": "another" } });
    let other = admin.post(&path, &other).await.created();
    let other = other["application_credential"]["id"].as_str().unwrap();
    assert_eq!(hashed(&cloud, &login(other, "another")).await, (201, 1));
    for _ in 0..2 {
        assert_eq!(hashed(&cloud, &login(&id, "wrong")).await, (401, 1));
        assert_eq!(hashed(&cloud, &login(&id, "another")).await, (401, 1));
        assert_eq!(hashed(&cloud, &login(other, SECRET)).await, (401, 1));
    }
    assert_eq!(hashed(&cloud, &right).await, (201, 0));
}

#[tokio::test]
async fn a_changed_secret_is_forgotten_at_once() {
    let cloud = Cloud::new().await;
    let (_, _, id) = program(&cloud).await;
    let right = login(&id, SECRET);
    assert_eq!(hashed(&cloud, &right).await, (201, 1));
    // As another process changes it.
    let copied = "UPDATE application_credential SET secret_hash = ? WHERE id = ?";
    let identity = cloud.keystone.identity();
    for (secret, old, new) in [("changed", 401, 201), (SECRET, 201, 401)] {
        let hash = identity.hasher().hash_secret(secret.into()).await.unwrap();
        let change = sql(copied).bind(hash).bind(&id);
        change.execute(cloud.keystone.db()).await.unwrap();
        assert_eq!(hashed(&cloud, &right).await, (old, 1), "{secret}");
        let changed = login(&id, "changed");
        assert_eq!(hashed(&cloud, &changed).await, (new, 1), "{secret}");
    }
}

#[tokio::test]
async fn what_ends_a_credential_ends_its_logins_though_the_secret_is_known() {
    let cloud = Cloud::new().await;
    let (admin, path, deleted) = program(&cloud).await;
    let end = (cloud.now() + Duration::hours(1)).format("%Y-%m-%dT%H:%M:%S.000000Z");
    let expiring = json!({ "name": "expiring", "secret": "short", "expires_at": end.to_string() });
    let expiring = json!({ "application_credential": expiring });
    let expiring = admin.post(&path, &expiring).await.created();
    let expiring = expiring["application_credential"]["id"].as_str().unwrap();
    let (deleting, expired) = (login(&deleted, SECRET), login(expiring, "short"));
    for known in [&deleting, &expired] {
        assert_eq!(hashed(&cloud, known).await, (201, 1));
        assert_eq!(hashed(&cloud, known).await, (201, 0));
    }
    let gone = admin.delete(&format!("{path}/{deleted}")).await;
    gone.no_content();
    assert_eq!(hashed(&cloud, &deleting).await, (404, 0));
    cloud.advance(Duration::hours(1));
    assert_eq!(hashed(&cloud, &expired).await, (401, 0));
}
