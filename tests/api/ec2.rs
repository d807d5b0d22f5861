//! EC2 credentials as rows, and descriptions of signed requests that make no sense.

use keystone::auth::ec2_credential_id;
use keystone::storage::sql;
use keystone_testkit::{Cloud, Session, Signer};
use serde_json::{Value, json};

/// A user with a role on a project, and the administrator.
async fn stage() -> (Cloud, Session, String, String) {
    let cloud = Cloud::new().await;
    let (alice, project) = (cloud.user("alice").await, cloud.project("p1").await);
    cloud.grant(&alice, &project, "member").await;
    let admin = cloud.admin().await;
    (cloud, admin, alice, project)
}

async fn keys(admin: &Session, user: &str, project: &str) -> Value {
    let path = format!("/v3/users/{user}/credentials/OS-EC2");
    let made = admin.post(&path, &json!({ "tenant_id": project })).await;
    made.created()["credential"].clone()
}

#[tokio::test]
async fn keys_are_a_credential_with_both_in_its_blob() {
    let (_, admin, alice, project) = stage().await;
    let made = keys(&admin, &alice, &project).await;
    let (access, secret) = (
        made["access"].as_str().unwrap(),
        made["secret"].as_str().unwrap(),
    );
    let path = format!("/v3/credentials/{}", ec2_credential_id(access));
    let stored = admin.get(&path).await.ok()["credential"].clone();
    let blob =
        format!("{{\"access\": \"{access}\", \"secret\": \"{secret}\", \"trust_id\": null}}");
    assert_eq!(stored["blob"], blob);
    assert_eq!(stored["type"], "ec2");
    assert_eq!(stored["user_id"], json!(alice));
    assert_eq!(stored["project_id"], json!(project));
    assert_eq!(access.len(), 32);
    assert_ne!(access, secret);
}

#[tokio::test]
async fn keys_that_cannot_be_read_end_no_list() {
    let (cloud, admin, alice, project) = stage().await;
    let path = format!("/v3/users/{alice}/credentials/OS-EC2");
    let good = keys(&admin, &alice, &project).await;
    let bad = keys(&admin, &alice, &project).await;
    let bad = bad["access"].as_str().unwrap();
    // Sealed with the right key, but no pair of keys.
    let other = json!({ "type": "cert", "blob": "\"x\"", "user_id": alice });
    let body = json!({ "credential": other });
    let other = admin.post("/v3/credentials", &body).await.created();
    let (blob,): (String,) = sql("SELECT encrypted_blob FROM credential WHERE id = ?")
        .bind(other["credential"]["id"].as_str())
        .fetch_one(cloud.keystone.db())
        .await
        .unwrap();
    for blob in [blob.as_str(), "damaged"] {
        sql("UPDATE credential SET encrypted_blob = ? WHERE id = ?")
            .bind(blob)
            .bind(ec2_credential_id(bad))
            .execute(cloud.keystone.db())
            .await
            .unwrap();
        let listed = admin.get(&path).await.ok()["credentials"].clone();
        assert_eq!(listed.as_array().map(Vec::len), Some(1));
        assert_eq!(listed[0]["access"], good["access"]);
        admin.get(&format!("{path}/{bad}")).await.refused(500);
        let signed = Signer::new(bad, "x").version_2("");
        admin.exchange("ec2tokens", &signed).await.refused(500);
    }
    admin.delete(&format!("{path}/{bad}")).await.no_content();
}

#[tokio::test]
async fn a_credential_without_a_secret_verifies_nothing() {
    let (_, admin, alice, project) = stage().await;
    for blob in [
        json!({ "access": "a" }),
        json!({ "access": "b", "secret": null }),
        json!({ "access": "c", "secret": 5 }),
    ] {
        let fields = json!({ "type": "ec2", "blob": blob.to_string(), "user_id": alice, "project_id": project });
        let body = json!({ "credential": fields });
        admin.post("/v3/credentials", &body).await.created();
        // `str(None)` is the key of Python Keystone.
        for secret in ["None", "", "null", "5"] {
            let signer = Signer::new(blob["access"].as_str().unwrap(), secret);
            admin
                .exchange("s3tokens", &signer.s3("x"))
                .await
                .refused(401);
            let request = signer.version_2("");
            admin.exchange("ec2tokens", &request).await.refused(401);
        }
    }
}

#[tokio::test]
async fn no_description_of_a_request_makes_the_server_fail() {
    let (_, admin, alice, project) = stage().await;
    let made = keys(&admin, &alice, &project).await;
    let signer = Signer::of(&made);
    let values = [
        json!(null),
        json!(true),
        json!(5),
        json!(1.5),
        json!(""),
        json!("access"),
        json!(["access"]),
        json!([[]]),
        json!({}),
        json!({ "access": { "access": [] } }),
        json!({ "Authorization": 5 }),
        json!({ "SignatureVersion": "0" }),
    ];
    let mut bodies = Vec::new();
    for value in &values {
        for name in ["credentials", "credential", "ec2Credentials", "other"] {
            bodies.push(json!({ name: value }));
        }
        for good in [
            signer.version_2("2099-01-01T00:00:00Z"),
            signer.version_4("20990101T000000Z"),
            signer.version_4_query("20990101T000000Z"),
            signer.s3("x"),
            signer.s3_version_4("20990101T000000Z"),
        ] {
            for name in good.as_object().unwrap().keys() {
                let mut bad = good.clone();
                bad[name] = value.clone();
                bodies.push(json!({ "credentials": bad }));
            }
        }
    }
    for body in &bodies {
        for route in ["/v3/ec2tokens", "/v3/s3tokens"] {
            let status = admin.post(route, body).await.status;
            // Some of them are right: what a signature does not cover may be anything.
            assert!(status < 500, "{status} at {route} for {body}");
        }
    }
    let surrogate =
        r#"{"credentials": {"access": "\ud800", "signature": "\udfff", "token": "\ud800"}}"#;
    for route in ["/v3/ec2tokens", "/v3/s3tokens"] {
        let status = admin.raw("POST", route, surrogate).await.status;
        assert!(matches!(status, 400 | 404), "{status}");
    }
}
