//! What other implementations have signed with one certificate: Python Keystone and `xmlsec1`, npm's `samlp`, and `pysaml2`.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Duration;
use keystone_saml::sp::{Expected, Login, Message, Peer, Refusal};

use crate::signer::values;

const KEYSTONE: &str = "https://keystone.example.com/v3/OS-FEDERATION/saml2/idp";
const BETA: &str = "https://beta/Shibboleth.sso/SAML2/ECP";
const MELLON: &str = "http://127.0.0.1:9083/mellon/metadata";

/// A recorded message, and what its service provider expected.
struct Sample {
    text: &'static str,
    issuer: &'static str,
    consumer: &'static str,
    request: Option<&'static str>,
    now: &'static str,
}

const KEYSTONE_RESPONSE: Sample = Sample {
    text: include_str!("../samples/keystone.xml"),
    issuer: KEYSTONE,
    consumer: BETA,
    request: None,
    now: "2026-11-25T15:41:00",
};
const KEYSTONE_ECP: Sample = Sample {
    text: include_str!("../samples/keystone_ecp.xml"),
    ..KEYSTONE_RESPONSE
};
const SAMLP: Sample = Sample {
    text: include_str!("../samples/samlp.xml"),
    issuer: "http://127.0.0.1:9084/idp",
    consumer: "http://127.0.0.1:9083/mellon/postResponse",
    request: Some("_EFCFBE88B45C2273F48B9FB67FB0496F"),
    now: "2026-11-25T15:53:00",
};
const PYSAML2: Sample = Sample {
    text: include_str!("../samples/pysaml2_ecp.xml"),
    issuer: "http://127.0.0.1:9086/idp",
    consumer: "http://127.0.0.1:9083/mellon/paosResponse",
    request: Some("_2BB52F7A2C515FA1534F36C679DE74B8"),
    now: "2026-11-25T16:11:00",
};

impl Sample {
    fn peer(&self) -> Peer {
        let certificate = include_str!("../samples/certificate.pem");
        let lines = certificate.lines().filter(|line| !line.starts_with('-'));
        let certificate = BASE64_STANDARD.decode(lines.collect::<String>()).unwrap();
        let is_keystone = self.issuer == KEYSTONE;
        Peer {
            entity_id: self.issuer.to_owned(),
            certificates: vec![certificate],
            valid_until: None,
            sign_on_url: None,
            allow_unsolicited: is_keystone,
            want_response_signed: false,
            allow_sha1: is_keystone,
            is_keystone,
            max_clock_skew: Duration::seconds(60),
        }
    }

    fn verify(&self, text: &str, peer: &Peer) -> Result<Login, Refusal> {
        Message::from_body(text.as_bytes())?.verify(&Expected {
            peer,
            audience: MELLON,
            consumer: self.consumer,
            request: self.request,
            now: self.now.parse().unwrap(),
        })
    }
}

#[test]
fn all_of_them_are_taken() {
    for (sample, name, expected) in [
        (
            KEYSTONE_RESPONSE,
            "openstack_roles",
            vec!["admin", "reader", "manager", "member"],
        ),
        (
            KEYSTONE_ECP,
            "MELLON_openstack_project_domain",
            vec!["Default"],
        ),
        (
            KEYSTONE_ECP,
            "openstack_groups",
            vec!["JSON:{\"name\": \"team & <x>\", \"domain\": {\"name\": \"Default\"}}"],
        ),
        (SAMLP, "groups", vec!["devs", "ops"]),
        (PYSAML2, "mail", vec!["alice@example.org"]),
        (
            PYSAML2,
            "MELLON_urn:oid:0.9.2342.19200300.100.1.1",
            vec!["alice"],
        ),
    ] {
        let login = sample.verify(sample.text, &sample.peer()).unwrap();
        assert_eq!(login.issuer, sample.issuer);
        assert_eq!(values(&login, name).unwrap(), expected, "{name}");
    }
}

#[test]
fn none_is_taken_when_it_was_changed() {
    for sample in [KEYSTONE_RESPONSE, KEYSTONE_ECP, SAMLP, PYSAML2] {
        let peer = sample.peer();
        let (from, to) = if sample.text.contains(">alice<") {
            (">alice<", ">alicf<")
        } else {
            (">admin<", ">root<")
        };
        let changed = sample.text.replacen(from, to, 1);
        assert_ne!(changed, sample.text);
        let refusal = sample.verify(&changed, &peer).unwrap_err();
        assert!(matches!(refusal, Refusal::Signature(_)), "{refusal}");
    }
}

#[test]
fn sha1_is_taken_from_a_keystone_that_is_configured_so_and_from_nobody_else() {
    let mut peer = KEYSTONE_RESPONSE.peer();
    peer.allow_sha1 = false;
    let refusal = KEYSTONE_RESPONSE.verify(KEYSTONE_RESPONSE.text, &peer);
    assert!(matches!(refusal, Err(Refusal::Algorithm(_))), "{refusal:?}");
}

#[test]
fn the_issuer_is_known_before_anything_is_verified() {
    for sample in [KEYSTONE_RESPONSE, KEYSTONE_ECP, SAMLP, PYSAML2] {
        let message = Message::from_body(sample.text.as_bytes()).unwrap();
        assert_eq!(message.claimed_issuer().unwrap(), sample.issuer);
    }
    let form = BASE64_STANDARD.encode(SAMLP.text);
    let message = Message::from_form(&form).unwrap();
    assert_eq!(message.claimed_issuer().unwrap(), SAMLP.issuer);
}
