//! What nobody signed, or not as it stands: SEC-39 and its kind. None makes a login.

use keystone_saml::sp::{Message, Peer, Refusal};

use crate::signer::{
    ASSERTION, bare, changed, honest, key, other_key, peer, response, signed, values, verify,
};

/// An assertion about somebody else, with an id of its own.
fn evil() -> String {
    let evil = ASSERTION
        .replace("alice", "admin")
        .replace("\"_a\"", "\"_evil\"");
    evil.replace("{signature}", "")
}

fn assertion() -> String {
    signed(ASSERTION, "_a", &key())
}

/// The signature of the honest assertion, and that assertion without it.
fn parts() -> (String, String) {
    let assertion = assertion();
    let start = assertion.find("<ds:Signature ").unwrap();
    let end = assertion.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let signature = assertion[start..end].to_owned();
    (signature, ASSERTION.replace("{signature}", ""))
}

/// The evil assertion with something behind its issuer.
fn evil_with(inner: &str) -> String {
    let end = "</saml:Issuer>";
    evil().replacen(end, &format!("{end}{inner}"), 1)
}

fn refused(text: &str, peer: &Peer) -> Refusal {
    verify(text, peer).expect_err(text)
}

#[test]
fn the_honest_response_is_taken() {
    let login = verify(&honest(), &peer()).unwrap();
    assert_eq!(login.issuer, crate::signer::IDP);
    assert_eq!(values(&login, "MELLON_NAME_ID").unwrap(), ["alice"]);
    assert_eq!(values(&login, "groups").unwrap(), ["devs", "ops"]);
}

#[test]
fn sec_39_a_signed_response_within_another_is_refused() {
    let inner = signed(
        &response(&ASSERTION.replace("{signature}", "")),
        "_r",
        &key(),
    );
    let mut peer = peer();
    peer.want_response_signed = true;
    verify(&inner, &peer).unwrap();
    let start = inner.find("<ds:Signature ").unwrap();
    let end = inner.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let signature = &inner[start..end];
    let original = inner.replace(signature, "");
    // 1: the original within the signature; 2: beside it.
    let within = signature.replace(
        "</ds:Signature>",
        &format!("<ds:Object>{original}</ds:Object></ds:Signature>"),
    );
    for around in [within, format!("{original}{signature}")] {
        let forged = response(&evil()).replace("\"_r\"", "\"_evil_r\"");
        let forged = forged.replace("{signature}", &around);
        let refusal = refused(&forged, &peer);
        assert!(
            matches!(refusal, Refusal::Assertions(2) | Refusal::SignatureForm(_)),
            "{refusal}"
        );
    }
}

#[test]
fn sec_39_an_assertion_beside_around_or_within_the_signed_one_is_refused() {
    let (signature, original) = parts();
    let wrapped =
        |object: &str| signature.replace("</ds:Signature>", &format!("{object}</ds:Signature>"));
    let forgeries = [
        // 3: beside the signed one, before it and behind it.
        format!("{}{}", evil(), assertion()),
        format!("{}{}", assertion(), evil()),
        // 4: around it.
        evil().replace(
            "</saml:Assertion>",
            &format!("{}</saml:Assertion>", assertion()),
        ),
        // 5: with its signature, and the original behind.
        format!("{}{original}", evil_with(&signature)),
        // 6: with its signature, and the original in that.
        evil_with(&wrapped(&original)),
        // 7: in an element for extensions, which may hold anything.
        format!(
            "<samlp:Extensions>{}</samlp:Extensions>{}",
            evil(),
            assertion()
        ),
        // 8: the original in an object of the signature.
        evil_with(&wrapped(&format!("<ds:Object>{original}</ds:Object>"))),
    ];
    for forged in forgeries {
        let refusal = refused(&bare(&forged), &peer());
        assert!(
            matches!(refusal, Refusal::Assertions(2)),
            "{refusal}: {forged}"
        );
    }
}

#[test]
fn sec_39_a_signed_assertion_where_a_response_has_none_is_refused() {
    let extensions = format!("<samlp:Extensions>{}</samlp:Extensions>", assertion());
    assert_eq!(refused(&bare(&extensions), &peer()), Refusal::Assertions(1));
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header>{}</s:Header><s:Body>{}</s:Body>\
         </s:Envelope>",
        assertion(),
        bare("")
    );
    assert_eq!(refused(&envelope, &peer()), Refusal::Assertions(1));
}

#[test]
fn a_signature_of_another_element_signs_nothing() {
    let (signature, _) = parts();
    let moved = bare(&evil_with(&signature));
    assert_eq!(
        refused(&moved, &peer()),
        Refusal::SignatureForm("it is of another element")
    );
    let renamed = moved.replace("\"_evil\"", "\"_a\"");
    assert!(matches!(refused(&renamed, &peer()), Refusal::Signature(_)));
}

#[test]
fn one_id_for_two_elements_is_refused() {
    let twice = bare(&format!(
        "<samlp:Extensions ID=\"_a\"></samlp:Extensions>{}",
        assertion()
    ));
    assert_eq!(refused(&twice, &peer()), Refusal::DuplicateId);
}

#[test]
fn nothing_is_taken_unsigned_or_signed_by_another_key() {
    let (_, original) = parts();
    assert_eq!(
        refused(&bare(&original), &peer()),
        Refusal::Unsigned("assertion")
    );
    let other = bare(&signed(ASSERTION, "_a", &other_key()));
    assert!(matches!(refused(&other, &peer()), Refusal::Signature(_)));
    let mut strict = peer();
    strict.want_response_signed = true;
    assert_eq!(refused(&honest(), &strict), Refusal::Unsigned("response"));
}

#[test]
fn the_key_that_a_message_brings_counts_for_nothing() {
    let certificate = other_key().certificate();
    let brought = format!(
        "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate>\
         </ds:X509Data></ds:KeyInfo>"
    );
    let other = bare(&signed(ASSERTION, "_a", &other_key()));
    let other = other.replace("</ds:SignatureValue>", &brought);
    assert!(matches!(refused(&other, &peer()), Refusal::Signature(_)));
}

#[test]
fn a_second_certificate_of_the_metadata_counts_too() {
    let mut rotating = peer();
    rotating.certificates.insert(0, b"unreadable".to_vec());
    verify(&honest(), &rotating).unwrap();
    rotating.certificates.clear();
    assert!(matches!(
        refused(&honest(), &rotating),
        Refusal::Signature(_)
    ));
}

#[test]
fn a_changed_character_is_refused() {
    for (from, to) in [
        ("ops<", "0ps<"),
        ("alice</saml:N", "alicf</saml:N"),
        ("Name=\"gr", "Name=\"Gr"),
    ] {
        let text = honest();
        assert!(text.contains(from), "{from}");
        assert!(matches!(
            refused(&text.replace(from, to), &peer()),
            Refusal::Signature(_)
        ));
    }
}

#[test]
fn a_comment_within_a_value_cuts_nothing_off() {
    // Comments are no part of what is signed.
    let text = changed("alice</saml:NameID>", "alice.attacker</saml:NameID>");
    let text = text.replace("alice.attacker", "alice<!-- -->.attacker");
    let login = verify(&text, &peer()).unwrap();
    assert_eq!(
        values(&login, "MELLON_NAME_ID").unwrap(),
        ["alice.attacker"]
    );
    assert_eq!(values(&login, "REMOTE_USER").unwrap(), ["alice.attacker"]);
}

#[test]
fn sec_12_a_document_type_is_refused_whatever_it_defines() {
    let bomb: Vec<_> = (1..20)
        .map(|n| format!("<!ENTITY e{n} \"&e{};&e{};\">", n - 1, n - 1))
        .collect();
    for definitions in [
        String::new(),
        "<!ENTITY unused \"x\">".to_owned(),
        "<!ENTITY file SYSTEM \"file:///etc/passwd\">".to_owned(),
        format!("<!ENTITY e0 \"ha\">{}", bomb.concat()),
    ] {
        let text = format!("<!DOCTYPE Response [{definitions}]>{}", honest());
        assert_eq!(refused(&text, &peer()), Refusal::DocumentType);
    }
}

#[test]
fn other_transforms_references_and_algorithms_than_saml_has_are_refused() {
    let exclusive = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">";
    let xpath = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">";
    let reference = "<ds:Reference URI=\"#_a\">";
    let two = "</ds:Reference></ds:SignedInfo>";
    let more = "</ds:Reference><ds:Reference URI=\"\"></ds:Reference></ds:SignedInfo>";
    for (from, to) in [
        (exclusive, xpath),
        (reference, "<ds:Reference URI=\"\">"),
        (reference, "<ds:Reference URI=\"#_r\">"),
        (reference, "<ds:Reference URI=\"Cargo.toml\">"),
        (reference, "<ds:Reference URI=\"#xpointer(id('_a'))\">"),
        (two, more),
        ("</ds:Signature>", "<ds:Object></ds:Object></ds:Signature>"),
    ] {
        let text = honest();
        assert!(text.contains(from), "{from}");
        let refusal = refused(&text.replace(from, to), &peer());
        assert!(
            matches!(refusal, Refusal::SignatureForm(_)),
            "{to}: {refusal}"
        );
    }
    for (from, to) in [
        (
            "2001/04/xmldsig-more#rsa-sha256",
            "2000/09/xmldsig#rsa-sha1",
        ),
        (
            "2001/04/xmldsig-more#rsa-sha256",
            "2001/04/xmldsig-more#hmac-sha256",
        ),
        ("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1"),
    ] {
        let refusal = refused(&honest().replace(from, to), &peer());
        assert!(matches!(refusal, Refusal::Algorithm(_)), "{to}: {refusal}");
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let bomb = [0x78, 0x9c, 0xed, 0xc1, 0x01, 0x01, 0x00, 0x00, 0x00, 0x80];
    assert!(matches!(
        Message::from_body(&bomb),
        Err(Refusal::Unreadable(_))
    ));
    assert!(matches!(
        Message::from_form("=?"),
        Err(Refusal::Unreadable(_))
    ));
    let long = "A".repeat(1 << 20);
    assert!(matches!(Message::from_form(&long), Err(Refusal::TooLarge)));
    for text in ["", "<", "<a>", "&e;", "<a/><b/>", "{}"] {
        assert!(
            matches!(refused(text, &peer()), Refusal::Unreadable(_)),
            "{text}"
        );
    }
    assert_eq!(refused("<a/>", &peer()), Refusal::NoResponse);
    let other_version = honest().replace("Version=\"2.0\">", "Version=\"1.1\">");
    assert_eq!(refused(&other_version, &peer()), Refusal::NoResponse);
}

#[test]
fn an_encrypted_assertion_is_named_as_such() {
    let encrypted =
        "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>";
    assert_eq!(refused(&bare(encrypted), &peer()), Refusal::Encrypted);
}
