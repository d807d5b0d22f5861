//! Metadata: ours as identity provider and as service provider, and those of others.

use chrono::Duration;
use keystone_saml::idp;
use keystone_saml::sp::{Metadata, Peer, Refusal};

use crate::signer::{CONSUMER, IDP, SP, key, now};

fn configured() -> idp::Metadata {
    idp::Metadata {
        entity_id: Some(IDP.to_owned()),
        sso_endpoint: Some("https://idp.example.org/sso?a=b&c=d".to_owned()),
        ..idp::Metadata::default()
    }
}

#[test]
fn the_document_is_the_one_that_keystone_prints() {
    let document = configured()
        .document(include_str!("../keys/idp.pem"))
        .unwrap();
    // `tests/saml/run` compares it with Keystone's own.
    assert_eq!(
        document,
        include_str!("../samples/idp_metadata.xml").trim_end()
    );
}

#[test]
fn both_identifiers_are_needed() {
    for (name, metadata) in [
        (
            "idp_entity_id",
            idp::Metadata {
                entity_id: None,
                ..configured()
            },
        ),
        (
            "idp_sso_endpoint",
            idp::Metadata {
                sso_endpoint: None,
                ..configured()
            },
        ),
    ] {
        let error = metadata
            .document(include_str!("../keys/idp.pem"))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("Ensure configuration option {name} is set.")
        );
    }
}

#[test]
fn an_identity_provider_is_known_by_its_metadata() {
    let document = configured()
        .document(include_str!("../keys/idp.pem"))
        .unwrap();
    let peer = Peer::from_metadata(&document, None, now()).unwrap();
    assert_eq!(peer.entity_id, IDP);
    assert_eq!(peer.certificates, crate::signer::peer().certificates);
    // A Keystone has no place to which browsers are sent.
    assert_eq!(peer.sign_on_url, None);
    let redirect = document.replace("bindings:URI", "bindings:HTTP-Redirect");
    let peer = Peer::from_metadata(&redirect, Some(IDP), now()).unwrap();
    assert_eq!(
        peer.sign_on_url.as_deref(),
        Some("https://idp.example.org/sso?a=b&c=d")
    );
}

#[test]
fn metadata_that_say_too_little_are_refused() {
    let document = configured()
        .document(include_str!("../keys/idp.pem"))
        .unwrap();
    let refused = |text: &str| Peer::from_metadata(text, None, now()).unwrap_err();
    let other = Peer::from_metadata(&document, Some("https://other.example.org"), now());
    assert!(matches!(other, Err(Refusal::Missing(_))), "{other:?}");
    let encryption = document.replace("use=\"signing\"", "use=\"encryption\"");
    assert!(matches!(refused(&encryption), Refusal::Missing(_)));
    let old = document.replace(" entityID", " validUntil=\"2026-11-26T12:00:00Z\" entityID");
    assert!(matches!(refused(&old), Refusal::Outdated(_)));
    // The earlier end of an element around or within.
    let young = document
        .replace(" entityID", " validUntil=\"2026-11-28T12:00:00Z\" entityID")
        .replace(
            " protocolSupport",
            " validUntil=\"2026-11-27T12:01:00Z\" protocolSupport",
        );
    let peer = Peer::from_metadata(&young, None, now()).unwrap();
    assert_eq!(peer.valid_until, Some(now() + Duration::days(1)));
    let open = format!("<!DOCTYPE a>{document}");
    assert_eq!(refused(&open), Refusal::DocumentType);
}

#[test]
fn metadata_of_a_federation_are_taken() {
    let one = configured()
        .document(include_str!("../keys/idp.pem"))
        .unwrap();
    let other = one.replace(IDP, "https://other.example.org");
    // More, and more elements, than any message may have, and the mark of some editors before them.
    let all = format!(
        "\u{feff}<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{}{one}</md:EntitiesDescriptor>",
        other.repeat(300)
    );
    assert!(all.len() > 256 * 1024);
    let peer = Peer::from_metadata(&all, Some(IDP), now()).unwrap();
    assert_eq!(peer.entity_id, IDP);
    let refusal = Peer::from_metadata("<a/>", None, now()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "it has no EntityDescriptor of an identity provider"
    );
}

#[test]
fn metadata_end_with_each_group_around_the_entity() {
    let one = configured()
        .document(include_str!("../keys/idp.pem"))
        .unwrap();
    let within = |outer: &str, inner: &str| {
        let text = format!(
            "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" validUntil=\"{outer}\">\
             <md:EntitiesDescriptor validUntil=\"{inner}\">{one}</md:EntitiesDescriptor></md:EntitiesDescriptor>"
        );
        Peer::from_metadata(&text, None, now())
    };
    let (past, near, far) = (
        "2026-11-26T12:00:00Z",
        "2026-11-27T12:01:00Z",
        "2026-11-29T12:00:00Z",
    );
    for (outer, inner) in [(near, far), (far, near)] {
        let end = within(outer, inner).unwrap().valid_until;
        assert_eq!(end, Some(now() + Duration::days(1)));
    }
    for (outer, inner) in [(past, far), (far, past)] {
        let refused = within(outer, inner);
        assert!(matches!(refused, Err(Refusal::Outdated(_))), "{refused:?}");
    }
}

#[test]
fn one_of_several_entities_is_chosen_by_its_id() {
    let one = configured()
        .document(include_str!("../keys/idp.pem"))
        .unwrap();
    let other = one.replace(IDP, "https://other.example.org");
    let all = format!(
        "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{one}{other}</md:EntitiesDescriptor>"
    );
    let peer = Peer::from_metadata(&all, Some("https://other.example.org"), now()).unwrap();
    assert_eq!(peer.entity_id, "https://other.example.org");
    let several = Peer::from_metadata(&all, None, now());
    assert_eq!(several, Err(Refusal::Several("EntityDescriptor")));
}

#[test]
fn the_service_provider_tells_where_it_takes_responses() {
    let (consumers, enhanced) = ([CONSUMER.to_owned()], [format!("{CONSUMER}/ecp")]);
    let key = key();
    let metadata = Metadata {
        entity_id: SP,
        consumers: &consumers,
        enhanced_consumers: &enhanced,
        key: Some(&key),
    };
    let document = metadata.document().unwrap();
    assert!(document.contains("Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"https://sp.example.org/acs\" index=\"0\" isDefault=\"true\""));
    assert!(document.contains("Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:PAOS\" Location=\"https://sp.example.org/acs/ecp\" index=\"1\""));
    assert!(document.contains(&key.certificate()));
    let unsigned = Metadata {
        key: None,
        ..metadata
    }
    .document()
    .unwrap();
    assert!(
        unsigned.contains("AuthnRequestsSigned=\"false\"") && !unsigned.contains("KeyDescriptor")
    );
}
