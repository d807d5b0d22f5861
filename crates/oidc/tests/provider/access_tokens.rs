//! Access tokens that are verified here.

use aws_lc_rs::hmac;
use keystone_oidc::{Algorithm, Refusal};
use serde_json::{Value, json};

use crate::signer::{Signer, encoded, unsigned};
use crate::world::{CLIENT, NOW, World, changed, refusal};

#[tokio::test]
async fn claims_become_attributes_with_the_names_of_the_apache_module() {
    let world = World::new().await;
    let token = world.token(&json!({
        "client_id": null, "iat": null, "exp": NOW + 300,
        "admin": true, "level": 3, "nothing": null,
        "realm_access": {"roles": ["reader"]},
        "https://example.org/team": "a",
    }));
    let claims = world.client(|_| {}).bearer(&token).await.unwrap();
    assert_eq!(
        (claims.issuer(), claims.subject()),
        (&*world.issuer, Some("alice"))
    );
    let attributes = claims.attributes();
    let get = |name: &str| {
        let mut found = attributes.iter().filter(|(known, _)| known == name);
        let (_, values) = found
            .next()
            .unwrap_or_else(|| panic!("{name}: {attributes:?}"));
        assert!(found.next().is_none());
        values.join("|")
    };
    assert_eq!(get("REMOTE_USER"), format!("alice@{}", world.issuer));
    for name in ["OIDC-iss", "HTTP_OIDC_ISS"] {
        assert_eq!(get(name), world.issuer);
    }
    for name in ["OIDC-groups", "HTTP_OIDC_GROUPS"] {
        assert_eq!(get(name), "devs|ops");
    }
    assert_eq!(get("OIDC-admin"), "1");
    assert_eq!(get("HTTP_OIDC_LEVEL"), "3");
    assert_eq!(get("OIDC-realm_access"), r#"{"roles":["reader"]}"#);
    assert_eq!(get("OIDC-realm_access.roles"), "reader");
    assert_eq!(get("HTTP_OIDC_REALM_ACCESS.ROLES"), "reader");
    assert_eq!(get("OIDC-https---example.org-team"), "a");
    assert_eq!(get("HTTP_OIDC_HTTPS___EXAMPLE.ORG_TEAM"), "a");
    assert!(!attributes.iter().any(|(name, _)| name.contains("nothing")));
}

#[tokio::test]
async fn every_algorithm_is_verified() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let keys: Vec<_> = Algorithm::ALL
        .iter()
        .map(|algorithm| Signer::new(algorithm.name(), algorithm.name()))
        .collect();
    world.publish(&keys.iter().collect::<Vec<_>>());
    for key in &keys {
        let header = json!({"alg": key.kid, "typ": "application/at+jwt", "kid": key.kid});
        let token = key.sign(&header, &world.claims());
        client.bearer(&token).await.unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let mut other = signature.to_owned().into_bytes();
        other[10] = if other[10] == b'A' { b'B' } else { b'A' };
        let forged = format!("{message}.{}", String::from_utf8(other).unwrap());
        assert_eq!(refusal(client.bearer(&forged).await), Refusal::Signature);
    }
}

#[tokio::test]
async fn a_token_that_says_something_wrong_is_refused() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let mut cases: Vec<(Value, Refusal)> = Vec::new();
    let mut case = |changes, refusal| cases.push((changes, refusal));
    let audience = |found: &str| Refusal::Audience {
        found: format!("{found:?}"),
        expected: CLIENT.into(),
    };
    case(json!({"aud": "nova"}), audience("nova"));
    case(json!({"aud": ["nova", "glance"]}), audience("nova glance"));
    case(json!({"aud": [CLIENT, 7]}), audience(""));
    case(json!({"aud": null}), audience(""));
    case(
        json!({"iss": format!("{}/", world.issuer)}),
        Refusal::Issuer {
            found: format!("{:?}", format!("{}/", world.issuer)),
            expected: world.issuer.clone(),
        },
    );
    case(json!({"iss": null}), Refusal::Claim("iss"));
    case(json!({"exp": NOW - 60}), Refusal::Expired { by: 60 });
    case(json!({"exp": null}), Refusal::Claim("exp"));
    case(json!({"exp": "tomorrow"}), Refusal::Claim("exp"));
    case(json!({"exp": 1e300}), Refusal::Claim("exp"));
    case(json!({"nbf": NOW + 61}), Refusal::NotYetValid { by: 61 });
    case(json!({"iat": NOW + 61}), Refusal::NotYetValid { by: 61 });
    case(json!({"cnf": {"jkt": "x"}}), Refusal::Bound);
    for (changes, expected) in cases {
        let token = world.token(&changes);
        assert_eq!(refusal(client.bearer(&token).await), expected, "{changes}");
    }
    // Just good enough.
    for changes in [
        json!({"exp": NOW - 59}),
        json!({"exp": 1_800_000_000.5}),
        json!({"nbf": NOW + 60, "iat": NOW + 60}),
        json!({"aud": ["nova", CLIENT]}),
    ] {
        client.bearer(&world.token(&changes)).await.unwrap();
    }
}

#[tokio::test]
async fn the_allowed_difference_of_the_clocks_can_be_chosen() {
    let world = World::new().await;
    let token = world.token(&json!({"exp": NOW - 100}));
    let strict = world.client(|settings| settings.max_clock_skew = std::time::Duration::ZERO);
    assert_eq!(
        refusal(strict.bearer(&token).await),
        Refusal::Expired { by: 100 }
    );
    let patient = world.client(|settings| {
        settings.max_clock_skew = std::time::Duration::from_secs(101);
    });
    patient.bearer(&token).await.unwrap();
}

#[tokio::test]
async fn a_text_that_nobody_signed_is_refused() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let good = world.token(&json!({}));
    let [head, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        unreachable!()
    };
    for text in [
        "",
        "..",
        "opaque",
        head,
        &format!("{head}.{payload}"),
        &format!("{head}.{payload}.{signature}="),
        &format!("{head}.{payload}.{signature}.x"),
        &format!(" {good}"),
        &format!("{}.{payload}.{signature}", encoded(b"[]")),
        &format!(
            "{}.{payload}.{signature}",
            encoded(br#"{"alg":"ES256","alg":"none"}"#)
        ),
        &"x".repeat(70_000),
    ] {
        let refused = refusal(client.bearer(text).await);
        assert!(
            matches!(refused, Refusal::Malformed(_)),
            "{text}: {refused}"
        );
    }
    let encrypted = refusal(client.bearer(&format!("{good}.x.x")).await);
    assert_eq!(encrypted, Refusal::Encrypted);
    let other = unsigned(&json!({"alg": "ES256", "typ": "at+jwt"}), &world.claims());
    let moved = refusal(client.bearer(&format!("{other}.{signature}")).await);
    assert_eq!(moved, Refusal::Signature);
}

#[tokio::test]
async fn neither_no_signature_nor_one_with_the_public_key_as_secret_counts() {
    let world = World::new().await;
    let client = world.client(|_| {});
    for name in ["none", "None", "NONE", ""] {
        let message = unsigned(&json!({"alg": name, "typ": "at+jwt"}), &world.claims());
        let refused = refusal(client.bearer(&format!("{message}.")).await);
        assert_eq!(refused, Refusal::Algorithm(format!("{name:?}")));
    }
    let secrets = [
        world.key.public_bytes(),
        world.key.jwk().to_string().into_bytes(),
        b"s3cr:t/+".to_vec(),
    ];
    for secret in secrets {
        let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": "k1"});
        let message = unsigned(&header, &world.claims());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signature = encoded(hmac::sign(&key, message.as_bytes()).as_ref());
        let refused = refusal(client.bearer(&format!("{message}.{signature}")).await);
        assert_eq!(refused, Refusal::Algorithm("\"HS256\"".into()));
    }
    assert!(world.asked().is_empty(), "nobody is asked about those");
}

#[tokio::test]
async fn an_algorithm_that_the_operator_does_not_allow_is_refused() {
    let world = World::new().await;
    let client = world.client(|settings| settings.algorithms = vec![Algorithm::Rs256]);
    let refused = refusal(client.bearer(&world.token(&json!({}))).await);
    assert_eq!(refused, Refusal::Algorithm("\"ES256\"".into()));
}

#[tokio::test]
async fn a_key_serves_its_own_algorithms_only() {
    let world = World::new().await;
    let client = world.client(|_| {});
    let rsa = Signer::new("RS256", "rsa");
    let mut named = rsa.jwk();
    named["alg"] = "RS256".into();
    let mut for_secrets = rsa.jwk();
    for_secrets["kid"] = "enc".into();
    for_secrets["use"] = "enc".into();
    let shared = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "oct"});
    let keys = json!({"keys": [named, for_secrets, shared, "x", {"kty": "EC", "crv": "P-256"}]});
    world.reply("/op/jwks", crate::world::Reply::Json(200, keys));
    let sign = |alg: &str, kid: &str| {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": kid});
        rsa.sign(&header, &world.claims())
    };
    client.bearer(&sign("RS256", "rsa")).await.unwrap();
    for (alg, kid) in [
        ("PS256", "rsa"),
        ("RS512", "rsa"),
        ("ES256", "rsa"),
        ("RS256", "enc"),
        ("RS256", "oct"),
    ] {
        let refused = refusal(client.bearer(&sign(alg, kid)).await);
        let kid = format!("{kid:?}");
        let Refusal::UnknownKey { kid: named, .. } = refused else {
            panic!("{alg} {kid}: {refused}")
        };
        assert_eq!(named, kid);
    }
}

#[tokio::test]
async fn critical_headers_are_refused() {
    let world = World::new().await;
    let header = json!({"alg": "ES256", "typ": "at+jwt", "crit": ["b64"], "b64": false});
    let token = world.key.sign(&header, &world.claims());
    let refused = refusal(world.client(|_| {}).bearer(&token).await);
    assert_eq!(refused, Refusal::Critical);
}

#[tokio::test]
async fn an_access_token_says_that_it_is_one_or_for_which_audience() {
    let world = World::new().await;
    let plain = world.client(|_| {});
    let with_audience = world.client(|settings| settings.audience = vec!["cloud".into()]);
    let own = world.client(|settings| settings.audience = vec![CLIENT.into()]);
    let sign = |typ: Value, changes: Value| {
        let header = changed(json!({"alg": "ES256", "kid": "k1"}), &json!({ "typ": typ }));
        world.key.sign(&header, &changed(world.claims(), &changes))
    };
    for typ in [json!("JWT"), json!(null)] {
        let token = sign(typ.clone(), json!({}));
        let refused = refusal(plain.bearer(&token).await);
        assert!(matches!(refused, Refusal::Type { .. }), "{refused}");
        own.bearer(&token).await.unwrap();
        let token = sign(typ.clone(), json!({"aud": "cloud"}));
        with_audience.bearer(&token).await.unwrap();
        // Tokens of the same provider that are for something else.
        for changes in [
            json!({"nonce": "n"}),
            json!({"at_hash": "h"}),
            json!({"events": {}}),
            json!({"typ": "ID"}),
            json!({"typ": "Refresh"}),
        ] {
            let refused = refusal(own.bearer(&sign(typ.clone(), changes.clone())).await);
            assert!(
                matches!(refused, Refusal::Type { .. }),
                "{changes}: {refused}"
            );
        }
    }
    for typ in ["logout+jwt", "dpop+jwt", "token-introspection+jwt"] {
        let refused = refusal(own.bearer(&sign(json!(typ), json!({}))).await);
        assert!(matches!(refused, Refusal::Type { .. }), "{typ}: {refused}");
    }
}

#[tokio::test]
async fn a_token_of_a_program_has_no_subject() {
    let world = World::new().await;
    let token = world.token(&json!({"sub": null}));
    let claims = world.client(|_| {}).bearer(&token).await.unwrap();
    assert_eq!(claims.subject(), None);
    let attributes = claims.attributes();
    let names: Vec<_> = attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.contains(&"REMOTE_USER"), "{names:?}");
    assert!(names.contains(&"HTTP_OIDC_CLIENT_ID"), "{names:?}");
}

#[tokio::test]
async fn what_the_operator_reads_is_one_short_line_without_the_token() {
    let world = World::new().await;
    let token = world.token(&json!({"aud": format!("a\nb{}", "x".repeat(500))}));
    let error = world.client(|_| {}).bearer(&token).await.unwrap_err();
    let line = error.to_string();
    assert!(line.contains(r#"for "a\nbxx"#), "{line}");
    assert!(line.len() < 400 && !line.contains('\n'), "{line}");
    assert!(!line.contains(&token), "{line}");
}
