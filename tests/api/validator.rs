//! The validator for guards in the same process.

use chrono::Duration;
use keystone::types::{NotValidated, Validate, Wanted};
use keystone_testkit::Cloud;
use serde_json::Value;

#[tokio::test]
async fn its_bodies_are_those_of_the_api() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let validator = cloud.keystone.validator();
    for (wanted, query) in [
        (Wanted::default(), ""),
        (Wanted::default().catalog(false), "?nocatalog"),
    ] {
        let body = validator.validate(admin.token(), wanted).await.unwrap();
        let body: Value = serde_json::from_slice(&body.to_vec()).unwrap();
        let path = format!("/v3/auth/tokens{query}");
        let answer = admin.about("GET", &path, admin.token()).await;
        assert_eq!(body, answer.ok());
    }
}

#[tokio::test]
async fn it_sees_every_revocation_at_once() {
    let cloud = Cloud::new().await;
    let (admin, other) = (cloud.admin().await, cloud.admin().await);
    let validator = cloud.keystone.validator();
    let validate = async || validator.validate(other.token(), Wanted::default()).await;
    assert!(validate().await.is_ok());
    let revoked = admin.about("DELETE", "/v3/auth/tokens", other.token());
    revoked.await.no_content();
    assert_eq!(validate().await, Err(NotValidated::Invalid));
}

#[tokio::test]
async fn expired_tokens_are_valid_only_where_they_are_wanted() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let validator = cloud.keystone.validator();
    let validate = async |wanted| validator.validate(admin.token(), wanted).await;
    let expired = Wanted::default().expired(true);
    cloud.advance(Duration::hours(1));
    assert_eq!(
        validate(Wanted::default()).await,
        Err(NotValidated::Invalid)
    );
    assert!(validate(expired).await.is_ok());
    cloud.advance(Duration::hours(48));
    assert_eq!(validate(expired).await, Err(NotValidated::Invalid));
}

#[tokio::test]
async fn what_is_no_token_is_invalid() {
    let validator = Cloud::new().await.keystone.validator();
    for text in ["", "garbage", "gAAAAABnonsense"] {
        let outcome = validator.validate(text, Wanted::default()).await;
        assert_eq!(outcome, Err(NotValidated::Invalid), "{text:?}");
    }
}
