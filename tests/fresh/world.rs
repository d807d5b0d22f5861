//! A small cloud with every kind of thing that a token hangs on, and what can happen to it.

use keystone::storage::{Dialect, sql};
use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

use crate::chance::Chance;

/// A way to a token, which can be gone once more.
#[derive(Clone, Debug)]
enum Login {
    Password { user: usize, scope: Value },
    Trust { user: usize, trust: String },
    ApplicationCredential { id: String },
    Rescoped { user: usize, scope: Value },
}

pub(crate) struct World {
    pub(crate) cloud: Cloud,
    /// The administrator at each node that remembers.
    pub(crate) nodes: [Session; 2],
    /// The administrator at a node that remembers nothing.
    pub(crate) oracle: Session,
    users: Vec<(String, String)>,
    groups: Vec<String>,
    /// Each below the one before it.
    pub(crate) projects: Vec<String>,
    roles: Vec<String>,
    endpoints: Vec<String>,
    domain: String,
    logins: Vec<Login>,
    pub(crate) tokens: Vec<String>,
    made: usize,
}

const USERS: usize = 4;
const GROUPS: usize = 2;
const PROJECTS: usize = 3;
const ROLES: usize = 3;
const SERVICE_PROVIDER: &str = "elsewhere";

impl World {
    pub(crate) async fn new(cloud: Cloud, nodes: [Session; 2], oracle: Session) -> Self {
        let mut world = Self {
            users: Vec::new(),
            groups: Vec::new(),
            projects: Vec::new(),
            roles: Vec::new(),
            endpoints: Vec::new(),
            domain: String::new(),
            logins: Vec::new(),
            tokens: Vec::new(),
            made: 0,
            cloud,
            nodes,
            oracle,
        };
        world.domain = world
            .create("domains", "domain", json!({ "name": "d" }))
            .await;
        for n in 0..ROLES {
            let role = json!({ "name": format!("role{n}") });
            let role = world.create("roles", "role", role).await;
            world.roles.push(role);
        }
        for n in 0..PROJECTS {
            let parent = world.projects.last().unwrap_or(&world.domain);
            let project =
                json!({ "name": format!("p{n}"), "domain_id": world.domain, "parent_id": parent });
            let project = world.create("projects", "project", project).await;
            world.projects.push(project);
        }
        world.make_people().await;
        world.make_endpoints().await;
        world.make_service_provider().await;
        world.log_everybody_in().await;
        world
    }

    async fn make_people(&mut self) {
        for n in 0..GROUPS {
            let group = json!({ "name": format!("g{n}"), "domain_id": self.domain });
            let group = self.create("groups", "group", group).await;
            let path = format!(
                "projects/{}/groups/{group}/roles/{}",
                self.projects[n], self.roles[n]
            );
            self.put(&path).await;
            self.groups.push(group);
        }
        for n in 0..USERS {
            let name = format!("u{n}");
            let user = json!({ "name": name, "password": name, "domain_id": self.domain });
            let user = self.create("users", "user", user).await;
            self.put(&format!("groups/{}/users/{user}", self.groups[n % GROUPS]))
                .await;
            let on_top = format!(
                "projects/{}/users/{user}/roles/{}",
                self.projects[0], self.roles[2]
            );
            self.put(&on_top).await;
            self.put(&format!("OS-INHERIT/{on_top}/inherited_to_projects"))
                .await;
            self.put(&format!(
                "domains/{}/users/{user}/roles/{}",
                self.domain, self.roles[1]
            ))
            .await;
            self.put(&format!("system/users/{user}/roles/{}", self.roles[0]))
                .await;
            self.users.push((user, name));
        }
    }

    async fn make_endpoints(&mut self) {
        let services = self.nodes[0].get("/v3/services").await.ok();
        let service = services["services"][0]["id"].clone();
        for url in ["http://one/%(project_id)s", "http://two/%(user_id)s"] {
            let endpoint = json!({ "service_id": service, "interface": "public", "url": url });
            let endpoint = self.create("endpoints", "endpoint", endpoint).await;
            self.endpoints.push(endpoint);
        }
    }

    async fn make_service_provider(&self) {
        let attributes = json!({ "auth_url": "https://sp.test/a", "sp_url": "https://sp.test/s" });
        let path = format!("/v3/OS-FEDERATION/service_providers/{SERVICE_PROVIDER}");
        let body = json!({ "service_provider": attributes });
        let made = self.nodes[0].request("PUT", &path, Some(&body)).await;
        made.created();
    }

    async fn log_everybody_in(&mut self) {
        let projects = self.projects.clone();
        for user in 0..USERS {
            let mut scopes = vec![
                json!({ "domain": { "id": self.domain } }),
                json!({ "system": { "all": true } }),
                Value::Null,
            ];
            scopes.extend(projects.iter().map(|id| json!({ "project": { "id": id } })));
            for (n, scope) in scopes.into_iter().enumerate() {
                self.logins.push(if n % 2 == 0 {
                    Login::Password { user, scope }
                } else {
                    Login::Rescoped { user, scope }
                });
            }
        }
        for user in 0..USERS {
            let trust = self.trust(user).await;
            self.logins.push(Login::Trust {
                user: (user + 1) % USERS,
                trust,
            });
            let id = self.application_credential(user).await;
            self.logins.push(Login::ApplicationCredential { id });
        }
        for login in 0..self.logins.len() {
            let token = self.log_in(login).await;
            self.tokens.push(token.unwrap_or_default());
        }
    }

    async fn create(&self, collection: &str, member: &str, attributes: Value) -> String {
        let path = format!("/v3/{collection}");
        let made = self.nodes[0]
            .post(&path, &json!({ member: attributes }))
            .await;
        made.created()[member]["id"].as_str().unwrap().to_owned()
    }

    async fn put(&self, path: &str) {
        self.nodes[0].put(&format!("/v3/{path}")).await.no_content();
    }

    /// Somebody with an unscoped token, if that is possible now.
    async fn holder(&self, user: usize, scope: &Value) -> Option<Session> {
        let (id, name) = &self.users[user];
        let answer = self.oracle.log_in(&json!({ "id": id }), name, scope).await;
        let token = answer.header("x-subject-token")?.to_owned();
        Some(self.oracle.with_token(&token))
    }

    async fn trust(&self, trustor: usize) -> String {
        let scope = json!({ "project": { "id": self.projects[0] } });
        let Some(holder) = self.holder(trustor, &scope).await else {
            return String::new();
        };
        let trust = json!({
            "trustor_user_id": self.users[trustor].0,
            "trustee_user_id": self.users[(trustor + 1) % USERS].0,
            "project_id": self.projects[0],
            "impersonation": trustor.is_multiple_of(2),
            "roles": [{ "id": self.roles[2] }],
        });
        let made = holder
            .post("/v3/OS-TRUST/trusts", &json!({ "trust": trust }))
            .await;
        made.body["trust"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    async fn application_credential(&mut self, user: usize) -> String {
        let scope = json!({ "project": { "id": self.projects[0] } });
        let Some(holder) = self.holder(user, &scope).await else {
            return String::new();
        };
        self.made += 1;
        let credential = json!({
            "name": format!("c{}", self.made),
            "secret": "s",
            "access_rules": [{ "service": "identity", "method": "GET", "path": "/v3/auth/tokens" }],
        });
        let path = format!("/v3/users/{}/application_credentials", self.users[user].0);
        let made = holder
            .post(&path, &json!({ "application_credential": credential }))
            .await;
        made.body["application_credential"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    async fn log_in(&self, login: usize) -> Option<String> {
        let by_token = async |user: usize, scope: Value| {
            let holder = self.holder(user, &json!("unscoped")).await?;
            let identity = json!({ "methods": ["token"], "token": { "id": holder.token() } });
            let auth = json!({ "auth": { "identity": identity, "scope": scope } });
            Some(holder.post("/v3/auth/tokens", &auth).await)
        };
        let answer = match &self.logins[login] {
            Login::Password { user, scope } => {
                let (id, name) = &self.users[*user];
                self.oracle.log_in(&json!({ "id": id }), name, scope).await
            }
            Login::Rescoped {
                scope: Value::Null, ..
            } => return None,
            Login::Rescoped { user, scope } => by_token(*user, scope.clone()).await?,
            Login::Trust { user, trust } => {
                by_token(*user, json!({ "OS-TRUST:trust": { "id": trust } })).await?
            }
            Login::ApplicationCredential { id } => {
                let credential = json!({ "id": id, "secret": "s" });
                let identity = json!({ "methods": ["application_credential"], "application_credential": credential });
                let auth = json!({ "auth": { "identity": identity } });
                self.oracle.post("/v3/auth/tokens", &auth).await
            }
        };
        answer.header("x-subject-token").map(str::to_owned)
    }

    /// What a node answers to somebody who exchanges a token for one of a project, without what is random in it.
    pub(crate) async fn exchange(
        &self,
        node: &Session,
        token: usize,
        project: usize,
    ) -> (u16, Value) {
        let identity = json!({ "methods": ["token"], "token": { "id": self.tokens[token] } });
        let scope = json!({ "project": { "id": self.projects[project] } });
        let auth = json!({ "auth": { "identity": identity, "scope": scope } });
        let answer = node.post("/v3/auth/tokens", &auth).await;
        if answer.status != 201 {
            // Being asked about the token of a disabled user revokes it, and the next refusal has another text.
            return (answer.status, Value::Null);
        }
        let mut token = answer.body["token"].clone();
        token.as_object_mut().unwrap().remove("audit_ids");
        (answer.status, token)
    }

    /// Makes a token anew, and what is behind it.
    async fn renew(&mut self, token: usize) {
        match self.logins[token].clone() {
            Login::Trust { user, .. } => {
                let trust = self.trust((user + USERS - 1) % USERS).await;
                self.logins[token] = Login::Trust { user, trust };
            }
            Login::ApplicationCredential { .. } => {
                let id = self.application_credential(token % USERS).await;
                self.logins[token] = Login::ApplicationCredential { id };
            }
            Login::Password { .. } | Login::Rescoped { .. } => {}
        }
        if let Some(made) = self.log_in(token).await {
            self.tokens[token] = made;
        }
    }

    /// Lets something happen, at one of the nodes, or by SQL. Not everything is possible each time, which is no fault.
    pub(crate) async fn happen(&mut self, chance: &mut Chance) -> String {
        let token = chance.below(self.tokens.len());
        if chance.below(3) == 0 {
            self.renew(token).await;
            return format!("a new token {token}");
        }
        if chance.below(4) == 0 {
            return self.happen_in_sql(chance).await;
        }
        let node = self.nodes[chance.below(2)].clone();
        let (method, path, body) = self.request(chance, token);
        let answer = match (method, body) {
            ("REVOKE", _) => node.about("DELETE", &path, &self.tokens[token]).await,
            (method, body) => node.request(method, &path, body.as_ref()).await,
        };
        format!("{method} {path}: {}", answer.status)
    }

    fn request(
        &mut self,
        chance: &mut Chance,
        token: usize,
    ) -> (&'static str, String, Option<Value>) {
        match chance.below(5) {
            0 => ("REVOKE", "/v3/auth/tokens".to_owned(), None),
            1 => ("DELETE", self.behind(token), None),
            2 | 3 => {
                let method = ["PUT", "DELETE"][chance.below(2)];
                (method, self.link(chance), None)
            }
            _ => {
                let (path, body) = self.change(chance);
                ("PATCH", path, Some(body))
            }
        }
    }

    /// What a token was made with: a trust, an application credential or else its user's role on the system.
    fn behind(&self, token: usize) -> String {
        let user = &self.users[token % USERS].0;
        match &self.logins[token] {
            Login::Trust { trust, .. } => format!("/v3/OS-TRUST/trusts/{trust}"),
            Login::ApplicationCredential { id } => {
                format!("/v3/users/{user}/application_credentials/{id}")
            }
            Login::Password { .. } | Login::Rescoped { .. } => {
                format!("/v3/system/users/{user}/roles/{}", self.roles[0])
            }
        }
    }

    /// Something that is put or deleted: a grant, a membership, an implied role, an endpoint filter.
    fn link(&self, chance: &mut Chance) -> String {
        let user = &self.users[chance.below(USERS)].0;
        let group = &self.groups[chance.below(GROUPS)];
        let project = &self.projects[chance.below(PROJECTS)];
        let role = &self.roles[chance.below(ROLES)];
        let domain = &self.domain;
        let (prefix, end) = [("", ""), ("OS-INHERIT/", "/inherited_to_projects")][chance.below(2)];
        match chance.below(8) {
            0 => format!("/v3/{prefix}projects/{project}/users/{user}/roles/{role}{end}"),
            1 => format!("/v3/{prefix}projects/{project}/groups/{group}/roles/{role}{end}"),
            2 => format!("/v3/{prefix}domains/{domain}/users/{user}/roles/{role}{end}"),
            3 => format!("/v3/{prefix}domains/{domain}/groups/{group}/roles/{role}{end}"),
            4 => format!("/v3/groups/{group}/users/{user}"),
            5 => format!("/v3/system/groups/{group}/roles/{role}"),
            6 => format!("/v3/roles/{}/implies/{role}", self.roles[0]),
            _ => {
                let endpoint = &self.endpoints[chance.below(2)];
                format!("/v3/OS-EP-FILTER/projects/{project}/endpoints/{endpoint}")
            }
        }
    }

    /// A change of one resource.
    fn change(&mut self, chance: &mut Chance) -> (String, Value) {
        self.made += 1;
        let name = format!("n{}", self.made);
        let attributes = if chance.below(2) == 0 {
            json!({ "name": name })
        } else {
            json!({ "enabled": chance.below(3) > 0 })
        };
        let (user, password) = &self.users[chance.below(USERS)];
        match chance.below(7) {
            0 => (format!("/v3/users/{user}"), json!({ "user": attributes })),
            1 => (
                format!("/v3/users/{user}"),
                json!({ "user": { "password": password } }),
            ),
            2 => {
                let project = &self.projects[chance.below(PROJECTS)];
                (
                    format!("/v3/projects/{project}"),
                    json!({ "project": attributes }),
                )
            }
            3 => (
                format!("/v3/domains/{}", self.domain),
                json!({ "domain": attributes }),
            ),
            4 => {
                let role = &self.roles[chance.below(ROLES)];
                (
                    format!("/v3/roles/{role}"),
                    json!({ "role": { "name": name } }),
                )
            }
            5 => {
                let url = format!("https://{name}.test/");
                let attributes = json!({ "sp_url": url, "enabled": chance.below(3) > 0 });
                (
                    format!("/v3/OS-FEDERATION/service_providers/{SERVICE_PROVIDER}"),
                    json!({ "service_provider": attributes }),
                )
            }
            _ => {
                let endpoint = &self.endpoints[chance.below(2)];
                let url = format!("http://{name}/%(project_id)s");
                let attributes = json!({ "url": url, "enabled": chance.below(3) > 0 });
                (
                    format!("/v3/endpoints/{endpoint}"),
                    json!({ "endpoint": attributes }),
                )
            }
        }
    }

    /// Somebody writes at a SQL prompt.
    async fn happen_in_sql(&mut self, chance: &mut Chance) -> String {
        let (text, id) = self.statement(chance);
        let done = sql(text).bind(&id).execute(self.cloud.keystone.db()).await;
        format!("{text} [{id}]: {done:?}")
    }

    /// A statement about one row.
    pub(crate) fn statement(&self, chance: &mut Chance) -> (&'static str, String) {
        let user = self.users[chance.below(USERS)].0.clone();
        let project = self.projects[chance.below(PROJECTS)].clone();
        let role = self.roles[chance.below(ROLES)].clone();
        match chance.below(10) {
            0 => ("UPDATE user SET enabled = NOT enabled WHERE id = ?", user),
            1 => (
                "UPDATE local_user SET name = name || 'x' WHERE user_id = ?",
                user,
            ),
            2 => (
                "UPDATE project SET enabled = NOT enabled WHERE id = ?",
                project,
            ),
            3 => (
                "UPDATE project SET name = name || 'x' WHERE id = ?",
                project,
            ),
            4 => ("UPDATE role SET name = name || 'x' WHERE id = ?", role),
            5 => ("DELETE FROM user_group_membership WHERE user_id = ?", user),
            6 => (
                "DELETE FROM assignment WHERE role_id = ? AND inherited = 1",
                role,
            ),
            7 => (
                "UPDATE endpoint SET url = url || 'x' WHERE id = ?",
                self.endpoints[0].clone(),
            ),
            8 => (
                "UPDATE service_provider SET sp_url = sp_url || 'x', enabled = NOT enabled WHERE id = ?",
                SERVICE_PROVIDER.to_owned(),
            ),
            _ => (
                "INSERT INTO revocation_event (project_id, issued_before, revoked_at) \
                 VALUES (?, '2026-01-01 12:00:01', '2026-01-01 12:00:01')",
                project,
            ),
        }
    }

    /// Whether transactions can be open at the same time.
    pub(crate) fn has_transactions(&self) -> bool {
        self.cloud.keystone.db().dialect() == Dialect::MySql
    }
}
