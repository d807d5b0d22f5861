//! A bootstrapped cloud.

use std::sync::{Arc, Mutex};

use chrono::{Duration, NaiveDateTime};
use keystone::identity::Compliance;
use keystone::storage::schema::changes;
use keystone::storage::{Db, Dialect};
use keystone::token::KeySet;
use keystone::types::Clock;
use keystone::{Bootstrap, Keystone, Settings};
use serde_json::{Value, json};

use crate::statements::Statements;
use crate::{Session, database};

/// The password of the user `admin`.
pub const ADMIN_PASSWORD: &str = "000000";

/// A bootstrapped Keystone whose time the test owns.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// The library.
    pub keystone: Keystone,
    now: Arc<Mutex<NaiveDateTime>>,
    settings: Settings,
    key: String,
    statements: Statements,
}

impl Cloud {
    /// A cloud with Keystone's default settings.
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// A cloud with other settings; the rules of `[security_compliance]` begin after bootstrap.
    ///
    /// On `SQLite` it has a change log and answers from memory. On a server, where its triggers take longer to make than all
    /// else, it has none: there most tests ask the database for each answer.
    pub async fn with(settings: Settings) -> Self {
        // Boxed where it is kept while others are awaited: the tests' futures hold several clouds.
        let settings = Box::new(settings);
        let db = Box::pin(database::fresh()).await;
        if db.dialect() == Dialect::Sqlite {
            Box::pin(install(&db)).await;
        }
        Box::pin(Self::on(db, settings)).await
    }

    /// A cloud with a change log on any database.
    pub async fn with_change_log(settings: Settings) -> Self {
        let settings = Box::new(settings);
        let db = Box::pin(database::fresh()).await;
        Box::pin(install(&db)).await;
        Box::pin(Self::on(db, settings)).await
    }

    async fn on(db: Db, settings: Box<Settings>) -> Self {
        let start = "2026-01-01T12:00:00"
            .parse::<NaiveDateTime>()
            .expect("a literal time");
        let now = Arc::new(Mutex::new(start));
        let key = key();
        let statements = Statements::default();
        let db = statements.hear(db);
        Box::pin(bootstrap((*settings).clone(), db.clone(), &now, &key)).await;
        Self {
            keystone: Box::pin(node(&settings, db, &now, &key)).await,
            now,
            settings: *settings,
            key,
            statements,
        }
    }

    /// The result of `work`, and the SQL that it ran.
    pub async fn statements<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        self.statements.during(work).await
    }

    /// Another node of the same cloud: its database, keys and time, and nothing else in common.
    pub async fn neighbour(&self) -> Self {
        self.neighbour_with(self.settings.clone()).await
    }

    /// The same with settings of its own.
    pub async fn neighbour_with(&self, settings: Settings) -> Self {
        let shared = self.keystone.db();
        let db = match database::at_neighbour(shared).await {
            Some(db) => self.statements.hear(db),
            None => shared.clone(),
        };
        Self {
            keystone: Box::pin(node(&settings, db, &self.now, &self.key)).await,
            settings,
            ..self.clone()
        }
    }

    /// The time in the cloud.
    pub fn now(&self) -> NaiveDateTime {
        *self
            .now
            .lock()
            .expect("no test panics while it moves the clock")
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut now = self
            .now
            .lock()
            .expect("no test panics while it moves the clock");
        *now += by;
    }

    /// Somebody without a token.
    pub fn nobody(&self) -> Session {
        Session::new(self.keystone.router(), None)
    }

    /// The administrator on the project `admin`.
    pub async fn admin(&self) -> Session {
        let scope = json!({ "project": { "name": "admin", "domain": { "id": "default" } } });
        self.session("admin", ADMIN_PASSWORD, &scope).await
    }

    /// The administrator on the system.
    pub async fn system_admin(&self) -> Session {
        self.session(
            "admin",
            ADMIN_PASSWORD,
            &json!({ "system": { "all": true } }),
        )
        .await
    }

    /// A user of the default domain, logged in.
    pub async fn session(&self, name: &str, password: &str, scope: &Value) -> Session {
        let user = json!({ "name": name, "domain": { "id": "default" } });
        let answer = self.nobody().log_in(&user, password, scope).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let token = answer
            .header("x-subject-token")
            .expect("a new token is in a header")
            .to_owned();
        Session::new(self.keystone.router(), Some(token))
    }

    /// Creates a user in the default domain; the password is the name.
    pub async fn user(&self, name: &str) -> String {
        let user = json!({ "user": { "name": name, "domain_id": "default", "password": name } });
        id(
            &self.admin().await.post("/v3/users", &user).await.created(),
            "user",
        )
    }

    /// Creates a project in the default domain.
    pub async fn project(&self, name: &str) -> String {
        let project = json!({ "project": { "name": name, "domain_id": "default" } });
        id(
            &self
                .admin()
                .await
                .post("/v3/projects", &project)
                .await
                .created(),
            "project",
        )
    }

    /// The id of a role of this name.
    pub async fn role(&self, name: &str) -> String {
        let roles = self
            .admin()
            .await
            .get(&format!("/v3/roles?name={name}"))
            .await
            .ok();
        roles["roles"][0]["id"]
            .as_str()
            .expect("the role exists")
            .to_owned()
    }

    /// Grants a role on a project.
    pub async fn grant(&self, user_id: &str, project_id: &str, role: &str) {
        let role_id = self.role(role).await;
        let path = format!("/v3/projects/{project_id}/users/{user_id}/roles/{role_id}");
        self.admin().await.put(&path).await.no_content();
    }
}

async fn install(db: &Db) {
    let installed = changes::install(db).await;
    installed.expect("the test user may create triggers");
}

/// Bootstraps an empty cloud, without the password rules of its settings, and without announcing it.
async fn bootstrap(mut settings: Settings, db: Db, now: &Arc<Mutex<NaiveDateTime>>, key: &str) {
    settings.identity.compliance = Compliance::default();
    settings.notifications.sinks.clear();
    let wanted = Bootstrap {
        region_id: Some("RegionOne".to_owned()),
        ..Bootstrap::new(ADMIN_PASSWORD).url("http://keystone.test:5000/v3")
    };
    let keystone = node(&settings, db, now, key).await;
    keystone
        .bootstrap(&wanted)
        .await
        .expect("an empty cloud can be bootstrapped");
}

async fn node(settings: &Settings, db: Db, now: &Arc<Mutex<NaiveDateTime>>, key: &str) -> Keystone {
    let now = Arc::clone(now);
    let clock =
        Clock::from_fn(move || *now.lock().expect("no test panics while it moves the clock"));
    let keys = || KeySet::new([key]).expect("the text of a key makes a set");
    let builder = Keystone::builder()
        .settings(settings.clone())
        .db(db)
        .clock(clock)
        .keys(keys());
    // Those that a test has set up are used.
    let builder = if settings.keys.credentials.load().is_ok() {
        builder
    } else {
        builder.credential_keys(keys())
    };
    builder
        .build()
        .await
        .expect("a database with the schema makes a Keystone")
}

/// A new fernet key: the digits of two ids, as many as make 32 bytes of base64.
fn key() -> String {
    let digits = keystone::types::new_id() + &keystone::types::new_id();
    format!("{}=", &digits[..43])
}

fn id(body: &Value, member: &str) -> String {
    body[member]["id"]
        .as_str()
        .expect("a resource has an id")
        .to_owned()
}
