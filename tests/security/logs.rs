//! The log has what an operator needs, and no secrets.

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone::storage::{Dialect, sql};
use keystone_testkit::Log;
use serde_json::{Value, json};

use crate::world::{World, on_project};

/// The filter with which the server logs at a level.
fn at(level: &str) -> String {
    format!("info,keystone={level},sqlx=warn")
}

#[tokio::test]
async fn sec_10_a_bad_token_is_logged_in_one_short_line() {
    let world = World::new().await;
    let (log, _guard) = Log::start(&at("info"));
    let old = world.on("bob", &world.p1).await;
    let path = format!("/v3/projects/{}/users/{}/roles", world.p1, world.bob);
    let grants = world.admin.get(&path).await.ok();
    for role in grants["roles"].as_array().expect("a list") {
        let id = role["id"].as_str().expect("an id");
        world
            .admin
            .delete(&format!("{path}/{id}"))
            .await
            .no_content();
    }
    log.take();
    let made_up = |n: usize| format!("gAAAAAB{n:0200}");
    for n in 0..1000 {
        let token = if n % 10 == 0 {
            old.token().to_owned()
        } else {
            made_up(n)
        };
        let caller = old.with_token(&token);
        caller.get("/v3/users").await.refused(401);
        let log = log.take();
        assert!(log.len() < 300, "{} bytes: {log}", log.len());
        assert!(!log.contains(&token[..40]), "{log}");
        assert!(!log.is_empty(), "a refused caller leaves a trace");
    }
}

#[tokio::test]
async fn sec_15_no_secret_is_logged() {
    let settings = Settings::default();
    let (log, _guard) = Log::start(&at("trace"));
    let world = World::with(settings).await;
    let mut secrets = vec!["right-s3cret", "wrong-s3cret", "next-s3cret", "000000"]
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let user = format!("/v3/users/{}", world.bob);
    let change = json!({ "password": "right-s3cret" });
    world.patch(&user, "user", &change).await;
    world.cloud.advance(chrono::Duration::seconds(1));
    let scope = on_project(&world.p1);
    world
        .try_login("bob", "wrong-s3cret", &scope)
        .await
        .refused(401);
    let bob = world.cloud.session("bob", "right-s3cret", &scope).await;
    secrets.push(bob.token().to_owned());
    secrets.push(world.admin.token().to_owned());
    let child = world.rescope(bob.token(), &Value::Null).await;
    secrets.push(child.header("x-subject-token").expect("a token").to_owned());
    world.admin.validate(bob.token()).await.ok();
    let change =
        json!({ "user": { "original_password": "wrong-s3cret", "password": "next-s3cret" } });
    let path = format!("{user}/password");
    world.cloud.nobody().post(&path, &change).await.refused(401);
    let bad = json!({ "user": { "name": 5, "password": "next-s3cret" } });
    world.admin.post("/v3/users", &bad).await.refused(400);
    let bad = json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": "next-s3cret" } } } });
    let nobody = world.cloud.nobody();
    nobody.post("/v3/auth/tokens", &bad).await.refused(400);
    break_and_ask(&world, &bob).await;
    let log = log.take();
    assert!(log.contains("a request failed"), "a failure is in the log");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
}

/// Logins in which one part is long.
fn long_logins(x: &str) -> Vec<Value> {
    let user = |user: Value| json!({ "methods": ["password"], "password": { "user": user } });
    let default = json!({ "id": "default" });
    let admin = user(json!({ "name": "admin", "domain": default, "password": "000000" }));
    let unknown_users = [
        json!({ "name": x, "domain": default, "password": "x" }),
        json!({ "id": x, "password": "x" }),
        json!({ "name": "admin", "domain": { "name": x }, "password": "x" }),
        json!({ "name": "admin", "domain": { "id": x }, "password": "x" }),
    ];
    let scopes = [
        json!({ "project": { "id": x } }),
        json!({ "project": { "name": x, "domain": default } }),
        json!({ "project": { "name": "admin", "domain": { "id": x } } }),
        json!({ "domain": { "name": x } }),
        json!({ "OS-TRUST:trust": { "id": x } }),
    ];
    let identities = [
        json!({ "methods": [x], x: {} }),
        json!({ "methods": { x: {} } }),
        json!({ "methods": x }),
        json!({ "methods": ["token"], "token": { "id": x } }),
    ];
    let unknown_users = unknown_users.map(|name| json!({ "identity": user(name) }));
    let scopes = scopes.map(|scope| json!({ "identity": admin, "scope": scope }));
    let identities = identities.map(|identity| json!({ "identity": identity }));
    let all = unknown_users.into_iter().chain(scopes).chain(identities);
    all.map(|auth| json!({ "auth": auth })).collect()
}

/// Requests in which one part that a client chooses is long.
fn long_requests(x: &str) -> Vec<Request<Body>> {
    const PATHS: [&str; 10] = [
        "/{}",
        "/v3/{}",
        "//v3//{}",
        "/v3/users/{}",
        "/v3/users?name={}",
        "/v3/users?{}=1",
        "/v3/roles?marker={}",
        "/v3/regions/{}",
        "/v3/OS-REVOKE/events?since={}",
        "/v3/projects/{}/users/{}/roles/{}",
    ];
    const HEADERS: [&str; 12] = [
        "accept",
        "content-type",
        "forwarded",
        "host",
        "openstack-auth-receipt",
        "origin",
        "user-agent",
        "x-auth-token",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-subject-token",
    ];
    let login = || Request::post("/v3/auth/tokens");
    let json = |request: axum::http::request::Builder, body: &Value| {
        let request = request.header("content-type", "application/json");
        request.body(Body::from(body.to_string()))
    };
    let mut requests = Vec::new();
    requests.extend(long_logins(x).iter().map(|body| json(login(), body)));
    requests.push(json(login(), &json!({ x: { x: x } })));
    requests.push(json(
        Request::post("/v3/users"),
        &json!({ "user": { x: x, "name": x } }),
    ));
    for path in PATHS {
        let path = path.replace("{}", &x[..20_000]);
        requests.push(Request::get(path).body(Body::empty()));
    }
    for name in HEADERS {
        let get = Request::get("/v3/auth/tokens").header(name, x);
        requests.push(get.body(Body::empty()));
        requests.push(login().header(name, x).body(Body::from("{}")));
    }
    for path in ["/v3/users", "/nowhere"] {
        let request = Request::builder().method(x).uri(path);
        requests.push(request.body(Body::empty()));
    }
    let requests = requests.into_iter();
    requests
        .map(|request| request.expect("a request"))
        .collect()
}

#[tokio::test]
async fn sec_10_the_log_repeats_only_the_beginning_of_what_clients_send() {
    let world = World::new().await;
    let huge = "x".repeat(60_000);
    for level in ["info", "debug"] {
        let (log, _guard) = Log::start(&at(level));
        for session in [world.cloud.nobody(), world.admin.clone()] {
            for request in long_requests(&huge) {
                let mut shown = format!("{} {}", request.method(), request.uri());
                shown.truncate(60);
                session.send(request).await;
                let mut lines = log.take();
                let length = lines.len();
                lines.truncate(900);
                assert!(length < 1000, "{shown}: {length} bytes: {lines}");
                assert!(lines.contains("answered"), "{shown}: {lines}");
            }
        }
    }
}

/// Requests of all kinds to a server whose tables are gone: each answer is a 500 without details.
async fn break_and_ask(world: &World, bob: &keystone_testkit::Session) {
    let db = world.cloud.keystone.db();
    for broken in ["DROP TABLE password", "DROP TABLE revocation_event"] {
        sql(broken).execute(db).await.expect("the table is there");
        if db.dialect() == Dialect::Sqlite {
            // No trigger tells of it: what is remembered would be answered for a while.
            let forget = sql("INSERT INTO keystone_change (kind) VALUES (1)");
            forget.execute(db).await.expect("the log can be written");
        }
        let login = world.try_login("bob", "right-s3cret", &Value::Null).await;
        assert_eq!(login.status, 500);
        assert!(!login.body.to_string().contains("s3cret"));
    }
    assert_eq!(world.admin.validate(bob.token()).await.status, 500);
    assert_eq!(world.rescope(bob.token(), &Value::Null).await.status, 500);
    let path = format!("/v3/users/{}/password", world.bob);
    let change =
        json!({ "user": { "original_password": "right-s3cret", "password": "next-s3cret" } });
    let changed = world.cloud.nobody().post(&path, &change).await;
    assert_eq!(changed.status, 500);
}
