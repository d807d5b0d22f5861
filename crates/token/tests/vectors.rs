//! Tokens and receipts made by Keystone, opened and sealed again.

#![expect(
    clippy::unwrap_used,
    reason = "tests may panic, outside of test functions too"
)]

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime};
use keystone_token::{
    Error, Federation, Fernet, KeyRing, KeySet, Origin, Receipt, Receipts, ScopeIds, Token,
};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("token-vectors.json")).unwrap()
}

fn ring(vectors: &Value) -> Arc<KeyRing> {
    let key = |name: &str| text(&vectors["keys"][name]);
    Arc::new(KeyRing::fixed(
        KeySet::new([key("primary"), key("secondary")]).unwrap(),
    ))
}

fn of_kind<'a>(vectors: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    let all = vectors["tokens_and_receipts"].as_array().unwrap();
    all.iter().filter(move |vector| vector["kind"] == kind)
}

fn methods(vector: &Value, vectors: &Value) -> Vec<String> {
    match &vector["auth_methods_config"] {
        Value::Null => strings(&vectors["default_auth_methods_order"]),
        configured => strings(configured),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn optional(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

fn time(value: &Value) -> NaiveDateTime {
    DateTime::parse_from_rfc3339(value.as_str().unwrap())
        .unwrap()
        .naive_utc()
}

fn scope(said: &Value) -> ScopeIds {
    match (
        optional(&said["project_id"]),
        optional(&said["domain_id"]),
        said["system"].as_str(),
    ) {
        (Some(project_id), _, None) => ScopeIds::Project(project_id),
        (None, Some(domain_id), None) => ScopeIds::Domain(domain_id),
        (None, None, Some("all")) => ScopeIds::System,
        (None, None, None) => ScopeIds::Unscoped,
        other => panic!("no scope {other:?}"),
    }
}

fn origin(version: &Value, said: &Value) -> Origin {
    match version.as_u64().unwrap() {
        0..=2 | 8 => Origin::User,
        3 => Origin::Trust {
            trust_id: text(&said["trust_id"]),
        },
        4..=6 => Origin::Federated(Federation {
            group_ids: said["federated_group_ids"]
                .as_array()
                .unwrap()
                .iter()
                .map(|group| text(&group["id"]))
                .collect(),
            identity_provider_id: text(&said["identity_provider_id"]),
            protocol_id: text(&said["protocol_id"]),
        }),
        7 => Origin::OAuth1 {
            access_token_id: text(&said["access_token_id"]),
        },
        9 => Origin::ApplicationCredential {
            app_cred_id: text(&said["app_cred_id"]),
        },
        10 => Origin::OAuth2Mtls {
            thumbprint: text(&said["thumbprint"]),
            domain_id: optional(&said["domain_id"]),
        },
        other => panic!("no version {other}"),
    }
}

/// The sealed payload in hexadecimal digits, and the container's timestamp.
fn unseal(sealed: &str, vectors: &Value) -> (String, u64) {
    let key = fernet::Fernet::new(vectors["keys"]["primary"].as_str().unwrap()).unwrap();
    let payload = key.decrypt_at_time(sealed, None, 0x7fff_ffff).unwrap();
    let mut stamps = (0..32).map(|shift| 1_767_225_600 + shift);
    let made = stamps.rfind(|at| key.decrypt_at_time(sealed, Some(0), *at).is_ok());
    (hex::encode(payload), made.unwrap())
}

#[test]
fn tokens_open_as_in_keystone() {
    let vectors = vectors();
    let mut seen = 0;
    for vector in of_kind(&vectors, "token") {
        let tokens = Fernet::new(ring(&vectors), methods(vector, &vectors), "default".into());
        let said = &vector["decoded"];
        let expected = Token {
            user_id: text(&said["user_id"]),
            methods: strings(&said["methods"]),
            scope: scope(said),
            origin: origin(&vector["version"], said),
            issued_at: time(&said["issued_at"]),
            expires_at: time(&said["expires_at"]),
            audit_ids: strings(&said["audit_ids"]),
        };
        let opened = tokens.open(vector["token"].as_str().unwrap()).unwrap();
        assert_eq!(opened, expected, "{}", vector["name"]);
        seen += 1;
    }
    assert_eq!(seen, 28);
}

#[test]
fn tokens_are_sealed_as_in_keystone() {
    let vectors = vectors();
    let mut seen = 0;
    for vector in of_kind(&vectors, "token") {
        let given = &vector["input"];
        if given.is_null() {
            continue; // written by an old msgpack, which is only read
        }
        let tokens = Fernet::new(ring(&vectors), methods(vector, &vectors), "default".into());
        let sealed = tokens
            .seal(&Token {
                user_id: text(&vector["decoded"]["user_id"]),
                methods: strings(&given["methods"]),
                scope: scope(given),
                origin: origin(&vector["version"], given),
                issued_at: time(&vector["decoded"]["issued_at"]),
                expires_at: time(&given["expires_at"]),
                audit_ids: strings(&given["audit_ids"]),
            })
            .unwrap();
        let (hex, made) = unseal(&sealed, &vectors);
        assert_eq!(hex, vector["payload_msgpack_hex"], "{}", vector["name"]);
        assert_eq!(made, vector["fernet_timestamp"], "{}", vector["name"]);
        assert_eq!(sealed.len(), vector["token"].as_str().unwrap().len());
        assert!(!sealed.ends_with('='));
        seen += 1;
    }
    assert_eq!(seen, 27);
}

#[test]
fn receipts_open_and_are_sealed_as_in_keystone() {
    let vectors = vectors();
    let mut seen = 0;
    for vector in of_kind(&vectors, "receipt") {
        let receipts = Receipts::new(ring(&vectors), methods(vector, &vectors));
        let said = &vector["decoded"];
        let expected = Receipt {
            user_id: text(&said["user_id"]),
            methods: strings(&said["methods"]),
            issued_at: time(&said["issued_at"]),
            expires_at: time(&said["expires_at"]),
        };
        let opened = receipts.open(vector["receipt"].as_str().unwrap()).unwrap();
        assert_eq!(opened, expected, "{}", vector["name"]);
        let (hex, made) = unseal(&receipts.seal(&opened).unwrap(), &vectors);
        assert_eq!(hex, vector["payload_msgpack_hex"], "{}", vector["name"]);
        assert_eq!(made, vector["fernet_timestamp"], "{}", vector["name"]);
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn tokens_that_keystone_refuses_are_refused() {
    let vectors = vectors();
    let order = strings(&vectors["default_auth_methods_order"]);
    let tokens = Fernet::new(ring(&vectors), order, "default".into());
    let mut seen = 0;
    for vector in vectors["negative"].as_array().unwrap() {
        let Some(sealed) = vector["token"].as_str() else {
            continue;
        };
        let opened = tokens.open(sealed);
        match vector["result"].as_str().unwrap() {
            "accepted" => {
                let user_id = opened.unwrap().user_id;
                assert_eq!(user_id, "a1b2c3d4e5f60718293a4b5c6d7e8f90");
            }
            unknown if unknown.ends_with(": 11") => {
                assert!(
                    matches!(opened, Err(Error::UnknownVersion(11))),
                    "{}",
                    vector["name"]
                );
            }
            unrecognized if unrecognized.ends_with("recognize Fernet token") => {
                assert!(
                    matches!(opened, Err(Error::Unrecognized)),
                    "{}",
                    vector["name"]
                );
            }
            _ => assert!(
                matches!(opened, Err(Error::Malformed(_))),
                "{}",
                vector["name"]
            ),
        }
        seen += 1;
    }
    assert_eq!(seen, 7);
}
