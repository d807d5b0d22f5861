use serde_json::json;

use super::*;

fn body() -> Value {
    let domain = json!({"id": "d", "name": "D"});
    json!({"token": {
        "methods": ["application_credential"],
        "user": {"id": "u", "name": "U", "domain": domain, "password_expires_at": null},
        "audit_ids": ["a", "b"],
        "project": {"id": "p", "name": "P", "domain": domain},
        "roles": [{"id": "r", "name": "member"}],
        "is_domain": false,
        "issued_at": "2026-01-31T12:00:00.000000Z",
        "expires_at": "2026-01-31T13:00:00.250000Z",
        "catalog": [{"id": "s", "type": "image", "name": "glance", "endpoints": [
            {"id": "1", "interface": "public", "region": "one", "region_id": "one", "url": "http://one"},
            {"id": "2", "interface": "public", "region": "two", "region_id": "two", "url": "http://two"},
        ]}],
        "application_credential": {"id": "ac", "name": "AC", "restricted": true, "access_rules": [
            {"id": "1", "service": "image", "method": "GET", "path": "/v2/images"},
        ]},
        "OS-TRUST:trust": {
            "id": "t", "impersonation": true, "trustee_user": {"id": "u2"}, "trustor_user": {"id": "u"},
        },
        "OS-OAUTH1": {"access_token_id": "o", "consumer_id": "c"},
    }})
}

fn parsed(body: &Value) -> Result<TokenInfo, Malformed> {
    TokenInfo::from_body(body.to_string().as_bytes())
}

#[test]
fn every_part_of_a_token_is_read() {
    let token = parsed(&body()).unwrap();
    assert_eq!(
        (token.user.id.as_str(), token.user.domain.name.as_str()),
        ("u", "D")
    );
    assert_eq!(token.project.as_ref().unwrap().name, "P");
    assert!(token.has_role("member") && !token.has_role("Member"));
    assert!(token.is_admin_project && !token.system && !token.is_domain);
    let life = token.expires_at.duration_since(token.issued_at).unwrap();
    assert_eq!(life, Duration::from_millis(3_600_250));
    let credential = token.application_credential.as_ref().unwrap();
    assert_eq!(
        credential.access_rules.as_ref().unwrap()[0].path,
        "/v2/images"
    );
    assert_eq!(token.trust.as_ref().unwrap().trustee_user.id, "u2");
    assert_eq!(token.oauth1.as_ref().unwrap().consumer_id, "c");
    assert_eq!(token.endpoint("image", "public", None), Some("http://one"));
    assert_eq!(
        token.endpoint("image", "public", Some("two")),
        Some("http://two")
    );
    assert_eq!(token.endpoint("image", "admin", None), None);
}

#[test]
fn scopes_are_told_apart() {
    let mut system = body();
    system["token"]["system"] = json!({"all": true});
    assert!(parsed(&system).unwrap().system);
    system["token"]["system"] = json!({});
    assert!(!parsed(&system).unwrap().system);
    let mut other = body();
    other["token"]["is_admin_project"] = json!(false);
    assert!(!parsed(&other).unwrap().is_admin_project);
}

#[test]
fn a_body_without_what_each_token_has_is_an_error() {
    for path in ["/user", "/user/domain", "/expires_at"] {
        let (parent, key) = path.rsplit_once('/').unwrap();
        let mut body = body();
        let parent = body.pointer_mut(&format!("/token{parent}")).unwrap();
        parent.as_object_mut().unwrap().remove(key);
        assert!(parsed(&body).is_err(), "{path}");
    }
    assert!(TokenInfo::from_body(b"<html>").is_err());
    let mut broken = body();
    broken["token"]["expires_at"] = json!("tomorrow");
    assert!(parsed(&broken).is_err());
}

#[test]
fn a_token_has_expired_at_its_end() {
    let token = parsed(&body()).unwrap();
    assert!(token.has_expired(token.expires_at));
    assert!(!token.has_expired(token.expires_at - Duration::from_micros(1)));
}
