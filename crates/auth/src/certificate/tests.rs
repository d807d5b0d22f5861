//! Against what Keystone and OpenSSL read: `vectors.py` writes `vectors.json`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vector {
    pem: String,
    thumbprint: String,
    /// None where Keystone can't read the name.
    names: Option<BTreeMap<String, String>>,
    rfc2253: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()
}

#[test]
fn names_are_those_that_keystone_reads() {
    for vector in vectors() {
        let certificate = Certificate::from_variable(&vector.pem).unwrap();
        let found = certificate.oauth2_attributes().map(|attributes| {
            let subject = attributes.into_iter().filter_map(|(name, value)| {
                let name = name.strip_prefix("SSL_CLIENT_SUBJECT_DN_")?;
                Some((name.to_owned(), value))
            });
            subject.collect::<BTreeMap<_, _>>()
        });
        let expected = vector.names.map(|names| {
            let upper = names.into_iter();
            upper
                .map(|(name, value)| (name.to_uppercase(), value))
                .collect()
        });
        assert_eq!(found, expected, "{}", vector.rfc2253);
        assert_eq!(certificate.thumbprint(), vector.thumbprint);
    }
}

#[test]
fn distinguished_names_are_those_of_openssl() {
    for vector in vectors() {
        let environment = Environment::of_certificate(&der(&vector.pem)).unwrap();
        let name = environment.get("SSL_CLIENT_S_DN").unwrap_or_default();
        assert_eq!(name, vector.rfc2253);
        assert_eq!(environment.get("SSL_CLIENT_I_DN").unwrap_or_default(), name);
        assert_eq!(
            environment.get("SSL_CLIENT_CERT"),
            Some(vector.pem.as_str())
        );
    }
}

#[test]
fn each_attribute_has_a_variable_of_mod_ssl() {
    let environment = Environment::of_certificate(&der(&vectors()[1].pem)).unwrap();
    for (name, value) in [
        ("SSL_CLIENT_VERIFY", "SUCCESS"),
        ("SSL_CLIENT_S_DN_O", "Example, Inc."),
        ("SSL_CLIENT_S_DN_OU", "first"),
        ("SSL_CLIENT_S_DN_OU_1", "second"),
        ("SSL_CLIENT_S_DN_CN_0", "Zoë Li"),
        ("SSL_CLIENT_S_DN_Email", "zoe@example.test"),
        ("SSL_CLIENT_I_DN_UID", "42"),
    ] {
        assert_eq!(environment.get(name), Some(value), "{name}");
    }
}

#[test]
fn a_certificate_is_read_as_proxies_send_it() {
    let pem = &vectors()[0].pem;
    let in_apache = pem.replace('\n', " ");
    let in_nginx = pem
        .replace('+', "%2B")
        .replace(' ', "%20")
        .replace('\n', "%0A");
    let expected = Certificate::from_variable(pem);
    assert!(expected.is_some());
    for text in [in_apache, in_nginx] {
        assert_eq!(Certificate::from_variable(&text), expected);
    }
    for text in [
        "",
        "(null)",
        BEGIN,
        "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----",
    ] {
        assert_eq!(Certificate::from_variable(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in any::<Vec<u8>>()) {
        let _ = Environment::of_certificate(&bytes);
    }

    /// A changed byte leads everywhere in the structure.
    #[test]
    fn no_changed_certificate_makes_the_reader_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = der(&vectors()[1].pem);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Environment::of_certificate(&bytes);
        bytes.truncate(at);
        prop_assert!(Environment::of_certificate(&bytes).is_err());
    }
}
