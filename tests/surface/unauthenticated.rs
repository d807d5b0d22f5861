//! Answers to requests without a token.

use keystone_testkit::Cloud;

use crate::{Call, unknown};

/// The calls that need no token.
const OPEN: [&str; 24] = [
    "GET /",
    "HEAD /",
    "GET /v3",
    "HEAD /v3",
    "GET /healthcheck",
    "HEAD /healthcheck",
    // A login needs no token: it is 401 because the password is wrong.
    "POST /v3/auth/tokens",
    // The consumer's signature is what counts.
    "POST /v3/OS-OAUTH1/access_token",
    "POST /v3/OS-OAUTH1/request_token",
    // The client's secret is what counts.
    "POST /v3/OS-OAUTH2/token",
    // The old password proves the caller.
    "POST /v3/users/{user_id}/password",
    // An identity provider vouches for the user.
    "GET /v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
    "HEAD /v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
    "POST /v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
    "GET /v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso",
    "HEAD /v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso",
    "POST /v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso",
    "GET /v3/auth/OS-FEDERATION/websso/{protocol_id}",
    "HEAD /v3/auth/OS-FEDERATION/websso/{protocol_id}",
    "POST /v3/auth/OS-FEDERATION/websso/{protocol_id}",
    // The token in the body is what counts.
    "POST /v3/auth/OS-FEDERATION/saml2",
    "POST /v3/auth/OS-FEDERATION/saml2/ecp",
    // Metadata are for everybody.
    "GET /v3/OS-FEDERATION/saml2/metadata",
    "HEAD /v3/OS-FEDERATION/saml2/metadata",
];

/// The calls that are refused in the same way for every caller.
const CLOSED: [&str; 36] = [
    "PUT /v3/OS-FEDERATION/mappings",
    "PATCH /v3/OS-FEDERATION/mappings",
    "DELETE /v3/OS-FEDERATION/mappings",
    "GET /v3/OS-OAUTH1/access_token",
    "HEAD /v3/OS-OAUTH1/access_token",
    "GET /v3/OS-OAUTH1/authorize/{request_token_id}",
    "HEAD /v3/OS-OAUTH1/authorize/{request_token_id}",
    "PATCH /v3/OS-OAUTH1/consumers",
    "DELETE /v3/OS-OAUTH1/consumers",
    "POST /v3/OS-OAUTH1/consumers/{consumer_id}",
    "GET /v3/OS-OAUTH1/request_token",
    "HEAD /v3/OS-OAUTH1/request_token",
    "GET /v3/OS-OAUTH2/token",
    "HEAD /v3/OS-OAUTH2/token",
    "PUT /v3/OS-OAUTH2/token",
    "PATCH /v3/OS-OAUTH2/token",
    "DELETE /v3/OS-OAUTH2/token",
    "GET /v3/OS-SIMPLE-CERT/ca",
    "HEAD /v3/OS-SIMPLE-CERT/ca",
    "GET /v3/OS-SIMPLE-CERT/certificates",
    "HEAD /v3/OS-SIMPLE-CERT/certificates",
    "GET /v3/auth/OS-FEDERATION/saml2",
    "HEAD /v3/auth/OS-FEDERATION/saml2",
    "GET /v3/auth/OS-FEDERATION/saml2/ecp",
    "HEAD /v3/auth/OS-FEDERATION/saml2/ecp",
    "GET /v3/auth/tokens/OS-PKI/revoked",
    "HEAD /v3/auth/tokens/OS-PKI/revoked",
    "GET /v3/ec2tokens",
    "HEAD /v3/ec2tokens",
    "PATCH /v3/policies",
    "DELETE /v3/policies",
    "POST /v3/policies/{policy_id}",
    "GET /v3/s3tokens",
    "HEAD /v3/s3tokens",
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
