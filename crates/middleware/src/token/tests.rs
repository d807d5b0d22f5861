use keystone_policy::Settings;

use super::*;

fn info(user: &str, role: &str) -> Arc<TokenInfo> {
    let domain = json!({"id": "d", "name": "D"});
    let body = json!({"token": {
        "user": {"id": user, "name": user, "domain": domain},
        "project": {"id": "p", "name": "P", "domain": domain},
        "roles": [{"id": role, "name": role}],
        "issued_at": "2026-01-31T12:00:00.000000Z",
        "expires_at": "2026-01-31T13:00:00.000000Z",
    }});
    TokenInfo::from_body(body.to_string().as_bytes())
        .unwrap()
        .into()
}

fn policy(text: &str) -> Arc<Enforcer> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let settings = Settings {
        file: Some(file.path().into()),
        ..Settings::default()
    };
    Enforcer::with_defaults(Vec::new(), settings)
        .unwrap()
        .into()
}

#[test]
fn rules_know_what_oslo_context_tells_them() {
    let (alice, nova) = (info("alice", "member"), info("nova", "service"));
    let alone = Token::new(Arc::clone(&alice), None, None).policy_credentials();
    let expected = json!({
        "user_id": "alice", "user_domain_id": "d", "system_scope": null, "domain_id": null, "project_id": "p",
        "project_domain_id": "d", "roles": ["member"], "is_admin_project": true, "service_user_id": null,
        "service_user_domain_id": null, "service_project_id": null, "service_project_domain_id": null,
        "service_roles": [],
    });
    assert_eq!(*alone, expected);
    let by_nova = Token::new(alice, Some(nova), None).policy_credentials();
    assert_eq!(by_nova["service_user_id"], "nova");
    assert_eq!(by_nova["service_project_id"], "p");
    assert_eq!(by_nova["service_roles"], json!(["service"]));
}

#[test]
fn the_policy_decides_by_caller_and_target() {
    let policy = policy(
        r#"{"image:delete": "project_id:%(owner)s", "image:publish": "service_roles:service"}"#,
    );
    let alice = Token::new(info("alice", "member"), None, Some(Arc::clone(&policy)));
    assert_eq!(
        alice.enforce("image:delete", &json!({"owner": "p"})),
        Ok(())
    );
    let denied = alice
        .enforce("image:delete", &json!({"owner": "p2"}))
        .unwrap_err();
    assert!(
        matches!(denied, PolicyError::Denied(Denied::Check { .. })),
        "{denied}"
    );
    let by_nova = Token::new(
        info("alice", "member"),
        Some(info("nova", "service")),
        Some(policy),
    );
    assert_eq!(by_nova.enforce("image:publish", &json!({})), Ok(()));
    assert!(alice.enforce("image:publish", &json!({})).is_err());
}

#[test]
fn without_a_policy_nothing_is_allowed() {
    let alice = Token::new(info("alice", "admin"), None, None);
    assert_eq!(
        alice.enforce("image:delete", &json!({})),
        Err(PolicyError::NoPolicy)
    );
}
