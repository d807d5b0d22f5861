//! Signatures that oauthlib made, and that no others verify. `tests/oauth1/vectors.py` has recorded them.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

type Parameters = Vec<(String, String)>;
type Row = (String, String, Parameters, String, String, Option<String>);

fn rows() -> Vec<Row> {
    let vectors = include_str!("../../../tests/oauth1/vectors.json");
    let mut vectors: Value = serde_json::from_str(vectors).unwrap();
    serde_json::from_value(vectors["signatures"].take()).unwrap()
}

#[test]
fn signatures_are_those_of_oauthlib() {
    for (method, url, parameters, consumer, token, expected) in rows() {
        let signed = Signed {
            url: &url,
            parameters: &parameters,
        };
        let (consumer, token) = (Secret::from(consumer), Secret::from(token));
        let known = SignatureMethod::parse(&method).unwrap();
        let found = known.sign(signed, &consumer, Some(&token));
        assert_eq!(found, expected, "{method} {url} {parameters:?}");
        if let Some(expected) = expected {
            assert!(known.verifies(&expected, signed, &consumer, Some(&token)));
        }
        // An empty secret and none are the same.
        if token.reveal().is_empty() {
            assert_eq!(known.sign(signed, &consumer, None), found);
        }
    }
}

#[test]
fn rsa_and_unknown_methods_are_none() {
    for name in ["RSA-SHA1", "RSA-SHA256", "hmac-sha1", "", "PLAINTEXT "] {
        assert_eq!(SignatureMethod::parse(name), None, "{name}");
    }
}

/// A text with one byte changed to another.
fn mutated(text: &str, at: usize, by: u8) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at.checked_rem(bytes.len())?;
    bytes[at] ^= by;
    String::from_utf8(bytes).ok()
}

fn hmac() -> impl Strategy<Value = SignatureMethod> {
    prop_oneof![
        Just(SignatureMethod::HmacSha1),
        Just(SignatureMethod::HmacSha256),
        Just(SignatureMethod::HmacSha512),
    ]
}

fn any_method() -> impl Strategy<Value = SignatureMethod> {
    prop_oneof![hmac(), Just(SignatureMethod::Plaintext)]
}

fn parameters() -> impl Strategy<Value = Parameters> {
    prop::collection::vec((".{1,12}", ".{1,24}"), 1..6)
}

proptest! {
    /// What the signature does not cover is not changed by these: a byte of itself, of the secrets, of what is signed.
    #[test]
    fn no_signature_verifies_after_a_change(
        method in any_method(),
        parameters in parameters(),
        consumer in "[0-9a-f]{32}",
        token in "[0-9a-f]{32}",
        at in any::<usize>(),
        by in 1_u8..128,
    ) {
        let url = "https://keystone.test:5000/v3/auth/tokens";
        let signed = Signed { url, parameters: &parameters };
        let (own, other) = (Secret::from(consumer.as_str()), Secret::from(token.as_str()));
        let given = method.sign(signed, &own, Some(&other)).unwrap();
        prop_assert!(method.verifies(&given, signed, &own, Some(&other)));
        if let Some(changed) = mutated(&given, at, by) {
            prop_assert!(!method.verifies(&changed, signed, &own, Some(&other)));
        }
        for cut in 0..given.len() {
            prop_assert!(!method.verifies(&given[..cut], signed, &own, Some(&other)));
        }
        if let Some(changed) = mutated(&consumer, at, by) {
            prop_assert!(!method.verifies(&given, signed, &changed.into(), Some(&other)));
        }
        if let Some(changed) = mutated(&token, at, by) {
            prop_assert!(!method.verifies(&given, signed, &own, Some(&changed.into())));
        }
        prop_assert!(!method.verifies(&given, signed, &own, None));
    }

    #[test]
    fn no_code_verifies_for_another_request(
        method in hmac(),
        parameters in parameters(),
        secret in "[0-9a-f]{32}",
        which in any::<usize>(),
        at in any::<usize>(),
        by in 1_u8..128,
    ) {
        let url = "https://keystone.test:5000/v3/auth/tokens";
        let secret = Secret::from(secret);
        let given = method.sign(Signed { url, parameters: &parameters }, &secret, None).unwrap();
        let verifies = |url: &str, parameters: &Parameters| {
            method.verifies(&given, Signed { url, parameters }, &secret, None)
        };
        prop_assert!(verifies(url, &parameters));
        let mut others = parameters.clone();
        let which = which % others.len();
        if let Some(changed) = mutated(&others[which].0, at, by) {
            others[which].0 = changed;
            others.sort();
            let mut same = parameters.clone();
            same.sort();
            prop_assert!(others == same || !verifies(url, &others));
        }
        let mut others = parameters.clone();
        if let Some(changed) = mutated(&others[which].1, at, by) {
            others[which].1 = changed;
            others.sort();
            let mut same = parameters.clone();
            same.sort();
            prop_assert!(others == same || !verifies(url, &others));
        }
        let more: Parameters = parameters.iter().cloned().chain([("a".to_owned(), "b".to_owned())]).collect();
        prop_assert!(!verifies(url, &more));
        prop_assert!(!verifies("https://keystone.test:5000/v3/auth/token", &parameters));
        prop_assert!(!verifies("http://keystone.test:5000/v3/auth/tokens", &parameters));
    }

    #[test]
    fn any_url_can_be_tried(url in ".{0,60}") {
        let signed = Signed { url: &url, parameters: &[] };
        let _ = SignatureMethod::HmacSha1.sign(signed, &Secret::from("s"), None);
    }
}
