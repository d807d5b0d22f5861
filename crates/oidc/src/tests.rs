use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::claims::Claims;
use crate::error::{quoted, short};
use crate::jws::Unverified;
use crate::keys::Keys;
use crate::known::Document;
use crate::settings::trusted;
use crate::{AccessTokens, Algorithm, ClaimsFrom, Issuer, Provider, Settings, bearer_token};

#[test]
fn only_https_and_this_machine_are_asked() {
    for url in [
        "https://idp.example",
        "https://idp.example:8443/realms/cloud",
        "http://localhost:3000/",
        "http://127.0.0.1:3000",
        "http://127.8.8.8",
        "http://[::1]:3000/a?b=c",
    ] {
        assert!(trusted(url).is_some(), "{url}");
    }
    for url in [
        "",
        "/path",
        "idp.example",
        "http://idp.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "https://user:secret@idp.example",
        "https://idp.example/#x",
        "https://",
        "file:///etc/passwd",
        "ftp://localhost",
        "http://[::2]",
        "http://10.0.0.1",
    ] {
        assert!(trusted(url).is_none(), "{url}");
    }
    assert!("https://idp.example/?a".parse::<Issuer>().is_err());
}

#[test]
fn endpoints_of_this_machine_are_those_of_a_provider_on_it() {
    let endpoint = |issuer: &str, url: &str| {
        let document = json!({"issuer": issuer, "jwks_uri": url});
        let document: Document = serde_json::from_value(document).unwrap();
        document.jwks_uri().map(str::to_owned)
    };
    for issuer in ["http://127.0.0.1:3000", "https://idp.example"] {
        assert!(endpoint(issuer, "https://keys.example/").is_ok());
    }
    assert!(endpoint("http://127.0.0.1:3000", "http://[::1]:4000/").is_ok());
    for issuer in ["https://idp.example", "https://127.0.0.1"] {
        let error = endpoint(issuer, "http://127.0.0.1:9200/").unwrap_err();
        assert!(error.to_string().contains("without https"), "{error}");
    }
}

#[test]
fn settings_are_checked_by_name() {
    type Change = fn(&mut Settings);
    for name in ["none", "HS256", "hs512", "rs256", "", "EdDSA "] {
        let error = name.parse::<Algorithm>().unwrap_err();
        assert!(error.to_string().contains("never accepted"), "{error}");
    }
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.name().parse::<Algorithm>(), Ok(algorithm));
    }
    assert_eq!("Ed25519".parse::<Algorithm>(), Ok(Algorithm::EdDsa));
    assert_eq!("userinfo".parse::<ClaimsFrom>(), Ok(ClaimsFrom::Userinfo));
    assert_eq!("jwt".parse::<AccessTokens>(), Ok(AccessTokens::Jwt));
    assert!("token".parse::<ClaimsFrom>().is_err());
    assert!("JWT".parse::<AccessTokens>().is_err());
    let settings = |change: Change| {
        let mut settings = Settings::new("http://localhost".parse().unwrap(), "keystone");
        change(&mut settings);
        Provider::new(settings, keystone_types::Clock::system()).map(|_| ())
    };
    assert_eq!(settings(|_| {}), Ok(()));
    let wrong: [(Change, &str); 3] = [
        (|it| it.client_id.clear(), "client_id is needed"),
        (|it| it.algorithms.clear(), "algorithms is needed"),
        (
            |it| it.ca_file = Some("Cargo.toml".into()),
            "Cargo.toml: no certificate is in it",
        ),
    ];
    for (change, text) in wrong {
        assert_eq!(settings(change).unwrap_err().to_string(), text);
    }
}

#[test]
fn the_token_of_a_header_is_one_token() {
    for (header, token) in [
        ("Bearer abc", Some("abc")),
        ("bearer a-._~+/b==", Some("a-._~+/b==")),
        ("BEARER  abc ", Some("abc")),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearer =", None),
        ("Bearer a b", None),
        ("Bearer a,b", None),
        ("Bearer a=b", None),
        ("Basic abc", None),
        ("Bearerabc", None),
        ("", None),
    ] {
        assert_eq!(bearer_token(header), token, "{header:?}");
    }
}

#[test]
fn the_first_claim_counts_where_two_have_one_name() {
    let claims =
        json!({"sub": "a", "groups": ["x"], "Groups": ["y"], "a.b": "first", "a": {"b": "second"}});
    let Value::Object(claims) = claims else {
        unreachable!()
    };
    let claims = Claims::new("https://idp.example/realm", claims);
    let attributes = claims.attributes();
    let get = |name: &str| {
        let found = attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, values)| values.join("|"))
    };
    assert_eq!(get("REMOTE_USER").as_deref(), Some("a@idp.example/realm"));
    assert_eq!(get("OIDC-Groups").as_deref(), Some("y"));
    assert_eq!(get("HTTP_OIDC_GROUPS").as_deref(), Some("x"));
    assert_eq!(get("OIDC-a.b").as_deref(), Some("first"));
    assert_eq!(
        get("OIDC-iss").as_deref(),
        Some("https://idp.example/realm")
    );
}

#[test]
fn what_fits_is_quoted_as_it_is() {
    for text in ["", "it's \"a\\b\"", "\n\u{202e}ü", &"x".repeat(100)] {
        assert_eq!(quoted(text), format!("{text:?}"));
    }
    assert_eq!(
        quoted(&"ü".repeat(101)),
        format!("\"{}\"…", "ü".repeat(100))
    );
    // An escape is there as a whole, or not at all.
    let text = format!("{}\n", "x".repeat(99));
    assert_eq!(quoted(&text), format!("\"{}\"…", "x".repeat(99)));
    assert_eq!(short("no \"name\"\n"), "no \"name\"\\n");
}

#[test]
fn debug_shows_no_part_of_a_token() {
    let parts = ["eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0", "e30", "c2lnbmVk"];
    let text = parts.join(".");
    let token = Unverified::parse(&text, &Algorithm::ALL).unwrap();
    let expected = r#"Unverified { algorithm: EdDsa, kid: Some("k1"), .. }"#;
    assert_eq!(format!("{token:?}"), expected);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_is_signed(text in "\\PC*", dots in prop::collection::vec("[A-Za-z0-9_-]{0,20}", 3)) {
        prop_assert!(Unverified::parse(&text, &Algorithm::ALL).is_err());
        let keys = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let keys = Keys::parse(keys).unwrap();
        let text = dots.join(".");
        if let Ok(token) = Unverified::parse(&text, &Algorithm::ALL) {
            prop_assert!(keys.verify(&token).is_err());
        }
        let header = "eyJhbGciOiJFZERTQSJ9"; // {"alg":"EdDSA"}
        let text = format!("{header}.{}.{}", dots[1], dots[2]);
        if let Ok(token) = Unverified::parse(&text, &Algorithm::ALL) {
            prop_assert!(keys.verify(&token).is_err());
        }
    }

    #[test]
    fn any_set_of_keys_can_be_read(set in json_value(), member in json_value()) {
        let _ = Keys::parse(set.to_string().as_bytes());
        let set = json!({"keys": [set, {"kty": "RSA", "n": member, "e": "AQAB"}, {"kty": "EC", "crv": "P-256", "x": member}]});
        let _ = Keys::parse(set.to_string().as_bytes());
    }

    #[test]
    fn no_claim_has_the_name_of_something_else(members in prop::collection::btree_map("\\PC{0,6}", json_value(), 0..6)) {
        let members: Map<_, _> = members.into_iter().collect();
        let attributes = Claims::new("https://idp", members).attributes();
        let mut names: Vec<_> = attributes.iter().map(|(name, _)| name).collect();
        for name in &names {
            let is_claim = name.starts_with("OIDC-") || name.starts_with("HTTP_OIDC_");
            prop_assert!(is_claim || *name == "REMOTE_USER", "{}", name);
            prop_assert!(name.is_ascii(), "{}", name);
        }
        names.sort();
        let before = names.len();
        names.dedup();
        prop_assert_eq!(names.len(), before);
    }

    #[test]
    fn a_bearer_token_is_part_of_its_header(header in "(?i:bearer) *\\PC*|\\PC*") {
        if let Some(token) = bearer_token(&header) {
            prop_assert!(header.ends_with(token) || header.trim_end().ends_with(token));
            prop_assert!(token.is_ascii() && !token.contains(' '));
        }
    }

    #[test]
    fn what_is_quoted_is_short_and_on_one_line(text in "(?s).{0,400}") {
        let quoted = quoted(&text);
        prop_assert!(!quoted.contains(['\n', '\r']));
        prop_assert!(quoted.chars().count() <= 103, "{}", quoted);
        let short = short(&text);
        prop_assert!(!short.contains(|c: char| c.is_control()), "{}", short);
        prop_assert!(short.chars().count() <= 301, "{}", short);
    }
}
