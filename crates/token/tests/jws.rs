//! Signed tokens: those of Keystone, texts near them that are none, and the directories of their keys.

#![expect(
    clippy::unwrap_used,
    reason = "tests may panic, outside of test functions too"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::DateTime;
use keystone_token::{
    Algorithm, Error, Federation, Jws, JwsKeys, Origin, Owner, PairFiles, ScopeIds, Token,
};
use serde_json::Value;
use tempfile::TempDir;

/// A node with the keys of one pair.
struct Node {
    home: TempDir,
    keys: JwsKeys,
}

impl Node {
    fn new(algorithm: Algorithm) -> Self {
        let home = tempfile::tempdir().unwrap();
        let [private, public] = ["private", "public"].map(|name| home.path().join(name));
        for directory in [&private, &public] {
            fs::create_dir(directory).unwrap();
        }
        let keys = JwsKeys {
            private,
            public,
            algorithm,
            accepted: vec![algorithm],
        };
        Self { home, keys }
    }

    fn with_pair(algorithm: Algorithm, pair: &Value) -> Self {
        let node = Self::new(algorithm);
        node.write("private/private.pem", pair["private"].as_str().unwrap());
        node.write("public/public.pem", pair["public"].as_str().unwrap());
        node
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.home.path().join(name), text).unwrap();
    }

    fn jws(&self) -> Jws {
        Jws::new(&self.keys)
    }
}

fn cases() -> Value {
    serde_json::from_str(include_str!("jws/cases.json")).unwrap()
}

fn algorithm(name: &Value) -> Algorithm {
    Algorithm::parse(name.as_str().unwrap()).unwrap()
}

fn text(claims: &Value, name: &str) -> Option<String> {
    claims[name].as_str().map(ToOwned::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    let values = value.as_array().unwrap().iter();
    values
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

/// The token that claims stand for, read without the code under test.
fn token_of(claims: &Value) -> Token {
    let time = |name: &str| {
        let time = DateTime::from_timestamp(claims[name].as_i64().unwrap(), 0);
        time.unwrap().naive_utc()
    };
    let scope = match (
        text(claims, "openstack_project_id"),
        text(claims, "openstack_domain_id"),
        text(claims, "openstack_system"),
    ) {
        (Some(id), None, None) => ScopeIds::Project(id),
        (None, Some(id), None) => ScopeIds::Domain(id),
        (None, None, Some(_)) => ScopeIds::System,
        _ => ScopeIds::Unscoped,
    };
    let origin = if let Some(trust_id) = text(claims, "openstack_trust_id") {
        Origin::Trust { trust_id }
    } else if let Some(access_token_id) = text(claims, "openstack_access_token_id") {
        Origin::OAuth1 { access_token_id }
    } else if let Some(app_cred_id) = text(claims, "openstack_app_cred_id") {
        Origin::ApplicationCredential { app_cred_id }
    } else if let Some(thumbprint) = text(claims, "openstack_thumbprint") {
        Origin::OAuth2Mtls {
            thumbprint,
            domain_id: None,
        }
    } else if let Some(identity_provider_id) = text(claims, "openstack_idp_id") {
        let groups = claims["openstack_group_ids"].as_array().unwrap().iter();
        Origin::Federated(Federation {
            group_ids: groups.map(|group| text(group, "id").unwrap()).collect(),
            identity_provider_id,
            protocol_id: text(claims, "openstack_protocol_id").unwrap(),
        })
    } else {
        Origin::User
    };
    Token {
        user_id: text(claims, "sub").unwrap(),
        methods: texts(&claims["openstack_methods"]),
        scope,
        origin,
        issued_at: time("iat"),
        expires_at: time("exp"),
        audit_ids: texts(&claims["openstack_audit_ids"]),
    }
}

fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[test]
fn tokens_of_keystone_open_and_are_signed_with_the_same_claims() {
    let cases = cases();
    let mut seen = 0;
    for case in cases["tokens"].as_array().unwrap() {
        let pair = &cases["keys"][case["algorithm"].as_str().unwrap()];
        let node = Node::with_pair(algorithm(&case["algorithm"]), pair);
        node.keys.check().unwrap();
        let (jws, given) = (node.jws(), case["token"].as_str().unwrap());
        let opened = jws.open(given).unwrap();
        assert_eq!(opened, token_of(&case["claims"]), "{}", case["name"]);
        let signed = jws.seal(&opened).unwrap();
        let (ours, theirs) = (signed.split('.'), given.split('.'));
        assert!(ours.take(2).eq(theirs.take(2)), "{}", case["name"]);
        assert_eq!(jws.open(&signed).unwrap(), opened);
        seen += 1;
    }
    assert_eq!(seen, 4 * 11);
}

#[test]
fn tokens_of_the_reference_vectors_open() {
    let vectors: Value = serde_json::from_str(include_str!("token-vectors.json")).unwrap();
    let vectors = vectors["jws"].as_array().unwrap();
    for vector in vectors {
        let node = Node::new(algorithm(&vector["algorithm"]));
        node.write("public/any", vector["public_key_pem"].as_str().unwrap());
        let opened = node.jws().open(vector["token"].as_str().unwrap()).unwrap();
        assert_eq!(opened, token_of(&vector["claims"]), "{}", vector["name"]);
    }
    assert_eq!(vectors.len(), 8);
}

#[test]
fn texts_near_a_token_are_refused() {
    let cases = cases();
    let node = Node::with_pair(Algorithm::Es256, &cases["keys"]["ES256"]);
    // Each key and each algorithm is there, so that a refusal is due to the text alone.
    for name in ["ES384", "ES512", "EdDSA"] {
        let key = cases["keys"][name]["public"].as_str().unwrap();
        node.write(&format!("public/{name}"), key);
    }
    let jws = Jws::new(&JwsKeys {
        accepted: Algorithm::ALL.to_vec(),
        ..node.keys.clone()
    });
    for case in cases["near"].as_array().unwrap() {
        let opened = jws.open(case["token"].as_str().unwrap());
        let expected = case["name"] == "accepted";
        assert_eq!(opened.is_ok(), expected, "{}: {opened:?}", case["name"]);
    }
    assert!(cases["near"].as_array().unwrap().len() > 30);
    let long = "A".repeat(100_000);
    for long in [
        long.clone(),
        format!("{long}.{long}.{long}"),
        ".".repeat(100_000),
    ] {
        assert!(matches!(jws.open(&long), Err(Error::Unrecognized)));
    }
}

#[test]
fn changing_any_character_or_cutting_anywhere_is_refused() {
    let cases = cases();
    for case in cases["tokens"].as_array().unwrap() {
        if case["name"] != "project" {
            continue;
        }
        let pair = &cases["keys"][case["algorithm"].as_str().unwrap()];
        let node = Node::with_pair(algorithm(&case["algorithm"]), pair);
        let (jws, token) = (node.jws(), case["token"].as_str().unwrap());
        for at in 0..token.len() {
            assert!(jws.open(&token[..at]).is_err(), "cut at {at}");
            for replacement in ["A", "B", "g", "_", "=", ".", "\u{e9}", ""] {
                let changed = format!("{}{replacement}{}", &token[..at], &token[at + 1..]);
                if changed != token {
                    assert!(jws.open(&changed).is_err(), "{replacement:?} at {at}");
                }
            }
        }
    }
}

#[test]
fn only_accepted_algorithms_are_accepted_whatever_keys_there_are() {
    let cases = cases();
    let node = Node::with_pair(Algorithm::Es256, &cases["keys"]["ES256"]);
    node.write(
        "public/next.pem",
        cases["keys"]["EdDSA"]["public"].as_str().unwrap(),
    );
    let accepting = |accepted: &[Algorithm]| {
        Jws::new(&JwsKeys {
            accepted: accepted.to_vec(),
            ..node.keys.clone()
        })
    };
    let token_by = |name: &str| {
        let mut tokens = cases["tokens"].as_array().unwrap().iter();
        let found = tokens.find(|case| case["algorithm"] == name).unwrap();
        found["token"].as_str().unwrap()
    };
    let (old, new) = (token_by("ES256"), token_by("EdDSA"));
    let before = accepting(&[Algorithm::Es256]);
    assert!(before.open(old).is_ok() && before.open(new).is_err());
    let during = accepting(&[Algorithm::Es256, Algorithm::EdDsa]);
    assert!(during.open(old).is_ok() && during.open(new).is_ok());
    let after = accepting(&[Algorithm::EdDsa]);
    assert!(after.open(old).is_err() && after.open(new).is_ok());
}

#[test]
fn a_pair_that_is_made_here_signs_and_verifies() {
    for algorithm in Algorithm::ALL {
        let node = Node::new(algorithm);
        let files = PairFiles::within(node.home.path());
        files.create(algorithm, Owner::default()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&files.private), 0o600);
        assert_eq!(mode(&files.public), 0o644);
        fs::rename(&files.private, node.keys.private.join("private.pem")).unwrap();
        assert!(matches!(node.keys.check(), Err(Error::NoKeys { .. })));
        fs::rename(&files.public, node.keys.public.join("node-1.pem")).unwrap();
        node.keys.check().unwrap();
        let token = token_of(&cases()["tokens"][1]["claims"]);
        let jws = node.jws();
        let sealed = jws.seal(&token).unwrap();
        assert_eq!(jws.open(&sealed).unwrap(), token);
        assert_eq!(claims_of(&sealed), cases()["tokens"][1]["claims"]);

        files.create(algorithm, Owner::default()).unwrap();
        fs::rename(&files.private, node.keys.private.join("private.pem")).unwrap();
        assert!(matches!(node.keys.check(), Err(Error::Unpaired { .. })));
    }
}

#[test]
fn a_private_key_for_another_algorithm_is_refused() {
    let cases = cases();
    for (name, other) in [
        ("ES256", Algorithm::Es384),
        ("ES384", Algorithm::Es256),
        ("EdDSA", Algorithm::Es256),
        ("ES256", Algorithm::EdDsa),
    ] {
        let node = Node::with_pair(other, &cases["keys"][name]);
        let refused = node.keys.check().unwrap_err();
        assert!(matches!(refused, Error::InvalidKey { .. }), "{refused}");
        let token = token_of(&cases["tokens"][0]["claims"]);
        assert!(node.jws().seal(&token).is_err());
    }
}

#[test]
fn a_key_as_openssl_writes_it_is_read() {
    // `openssl ecparam -name prime256v1 -genkey`
    let private = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
        -----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIFrATFkCXqz1lwvAyM73fFSI+5Nnwaunv43DqyrWTnXtoAoGCCqGSM49\n\
        AwEHoUQDQgAE1X2+BcRnQrunMqmF+4lWRoyD6RexmwqvaRmvRI+0RunT5vMiPLQ6\n\
        d1cFJt4sLvFEYgdL1wo+m9v3nFqRJ8QzSA==\n-----END EC PRIVATE KEY-----\n";
    let public = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1X2+BcRnQrunMqmF+4lWRoyD6Rex\n\
        mwqvaRmvRI+0RunT5vMiPLQ6d1cFJt4sLvFEYgdL1wo+m9v3nFqRJ8QzSA==\n-----END PUBLIC KEY-----\n";
    let node = Node::new(Algorithm::Es256);
    node.write("private/private.pem", private);
    node.write("public/public.pem", &format!("a comment\n{public}"));
    node.keys.check().unwrap();
}

#[test]
fn other_files_among_the_public_keys_are_ignored_and_broken_ones_are_not() {
    let cases = cases();
    let node = Node::with_pair(Algorithm::Es256, &cases["keys"]["ES256"]);
    node.write("public/README", "The public keys of all nodes.\n");
    node.write("public/empty", "");
    node.write("public/.public.pem.swp", "-----BEGIN PUBLIC KEY-----");
    node.write(
        "public/rsa.pem",
        "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMv7Q5eUvpmyEDmMv4Fde5TlRZqLnfxG\n\
         5X2316/25Rgh9o9qjjapC0uXmP1TrX37GH9MIdOJuznu554/LJnWEs0CAwEAAQ==\n-----END PUBLIC KEY-----\n",
    );
    let token = cases["near"][0]["token"].as_str().unwrap();
    assert!(node.jws().open(token).is_ok());
    let public = cases["keys"]["other"]["public"].as_str().unwrap();
    node.write("public/half.pem", &public[..60]);
    assert!(matches!(
        node.jws().open(token),
        Err(Error::InvalidKey { .. })
    ));
    node.write("public/half.pem", public);
    assert!(node.jws().open(token).is_ok());
}

#[test]
fn keys_are_read_again_when_they_change_whole_or_not_at_all() {
    let cases = cases();
    let (first, second) = (&cases["keys"]["ES256"], &cases["keys"]["other"]);
    let node = Node::with_pair(Algorithm::Es256, first);
    let jws = node.jws();
    let token = token_of(&cases["tokens"][0]["claims"]);
    let before = jws.seal(&token).unwrap();
    assert!(jws.open(&before).is_ok());

    // The new public key comes first, in two pieces, and then the private one.
    let public = second["public"].as_str().unwrap();
    node.write("public/next.pem", &public[..90]);
    assert!(jws.open(&before).is_ok());
    node.write("public/next.pem", public);
    let private = second["private"].as_str().unwrap();
    node.write("private/private.pem", &private[..90]);
    let still = jws.seal(&token).unwrap();
    node.write("private/private.pem", private);
    let after = jws.seal(&token).unwrap();
    for signed in [&before, &still, &after] {
        assert!(jws.open(signed).is_ok());
    }

    // The second key alone verifies what is signed now.
    let only = Node::with_pair(Algorithm::Es256, second);
    assert!(only.jws().open(&after).is_ok());
    assert!(only.jws().open(&still).is_err());
}
