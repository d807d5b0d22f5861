//! The lifetime of tokens.

use chrono::Duration;
use keystone::Settings;
use keystone::token::Algorithm;
use keystone_testkit::{Signer, sign_tokens};
use serde_json::{Value, json};

use crate::world::{World, on_domain, on_project, subject};

const SYSTEM: &str = "system";

#[tokio::test]
async fn sec_02_rescoping_never_extends_a_tokens_life() {
    let world = World::new().await;
    let first = world.unscoped("alice").await;
    let end = world.admin.validate(first.token()).await.ok()["token"]["expires_at"].clone();
    let mut token = first.token().to_owned();
    for step in 0..50 {
        world.cloud.advance(Duration::seconds(1));
        let project = if step % 2 == 0 { &world.p1 } else { &world.p2 };
        let answer = world.rescope(&token, &on_project(project)).await;
        assert_eq!(answer.body["token"]["expires_at"], end, "step {step}");
        token = subject(&answer);
    }
    let validated = world.admin.validate(&token).await.ok();
    assert_eq!(validated["token"]["expires_at"], end);
    let both = json!({ "methods": ["password", "token"], "token": { "id": token },
        "password": { "user": { "id": world.alice, "password": "alice" } } });
    let auth = json!({ "auth": { "identity": both, "scope": on_project(&world.p1) } });
    let answer = world.cloud.nobody().post("/v3/auth/tokens", &auth).await;
    assert_eq!(answer.created()["token"]["expires_at"], end);
}

#[tokio::test]
async fn sec_14_22_a_revoked_token_is_refused_on_every_node_at_once() {
    let world = World::new().await;
    for scope in [on_project(&world.p1), json!("unscoped")] {
        let alice = world.cloud.session("alice", "alice", &scope).await;
        world.lives(alice.token()).await;
        let own = alice
            .about("DELETE", "/v3/auth/tokens", alice.token())
            .await;
        own.no_content();
        world.gone(alice.token()).await;
    }
    // A revocation at the other node applies here too.
    let bob = world.on("bob", &world.p1).await;
    world.lives(bob.token()).await;
    let [_, there] = world.admins();
    there
        .about("DELETE", "/v3/auth/tokens", bob.token())
        .await
        .no_content();
    bob.get("/v3/auth/projects").await.refused(401);
    world.gone(bob.token()).await;
}

#[tokio::test]
async fn sec_18_an_expired_token_cannot_be_used_and_a_revoked_one_stays_revoked() {
    let mut settings = Settings::default();
    settings.auth.expiration = Duration::seconds(2);
    let mut world = World::with(settings).await;
    let kept = world.on("bob", &world.p1).await;
    let revoked = world.on("bob", &world.p1).await;
    world
        .admin
        .about("DELETE", "/v3/auth/tokens", revoked.token())
        .await
        .no_content();
    world.cloud.advance(Duration::seconds(2));
    world.admin = world.cloud.admin().await;
    world.gone(kept.token()).await;
    world.gone(revoked.token()).await;
    let late = "/v3/auth/tokens?allow_expired=1";
    let ask = async |token: &str| world.admin.about("GET", late, token).await.status;
    assert_eq!(ask(revoked.token()).await, 404);
    assert_eq!(ask(kept.token()).await, 200);
    // The window applies to validating the token, not to using it.
    let used = kept.about("GET", late, kept.token()).await;
    used.refused(401);
    assert_eq!(
        kept.get("/v3/auth/projects?allow_expired=1").await.status,
        401
    );
    assert_eq!(world.rescope(kept.token(), &Value::Null).await.status, 404);
    let eve = world.on("eve", &world.p1).await;
    eve.about("GET", late, kept.token()).await.refused(403);
}

#[tokio::test]
async fn sec_31_a_revocation_applies_within_the_second_and_validation_changes_no_time() {
    let world = World::new().await;
    let alice = world.on("alice", &world.p1).await;
    let seen = world.admin.validate(alice.token()).await.ok();
    world.cloud.advance(Duration::milliseconds(400));
    assert_eq!(world.admin.validate(alice.token()).await.ok(), seen);
    // A change of the password ends all tokens of the user up to this second.
    let change = json!({ "user": { "original_password": "alice", "password": "new" } });
    let path = format!("/v3/users/{}/password", world.alice);
    world.cloud.nobody().post(&path, &change).await.no_content();
    world.gone(alice.token()).await;
    world.cloud.advance(Duration::seconds(1));
    let scope = on_project(&world.p1);
    let new = world.cloud.session("alice", "new", &scope).await;
    world.lives(new.token()).await;
}

#[tokio::test]
async fn sec_33_no_other_spelling_of_a_revoked_token_is_accepted() {
    refuse_spellings(World::new().await).await;
}

#[tokio::test]
async fn sec_33_no_other_spelling_of_a_revoked_signed_token_is_accepted() {
    for algorithm in Algorithm::ALL {
        let mut settings = Settings::default();
        settings.keys.jws.algorithm = algorithm;
        settings.keys.jws.accepted = vec![algorithm];
        let _keys = sign_tokens(&mut settings);
        refuse_spellings(World::with(settings).await).await;
    }
}

async fn refuse_spellings(world: World) {
    let bob = world.on("bob", &world.p1).await;
    let token = bob.token();
    world.lives(token).await;
    let variants = spellings(token);
    if token.contains('.') {
        // A signed token has one spelling.
        for variant in &variants {
            world.admin.validate(variant).await.refused(404);
        }
    }
    world
        .admin
        .about("DELETE", "/v3/auth/tokens", token)
        .await
        .no_content();
    world.gone(token).await;
    for variant in variants {
        let asked = world.admin.validate(&variant).await;
        assert_eq!(asked.status, 404, "{variant}: {}", asked.body);
        let used = bob.with_token(&variant).get("/v3/auth/projects").await;
        assert_eq!(used.status, 401, "{variant}: {}", used.body);
    }
}

/// Keystone once lost the method of an EC2 token on its way through a token's text.
#[tokio::test]
async fn sec_57_59_a_signed_token_keeps_what_it_was_delegated() {
    let mut settings = Settings::default();
    let _keys = sign_tokens(&mut settings);
    let world = World::with(settings).await;
    let cloud = &world.cloud;
    cloud.grant(&world.alice, &world.p1, "admin").await;
    let alice = world.on("alice", &world.p1).await;
    let nobody = cloud.nobody();
    let path = format!("/v3/users/{}", world.alice);

    let new = json!({ "application_credential": { "name": "a", "secret": "s" } });
    let programs = format!("{path}/application_credentials");
    let made = alice.post(&programs, &new).await.created();
    let id = made["application_credential"]["id"].clone();
    let identity = json!({ "methods": ["application_credential"],
                           "application_credential": { "id": id, "secret": "s" } });
    let login = json!({ "auth": { "identity": identity } });
    let program = subject(&nobody.post("/v3/auth/tokens", &login).await);

    let trust = json!({ "trustor_user_id": world.alice, "trustee_user_id": world.bob, "impersonation": true,
                        "project_id": world.p1, "roles": [{ "name": "member" }] });
    let new = json!({ "trust": trust });
    let made = alice.post("/v3/OS-TRUST/trusts", &new).await.created();
    let id = made["trust"]["id"].clone();
    let scope = json!({ "OS-TRUST:trust": { "id": id } });
    let trustee = subject(&world.try_login("bob", "bob", &scope).await);

    let consumer = cloud.consumer().await;
    let member = cloud.role("member").await;
    let access = consumer.granted(&alice, &world.p1, &[&member]).await;
    let consumer = subject(&consumer.log_in(&access).await);

    let keys = format!("{path}/credentials/OS-EC2");
    let keys = alice.post(&keys, &json!({ "tenant_id": world.p1 })).await;
    let keys = Signer::of(&keys.created()["credential"]);
    let signed = keys.version_2("2026-01-01T12:00:00Z");
    let answer = world.admin.exchange("ec2tokens", &signed).await;
    let by_signature = answer
        .header("x-subject-token")
        .expect("a token")
        .to_owned();

    for (token, part, methods) in [
        (
            &program,
            Some("application_credential"),
            "application_credential",
        ),
        (&trustee, Some("OS-TRUST:trust"), "password"),
        (&consumer, Some("OS-OAUTH1"), "oauth1"),
        (&by_signature, None, "ec2credential"),
    ] {
        let body = world.admin.validate(token).await.ok()["token"].clone();
        assert_eq!(body["methods"], json!([methods]));
        assert!(part.is_none_or(|part| body[part].is_object()), "{body}");
        for scope in [Value::Null, json!("unscoped"), on_project(&world.p2)] {
            world.rescope(token, &scope).await.refused(403);
        }
    }
}

const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Texts that a lenient decoder would take for the token.
fn spellings(token: &str) -> Vec<String> {
    let bare = token.trim_end_matches('=');
    let middle = bare.len() / 2;
    let mut spellings = vec![
        format!("{bare}="),
        format!("{bare}=="),
        format!("{bare}==="),
        bare.to_owned(),
        format!("{token}A"),
        format!("{token}\t"),
        format!("{token} "),
        format!("{token}%3D"),
        format!("{bare}%3D%3D"),
        token.to_uppercase(),
        token.to_lowercase(),
        token.replace('-', "+").replace('_', "/"),
        token.replace('_', "%5F"),
        format!("{} {}", &bare[..middle], &bare[middle..]),
        format!("{}={}", &bare[..middle], &bare[middle..]),
        format!("{bare}.{bare}"),
        bare.replace('.', "%2E"),
        format!("{bare}."),
        format!(".{bare}"),
    ];
    // Digits that differ only in bits which a decoder may ignore.
    spellings.extend(DIGITS.chars().map(|last| {
        let padding = "=".repeat(token.len() - bare.len());
        format!("{}{last}{padding}", &bare[..bare.len() - 1])
    }));
    spellings.retain(|spelling| spelling != token);
    spellings
}

#[tokio::test]
async fn sec_34_a_rescoped_token_stays_in_the_chain_of_its_root() {
    let world = World::new().await;
    let root = world.unscoped("alice").await;
    let root_id = world.admin.validate(root.token()).await.ok()["token"]["audit_ids"][0].clone();
    let child = subject(&world.rescope(root.token(), &on_project(&world.p1)).await);
    let grandchild = subject(&world.rescope(&child, &on_project(&world.p2)).await);
    for token in [&child, &grandchild] {
        let audit_ids = &world.admin.validate(token).await.ok()["token"]["audit_ids"];
        assert_eq!(audit_ids.as_array().map(Vec::len), Some(2));
        assert_ne!(audit_ids[0], root_id);
        assert_eq!(audit_ids[1], root_id);
        world.lives(token).await;
    }
    root.about("DELETE", "/v3/auth/tokens", root.token())
        .await
        .no_content();
    for token in [root.token(), &child, &grandchild] {
        world.gone(token).await;
    }
}

#[tokio::test]
async fn sec_58_without_rescoping_only_an_unscoped_token_can_be_exchanged() {
    let mut settings = Settings::default();
    settings.auth.allow_rescope_scoped_token = false;
    let world = World::with(settings).await;
    let role = world.cloud.role("member").await;
    for scope in ["domains/default", SYSTEM] {
        let grant = format!("/v3/{scope}/users/{}/roles/{role}", world.alice);
        world.admin.put(&grant).await.no_content();
    }
    let wanted = on_project(&world.p2);
    let scopes = [
        on_project(&world.p1),
        on_domain("default"),
        json!({ SYSTEM: { "all": true } }),
    ];
    for scope in scopes {
        let alice = world.cloud.session("alice", "alice", &scope).await;
        for wanted in [&wanted, &scope, &json!("unscoped"), &Value::Null] {
            world.rescope(alice.token(), wanted).await.refused(403);
        }
    }
    let unscoped = world.unscoped("alice").await;
    world.rescope(unscoped.token(), &wanted).await.created();
}

#[tokio::test]
async fn sec_58_a_token_of_an_unknown_method_is_delegated_for_every_consumer() {
    let world = World::new().await;
    let alice = world.on("alice", &world.p1).await;
    let exchange = json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": alice.token() } } } });
    let credential =
        json!({ "credential": { "type": "cert", "blob": "b", "user_id": world.alice } });
    // The bit of `password` in the token is that of another method at each of these nodes.
    for (method, primary, exchanged, created) in [
        ("other", None, 403, 403),
        ("oauth2_credential", None, 403, 403),
        ("totp", None, 201, 201),
        ("other", Some("other"), 201, 201),
        // This method is never primary, whatever the operator configures.
        ("ec2credential", Some("ec2credential"), 403, 403),
    ] {
        let mut settings = Settings::default();
        settings.auth.methods = ["external", method, "token"].map(str::to_owned).into();
        settings.auth.additional_primary_methods = primary.map(str::to_owned).into_iter().collect();
        let node = world.cloud.neighbour_with(settings).await.nobody();
        let answer = node.post("/v3/auth/tokens", &exchange).await;
        assert_eq!(
            answer.status, exchanged,
            "{method} {primary:?}: {}",
            answer.body
        );
        let node = node.with_token(alice.token());
        let answer = node.post("/v3/credentials", &credential).await;
        assert_eq!(
            answer.status, created,
            "{method} {primary:?}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn sec_62_revoking_a_token_revokes_the_tokens_exchanged_for_it() {
    let world = World::new().await;
    let steal = async || {
        let parent = world.on("alice", &world.p1).await;
        let child = world.rescope(parent.token(), &on_project(&world.p2)).await;
        (parent, subject(&child))
    };
    let (parent, child) = steal().await;
    world.lives(&child).await;
    parent
        .about("DELETE", "/v3/auth/tokens", parent.token())
        .await
        .no_content();
    world.gone(parent.token()).await;
    world.gone(&child).await;
    world.cloud.advance(Duration::seconds(1));

    let (parent, child) = steal().await;
    parent
        .about("DELETE", "/v3/auth/tokens?cascade=false", parent.token())
        .await
        .no_content();
    world.gone(parent.token()).await;
    world.lives(&child).await;
}

#[tokio::test]
async fn sec_62_a_user_can_revoke_all_own_tokens_and_no_others() {
    let world = World::new().await;
    let path = format!("/v3/users/{}/tokens", world.alice);
    let (parent, bob) = (
        world.on("alice", &world.p1).await,
        world.on("bob", &world.p1).await,
    );
    let child = subject(&world.rescope(parent.token(), &on_project(&world.p2)).await);
    let eve = world.on("eve", &world.p1).await;
    eve.delete(&path).await.refused(403);
    world.lives(&child).await;
    parent.delete(&path).await.no_content();
    world.gone(parent.token()).await;
    world.gone(&child).await;
    world.lives(bob.token()).await;
    world.cloud.advance(Duration::seconds(1));
    let new = world.on("alice", &world.p1).await;
    world.lives(new.token()).await;
}

#[tokio::test]
async fn sec_74_answers_tell_caches_not_to_store_or_share_them() {
    let world = World::new().await;
    let bob = world.on("bob", &world.p1).await;
    let answer = world.admin.validate(bob.token()).await;
    assert_eq!(answer.header("vary"), Some("X-Auth-Token"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let issued = world.try_login("bob", "bob", &Value::Null).await;
    assert_eq!(issued.header("cache-control"), Some("no-store"));
    let events = world.admin.get("/v3/OS-REVOKE/events").await;
    assert_eq!(events.header("vary"), Some("X-Auth-Token"));
    assert_eq!(events.ok()["events"], json!([]));
    world
        .admin
        .about("DELETE", "/v3/auth/tokens", bob.token())
        .await
        .no_content();
    let events = world.admin.get("/v3/OS-REVOKE/events").await.ok();
    assert_ne!(events["events"], json!([]), "the feed tells of it at once");
}
