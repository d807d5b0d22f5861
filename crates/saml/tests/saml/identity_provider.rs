//! Assertions for other clouds: what they say, and that they are taken.

use chrono::Duration;
use keystone_saml::idp::{Group, Issue, Statement, envelope};
use keystone_saml::sp::Message;
use keystone_saml::{Error, SigningKey};

use crate::signer::{CONSUMER, IDP, key, now, peer, values, verify_as};

fn statement() -> Statement {
    let text = |text: &str| text.to_owned();
    Statement {
        user: text("alice & <bob>\r\n\"é\""),
        user_domain: text("Default"),
        roles: vec![text("admin"), text("reader")],
        project: text("demo"),
        project_domain: text("Default"),
        groups: vec![Group {
            name: text("opé\"s"),
            domain: text("Default"),
        }],
    }
}

fn issue() -> Issue<'static> {
    Issue {
        issuer: IDP,
        recipient: CONSUMER,
        lifetime: Duration::hours(1),
        now: now(),
    }
}

fn keystone() -> keystone_saml::sp::Peer {
    let mut keystone = peer();
    keystone.is_keystone = true;
    keystone.allow_unsolicited = true;
    keystone
}

/// The text without what is new each time: ids, and the signature.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    for (start, end) in [
        (" ID=\"", "\""),
        (" ID=\"", "\""),
        ("<xmldsig:Signature ", "</xmldsig:Signature>"),
        (" SessionIndex=\"", "\""),
    ] {
        let (before, after) = rest.split_once(start).unwrap();
        let (_, after) = after.split_once(end).unwrap();
        masked.push_str(before);
        masked.push_str(start);
        masked.push('…');
        masked.push_str(end);
        rest = after;
    }
    masked + rest
}

#[test]
fn the_response_says_what_keystones_says() {
    let text = statement().response(&issue(), &key()).unwrap();
    let attribute = |name: &str, values: &[&str]| {
        let values: Vec<_> = values
            .iter()
            .map(|value| {
                format!(
                    "<saml:AttributeValue xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"xs:string\">\
                     {value}</saml:AttributeValue>"
                )
            })
            .collect();
        format!(
            "<saml:Attribute Name=\"{name}\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:uri\">{}\
             </saml:Attribute>",
            values.concat()
        )
    };
    let user = "alice &amp; &lt;bob&gt;&#xD;\n\"é\"";
    let issuer = "<saml:Issuer Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:entity\">https://idp.example.org</saml:Issuer>";
    let expected = [
        "<ns0:Response xmlns:ns0=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ",
        "xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" Destination=\"https://sp.example.org/acs\" ID=\"…\" ",
        "IssueInstant=\"2026-11-26T12:01:00Z\" Version=\"2.0\">",
        issuer,
        "<ns0:Status><ns0:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"></ns0:StatusCode></ns0:Status>",
        "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"…\" ",
        "IssueInstant=\"2026-11-26T12:01:00Z\" Version=\"2.0\">",
        issuer,
        "<xmldsig:Signature …</xmldsig:Signature>",
        "<saml:Subject><saml:NameID>",
        user,
        "</saml:NameID><saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">",
        "<saml:SubjectConfirmationData NotOnOrAfter=\"2026-11-26T13:01:00.000000Z\" Recipient=\"https://sp.example.org/acs\">",
        "</saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>",
        "<saml:AuthnStatement AuthnInstant=\"2026-11-26T12:01:00Z\" SessionIndex=\"…\" ",
        "SessionNotOnOrAfter=\"2026-11-26T13:01:00.000000Z\"><saml:AuthnContext>",
        "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>",
        "<saml:AuthenticatingAuthority>https://idp.example.org</saml:AuthenticatingAuthority>",
        "</saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>",
        &attribute("openstack_user", &[user]),
        &attribute("openstack_roles", &["admin", "reader"]),
        &attribute("openstack_project", &["demo"]),
        &attribute("openstack_project_domain", &["Default"]),
        &attribute("openstack_user_domain", &["Default"]),
        &attribute(
            "openstack_groups",
            &["JSON:{\"name\": \"op\\u00e9\\\"s\", \"domain\": {\"name\": \"Default\"}}"],
        ),
        "</saml:AttributeStatement></saml:Assertion></ns0:Response>",
    ];
    assert_eq!(masked(&text), expected.concat());
}

#[test]
fn what_is_made_is_taken_bare_and_in_its_envelope() {
    let text = statement().response(&issue(), &key()).unwrap();
    let ecp = envelope(&text, "ss:mem:").unwrap();
    assert!(ecp.contains(">ss:mem:"));
    for text in [text, ecp] {
        let login = verify_as(&text, &keystone(), None, now()).unwrap();
        assert_eq!(
            values(&login, "openstack_user").unwrap(),
            ["alice & <bob>\r\n\"é\""]
        );
        assert_eq!(
            values(&login, "openstack_roles").unwrap(),
            ["admin", "reader"]
        );
    }
}

#[test]
fn an_enhanced_client_gets_a_relay_state_of_its_own() {
    let first = envelope("<a></a>", "prefix:").unwrap();
    let message = Message::from_body(first.as_bytes()).unwrap();
    let state = message.relay_state().unwrap().unwrap();
    let digits = state.strip_prefix("prefix:").unwrap();
    assert_eq!(digits.len(), 32);
    assert_ne!(envelope("<a></a>", "prefix:").unwrap(), first);
}

#[test]
fn groups_are_left_out_where_there_are_none() {
    let mut statement = statement();
    statement.groups.clear();
    let text = statement.response(&issue(), &key()).unwrap();
    assert!(!text.contains("openstack_groups"));
}

#[test]
fn ids_are_new_each_time_and_begin_with_no_digit() {
    let ids = |text: &str| -> Vec<String> {
        let parts = text.split(" ID=\"").skip(1);
        parts
            .map(|part| part.split('"').next().unwrap().to_owned())
            .collect()
    };
    let first = ids(&statement().response(&issue(), &key()).unwrap());
    let second = ids(&statement().response(&issue(), &key()).unwrap());
    assert_eq!(first.len(), 2);
    for id in first.iter().chain(&second) {
        assert!(id.starts_with('_'), "{id}");
    }
    assert!(first.iter().all(|id| !second.contains(id)));
}

#[test]
fn a_name_that_xml_cannot_hold_is_an_error() {
    let mut statement = statement();
    statement.user = "bell\u{7}".to_owned();
    let error = statement.response(&issue(), &key()).unwrap_err();
    assert!(matches!(error, Error::Character(_)), "{error}");
}

#[test]
fn a_key_and_a_certificate_must_belong_together() {
    let (certificate, key) = (
        include_str!("../keys/idp.pem"),
        include_str!("../keys/idp.key"),
    );
    let (other, other_key) = (
        include_str!("../keys/other.pem"),
        include_str!("../keys/other.key"),
    );
    let unpaired = SigningKey::from_pem(other, key).unwrap_err();
    assert!(matches!(unpaired, Error::Unpaired), "{unpaired}");
    // That key is in PKCS #1, the older form.
    assert!(other_key.contains("BEGIN RSA PRIVATE KEY"));
    SigningKey::from_pem(other, other_key).unwrap();
    let none = SigningKey::from_pem(key, key).unwrap_err();
    assert!(matches!(none, Error::Certificate), "{none}");
    let none = SigningKey::from_pem(certificate, certificate).unwrap_err();
    assert!(matches!(none, Error::Key), "{none}");
}
