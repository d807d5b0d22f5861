//! Logins: their cost, their messages, and their checks.

use keystone::Settings;
use keystone::storage::sql;
use keystone_testkit::{Answer, Session, passcode};
use serde_json::{Map, Value, json};

use crate::world::{World, on_project, subject};
use futures_util::future::join_all;

const REFUSED: &str = "The request you have made requires authentication.";

#[tokio::test]
async fn sec_01_a_very_long_password_is_refused_as_a_wrong_one() {
    let world = World::new().await;
    for length in [4097, 5_000, 100_000] {
        let password = "A".repeat(length);
        for user in ["alice", "nobody"] {
            let answer = world.try_login(user, &password, &Value::Null).await;
            assert_eq!(answer.refused(401), REFUSED);
        }
    }
    let body = "A".repeat(120_000);
    let answer = world.try_login("alice", &body, &Value::Null).await;
    assert_eq!(answer.status, 413);
    world
        .try_login("alice", "alice", &Value::Null)
        .await
        .created();
}

/// A world whose server hashes one password at a time and rejects further ones.
async fn one_at_a_time() -> World {
    let mut settings = Settings::default();
    settings.identity.passwords.threads = 1;
    settings.identity.passwords.queue = 0;
    World::with(settings).await
}

/// How many of eight concurrent logins are refused because other passwords are being hashed.
async fn turned_away(world: &World, user: &Value, password: &str) -> usize {
    let nobody = world.cloud.nobody();
    let answers = join_all((0..8).map(|_| nobody.log_in(user, password, &Value::Null))).await;
    let busy = |answer: &&Answer| answer.status == 503;
    let away: Vec<&Answer> = answers.iter().filter(busy).collect();
    assert!(
        away.iter()
            .all(|answer| answer.header("retry-after").is_some())
    );
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(away.len() + refused, 8);
    away.len()
}

#[tokio::test]
async fn sec_01_a_password_over_the_limit_is_never_hashed() {
    let world = one_at_a_time().await;
    for user in ["alice", "nobody"] {
        let user = json!({ "name": user, "domain": { "id": "default" } });
        assert_eq!(turned_away(&world, &user, &"A".repeat(4097)).await, 0);
        assert_ne!(turned_away(&world, &user, &"A".repeat(4096)).await, 0);
    }
}

/// The server rejects most requests of that client, whatever user they name, and none of others.
#[tokio::test]
async fn a_client_with_many_connections_does_not_block_logins_of_others() {
    let mut settings = Settings::default();
    settings.identity.passwords.threads = 1;
    settings.identity.passwords.queue = 4;
    let world = World::with(settings).await;
    let stranger = world.cloud.nobody().from([10, 0, 0, 9].into());
    let alice = world.cloud.nobody().from([10, 0, 0, 1].into());
    let named = |name: &str| json!({ "name": name, "domain": { "id": "default" } });
    let mut callers = Vec::new();
    for n in 0..20 {
        let unknown = format!("nobody{n}");
        for name in [unknown.as_str(), "bob", "alice"] {
            callers.push((&stranger, named(name), "wrong"));
        }
    }
    callers.push((&alice, named("alice"), "alice"));
    let log_in = async |(session, user, password): &(&Session, Value, &str)| {
        session.log_in(user, password, &Value::Null).await
    };
    let answers = join_all(callers.iter().map(log_in)).await;
    let of = |status: u16| answers.iter().filter(move |answer| answer.status == status);
    assert_eq!(of(201).count(), 1);
    assert!(of(401).all(|answer| answer.body["error"]["message"] == REFUSED));
    assert!(of(503).all(|answer| answer.header("retry-after").is_some()));
    assert_eq!(of(401).count() + of(503).count(), 60);
    assert!(of(503).count() > of(401).count());
}

#[tokio::test]
async fn sec_37_a_login_of_an_unknown_user_hashes_like_one_of_a_known_user() {
    let world = one_at_a_time().await;
    let fields =
        json!({ "name": "closed", "domain_id": "default", "password": "x", "enabled": false });
    world.make("/v3/users", "user", &fields).await;
    let fields = json!({ "name": "keyless", "domain_id": "default" });
    let keyless = world.make("/v3/users", "user", &fields).await;
    let named = |name: &str| json!({ "name": name, "domain": { "id": "default" } });
    for user in [
        named("bob"),
        named("nobody"),
        named("closed"),
        named("keyless"),
        json!({ "id": world.bob }),
        json!({ "id": "0".repeat(32) }),
        json!({ "id": keyless }),
        json!({ "name": "bob", "domain": { "id": "nowhere" } }),
    ] {
        assert_ne!(turned_away(&world, &user, "wrong").await, 0, "{user}");
    }
}

#[tokio::test]
async fn sec_19_an_empty_or_missing_password_is_refused() {
    let world = World::new().await;
    let fields = json!({ "name": "keyless", "domain_id": "default" });
    world.make("/v3/users", "user", &fields).await;
    for user in ["alice", "keyless"] {
        let answer = world.try_login(user, "", &Value::Null).await;
        assert_eq!(answer.refused(401), REFUSED);
        let named = json!({ "name": user, "domain": { "id": "default" } });
        let auth =
            json!({ "identity": { "methods": ["password"], "password": { "user": named } } });
        let nobody = world.cloud.nobody();
        let answer = nobody
            .post("/v3/auth/tokens", &json!({ "auth": auth }))
            .await;
        answer.refused(401);
    }
}

fn lockout(attempts: i64) -> Settings {
    let mut settings = Settings::default();
    settings.identity.compliance.lockout_failure_attempts = Some(attempts);
    settings
}

#[tokio::test]
async fn sec_27_a_method_that_is_named_fifty_times_runs_once() {
    let world = World::with(lockout(2)).await;
    let log_in = async |password: &str| {
        let user = json!({ "id": world.bob, "password": password });
        let identity = json!({ "methods": vec!["password"; 50], "password": { "user": user } });
        let auth = json!({ "auth": { "identity": identity } });
        world.cloud.nobody().post("/v3/auth/tokens", &auth).await
    };
    let issued = log_in("bob").await.created();
    assert_eq!(issued["token"]["methods"], json!(["password"]));
    log_in("wrong").await.refused(401);
    log_in("bob").await.created();
    log_in("wrong").await.refused(401);
    log_in("wrong").await.refused(401);
    log_in("bob").await.refused(401);
}

#[tokio::test]
async fn sec_44_a_locked_account_answers_like_a_missing_one() {
    let world = World::with(lockout(2)).await;
    for _ in 0..2 {
        world
            .try_login("bob", "wrong", &Value::Null)
            .await
            .refused(401);
    }
    let right = world.try_login("bob", "bob", &Value::Null).await;
    let wrong = world.try_login("bob", "wrong", &Value::Null).await;
    let unknown = world.try_login("nobody", "wrong", &Value::Null).await;
    let by_id = json!({ "id": world.bob });
    let nobody = world.cloud.nobody();
    let id = nobody.log_in(&by_id, "bob", &Value::Null).await;
    for answer in [&right, &wrong, &id] {
        assert_eq!(answer.status, 401);
        assert_eq!(answer.body, unknown.body);
        let header = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            headers.remove("x-openstack-request-id");
            headers
        };
        assert_eq!(header(answer), header(&unknown));
    }
}

#[tokio::test]
async fn sec_56_every_byte_of_a_new_password_counts() {
    use keystone::identity::password::Algorithm;
    for algorithm in [
        Algorithm::Argon2id,
        Algorithm::Bcrypt,
        Algorithm::BcryptSha256,
    ] {
        let mut settings = Settings::default();
        settings.identity.password_algorithm = Some(algorithm);
        settings.identity.passwords.rounds = Some(4).filter(|_| algorithm != Algorithm::Argon2id);
        let world = World::with(settings).await;
        let long = |last: &str| "A".repeat(72) + last;
        for (set, wrong) in [
            (long("B"), [long("C"), long(""), long("BX")]),
            (long(""), [long("B"), long("A"), "A".repeat(71)]),
            ("A".repeat(71), [long("B"), long(""), long("A")]),
        ] {
            let change = json!({ "password": set });
            world
                .patch(&format!("/v3/users/{}", world.bob), "user", &change)
                .await;
            for wrong in wrong {
                let answer = world.try_login("bob", &wrong, &Value::Null).await;
                assert_eq!(answer.refused(401), REFUSED, "{algorithm:?} {wrong}");
            }
            world.try_login("bob", &set, &Value::Null).await.created();
        }
    }
}

#[tokio::test]
async fn sec_56_a_hash_that_python_made_of_a_cut_password_still_verifies() {
    let world = World::new().await;
    // Made by Python Keystone of `r` 73 times.
    sql("UPDATE password SET password_hash = ? \
          WHERE local_user_id = (SELECT id FROM local_user WHERE user_id = ?)")
    .bind("$2b$04$gnJGU8El0UcIJPG1TB9TKu4j76gYvF1k7UqwXMlDwpUO2UviGEh2G")
    .bind(&world.bob)
    .execute(world.cloud.keystone.db())
    .await
    .unwrap();
    for (length, status) in [(71, 401), (73, 201), (74, 201)] {
        let secret = "r".repeat(length);
        let answer = world.try_login("bob", &secret, &Value::Null).await;
        assert_eq!(answer.status, status, "{length}");
    }
}

#[tokio::test]
async fn sec_65_a_rule_with_an_unknown_method_does_not_bypass_the_other_rules() {
    let mut settings = Settings::default();
    settings.auth.methods.push("totp".to_owned());
    let world = World::with(settings).await;
    let user = format!("/v3/users/{}", world.bob);
    let set = async |rules: Value| {
        let options =
            json!({ "multi_factor_auth_enabled": true, "multi_factor_auth_rules": rules });
        world
            .patch(&user, "user", &json!({ "options": options }))
            .await;
    };
    set(json!([["foo", "bar"], ["password", "totp"]])).await;
    let answer = world.try_login("bob", "bob", &Value::Null).await;
    assert!(answer.header("openstack-auth-receipt").is_some());
    assert_eq!(answer.header("x-subject-token"), None);
    let body = answer.with(401);
    assert_eq!(body["required_auth_methods"], json!([["password", "totp"]]));
    // Keystone documents that rules which no login can meet do not count.
    set(json!([["foo", "bar"]])).await;
    world.try_login("bob", "bob", &Value::Null).await.created();
}

#[tokio::test]
async fn sec_66_all_methods_of_a_login_must_be_of_one_user() {
    let world = World::new().await;
    let bob = world.on("bob", &world.p1).await;
    let log_in = async |token: &str, order: [&str; 2]| {
        let mut identity = Map::new();
        identity.insert("methods".to_owned(), json!(order));
        let user = json!({ "id": world.alice, "password": "alice" });
        identity.insert("password".to_owned(), json!({ "user": user }));
        identity.insert("token".to_owned(), json!({ "id": token }));
        let auth = json!({ "identity": identity, "scope": on_project(&world.p1) });
        let nobody = world.cloud.nobody();
        nobody
            .post("/v3/auth/tokens", &json!({ "auth": auth }))
            .await
    };
    let orders = [["password", "token"], ["token", "password"]];
    for order in orders {
        let answer = log_in(bob.token(), order).await;
        assert_eq!(answer.refused(401), REFUSED, "{order:?}");
    }
    let alice = world.on("alice", &world.p2).await;
    for order in orders {
        let token = subject(&log_in(alice.token(), order).await);
        let body = world.admin.validate(&token).await.ok();
        assert_eq!(body["token"]["user"]["id"], json!(world.alice));
    }
}

#[tokio::test]
async fn sec_66_a_password_and_a_one_time_password_are_one_users() {
    let mut settings = Settings::default();
    settings.auth.methods.push("totp".to_owned());
    let world = World::with(settings).await;
    let seeds = [
        (&world.alice, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
        (&world.bob, "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"),
    ];
    for (user, seed) in seeds {
        let fields = json!({ "type": "totp", "user_id": user, "blob": seed });
        world.make("/v3/credentials", "credential", &fields).await;
    }
    let code = |seed: &str| passcode(seed, world.cloud.now());
    let [(_, alices), (_, bobs)] = seeds;
    for (user, code, is_alice) in [
        (&world.alice, code(alices), true),
        (&world.bob, code(bobs), false),
        (&world.alice, code(bobs), false),
        (&world.bob, code(alices), false),
    ] {
        for order in [["password", "totp"], ["totp", "password"]] {
            let identity = json!({
                "methods": order,
                "password": { "user": { "id": world.alice, "password": "alice" } },
                "totp": { "user": { "id": user, "passcode": code } },
            });
            let auth = json!({ "auth": { "identity": identity } });
            let answer = world.cloud.nobody().post("/v3/auth/tokens", &auth).await;
            if is_alice {
                assert_eq!(answer.created()["token"]["user"]["id"], json!(world.alice));
            } else {
                assert_eq!(answer.refused(401), REFUSED, "{order:?}");
            }
        }
    }
}
