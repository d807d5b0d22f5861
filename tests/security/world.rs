//! The cloud and the users of these tests: `alice` is a member on two projects, `bob` a member and
//! `eve` a reader on the first.

use keystone::Settings;
use keystone_testkit::{Answer, Cloud, Session};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) cloud: Cloud,
    /// Another node on the same database.
    pub(crate) other: Cloud,
    /// The administrator of the cloud.
    pub(crate) admin: Session,
    pub(crate) p1: String,
    pub(crate) p2: String,
    pub(crate) alice: String,
    pub(crate) bob: String,
    pub(crate) eve: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        // Every test holds this future, so it is boxed to stay small.
        Box::pin(Self::build(settings)).await
    }

    async fn build(settings: Settings) -> Self {
        let cloud = Cloud::with(settings).await;
        let other = cloud.neighbour().await;
        let (p1, p2) = (cloud.project("p1").await, cloud.project("p2").await);
        let (alice, bob) = (cloud.user("alice").await, cloud.user("bob").await);
        let eve = cloud.user("eve").await;
        for (user, project, role) in [
            (&alice, &p1, "member"),
            (&alice, &p2, "member"),
            (&bob, &p1, "member"),
            (&eve, &p1, "reader"),
        ] {
            cloud.grant(user, project, role).await;
        }
        let admin = cloud.admin().await;
        Self {
            cloud,
            other,
            admin,
            p1,
            p2,
            alice,
            bob,
            eve,
        }
    }

    /// A session of a user on a project; the password is the name.
    pub(crate) async fn on(&self, user: &str, project: &str) -> Session {
        self.cloud.session(user, user, &on_project(project)).await
    }

    pub(crate) async fn unscoped(&self, user: &str) -> Session {
        self.cloud.session(user, user, &json!("unscoped")).await
    }

    /// The answer to a login of a user of the default domain.
    pub(crate) async fn try_login(&self, user: &str, password: &str, scope: &Value) -> Answer {
        let user = json!({ "name": user, "domain": { "id": "default" } });
        self.cloud.nobody().log_in(&user, password, scope).await
    }

    /// Exchanges a token for another one.
    pub(crate) async fn rescope(&self, token: &str, scope: &Value) -> Answer {
        let mut auth = json!({ "identity": { "methods": ["token"], "token": { "id": token } } });
        if !scope.is_null() {
            auth["scope"] = scope.clone();
        }
        let nobody = self.cloud.nobody();
        nobody
            .post("/v3/auth/tokens", &json!({ "auth": auth }))
            .await
    }

    /// Asserts that every node accepts the token. A node with a cache would remember it from here on.
    pub(crate) async fn lives(&self, token: &str) {
        for admin in self.admins() {
            admin.validate(token).await.ok();
            let own = admin.with_token(token);
            assert_eq!(own.get("/v3/auth/projects").await.status, 200);
        }
    }

    /// Asserts that no node accepts the token, whether it is validated or used.
    pub(crate) async fn gone(&self, token: &str) {
        // The other node first: it did not see the write that ended the token.
        for admin in self.admins().into_iter().rev() {
            let asked = [
                admin.validate(token).await,
                admin.about("HEAD", "/v3/auth/tokens", token).await,
            ];
            assert_eq!(asked.map(|answer| answer.status), [404, 404]);
            let used = admin.with_token(token).get("/v3/auth/projects").await;
            assert!(matches!(used.status, 401 | 404), "{}", used.body);
        }
    }

    /// The administrator at each node.
    pub(crate) fn admins(&self) -> [Session; 2] {
        let there = self.other.nobody().with_token(self.admin.token());
        [self.admin.clone(), there]
    }

    pub(crate) async fn patch(&self, path: &str, kind: &str, change: &Value) {
        self.admin.patch(path, &json!({ kind: change })).await.ok();
    }

    /// Creates a resource; returns its id.
    pub(crate) async fn make(&self, path: &str, kind: &str, fields: &Value) -> String {
        let body = self.admin.post(path, &json!({ kind: fields })).await;
        text(&body.created()[kind]["id"])
    }
}

pub(crate) fn on_project(id: &str) -> Value {
    json!({ "project": { "id": id } })
}

pub(crate) fn on_domain(id: &str) -> Value {
    json!({ "domain": { "id": id } })
}

pub(crate) fn subject(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let token = answer.header("x-subject-token");
    token.expect("a new token is in a header").to_owned()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
