//! An identity provider of the tests, which signs what it is given.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{Duration, NaiveDateTime};
use keystone_saml::SigningKey;
use keystone_saml::sp::{Expected, Login, Message, Peer, Refusal};

pub(crate) const IDP: &str = "https://idp.example.org";
pub(crate) const SP: &str = "https://sp.example.org";
pub(crate) const CONSUMER: &str = "https://sp.example.org/acs";
pub(crate) const REQUEST: &str = "_request";

const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// What an honest identity provider asserts, in canonical form; the signature goes where its name stands.
pub(crate) const ASSERTION: &str = "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_a\" \
    IssueInstant=\"2026-11-26T12:00:00Z\" Version=\"2.0\"><saml:Issuer>https://idp.example.org</saml:Issuer>{signature}\
    <saml:Subject><saml:NameID>alice</saml:NameID>\
    <saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
    <saml:SubjectConfirmationData InResponseTo=\"_request\" NotOnOrAfter=\"2026-11-26T12:05:00Z\" \
    Recipient=\"https://sp.example.org/acs\"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>\
    <saml:Conditions NotBefore=\"2026-11-26T12:00:00Z\" NotOnOrAfter=\"2026-11-26T12:05:00Z\">\
    <saml:AudienceRestriction><saml:Audience>https://sp.example.org</saml:Audience></saml:AudienceRestriction>\
    </saml:Conditions><saml:AuthnStatement AuthnInstant=\"2026-11-26T12:00:00Z\"></saml:AuthnStatement>\
    <saml:AttributeStatement><saml:Attribute FriendlyName=\"uid\" Name=\"urn:oid:uid\">\
    <saml:AttributeValue>alice</saml:AttributeValue></saml:Attribute>\
    <saml:Attribute Name=\"groups\"><saml:AttributeValue>devs</saml:AttributeValue>\
    <saml:AttributeValue>ops</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>";

/// The key of the identity provider.
pub(crate) fn key() -> SigningKey {
    let certificate = include_str!("../keys/idp.pem");
    SigningKey::from_pem(certificate, include_str!("../keys/idp.key")).unwrap()
}

/// Somebody else's.
pub(crate) fn other_key() -> SigningKey {
    let certificate = include_str!("../keys/other.pem");
    SigningKey::from_pem(certificate, include_str!("../keys/other.key")).unwrap()
}

pub(crate) fn now() -> NaiveDateTime {
    "2026-11-26T12:01:00".parse().unwrap()
}

/// The identity provider as its service provider knows it.
pub(crate) fn peer() -> Peer {
    Peer {
        entity_id: IDP.to_owned(),
        certificates: vec![BASE64_STANDARD.decode(key().certificate()).unwrap()],
        valid_until: None,
        sign_on_url: None,
        allow_unsolicited: false,
        want_response_signed: false,
        allow_sha1: false,
        is_keystone: false,
        max_clock_skew: Duration::seconds(60),
    }
}

/// The element of this id with its signature in the place of `{signature}`.
pub(crate) fn signed(element: &str, id: &str, key: &SigningKey) -> String {
    let canonical = element.replace("{signature}", "");
    let digest = BASE64_STANDARD.encode(digest(&SHA256, canonical.as_bytes()));
    let info = |declared: &str| {
        format!(
            "<ds:SignedInfo{declared}><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
             <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></ds:SignatureMethod>\
             <ds:Reference URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"{SIGNATURE}enveloped-signature\">\
             </ds:Transform><ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>\
             <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        )
    };
    let declared = format!(" xmlns:ds=\"{SIGNATURE}\"");
    let value = BASE64_STANDARD.encode(key.sign(info(&declared).as_bytes()).unwrap());
    let signature = format!(
        "<ds:Signature{declared}>{}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>",
        info("")
    );
    element.replace("{signature}", &signature)
}

/// A response, in canonical form, with these elements behind its status.
pub(crate) fn response(elements: &str) -> String {
    format!(
        "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" Destination=\"{CONSUMER}\" ID=\"_r\" \
         InResponseTo=\"{REQUEST}\" IssueInstant=\"2026-11-26T12:00:00Z\" Version=\"2.0\">{{signature}}<samlp:Status>\
         <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"></samlp:StatusCode></samlp:Status>\
         {elements}</samlp:Response>"
    )
}

/// A response that is not signed itself.
pub(crate) fn bare(elements: &str) -> String {
    response(elements).replace("{signature}", "")
}

/// The honest response, changed before it is signed.
pub(crate) fn changed(from: &str, to: &str) -> String {
    assert!(ASSERTION.contains(from), "{from}");
    bare(&signed(&ASSERTION.replace(from, to), "_a", &key()))
}

pub(crate) fn honest() -> String {
    bare(&signed(ASSERTION, "_a", &key()))
}

/// Has a message verified as the answer to the request of the tests.
pub(crate) fn verify(text: &str, peer: &Peer) -> Result<Login, Refusal> {
    verify_as(text, peer, Some(REQUEST), now())
}

pub(crate) fn verify_as(
    text: &str,
    peer: &Peer,
    request: Option<&str>,
    now: NaiveDateTime,
) -> Result<Login, Refusal> {
    let message = Message::from_body(text.as_bytes())?;
    message.verify(&Expected {
        peer,
        audience: SP,
        consumer: CONSUMER,
        request,
        now,
    })
}

/// The values of an attribute.
pub(crate) fn values<'a>(login: &'a Login, name: &str) -> Option<&'a [String]> {
    let found = login.attributes.iter().find(|(known, _)| known == name);
    found.map(|(_, values)| values.as_slice())
}
