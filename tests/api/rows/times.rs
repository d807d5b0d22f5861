//! Times that SQLAlchemy wrote to SQLite have six decimals, those that this server once wrote none: each comparison holds
//! for both. On MariaDB there is one spelling, and the same must come out.

use chrono::Duration;
use keystone::Settings;
use keystone_testkit::Cloud;
use serde_json::{Value, json};

use super::run;

const SPELLINGS: [&str; 2] = ["", ".000000"];

#[tokio::test]
async fn users_are_filtered_by_password_expiry() {
    let cloud = Cloud::new().await;
    let (admin, db) = (cloud.admin().await, cloud.keystone.db());
    for (name, decimals) in ["old", "python"].into_iter().zip(SPELLINGS) {
        let user = cloud.user(name).await;
        let end = format!("2030-01-01 00:00:10{decimals}");
        let update = "UPDATE password SET expires_at = ?, expires_at_int = NULL \
                       WHERE local_user_id = (SELECT id FROM local_user WHERE user_id = ?)";
        run(db, update, &[&end, &user]).await;
    }
    for (operator, before, same, after) in [
        ("lt", 0, 0, 2),
        ("lte", 0, 2, 2),
        ("gt", 2, 0, 0),
        ("gte", 2, 2, 0),
        ("eq", 0, 2, 0),
        ("neq", 2, 0, 2),
    ] {
        for (second, expected) in [("09", before), ("10", same), ("11", after)] {
            let path =
                format!("/v3/users?password_expires_at={operator}:2030-01-01T00:00:{second}Z");
            let found = admin.get(&path).await.ok();
            assert_eq!(
                found["users"].as_array().unwrap().len(),
                expected,
                "{operator} {second}"
            );
        }
    }
}

#[tokio::test]
async fn revocation_events_end_the_tokens_of_their_second() {
    for decimals in SPELLINGS {
        let cloud = Cloud::new().await;
        let (admin, db) = (cloud.admin().await, cloud.keystone.db());
        let user = cloud.user("erin").await;
        cloud.advance(Duration::seconds(10));
        let erin = cloud.session("erin", "erin", &Value::Null).await;
        let insert =
            "INSERT INTO revocation_event (user_id, issued_before, revoked_at) VALUES (?, ?, ?)";
        for (second, status) in [("09", 200), ("10", 404)] {
            let time = format!("2026-01-01 12:00:{second}{decimals}");
            run(db, insert, &[&user, &time, &time]).await;
            assert_eq!(admin.validate(erin.token()).await.status, status, "{time}");
        }
        for (since, expected) in [("09", 1), ("10", 0), ("08", 2)] {
            let path = format!("/v3/OS-REVOKE/events?since=2026-01-01T12:00:{since}Z");
            let found = admin.get(&path).await.ok();
            assert_eq!(
                found["events"].as_array().unwrap().len(),
                expected,
                "{since}{decimals}"
            );
        }
    }
}

#[tokio::test]
async fn a_lockout_ends_with_its_second() {
    let mut settings = Settings::default();
    settings.identity.compliance.lockout_failure_attempts = Some(2);
    settings.identity.compliance.lockout_duration = Some(Duration::seconds(60));
    for decimals in SPELLINGS {
        let cloud = Cloud::with(settings.clone()).await;
        let db = cloud.keystone.db();
        let user = cloud.user("erin").await;
        let failed = format!("2026-01-01 12:00:00{decimals}");
        let update =
            "UPDATE local_user SET failed_auth_count = 2, failed_auth_at = ? WHERE user_id = ?";
        run(db, update, &[&failed, &user]).await;
        let erin = json!({ "name": "erin", "domain": { "id": "default" } });
        cloud.advance(Duration::seconds(59));
        let answer = cloud.nobody().log_in(&erin, "erin", &Value::Null).await;
        assert_eq!(answer.status, 401, "{decimals}");
        cloud.advance(Duration::seconds(1));
        // A wrong one first: the count starts anew, and does not lock again.
        let answer = cloud.nobody().log_in(&erin, "wrong", &Value::Null).await;
        assert_eq!(answer.status, 401, "{decimals}");
        let answer = cloud.nobody().log_in(&erin, "erin", &Value::Null).await;
        assert_eq!(answer.status, 201, "{decimals}");
    }
}
