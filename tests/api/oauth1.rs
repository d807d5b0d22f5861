//! `OAuth1` over rows that Python Keystone wrote, and rows that are damaged.

use axum::http::Request;
use keystone::storage::sql;
use keystone_testkit::{Cloud, Consumer, OAuthToken};
use serde_json::json;

async fn run(cloud: &Cloud, text: &'static str, values: &[&str]) {
    let query = values
        .iter()
        .fold(sql(text), |query, value| query.bind(*value));
    query
        .execute(cloud.keystone.db())
        .await
        .expect("the row fits the schema");
}

/// A user with a role on a project: their ids.
async fn person(cloud: &Cloud) -> (String, String, String) {
    let (user, project) = (cloud.user("alice").await, cloud.project("p").await);
    cloud.grant(&user, &project, "member").await;
    (user, project, cloud.role("member").await)
}

/// Stores an access token with these values after its key and secret: `authorizing_user_id`, `project_id`, `role_ids`,
/// `consumer_id`, `expires_at`.
async fn stored_access(cloud: &Cloud, key: String, rest: [&str; 5]) -> OAuthToken {
    let secret = "b".repeat(32);
    run(
        cloud,
        "INSERT INTO access_token \
           (id, access_secret, authorizing_user_id, project_id, role_ids, consumer_id, expires_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        &[[key.as_str(), &secret].as_slice(), &rest].concat(),
    )
    .await;
    OAuthToken { key, secret }
}

/// A consumer as Python Keystone stores one.
async fn stored_consumer(cloud: &Cloud) -> Consumer {
    let mut consumer = cloud.consumer().await;
    consumer.key = "2".repeat(32);
    consumer.secret = "5".repeat(32);
    run(
        cloud,
        "INSERT INTO consumer (id, description, secret, extra) VALUES (?, NULL, ?, ?)",
        &[
            &consumer.key,
            &consumer.secret,
            "{\"colour\": \"r\\u00f6t\"}",
        ],
    )
    .await;
    consumer
}

#[tokio::test]
async fn rows_of_python_keystone_are_used() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let (user, project, role) = person(&cloud).await;
    let consumer = stored_consumer(&cloud).await;
    let shown = admin
        .get(&format!("/v3/OS-OAUTH1/consumers/{}", consumer.key))
        .await
        .ok();
    assert_eq!(shown["consumer"]["colour"], "röt");
    let roles = format!("[\"{role}\"]");
    let end = "2026-01-01T12:00:01.500000Z";
    let rest = [user.as_str(), &project, &roles, &consumer.key, end];
    let access = stored_access(&cloud, "a".repeat(32), rest).await;
    let token = consumer.log_in(&access).await.created();
    assert_eq!(
        token["token"]["OS-OAUTH1"]["consumer_id"],
        consumer.key.as_str()
    );
    cloud.advance(chrono::Duration::seconds(2));
    consumer.log_in(&access).await.refused(401);
    let request = OAuthToken {
        key: "c".repeat(32),
        secret: "d".repeat(32),
    };
    run(&cloud, "INSERT INTO request_token \
           (id, request_secret, verifier, authorizing_user_id, requested_project_id, role_ids, consumer_id, expires_at) \
         VALUES (?, ?, 'ABCD2345', ?, ?, ?, ?, NULL)",
        &[&request.key, &request.secret, &user, &project, &roles, &consumer.key]).await;
    let access = OAuthToken::read(consumer.exchange(&request, "ABCD2345").await);
    consumer.log_in(&access).await.created();
    let list = admin
        .get(&format!("/v3/users/{user}/OS-OAUTH1/access_tokens"))
        .await
        .ok();
    assert_eq!(list["access_tokens"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_damaged_access_token_is_left_out_of_a_list_and_lets_nobody_in() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let (user, project, role) = person(&cloud).await;
    let consumer = cloud.consumer().await;
    let list = format!("/v3/users/{user}/OS-OAUTH1/access_tokens");
    let good = format!("[\"{role}\"]");
    for (n, (roles, end)) in [
        ("", ""),
        ("null", ""),
        ("{}", ""),
        ("[5]", ""),
        (good.as_str(), "soon"),
    ]
    .into_iter()
    .enumerate()
    {
        let rest = [user.as_str(), &project, roles, &consumer.key, end];
        let access = stored_access(&cloud, n.to_string().repeat(32), rest).await;
        consumer.log_in(&access).await.refused(500);
    }
    let shown = admin.get(&list).await.ok();
    assert_eq!(shown["access_tokens"].as_array().map(Vec::len), Some(1));
    // It can be deleted, nevertheless, with its consumer.
    admin
        .delete(&format!("/v3/OS-OAUTH1/consumers/{}", consumer.key))
        .await
        .no_content();
}

#[tokio::test]
async fn no_header_of_a_client_is_an_error_of_the_server() {
    let cloud = Cloud::new().await;
    let login =
        json!({ "auth": { "identity": { "methods": ["oauth1"], "oauth1": {} } } }).to_string();
    let headers: [&[u8]; 8] = [
        b"",
        b"OAuth",
        b"OAuth \xff",
        b"OAuth a=\xff\xfe",
        b"OAuth oauth_consumer_key=\"\xc3\", oauth_token=%FF",
        b"OAuth oauth_token=\"%ED%A0%80\", oauth_consumer_key=\"\\\"",
        b"\xff\xff\xff\xff\xff\xff\xff",
        b"OAuth ,,,=,=",
    ];
    for (path, body) in [
        ("/v3/OS-OAUTH1/request_token", ""),
        ("/v3/OS-OAUTH1/access_token", ""),
        ("/v3/auth/tokens", login.as_str()),
    ] {
        for header in headers {
            let request = Request::builder()
                .method("POST")
                .uri(path)
                .header("content-type", "application/json")
                .header("requested-project-id", &b"\xff"[..])
                .header("authorization", header);
            let request = request
                .body(body.to_owned().into())
                .expect("headers are bytes");
            let answer = cloud.nobody().send(request).await;
            assert!(
                (400..500).contains(&answer.status),
                "{path} {header:?}: {}",
                answer.body
            );
        }
    }
}
