use serde_json::{Value, json};

use super::*;

fn body(user: &ServiceUser) -> Value {
    serde_json::from_str(&user.request_body()).unwrap()
}

#[test]
fn a_service_user_authenticates_as_its_options_say() {
    let glance = ServiceUser::password("glance", "secret").project_name("service");
    let default = json!({"id": "default"});
    assert_eq!(
        body(&glance),
        json!({"auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "glance", "domain": default, "password": "secret"}},
            },
            "scope": {"project": {"name": "service", "domain": default}},
        }})
    );
    let glance = glance
        .user_domain_name("Users")
        .project_domain_name("Projects");
    let auth = &body(&glance)["auth"];
    assert_eq!(
        auth["identity"]["password"]["user"]["domain"],
        json!({"name": "Users"})
    );
    assert_eq!(
        auth["scope"]["project"]["domain"],
        json!({"name": "Projects"})
    );
    let by_id = ServiceUser::password_of_id("u1", "secret").project_id("p1");
    let auth = &body(&by_id)["auth"];
    assert_eq!(
        auth["identity"]["password"]["user"],
        json!({"id": "u1", "password": "secret"})
    );
    assert_eq!(auth["scope"], json!({"project": {"id": "p1"}}));
    let system = ServiceUser::password("glance", "secret").system_scope();
    assert_eq!(
        body(&system)["auth"]["scope"],
        json!({"system": {"all": true}})
    );
    let credential = ServiceUser::application_credential("ac1", "secret");
    assert_eq!(
        body(&credential),
        json!({"auth": {"identity": {
            "methods": ["application_credential"],
            "application_credential": {"id": "ac1", "secret": "secret"},
        }}})
    );
}

#[test]
fn secrets_are_not_shown() {
    for user in [
        ServiceUser::password("glance", "hunter2"),
        ServiceUser::application_credential("ac1", "hunter2"),
    ] {
        let remote = Remote::new("http://keystone/v3", user.clone()).unwrap();
        assert!(!format!("{user:?} {remote:?}").contains("hunter2"));
    }
}

#[test]
fn urls_name_version_three_in_the_end() {
    for url in [
        "http://keystone:5000",
        "http://keystone:5000/",
        "http://keystone:5000/v3",
        "http://keystone:5000/v3/",
    ] {
        assert_eq!(versioned(url).unwrap(), "http://keystone:5000/v3");
    }
    assert_eq!(
        versioned("https://cloud/identity").unwrap(),
        "https://cloud/identity/v3"
    );
    for url in [
        "keystone:5000",
        "/v3",
        "ftp://keystone/v3",
        "http://",
        "http://admin:pw@keystone/v3",
        "http://k/v3?a",
        "",
    ] {
        assert!(versioned(url).is_err(), "{url}");
    }
}

#[test]
fn questions_say_what_is_wanted() {
    let wanted = Wanted::default();
    assert_eq!(question("u", wanted), "u/auth/tokens");
    assert_eq!(
        question("u", wanted.catalog(false)),
        "u/auth/tokens?nocatalog"
    );
    assert_eq!(
        question("u", wanted.expired(true)),
        "u/auth/tokens?allow_expired=1"
    );
    assert_eq!(
        question("u", wanted.expired(true).catalog(false)),
        "u/auth/tokens?nocatalog&allow_expired=1"
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_its_end() {
    let answer = |expires: &str| {
        let token = json!({"issued_at": "2026-01-31T12:00:00.000000Z", "expires_at": expires});
        Answer {
            status: StatusCode::CREATED,
            headers: HeaderMap::from_iter([(SUBJECT_TOKEN, HeaderValue::from_static("own"))]),
            body: json!({ "token": token }).to_string().into(),
        }
    };
    let good_for = |expires| {
        let (text, until) = issued(&answer(expires)).unwrap();
        assert!(text.is_sensitive());
        until - Instant::now()
    };
    assert_eq!(
        good_for("2026-01-31T13:00:00.000000Z"),
        Duration::from_mins(59)
    );
    assert_eq!(
        good_for("2026-01-31T12:00:10.000000Z"),
        Duration::from_secs(9)
    );
    assert_eq!(good_for("2026-01-31T11:00:00.000000Z"), Duration::ZERO);
    assert!(issued(&answer("never")).is_err());
}
