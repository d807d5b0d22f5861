//! Responses of identity providers. None is a login but those that were recorded, however they are wrapped and changed; and
//! whatever an identity provider signs, a login tells who it was.

#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{Duration, NaiveDateTime};
use keystone_saml::SigningKey;
use keystone_saml::sp::{Expected, Login, Message, Peer, Refusal};
use libfuzzer_sys::fuzz_target;

const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ISSUER: &str = "https://idp.example.org";
const CONSUMER: &str = "https://sp.example.org/acs";

/// A recorded message: the text, who it is from, where it was sent, what it answers, and when.
type Sample = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
);

const KEYSTONE: &str = "https://keystone.example.com/v3/OS-FEDERATION/saml2/idp";
const SAMPLES: [Sample; 4] = [
    (
        include_str!("../../../crates/saml/tests/samples/keystone.xml"),
        KEYSTONE,
        "https://beta/Shibboleth.sso/SAML2/ECP",
        None,
        "2026-11-25T15:41:00",
    ),
    (
        include_str!("../../../crates/saml/tests/samples/keystone_ecp.xml"),
        KEYSTONE,
        "https://beta/Shibboleth.sso/SAML2/ECP",
        None,
        "2026-11-25T15:41:00",
    ),
    (
        include_str!("../../../crates/saml/tests/samples/samlp.xml"),
        "http://127.0.0.1:9084/idp",
        "http://127.0.0.1:9083/mellon/postResponse",
        Some("_EFCFBE88B45C2273F48B9FB67FB0496F"),
        "2026-11-25T15:53:00",
    ),
    (
        include_str!("../../../crates/saml/tests/samples/pysaml2_ecp.xml"),
        "http://127.0.0.1:9086/idp",
        "http://127.0.0.1:9083/mellon/paosResponse",
        Some("_2BB52F7A2C515FA1534F36C679DE74B8"),
        "2026-11-25T16:11:00",
    ),
];

struct Provider {
    certificate: Vec<u8>,
    key: SigningKey,
    logins: Vec<Login>,
}

static PROVIDER: LazyLock<Provider> = LazyLock::new(|| {
    let certificate = include_str!("../../../crates/saml/tests/samples/certificate.pem");
    let lines = certificate.lines().filter(|line| !line.starts_with('-'));
    let certificate = BASE64_STANDARD.decode(lines.collect::<String>());
    let key = SigningKey::from_pem(
        include_str!("../../../crates/saml/tests/keys/idp.pem"),
        include_str!("../../../crates/saml/tests/keys/idp.key"),
    );
    let mut provider = Provider {
        certificate: certificate.expect("PEM is base64"),
        key: key.expect("a key"),
        logins: Vec::new(),
    };
    let logins = SAMPLES.iter().map(|sample| {
        let taken = provider.take(sample.0, sample);
        taken.expect("a recorded message is taken")
    });
    provider.logins = logins.collect();
    provider
});

fuzz_target!(init: { let _ = LazyLock::force(&PROVIDER); }, |data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for sample in &SAMPLES {
        if let Ok(login) = PROVIDER.take(text, sample) {
            assert!(PROVIDER.logins.contains(&login), "nobody signed {login:?}");
        }
    }
    if let Ok(login) = PROVIDER.take_signed(text) {
        assert_eq!(login.issuer, ISSUER);
        for name in ["MELLON_IDP", "Shib-Identity-Provider"] {
            let values = login.attributes.iter().filter(|(known, _)| known == name);
            let values: Vec<_> = values.flat_map(|(_, values)| values).collect();
            assert_eq!(values, [ISSUER], "{text}");
        }
    }
    let _ = Peer::from_metadata(text, None, NaiveDateTime::default());
    let _ = Message::from_form(text);
});

impl Provider {
    fn take(&self, text: &str, sample: &Sample) -> Result<Login, Refusal> {
        let (_, issuer, consumer, request, now) = *sample;
        let mut peer = peer(issuer, &self.certificate);
        peer.is_keystone = issuer == KEYSTONE;
        peer.allow_unsolicited = peer.is_keystone;
        peer.allow_sha1 = peer.is_keystone;
        Message::from_body(text.as_bytes())?.verify(&Expected {
            peer: &peer,
            audience: "http://127.0.0.1:9083/mellon/metadata",
            consumer,
            request,
            now: now.parse().expect("a time"),
        })
    }

    /// An assertion with any attributes, signed.
    fn take_signed(&self, attributes: &str) -> Result<Login, Refusal> {
        let assertion = format!(
            "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_a\" \
             IssueInstant=\"2026-11-26T12:00:00Z\" Version=\"2.0\"><saml:Issuer>{ISSUER}</saml:Issuer>{{signature}}\
             <saml:Subject><saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
             <saml:SubjectConfirmationData NotOnOrAfter=\"2026-11-26T12:05:00Z\" Recipient=\"{CONSUMER}\">\
             </saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>\
             <saml:AuthnStatement></saml:AuthnStatement><saml:AttributeStatement>{attributes}</saml:AttributeStatement>\
             </saml:Assertion>"
        );
        let text = format!(
            "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" Version=\"2.0\"><samlp:Status>\
             <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"></samlp:StatusCode></samlp:Status>\
             {}</samlp:Response>",
            self.signed(&assertion)
        );
        let certificate = BASE64_STANDARD.decode(self.key.certificate());
        let mut peer = peer(ISSUER, &certificate.expect("it is base64"));
        peer.is_keystone = true;
        peer.allow_unsolicited = true;
        Message::from_body(text.as_bytes())?.verify(&Expected {
            peer: &peer,
            audience: "https://sp.example.org",
            consumer: CONSUMER,
            request: None,
            now: "2026-11-26T12:01:00".parse().expect("a time"),
        })
    }

    fn signed(&self, assertion: &str) -> String {
        let canonical = assertion.replacen("{signature}", "", 1);
        let digest = BASE64_STANDARD.encode(digest(&SHA256, canonical.as_bytes()));
        let info = |declared: &str| {
            format!(
                "<ds:SignedInfo{declared}><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
                 <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></ds:SignatureMethod>\
                 <ds:Reference URI=\"#_a\"><ds:Transforms><ds:Transform Algorithm=\"{SIGNATURE}enveloped-signature\">\
                 </ds:Transform><ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform></ds:Transforms>\
                 <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>\
                 <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
            )
        };
        let declared = format!(" xmlns:ds=\"{SIGNATURE}\"");
        let value = self.key.sign(info(&declared).as_bytes());
        let value = BASE64_STANDARD.encode(value.expect("the key signs"));
        let signature = format!(
            "<ds:Signature{declared}>{}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>",
            info("")
        );
        assertion.replacen("{signature}", &signature, 1)
    }
}

fn peer(entity_id: &str, certificate: &[u8]) -> Peer {
    Peer {
        entity_id: entity_id.to_owned(),
        certificates: vec![certificate.to_vec()],
        valid_until: None,
        sign_on_url: None,
        allow_unsolicited: false,
        want_response_signed: false,
        allow_sha1: false,
        is_keystone: false,
        max_clock_skew: Duration::seconds(60),
    }
}
