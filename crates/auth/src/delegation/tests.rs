use super::*;
use crate::oauth1::RoleIds;

fn token(origin: Origin, methods: &[&str]) -> Token {
    Token {
        user_id: "u".to_owned(),
        methods: methods.iter().map(ToString::to_string).collect(),
        scope: ScopeIds::Project("p".to_owned()),
        origin,
        issued_at: chrono::NaiveDateTime::default(),
        expires_at: chrono::NaiveDateTime::default(),
        audit_ids: vec!["own".to_owned(), "root".to_owned()],
    }
}

fn federation() -> Federation {
    Federation {
        group_ids: vec!["g".to_owned()],
        identity_provider_id: "idp".to_owned(),
        protocol_id: "mapped".to_owned(),
    }
}

fn federated() -> Origin {
    Origin::Federated(federation())
}

/// Every record that stands for a delegation, with the delegation and its member of the body.
fn delegations() -> [(Backing, Delegation<'static>, Value); 4] {
    let id = || "d".to_owned();
    let trust = Trust::named("d");
    let credential = ApplicationCredential {
        id: id(),
        name: "n".to_owned(),
        description: None,
        user_id: "u".to_owned(),
        project_id: None,
        system: None,
        expires_at: None,
        unrestricted: None,
        access_rules: Vec::new(),
        role_ids: Vec::new(),
        secret_hash: "h".into(),
    };
    let access = AccessToken {
        id: id(),
        secret: "s".into(),
        authorizing_user_id: "u".to_owned(),
        project_id: "p".to_owned(),
        role_ids: RoleIds(Vec::new()),
        consumer_id: "c".to_owned(),
        expires_at: None,
    };
    [
        (
            Backing::Trust(trust.into()),
            Delegation::Trust("d"),
            json!({ "OS-TRUST:trust": {
                "id": "d",
                "impersonation": true,
                "trustee_user": { "id": "tee" },
                "trustor_user": { "id": "tor" },
            } }),
        ),
        (
            Backing::ApplicationCredential(credential.into()),
            Delegation::ApplicationCredential("d"),
            json!({ "application_credential": { "id": "d", "name": "n", "restricted": true } }),
        ),
        (
            Backing::AccessToken(access.into()),
            Delegation::AccessToken("d"),
            json!({ "OS-OAUTH1": { "access_token_id": "d", "consumer_id": "c" } }),
        ),
        (
            Backing::Certificate {
                thumbprint: id(),
                domain_id: None,
            },
            Delegation::Unnamed,
            json!({ "oauth2_credential": { "x5t#S256": "d" } }),
        ),
    ]
}

#[test]
fn methods_decide_where_the_origin_is_the_users_own() {
    let settings = Settings {
        additional_primary_methods: vec!["sso".to_owned(), EC2.to_owned()],
        ..Settings::default()
    };
    for (methods, expected) in [
        (["password"].as_slice(), Delegation::None),
        (&["password", "token", "totp"], Delegation::None),
        (&["sso"], Delegation::None),
        (&["mapped"], Delegation::None),
        (&[], Delegation::Unnamed),
        (&["other"], Delegation::Unnamed),
        (&["password", "application_credential"], Delegation::Unnamed),
        (&["oauth1", "token"], Delegation::Unnamed),
        (&[EC2], Delegation::Unnamed),
        (&["oauth2_credential"], Delegation::Unnamed),
    ] {
        for origin in [Origin::User, federated()] {
            let token = token(origin, methods);
            assert_eq!(Delegation::of(&token, &settings), expected, "{methods:?}");
        }
    }
}

#[test]
fn the_origin_decides_whatever_the_methods_are() {
    let settings = Settings::default();
    for (backing, expected, _) in delegations() {
        assert!(!takes_default_project(&backing), "{expected:?}");
        let token = token(backing.origin(), &["password"]);
        assert_eq!(Delegation::of(&token, &settings), expected);
        let exchanged = exchange(&token, &RequestedScope::Unscoped, &settings);
        assert_eq!(exchanged.unwrap_err().status(), 403, "{expected:?}");
    }
}

#[test]
fn a_federated_token_is_exchanged_for_a_federated_one_whatever_its_methods_and_scope() {
    let settings = Settings {
        allow_rescope_scoped_token: false,
        ..Settings::default()
    };
    let exchanged = exchange(
        &token(federated(), &["other"]),
        &RequestedScope::Unscoped,
        &settings,
    );
    let exchanged = exchanged.unwrap();
    assert_eq!(exchanged.backing.origin(), federated());
    assert_eq!(exchanged.chain, None);
    let own = exchange(
        &token(Origin::User, &["password"]),
        &RequestedScope::Unscoped,
        &Settings::default(),
    );
    assert_eq!(own.unwrap().chain.as_deref(), Some("root"));
}

#[test]
fn the_body_names_the_origin() {
    for (backing, _, expected) in delegations() {
        let mut body = Map::new();
        describe(&backing, &mut body);
        assert_eq!(Value::Object(body), expected);
    }
    let user = json!({ "id": "u", "password_expires_at": null });
    let mut body = Map::from_iter([("user".to_owned(), user)]);
    describe(&Backing::Federated(federation()), &mut body);
    let federation = json!({
        "groups": [{ "id": "g" }], "identity_provider": { "id": "idp" }, "protocol": { "id": "mapped" },
    });
    let user = json!({ "id": "u", "OS-FEDERATION": federation });
    assert_eq!(Value::Object(body), json!({ "user": user }));
}

#[test]
fn a_receipt_stands_for_no_delegation() {
    let names =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(ToString::to_string).collect() };
    let check = |earlier: &[&str], now: &[&str]| {
        let earlier: Vec<String> = names(earlier).into_iter().collect();
        check_receipt(&earlier, &names(now)).is_ok()
    };
    for primary in ["password", "token", "totp", "external", "mapped"] {
        assert!(check(&[primary], &["totp"]), "{primary}");
    }
    for delegated in [
        "application_credential",
        "oauth1",
        "oauth2_credential",
        "ec2credential",
    ] {
        assert!(!check(&["password", delegated], &["totp"]), "{delegated}");
        assert!(check(&["password", delegated], &["totp", delegated]));
        assert!(check(&["password"], &["totp", delegated]));
    }
}
