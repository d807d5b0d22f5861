//! What is written to the log, and what never is.

use std::io::Write;
use std::sync::{Arc, Mutex};

use keystone::Settings;
use keystone::storage::sql;
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;

use crate::world::{World, on_project};

/// The log of this thread, which is all of a test's.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to log as the server does at this level.
    fn start(level: &str) -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(format!("info,keystone={level},sqlx=warn")))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// What was written since the last call.
    fn take(&self) -> String {
        let mut bytes = self.0.lock().expect("nobody panics while writing");
        String::from_utf8(std::mem::take(&mut *bytes)).expect("the log is text")
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut bytes = self.0.lock().expect("nobody panics while writing");
        bytes.write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn sec_10_bad_tokens_leave_little_in_the_log() {
    let world = World::new().await;
    let (log, _guard) = Log::start("info");
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
async fn sec_15_no_secret_is_ever_logged() {
    let settings = Settings::default();
    let (log, _guard) = Log::start("trace");
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

/// Requests of all kinds to a server whose tables are gone: each is a 500, and says no more.
async fn break_and_ask(world: &World, bob: &keystone_testkit::Session) {
    let db = world.cloud.keystone.db();
    for broken in ["DROP TABLE password", "DROP TABLE revocation_event"] {
        sql(broken).execute(db).await.expect("the table is there");
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
