//! Each rule about a login, with signed responses that keep all others.

use chrono::Duration;
use keystone_saml::sp::Refusal;

use crate::signer::{
    ASSERTION, IDP, REQUEST, bare, changed, honest, key, now, peer, signed, values, verify,
    verify_as,
};

fn refused(from: &str, to: &str) -> Refusal {
    verify(&changed(from, to), &peer()).expect_err(to)
}

#[test]
fn another_recipient_is_refused() {
    let refusal = refused(
        "Recipient=\"https://sp.example.org/acs\"",
        "Recipient=\"https://other.example.org/acs\"",
    );
    assert!(
        matches!(
            refusal,
            Refusal::Place {
                what: "Recipient",
                ..
            }
        ),
        "{refusal}"
    );
    let refusal = refused(" Recipient=\"https://sp.example.org/acs\"", "");
    assert_eq!(refusal, Refusal::Missing("Recipient"));
    let elsewhere = honest().replace("Destination=\"https://sp", "Destination=\"https://other");
    let refusal = verify(&elsewhere, &peer()).unwrap_err();
    assert!(
        matches!(
            refusal,
            Refusal::Place {
                what: "Destination",
                ..
            }
        ),
        "{refusal}"
    );
}

#[test]
fn metadata_end_while_the_server_runs() {
    let until = |end| keystone_saml::sp::Peer {
        valid_until: Some(end),
        ..peer()
    };
    verify(&honest(), &until(now() + Duration::seconds(1))).unwrap();
    let refusal = verify(&honest(), &until(now())).unwrap_err();
    assert_eq!(refusal, Refusal::Outdated(now()));
}

#[test]
fn another_audience_is_refused() {
    let audience = "<saml:Audience>https://sp.example.org</saml:Audience>";
    let refusal = refused(
        audience,
        "<saml:Audience>https://sp.example.org.evil</saml:Audience>",
    );
    assert!(matches!(refusal, Refusal::Audience { .. }), "{refusal}");
    let restriction = format!("<saml:AudienceRestriction>{audience}</saml:AudienceRestriction>");
    assert_eq!(
        refused(&restriction, ""),
        Refusal::Missing("AudienceRestriction")
    );
    // Each restriction must hold.
    let two = format!(
        "{restriction}<saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction>"
    );
    assert!(matches!(
        refused(&restriction, &two),
        Refusal::Audience { .. }
    ));
}

#[test]
fn conditions_are_needed_and_known() {
    let start = ASSERTION.find("<saml:Conditions").unwrap();
    let end = ASSERTION.find("</saml:Conditions>").unwrap() + "</saml:Conditions>".len();
    let conditions = &ASSERTION[start..end];
    assert_eq!(refused(conditions, ""), Refusal::Missing("Conditions"));
    let unknown = conditions.replace(
        "</saml:Conditions>",
        "<saml:Condition></saml:Condition></saml:Conditions>",
    );
    assert_eq!(refused(conditions, &unknown), Refusal::Condition);
    let once = conditions.replace(
        "</saml:Conditions>",
        "<saml:OneTimeUse></saml:OneTimeUse></saml:Conditions>",
    );
    verify(&changed(conditions, &once), &peer()).unwrap();
    let mut keystone = peer();
    keystone.is_keystone = true;
    verify(&changed(conditions, ""), &keystone).unwrap();
}

#[test]
fn another_issuer_is_refused() {
    let refusal = refused(
        "<saml:Issuer>https://idp.example.org",
        "<saml:Issuer>https://idp2.example.org",
    );
    assert!(matches!(refusal, Refusal::Issuer { .. }), "{refusal}");
    let outer = "<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">https://idp2.example.org</saml:Issuer>";
    let text = honest().replace("<samlp:Status>", &format!("{outer}<samlp:Status>"));
    assert!(matches!(
        verify(&text, &peer()),
        Err(Refusal::Issuer { .. })
    ));
}

#[test]
fn times_hold_with_the_skew_and_no_longer() {
    let minutes = |text: &str| text.parse().unwrap();
    let at = |now| verify_as(&honest(), &peer(), Some(REQUEST), now);
    at(minutes("2026-11-26T11:59:00")).unwrap();
    at(minutes("2026-11-26T12:05:59")).unwrap();
    assert!(matches!(
        at(minutes("2026-11-26T11:58:59")),
        Err(Refusal::NotYet(_))
    ));
    assert!(matches!(
        at(minutes("2026-11-26T12:06:00")),
        Err(Refusal::Expired(_))
    ));
}

#[test]
fn each_time_counts() {
    let end = "NotOnOrAfter=\"2026-11-26T12:05:00Z\"";
    let past = "NotOnOrAfter=\"2026-11-26T11:00:00Z\"";
    let data = format!("{end} Recipient");
    assert_eq!(
        refused(&data, &format!("{past} Recipient")),
        Refusal::Expired("NotOnOrAfter of its subject")
    );
    assert_eq!(
        refused(&data, "Recipient"),
        Refusal::Missing("NotOnOrAfter of its subject")
    );
    let conditions = format!("{end}><saml:Aud");
    assert_eq!(
        refused(&conditions, &format!("{past}><saml:Aud")),
        Refusal::Expired("NotOnOrAfter of its conditions")
    );
    let begin = "NotBefore=\"2026-11-26T12:00:00Z\"";
    let future = "NotBefore=\"2026-11-26T13:00:00Z\"";
    assert_eq!(
        refused(begin, future),
        Refusal::NotYet("NotBefore of its conditions")
    );
    let subject = format!("{future} {data}");
    assert_eq!(
        refused(&data, &subject),
        Refusal::NotYet("NotBefore of its subject")
    );
    let issued = "IssueInstant=\"2026-11-26T12:00:00Z\"";
    assert_eq!(
        refused(issued, "IssueInstant=\"2026-11-26T13:00:00Z\""),
        Refusal::NotYet("IssueInstant")
    );
    let session =
        "AuthnInstant=\"2026-11-26T12:00:00Z\" SessionNotOnOrAfter=\"2026-11-26T11:00:00Z\"";
    assert_eq!(
        refused("AuthnInstant=\"2026-11-26T12:00:00Z\"", session),
        Refusal::Expired("SessionNotOnOrAfter")
    );
    for unreadable in [
        "yesterday",
        "2026-11-26T12:00:00",
        "2026-11-26T12:00:00+05:00",
    ] {
        let refusal = refused(issued, &format!("IssueInstant=\"{unreadable}\""));
        assert_eq!(refusal, Refusal::Time("IssueInstant"), "{unreadable}");
    }
}

#[test]
fn it_must_answer_the_request() {
    let answers = "InResponseTo=\"_request\" ";
    assert_eq!(
        refused(answers, "InResponseTo=\"_other\" "),
        Refusal::OtherRequest
    );
    assert_eq!(refused(answers, ""), Refusal::OtherRequest);
    let outer = honest().replace(
        "InResponseTo=\"_request\" IssueInstant",
        "InResponseTo=\"_other\" IssueInstant",
    );
    assert_eq!(verify(&outer, &peer()), Err(Refusal::OtherRequest));
    // A client that brings no state may have been sent here by somebody else.
    assert_eq!(
        verify_as(&honest(), &peer(), None, now()),
        Err(Refusal::OtherRequest)
    );
}

#[test]
fn an_answer_to_no_request_is_taken_from_who_may_begin() {
    let assertion = ASSERTION.replace("InResponseTo=\"_request\" ", "");
    let text = bare(&signed(&assertion, "_a", &key())).replace(" InResponseTo=\"_request\"", "");
    assert_eq!(
        verify_as(&text, &peer(), None, now()),
        Err(Refusal::Unsolicited)
    );
    let mut beginner = peer();
    beginner.allow_unsolicited = true;
    verify_as(&text, &beginner, None, now()).unwrap();
    assert_eq!(
        verify_as(&honest(), &beginner, None, now()),
        Err(Refusal::OtherRequest)
    );
}

#[test]
fn a_failure_is_told() {
    let success = "urn:oasis:names:tc:SAML:2.0:status:Success\">";
    let failure = "urn:oasis:names:tc:SAML:2.0:status:Responder\"><samlp:StatusCode Value=\"urn:x:AuthnFailed\"/>";
    let text = bare("").replace(success, failure);
    let refusal = verify(&text, &peer()).unwrap_err();
    assert!(
        refusal
            .to_string()
            .ends_with("status:Responder, urn:x:AuthnFailed\""),
        "{refusal}"
    );
}

#[test]
fn somebody_must_have_authenticated_as_bearer() {
    let statement =
        "<saml:AuthnStatement AuthnInstant=\"2026-11-26T12:00:00Z\"></saml:AuthnStatement>";
    assert_eq!(refused(statement, ""), Refusal::Missing("AuthnStatement"));
    assert_eq!(
        refused("cm:bearer", "cm:holder-of-key"),
        Refusal::Missing("SubjectConfirmation for a bearer")
    );
}

#[test]
fn attributes_have_the_names_of_mellon_and_of_shib() {
    let login = verify(&honest(), &peer()).unwrap();
    let names: Vec<_> = login
        .attributes
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let expected = [
        "MELLON_IDP",
        "Shib-Identity-Provider",
        "MELLON_NAME_ID",
        "REMOTE_USER",
        "MELLON_urn:oid:uid",
        "urn:oid:uid",
        "uid",
        "MELLON_groups",
        "groups",
    ];
    assert_eq!(names, expected);
    assert_eq!(values(&login, "Shib-Identity-Provider").unwrap(), [IDP]);
    assert_eq!(values(&login, "MELLON_groups").unwrap(), ["devs", "ops"]);
}

#[test]
fn an_attribute_is_never_taken_for_what_others_vouch_for() {
    for name in [
        "IDP",
        "NAME_ID",
        "MELLON_IDP",
        "REMOTE_USER",
        "Shib-Identity-Provider",
        "HTTP_X",
    ] {
        let text = changed("Name=\"groups\"", &format!("Name=\"{name}\""));
        let login = verify(&text, &peer()).unwrap();
        for (own, value) in [
            ("MELLON_IDP", IDP),
            ("Shib-Identity-Provider", IDP),
            ("REMOTE_USER", "alice"),
            ("MELLON_NAME_ID", "alice"),
        ] {
            assert_eq!(values(&login, own).unwrap(), [value], "{name}");
        }
        assert_eq!(values(&login, "HTTP_X"), None);
    }
}

#[test]
fn values_of_one_name_add_up() {
    let uid = "FriendlyName=\"uid\" Name=\"urn:oid:uid\"";
    let login = verify(&changed(uid, "Name=\"groups\""), &peer()).unwrap();
    assert_eq!(values(&login, "groups").unwrap(), ["alice", "devs", "ops"]);
}

#[test]
fn an_assertion_is_remembered_for_as_long_as_it_would_be_taken() {
    let once = verify(&honest(), &peer()).unwrap().once;
    let end: chrono::NaiveDateTime = "2026-11-26T12:05:00".parse().unwrap();
    assert_eq!(once.until, end + Duration::seconds(60));
    assert_eq!(once.hash.len(), 64);
    assert_eq!(verify(&honest(), &peer()).unwrap().once.hash, once.hash);
    // The latest confirmation that holds decides.
    let short = "<saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
        <saml:SubjectConfirmationData InResponseTo=\"_request\" NotOnOrAfter=\"2026-11-26T12:02:00Z\" \
        Recipient=\"https://sp.example.org/acs\"></saml:SubjectConfirmationData></saml:SubjectConfirmation>";
    let subject = "</saml:NameID>";
    let two = changed(subject, &format!("{subject}{short}"));
    assert_eq!(verify(&two, &peer()).unwrap().once.until, once.until);
    let other = ASSERTION.replace("ID=\"_a\"", "ID=\"_b\"");
    let other = bare(&signed(&other, "_b", &key()));
    assert_ne!(verify(&other, &peer()).unwrap().once.hash, once.hash);
}
