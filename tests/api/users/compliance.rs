//! `[security_compliance]`, where time passes in days; and what is better than in Keystone.

use chrono::Duration;
use keystone::Settings;
use keystone::identity::Compliance;
use keystone::identity::password::{Algorithm, Regex};
use keystone_testkit::{Answer, Cloud};
use serde_json::{Value, json};

async fn with(compliance: Compliance) -> Cloud {
    let mut settings = Settings::default();
    settings.identity.compliance = compliance;
    Cloud::with(settings).await
}

async fn tried(cloud: &Cloud, id: &str, password: &str) -> Answer {
    let user = json!({ "id": id });
    cloud.nobody().log_in(&user, password, &Value::Null).await
}

async fn set(cloud: &Cloud, id: &str, changes: Value) -> Value {
    let admin = cloud.admin().await;
    let path = format!("/v3/users/{id}");
    admin.patch(&path, &json!({ "user": changes })).await.ok()["user"].clone()
}

async fn change(cloud: &Cloud, id: &str, original: &str, new: &str) -> Answer {
    let body = json!({ "user": { "original_password": original, "password": new } });
    let path = format!("/v3/users/{id}/password");
    cloud.nobody().post(&path, &body).await
}

#[tokio::test]
async fn an_inactive_user_is_disabled() {
    let cloud = with(Compliance {
        disable_after_days_inactive: Some(3),
        ..Compliance::default()
    })
    .await;
    let (ann, bob) = (cloud.user("ann").await, cloud.user("bob").await);
    set(
        &cloud,
        &bob,
        json!({ "options": { "ignore_user_inactivity": true } }),
    )
    .await;
    for _ in 0..4 {
        cloud.advance(Duration::days(1));
        cloud.admin().await;
    }
    let admin = cloud.admin().await;
    let shown = admin.get(&format!("/v3/users/{ann}")).await.ok();
    assert_eq!(shown["user"]["enabled"], false);
    tried(&cloud, &ann, "ann").await.refused(401);
    tried(&cloud, &bob, "bob").await.created();
    assert_eq!(
        change(&cloud, &ann, "ann", "new").await.refused(401),
        format!("The account is disabled for user: {ann}.")
    );
    // Any change makes it last, whatever the option says afterwards.
    set(&cloud, &ann, json!({ "colour": "red" })).await;
    let option = json!({ "options": { "ignore_user_inactivity": true } });
    assert_eq!(set(&cloud, &ann, option).await["enabled"], false);
    let option = json!({ "options": { "ignore_user_inactivity": null }, "enabled": true });
    assert_eq!(set(&cloud, &ann, option).await["enabled"], true);
    tried(&cloud, &ann, "ann").await.created();
    cloud.advance(Duration::days(2));
    tried(&cloud, &ann, "ann").await.created();
    cloud.advance(Duration::days(2));
    tried(&cloud, &ann, "ann").await.created();
}

#[tokio::test]
async fn passwords_expire_and_can_still_be_changed() {
    let cloud = with(Compliance {
        password_expires_days: Some(30),
        minimum_password_age_days: 2,
        ..Compliance::default()
    })
    .await;
    let id = cloud.user("ann").await;
    cloud.advance(Duration::days(30) - Duration::seconds(1));
    let body = tried(&cloud, &id, "ann").await.created();
    let end = "2026-01-31T12:00:00.000000";
    assert_eq!(body["token"]["user"]["password_expires_at"], end);
    cloud.advance(Duration::seconds(1));
    assert_eq!(
        tried(&cloud, &id, "ann").await.refused(401),
        format!("The password is expired and needs to be changed for user: {id}.")
    );
    tried(&cloud, &id, "wrong").await.refused(401);
    change(&cloud, &id, "ann", "two").await.no_content();
    tried(&cloud, &id, "two").await.created();
    // The age counts for a password that the user chose.
    cloud.advance(Duration::days(1));
    let text = change(&cloud, &id, "two", "three").await.refused(400);
    assert!(text.contains("used for 2 day(s)") && text.contains("again in 1 day(s)"));
    cloud.advance(Duration::days(1));
    change(&cloud, &id, "two", "three").await.no_content();
    cloud.advance(Duration::days(31));
    tried(&cloud, &id, "three").await.refused(401);
}

#[tokio::test]
async fn the_last_password_counts_also_after_one_that_was_set_by_a_clock_ahead() {
    let cloud = Cloud::new().await;
    let id = cloud.user("ann").await;
    cloud.advance(Duration::hours(2));
    set(&cloud, &id, json!({ "password": "early" })).await;
    cloud.advance(Duration::hours(-2));
    for password in ["two", "three"] {
        set(&cloud, &id, json!({ "password": password })).await;
        tried(&cloud, &id, password).await.created();
    }
    for password in ["early", "two"] {
        tried(&cloud, &id, password).await.refused(401);
    }
}

#[tokio::test]
async fn a_user_without_a_password_has_none_to_change() {
    let cloud = with(Compliance {
        change_password_upon_first_use: true,
        ..Compliance::default()
    })
    .await;
    let admin = cloud.admin().await;
    let user = json!({ "user": { "name": "mute", "domain_id": "default" } });
    let body = admin.post("/v3/users", &user).await.created();
    assert_eq!(body["user"]["password_expires_at"], Value::Null);
}

#[tokio::test]
async fn over_long_passwords_are_refused_without_being_read() {
    let mut settings = Settings::default();
    settings.identity.compliance.password_regex = Some(Regex::matching("^[0-9]+$").unwrap());
    let cloud = Cloud::with(settings).await;
    let admin = cloud.admin().await;
    let user = |password: String| json!({ "user": { "name": "ann", "domain_id": "default", "password": password } });
    let text = admin.post("/v3/users", &user("x".repeat(4097))).await;
    assert!(text.refused(403).starts_with("The password length"));
    let text = admin.post("/v3/users", &user("x".repeat(4096))).await;
    assert_eq!(
        text.refused(400),
        "The password does not match the requirements: None."
    );
    // A pattern need not reach the end, and `$` stands before a last line end too.
    admin
        .post("/v3/users", &user("12\n".to_owned()))
        .await
        .created();
}

#[tokio::test]
async fn a_strict_length_holds_for_new_passwords_only() {
    let mut settings = Settings::default();
    settings.identity.password_algorithm = Some(Algorithm::Bcrypt);
    settings.identity.passwords.rounds = Some(4);
    settings.identity.passwords.strict = true;
    let cloud = Cloud::with(settings).await;
    let id = cloud.user("ann").await;
    let long = "x".repeat(73);
    let known = tried(&cloud, &id, &long).await;
    let unknown = tried(&cloud, "nobody", &long).await;
    assert_eq!((known.status, &known.body), (401, &unknown.body));
    assert_eq!(unknown.status, 401);
    let text = change(&cloud, &id, "ann", &long).await.refused(403);
    assert!(text.starts_with("The password length must be less than or equal to 72."));
    change(&cloud, &id, &long, "new").await.refused(401);
}

#[tokio::test]
async fn a_locked_account_answers_like_a_wrong_password_and_an_unknown_user() {
    let cloud = with(Compliance {
        lockout_failure_attempts: Some(2),
        lockout_duration: Some(Duration::seconds(5)),
        unique_last_password_count: 2,
        ..Compliance::default()
    })
    .await;
    let id = cloud.user("ann").await;
    let first = tried(&cloud, &id, "wrong").await.with(401);
    tried(&cloud, &id, "wrong").await.refused(401);
    for (user, password) in [(&*id, "ann"), (&id, "wrong"), ("nobody", "ann")] {
        assert_eq!(tried(&cloud, user, password).await.with(401), first);
    }
    assert_eq!(change(&cloud, &id, "ann", "new").await.with(401), first);
    cloud.advance(Duration::seconds(4));
    tried(&cloud, &id, "ann").await.refused(401);
    cloud.advance(Duration::seconds(1));
    tried(&cloud, &id, "ann").await.created();
}
