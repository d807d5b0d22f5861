use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use chrono::{Duration, NaiveDateTime};
use keystone_types::{Error, Result, Secret, json};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use super::claim::Claim;
use super::{s3, signature};

/// A request with what Keystone made of it: `right`, `wrong`, or `fails` where it answers 500.
#[derive(Clone, Debug)]
struct Vector {
    protocol: String,
    secret: String,
    outcome: String,
    described: Value,
}

fn vectors() -> Vec<Vector> {
    let rows = json::read(include_str!("vectors.json")).unwrap();
    let rows = rows.as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| Vector {
        protocol: text(&row[0]),
        secret: text(&row[1]),
        outcome: text(&row[2]),
        described: row[3].clone(),
    })
    .collect()
}

fn claim(described: &Value) -> Result<Claim> {
    let body = Map::from_iter([("credentials".to_owned(), described.clone())]);
    Claim::parse(&body)
}

impl Vector {
    fn check(&self) -> Result<()> {
        let (claim, secret) = (claim(&self.described)?, Secret::from(self.secret.as_str()));
        match self.protocol.as_str() {
            "s3" => s3::check(&claim, &secret),
            _ => signature::check(&claim, &secret),
        }
    }

    fn outcome(&self) -> &'static str {
        match self.check() {
            Ok(()) => "right",
            Err(Error::Unauthorized { .. }) => "wrong",
            Err(Error::Validation(_)) => "fails",
            Err(other) => panic!("{other:?} for {self:?}"),
        }
    }
}

#[test]
fn signatures_are_right_where_they_are_in_python_keystone() {
    let mut different = Vec::new();
    for vector in vectors() {
        let found = vector.outcome();
        let refused = vector.outcome == "fails" && found == "wrong";
        if found != vector.outcome && !refused {
            different.push(format!("{found} instead of {vector:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn requests_without_a_time_and_of_the_future_do_not_expire() {
    for described in [
        json!({}),
        json!({ "params": {}, "headers": {} }),
        json!({ "params": { "Timestamp": "" } }),
        json!({ "params": { "Timestamp": null, "X-Amz-Date": false } }),
        json!({ "params": { "Timestamp": "2026-01-01T11:45:00Z" } }),
        json!({ "params": { "Timestamp": "9999-12-31T23:59:59" } }),
        json!({ "headers": { "X-Amz-Date": "20260101T114500Z" } }),
        json!({ "headers": { "x-amz-date": "20200101T114500Z" } }),
        json!({ "params": { "X-Amz-Date": "2026-01-01T13:45:00+02:00" } }),
    ] {
        age(&described).unwrap_or_else(|error| panic!("{error:?} for {described}"));
    }
}

#[test]
fn one_old_or_unreadable_time_is_enough_to_expire() {
    let old = "20260101T114459Z";
    for described in [
        json!({ "params": { "Timestamp": "2026-01-01T11:44:59Z" } }),
        json!({ "params": { "Timestamp": "0001-01-01T00:00:00Z" } }),
        json!({ "headers": { "X-Amz-Date": old } }),
        json!({ "params": { "X-Amz-Date": old } }),
        json!({ "params": { "Timestamp": "2026-01-01T12:00:00Z", "X-Amz-Date": old } }),
        json!({ "params": { "Timestamp": "2026-01-01T12:00:00Z" }, "headers": { "X-Amz-Date": old } }),
        json!({ "params": { "Timestamp": "yesterday" } }),
        json!({ "params": { "Timestamp": 5 } }),
        json!({ "params": { "Timestamp": ["2026-01-01T12:00:00Z"] } }),
        json!({ "headers": { "X-Amz-Date": "Thu, 01 Jan 2026 12:00:00 GMT" } }),
    ] {
        assert_eq!(age(&described).unwrap_err().status(), 401, "{described}");
    }
    for described in [json!({ "params": [] }), json!({ "headers": null })] {
        assert_eq!(age(&described).unwrap_err().status(), 400, "{described}");
    }
}

fn age(described: &Value) -> Result<()> {
    let mut described = described.clone();
    described["access"] = "a".into();
    let now: NaiveDateTime = "2026-01-01T12:00:00".parse().unwrap();
    claim(&described)?.check_age(now, Duration::minutes(15))
}

/// Puts another character into a place of a text.
fn mutated(text: &str, place: Index, other: char) -> String {
    let place = place.index(text.chars().count());
    let characters = text.chars().enumerate();
    characters
        .map(|(at, found)| match at == place {
            true if found == other => '\u{1}',
            true => other,
            false => found,
        })
        .collect()
}

/// The texts that the signature covers, by their paths.
fn covered(vector: &Vector) -> Vec<String> {
    let params = vector.described["params"].as_object();
    let version = &vector.described["params"]["SignatureVersion"];
    let is_covered = |name: &String| match version.as_str() {
        Some("0") => name == "Action" || name == "Timestamp",
        Some("1" | "2") => name != "SignatureMethod" && name != "SignatureVersion",
        _ => false,
    };
    let names = params
        .into_iter()
        .flat_map(Map::keys)
        .filter(|name| is_covered(name));
    let more: &[&str] = match version.as_str() {
        Some("0" | "1") => &[],
        Some("2") => &["/path"],
        _ => &["/path", "/body_hash"],
    };
    let params =
        names.map(|name| format!("/params/{}", name.replace('~', "~0").replace('/', "~1")));
    params.chain(more.iter().map(ToString::to_string)).collect()
}

fn right_ones() -> impl Strategy<Value = Vector> {
    let right = vectors().into_iter();
    let right = right.filter(|vector| vector.outcome == "right" && !vector.secret.is_empty());
    select(right.collect::<Vec<_>>())
}

/// Values of every type, with the names that matter among their keys.
fn values() -> impl Strategy<Value = Value> {
    const NAMES: &[&str] = &[
        "access",
        "signature",
        "params",
        "headers",
        "verb",
        "host",
        "path",
        "token",
        "body_hash",
        "SignatureVersion",
        "Timestamp",
        "Action",
        "Authorization",
        "X-Amz-Date",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-SignedHeaders",
    ];
    const TEXTS: &[&str] = &[
        "",
        "0",
        "1",
        "2",
        "AWS4-HMAC-SHA256",
        "a/b/c/d/aws4_request",
        "eA==",
        "[",
        "h:1",
        "20260101T120000Z",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host",
        "AWS4",
        "Boto/2.",
        "QVdTNA==",
    ];
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        select(TEXTS).prop_map(Value::from),
    ];
    leaves.prop_recursive(4, 64, 8, |inner| {
        let name = prop_oneof![4 => select(NAMES).prop_map(str::to_owned), 1 => ".{0,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..12)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_other_signature_is_right(vector in right_ones(), place: Index, other: char) {
        let mut vector = vector;
        let given = vector.described["signature"].as_str().unwrap_or_default().to_owned();
        for changed in [
            mutated(&given, place, other),
            format!("{given}{other}"),
            given[..given.len() - 1].to_owned(),
            given.to_uppercase() + " ",
        ] {
            vector.described["signature"] = changed.into();
            prop_assert_eq!(vector.outcome(), "wrong");
        }
    }

    #[test]
    fn no_other_secret_is_right(vector in right_ones(), place: Index, other: char) {
        let mut vector = vector;
        vector.secret = mutated(&vector.secret, place, other);
        prop_assert_eq!(vector.outcome(), "wrong");
    }

    #[test]
    fn nothing_else_was_signed(vector in right_ones(), which: Index, place: Index, other: char) {
        let mut vector = vector;
        if vector.protocol == "s3" {
            let token = vector.described["token"].as_str().unwrap_or_default();
            let Some(mut signed) = s3::decode(token).filter(|signed| !signed.is_empty()) else {
                return Ok(());
            };
            let place = place.index(signed.len());
            signed[place] ^= 1;
            vector.described["token"] = URL_SAFE.encode(signed).into();
        } else {
            let covered = covered(&vector);
            if covered.is_empty() {
                return Ok(());
            }
            let path = &covered[which.index(covered.len())];
            let Some(Value::String(text)) = vector.described.pointer_mut(path) else {
                return Ok(());
            };
            if text.is_empty() {
                text.push(other);
            } else {
                *text = mutated(text, place, other);
            }
        }
        prop_assert_ne!(vector.outcome(), "right");
    }

    #[test]
    fn whatever_is_sent_is_refused_as_the_clients_fault(value in values(), protocol in select(&["ec2", "s3"][..]), bare: bool) {
        let described = if bare { value } else {
            let mut described = json!({ "access": "a", "signature": "s" });
            if let (Value::Object(members), Value::Object(more)) = (&mut described, value) {
                members.extend(more);
            }
            described
        };
        let body = Map::from_iter([("credentials".to_owned(), described.clone())]);
        let Ok(claim) = Claim::parse(&body) else {
            return Ok(());
        };
        let secret = Secret::from("secret");
        let checked = match protocol {
            "s3" => s3::check(&claim, &secret),
            _ => signature::check(&claim, &secret),
        };
        let status = checked.expect_err("nobody guesses a signature").status();
        prop_assert!(matches!(status, 400 | 401), "{status} for {described}");
    }
}
