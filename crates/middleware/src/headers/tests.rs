use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Recorded {
    tokens: Vec<Recording>,
    stripped: Vec<String>,
}

#[derive(Deserialize)]
struct Recording {
    name: String,
    body: Value,
    headers: BTreeMap<String, BTreeMap<String, String>>,
}

fn recorded() -> Recorded {
    serde_json::from_str(include_str!("../../tests/python.json")).unwrap()
}

fn as_text(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
    let each = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)));
    each.collect()
}

fn fits_into_a_header(value: &str) -> bool {
    HeaderValue::from_bytes(value.as_bytes()).is_ok()
}

#[test]
fn tokens_become_the_headers_that_they_become_in_python() {
    for Recording {
        name,
        body,
        headers,
    } in recorded().tokens
    {
        let token = TokenInfo::from_body(body.to_string().as_bytes()).unwrap();
        for (kind, set) in [
            ("user", set_user as fn(&mut _, &_)),
            ("service", set_service),
        ] {
            let mut expected = headers[kind].clone();
            // A name with a line break is left out: HTTP can't carry it.
            expected.retain(|_, value| fits_into_a_header(value));
            // Python overwrites the scope of the user's token with that of the service's.
            if kind == "service" {
                expected.remove("openstack-system-scope");
            }
            let mut made = HeaderMap::new();
            set(&mut made, &token);
            assert_eq!(as_text(&made), expected, "{kind} of {name}");
            let mut again = HeaderMap::new();
            set(&mut again, &token);
            assert_eq!(again, made, "they are the same the next time");
        }
    }
}

#[test]
fn everything_that_is_set_or_that_python_strips_is_stripped() {
    let mut headers = HeaderMap::new();
    let recorded = recorded();
    for name in &recorded.stripped {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), INVALID);
    }
    assert_eq!(headers.len(), 31);
    for recording in &recorded.tokens {
        let token = TokenInfo::from_body(recording.body.to_string().as_bytes()).unwrap();
        set_user(&mut headers, &token);
        set_service(&mut headers, &token);
    }
    headers.insert(STATUS, CONFIRMED);
    headers.insert(SERVICE_STATUS, CONFIRMED);
    strip(&mut headers);
    assert_eq!(as_text(&headers), BTreeMap::new());
}

#[test]
fn forged_headers_are_stripped_in_every_spelling() {
    for name in FORGEABLE {
        let spellings = [
            name.to_owned(),
            name.to_uppercase(),
            name.replace('-', "_"),
            name.replacen('-', "_", 1),
            name.replace('-', "."),
        ];
        for spelling in spellings {
            let mut headers = HeaderMap::new();
            let spelt = HeaderName::from_bytes(spelling.as_bytes()).unwrap();
            headers.append(&spelt, CONFIRMED);
            headers.append(&spelt, INVALID);
            headers.insert("accept", INVALID);
            strip(&mut headers);
            assert_eq!(headers.len(), 1, "{spelling}");
        }
    }
}

#[test]
fn tokens_stay_in_their_proper_spelling_only() {
    let mut headers = HeaderMap::new();
    for name in TOKENS {
        let respelt = name.as_str().replacen('-', "_", 1);
        let respelt = HeaderName::from_bytes(respelt.as_bytes()).unwrap();
        headers.insert(name, CONFIRMED);
        headers.insert(respelt, CONFIRMED);
    }
    strip(&mut headers);
    let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["x-auth-token", "x-service-token", "x-storage-token"]);
}

#[test]
fn other_headers_stay() {
    let others = [
        "x-forwarded-for",
        "x-request-id",
        "x-image-meta-name",
        "x-user-agent",
        "x-rolesy",
        "x",
        "openstack-api-version",
        "x-service-project-domain-names",
        "origin",
        "xx-roles",
        "x-subject-token",
        "x-openstack-request-id",
    ];
    let mut headers = HeaderMap::new();
    for name in others {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), CONFIRMED);
    }
    strip(&mut headers);
    assert_eq!(headers.len(), others.len());
}

#[test]
fn the_names_are_in_order_and_fit() {
    assert!(FORGEABLE.is_sorted());
    let lengths = FORGEABLE.iter().map(|name| name.len());
    assert_eq!(lengths.max(), Some(LONGEST));
    assert!(TOKENS.iter().all(|name| name.as_str().len() <= LONGEST));
}
