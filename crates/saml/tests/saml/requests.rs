//! Requests for logins.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_STANDARD};
use keystone_saml::sp::{AuthnRequest, Message};
use percent_encoding::percent_decode_str;

use crate::signer::{CONSUMER, SP, key, now};

const SIGN_ON: &str = "https://idp.example.org/sso";

/// The parameters of a query, as they stand there.
fn parameters(url: &str) -> Vec<(&str, &str)> {
    let (_, query) = url.split_once('?').unwrap();
    query
        .split('&')
        .map(|part| part.split_once('=').unwrap())
        .collect()
}

fn decoded(value: &str) -> String {
    percent_decode_str(value)
        .decode_utf8()
        .unwrap()
        .into_owned()
}

#[test]
fn a_redirect_carries_the_request_and_the_state() {
    let request = AuthnRequest::new(SP, CONSUMER, now());
    let url = request
        .redirect(SIGN_ON, Some("state & more"), None)
        .unwrap();
    assert!(url.starts_with(SIGN_ON));
    let [(name, message), (state_name, state)] = parameters(&url)[..] else {
        panic!("{url}");
    };
    assert_eq!((name, state_name), ("SAMLRequest", "RelayState"));
    assert_eq!(decoded(state), "state & more");
    let message = BASE64_STANDARD.decode(decoded(message)).unwrap();
    // One block that stores its bytes, as `zlib` reads it too (`tests/saml/run`).
    let length = u16::from_le_bytes([message[1], message[2]]);
    assert_eq!((message[0], usize::from(length)), (1, message.len() - 5));
    let xml = std::str::from_utf8(&message[5..]).unwrap();
    for part in [
        format!("ID=\"{}\"", request.id()),
        format!("AssertionConsumerServiceURL=\"{CONSUMER}\""),
        format!("Destination=\"{SIGN_ON}\""),
        "IssueInstant=\"2026-11-26T12:01:00Z\"".to_owned(),
        format!(">{SP}</saml:Issuer>"),
    ] {
        assert!(xml.contains(&part), "{part}: {xml}");
    }
    let beside = request
        .redirect("https://idp.example.org/sso?a=b", None, None)
        .unwrap();
    assert!(beside.starts_with("https://idp.example.org/sso?a=b&SAMLRequest="));
}

#[test]
fn the_signature_is_over_the_query_as_it_stands() {
    let request = AuthnRequest::new(SP, CONSUMER, now());
    let key = key();
    let url = request
        .redirect(SIGN_ON, Some("state"), Some(&key))
        .unwrap();
    let names: Vec<_> = parameters(&url).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["SAMLRequest", "RelayState", "SigAlg", "Signature"]);
    let (signed, signature) = url.split_once("&Signature=").unwrap();
    let (_, signed) = signed.split_once('?').unwrap();
    let signature = BASE64_STANDARD.decode(decoded(signature)).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key());
    public.verify(signed.as_bytes(), &signature).unwrap();
}

#[test]
fn an_enhanced_client_gets_an_envelope() {
    let request = AuthnRequest::new(SP, CONSUMER, now());
    let envelope = request.envelope("state").unwrap();
    for part in [
        format!("responseConsumerURL=\"{CONSUMER}\""),
        format!("ID=\"{}\"", request.id()),
        "service=\"urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp\"".to_owned(),
    ] {
        assert!(envelope.contains(&part), "{part}: {envelope}");
    }
    let message = Message::from_body(envelope.as_bytes()).unwrap();
    assert_eq!(message.relay_state().unwrap().as_deref(), Some("state"));
}

#[test]
fn each_request_has_an_id_of_its_own() {
    let first = AuthnRequest::new(SP, CONSUMER, now());
    assert_ne!(AuthnRequest::new(SP, CONSUMER, now()).id(), first.id());
}
