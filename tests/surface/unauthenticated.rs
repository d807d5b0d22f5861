//! Answers to requests without a token.

use keystone_testkit::Cloud;

use crate::{Call, unknown};

/// The calls that need no token.
const OPEN: [&str; 8] = [
    "GET /",
    "HEAD /",
    "GET /v3",
    "HEAD /v3",
    "GET /healthcheck",
    "HEAD /healthcheck",
    // Whoever logs in has no token yet: 401, for the password is wrong.
    "POST /v3/auth/tokens",
    // The old password is what counts.
    "POST /v3/users/{user_id}/password",
];

/// The calls that are refused alike whoever makes them.
const CLOSED: [&str; 11] = [
    "GET /v3/OS-SIMPLE-CERT/ca",
    "HEAD /v3/OS-SIMPLE-CERT/ca",
    "GET /v3/OS-SIMPLE-CERT/certificates",
    "HEAD /v3/OS-SIMPLE-CERT/certificates",
    "GET /v3/auth/tokens/OS-PKI/revoked",
    "HEAD /v3/auth/tokens/OS-PKI/revoked",
    "PATCH /v3/policies",
    "DELETE /v3/policies",
    "POST /v3/policies/{policy_id}",
    "GET /v3/users/{user_id}/password",
    "HEAD /v3/users/{user_id}/password",
];

#[tokio::test]
async fn sec_06_a_well_formed_call_without_a_token_is_401() {
    let cloud = Cloud::new().await;
    let nobody = cloud.nobody();
    let mut wrong = Vec::new();
    let guarded = Call::all().filter(|call| {
        let key = call.key();
        !OPEN.contains(&key.as_str()) && !CLOSED.contains(&key.as_str())
    });
    for call in guarded {
        let answer = nobody
            .request(call.method, &call.url(unknown), call.body())
            .await;
        if answer.status != 401 {
            wrong.push(format!("{}: {}", call.key(), answer.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn sec_06_a_call_without_a_token_gets_the_status_of_keystone() {
    let cloud = Cloud::new().await;
    let nobody = cloud.nobody();
    let mut wrong = Vec::new();
    for call in Call::all() {
        let Some([bare, formed, _]) = call.recorded() else {
            continue;
        };
        for (body, expected) in [(None, bare), (call.body(), formed)] {
            let answer = nobody.request(call.method, &call.url(unknown), body).await;
            // Where Keystone drops the connection, an error that says why is better.
            let good = if expected == 0 {
                400..500
            } else {
                expected..expected + 1
            };
            if !good.contains(&answer.status) {
                wrong.push(format!("{}: {}, not {expected}", call.key(), answer.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
