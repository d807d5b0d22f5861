//! Payloads that no vector covers, and input that is none.

#![expect(
    clippy::unwrap_used,
    reason = "tests may panic, outside of test functions too"
)]

use std::sync::Arc;

use chrono::NaiveDateTime;
use fernet::Fernet as Container;
use keystone_token::{
    Error, Federation, Fernet, KeyRing, KeySet, Origin, Receipts, ScopeIds, Token, new_audit_id,
};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ID: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90";

fn tokens() -> Fernet {
    let keys = Arc::new(KeyRing::fixed(KeySet::new([KEY]).unwrap()));
    Fernet::new(
        keys,
        vec!["password".into(), "token".into()],
        "default".into(),
    )
}

fn token(scope: ScopeIds) -> Token {
    Token {
        user_id: ID.into(),
        methods: vec!["password".into()],
        scope,
        origin: Origin::User,
        issued_at: "2026-01-01T00:00:00".parse().unwrap(),
        expires_at: "2026-01-01T01:00:00".parse().unwrap(),
        audit_ids: vec!["AAECAwQFBgcICQoLDA0ODw".into()],
    }
}

fn sealed(payload: &[u8]) -> String {
    Container::new(KEY)
        .unwrap()
        .encrypt_at_time(payload, 1_767_225_600)
}

fn opened_expiry(seconds: f64) -> Result<NaiveDateTime, Error> {
    let mut payload = vec![0x95, 0, 0x92, 0xc2, 0xa1, b'u', 2, 0xcb];
    payload.extend(seconds.to_be_bytes());
    payload.push(0x90);
    tokens()
        .open(&sealed(&payload))
        .map(|token| token.expires_at)
}

fn domain(domain_id: &str) -> ScopeIds {
    ScopeIds::Domain(domain_id.into())
}

fn project() -> ScopeIds {
    ScopeIds::Project(ID.into())
}

fn of(origin: &Origin, scope: ScopeIds) -> Token {
    Token {
        origin: origin.clone(),
        ..token(scope)
    }
}

fn trust(id: &str) -> Origin {
    Origin::Trust {
        trust_id: id.into(),
    }
}

fn mtls(domain_id: Option<&str>) -> Origin {
    Origin::OAuth2Mtls {
        thumbprint: "t".into(),
        domain_id: domain_id.map(Into::into),
    }
}

#[test]
fn ids_in_every_spelling_of_a_uuid_come_back_in_one() {
    for spelling in [
        "A1B2C3D4E5F60718293A4B5C6D7E8F90",
        "a1b2c3d4-e5f6-0718-293a-4b5c6d7e8f90",
        "{a1b2c3d4-e5f6-0718-293a-4b5c6d7e8f90}",
        "urn:uuid:a1b2c3d4-e5f6-0718-293a-4b5c6d7e8f90",
        "a-1b2c3d4e5f60718293a4b5c6d7e8f9-0",
    ] {
        let sealed = tokens().seal(&Token {
            user_id: spelling.into(),
            ..token(ScopeIds::System)
        });
        assert_eq!(
            tokens().open(&sealed.unwrap()).unwrap().user_id,
            ID,
            "{spelling}"
        );
    }
    for other in [
        "",
        "admin",
        "a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "Jörg",
        "1_b2c3d4e5f60718293a4b5c6d7e8f90",
    ] {
        let sealed = tokens().seal(&Token {
            user_id: other.into(),
            ..token(ScopeIds::System)
        });
        assert_eq!(tokens().open(&sealed.unwrap()).unwrap().user_id, other);
    }
}

#[test]
fn optional_scopes_come_back_as_they_were() {
    for token in [
        of(&trust(ID), ScopeIds::Unscoped),
        of(&trust(ID), project()),
        of(&mtls(None), ScopeIds::Unscoped),
        of(&mtls(None), project()),
        of(&mtls(None), domain(ID)),
        of(&mtls(Some(ID)), project()),
    ] {
        let sealed = tokens().seal(&token).unwrap();
        assert_eq!(tokens().open(&sealed).unwrap(), token);
    }
}

#[test]
fn a_scope_that_no_version_has_for_an_origin_is_refused() {
    let federated = Origin::Federated(Federation {
        group_ids: Vec::new(),
        identity_provider_id: "idp".into(),
        protocol_id: "mapped".into(),
    });
    let app_cred = Origin::ApplicationCredential {
        app_cred_id: ID.into(),
    };
    let oauth1 = Origin::OAuth1 {
        access_token_id: ID.into(),
    };
    let (unscoped, system) = (ScopeIds::Unscoped, ScopeIds::System);
    for (origin, scopes) in [
        (federated, vec![system.clone()]),
        (trust(ID), vec![domain(ID), system.clone()]),
        (app_cred, vec![unscoped.clone(), domain(ID), system.clone()]),
        (oauth1, vec![unscoped.clone(), domain(ID), system.clone()]),
        (mtls(None), vec![system.clone()]),
        (mtls(Some(ID)), vec![unscoped, domain(ID), system]),
    ] {
        assert!(tokens().seal(&of(&origin, project())).is_ok());
        for scope in scopes {
            let refused = tokens().seal(&of(&origin, scope)).unwrap_err();
            assert!(
                matches!(refused, Error::NotRepresentable { field: "scope", .. }),
                "{refused}"
            );
        }
    }
}

#[test]
fn values_without_room_in_the_format_are_refused() {
    let bad_audit = Token {
        audit_ids: vec!["not base64!".into()],
        ..token(ScopeIds::System)
    };
    let too_early = Token {
        issued_at: "1969-12-31T23:59:59".parse().unwrap(),
        ..token(ScopeIds::System)
    };
    for (token, at) in [
        (token(domain("other")), "domain id"),
        (of(&trust("mine"), ScopeIds::Unscoped), "trust id"),
        (bad_audit, "audit id"),
        (too_early, "issued at"),
    ] {
        let error = tokens().seal(&token).unwrap_err();
        assert!(
            matches!(error, Error::NotRepresentable { field, .. } if field == at),
            "{error}"
        );
    }
    assert!(tokens().seal(&token(domain("default"))).is_ok());
    assert!(tokens().seal(&token(domain(ID))).is_ok());
}

#[test]
fn a_domain_is_the_default_one_of_this_server_or_a_uuid() {
    let keys = Arc::new(KeyRing::fixed(KeySet::new([KEY]).unwrap()));
    let elsewhere = Fernet::new(keys, Vec::new(), "corp".into());
    let sealed = elsewhere.seal(&token(domain("corp"))).unwrap();
    assert_eq!(elsewhere.open(&sealed).unwrap().scope, domain("corp"));
    assert!(matches!(
        tokens().open(&sealed),
        Err(Error::Malformed("uuid"))
    ));
}

#[test]
fn times_are_rounded_as_python_rounds_them() {
    let at = |text: &str| text.parse::<NaiveDateTime>().unwrap();
    let whole = at("2026-01-01T01:00:00");
    assert_eq!(opened_expiry(1_767_229_200.999_999).unwrap(), whole);
    assert_eq!(opened_expiry(1_767_229_199.999_999_8).unwrap(), whole);
    assert_eq!(
        opened_expiry(-0.000_000_6).unwrap(),
        at("1969-12-31T23:59:59")
    );
    assert_eq!(
        opened_expiry(-0.000_000_4).unwrap(),
        at("1970-01-01T00:00:00")
    );
    assert_eq!(opened_expiry(-1.5).unwrap(), at("1969-12-31T23:59:58"));
    for none in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e300,
        253_402_300_800.0,
        -1e12,
    ] {
        assert!(
            matches!(opened_expiry(none), Err(Error::Malformed("time"))),
            "{none}"
        );
    }
}

#[test]
fn a_token_from_the_future_opens() {
    let later = Token {
        issued_at: "2199-01-01T00:00:00".parse().unwrap(),
        ..token(ScopeIds::System)
    };
    let sealed = tokens().seal(&later).unwrap();
    assert_eq!(tokens().open(&sealed).unwrap().issued_at, later.issued_at);
    let beyond = Container::new(KEY)
        .unwrap()
        .encrypt_at_time(&[0x90], u64::MAX);
    assert!(matches!(
        tokens().open(&beyond),
        Err(Error::Malformed("time"))
    ));
}

#[test]
fn text_that_is_no_token_is_refused() {
    let sealed = tokens().seal(&token(ScopeIds::Unscoped)).unwrap();
    for end in 0..sealed.len() {
        assert!(
            matches!(tokens().open(&sealed[..end]), Err(Error::Unrecognized)),
            "{end}"
        );
    }
    for place in 0..sealed.len() {
        let mut bytes = sealed.clone().into_bytes();
        bytes[place] = if bytes[place] == b'Q' { b'g' } else { b'Q' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(
            matches!(tokens().open(&changed), Err(Error::Unrecognized)),
            "{place}"
        );
    }
    for garbage in [
        "",
        "=",
        "====",
        "gAAAAA",
        "gAAAAABpVbkG\u{e9}",
        "\u{1f511}",
        "a b",
        "\0",
    ] {
        assert!(
            matches!(tokens().open(garbage), Err(Error::Unrecognized)),
            "{garbage:?}"
        );
    }
}

/// Each payload cut short, lengthened and with each byte changed: nothing panics, and what opens can
/// be sealed again.
#[test]
fn broken_payloads_are_refused() {
    let vectors = include_str!("token-vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let receipts = Receipts::new(
        Arc::new(KeyRing::fixed(KeySet::new([KEY]).unwrap())),
        vec!["password".into()],
    );
    let mut tried = 0;
    for vector in vectors["tokens_and_receipts"].as_array().unwrap() {
        let hex = vector["payload_msgpack_hex"].as_str().unwrap();
        let payload: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        for end in 0..payload.len() {
            let cut = sealed(&payload[..end]);
            assert!(
                matches!(tokens().open(&cut), Err(Error::Malformed(_))),
                "{hex} to {end}"
            );
            assert!(
                matches!(receipts.open(&cut), Err(Error::Malformed(_))),
                "{hex} to {end}"
            );
        }
        let longer = [payload.as_slice(), &[0]].concat();
        assert!(
            matches!(tokens().open(&sealed(&longer)), Err(Error::Malformed(_))),
            "{hex}"
        );
        for place in 0..payload.len() {
            for value in [
                0x00, 0x0b, 0x7f, 0x80, 0x90, 0xc0, 0xc1, 0xc6, 0xcf, 0xdb, 0xdd, 0xff,
            ] {
                let mut changed = payload.clone();
                changed[place] = value;
                let changed = sealed(&changed);
                let _ = receipts.open(&changed);
                if let Ok(token) = tokens().open(&changed) {
                    assert!(tokens().seal(&token).is_ok(), "{token:?}");
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 10_000);
}

#[test]
fn audit_ids_differ() {
    let id = new_audit_id();
    assert_eq!(id.len(), 22);
    assert_ne!(id, new_audit_id());
    let sealed = tokens().seal(&Token {
        audit_ids: vec![id.clone()],
        ..token(ScopeIds::System)
    });
    assert_eq!(tokens().open(&sealed.unwrap()).unwrap().audit_ids, [id]);
}
