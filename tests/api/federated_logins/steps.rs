//! The logins that were played on Python Keystone 30.0.0, in order, on one database.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use chrono::Duration;
use keystone::storage::sql;
use keystone_testkit::{Answer, Session};
use serde_json::{Value, json};

use super::world::{World, token, with_groups};

/// Where the answer is another one on purpose: the number of the step, the status here, and why.
const DIFFERENT: [(usize, u16, &str); 9] = [
    (
        19,
        201,
        "a user without a domain is in that of the provider",
    ),
    (
        32,
        201,
        "a group is JSON if it begins so, whatever its name holds",
    ),
    (
        37,
        500,
        "what can't be applied is an answer, and no lost connection",
    ),
    (
        38,
        500,
        "what can't be applied is an answer, and no lost connection",
    ),
    (
        55,
        201,
        "a project without a domain is in that of the provider",
    ),
    (
        58,
        500,
        "what can't be applied is an answer, and no lost connection",
    ),
    (
        76,
        401,
        "an identity is another one if its case is, to whatever database",
    ),
    (81, 401, "no token of a provider's user holds on the system"),
    (83, 401, "no token of a provider's user holds on the system"),
];

/// Where roles on the system would count on a project.
const WITHOUT_SYSTEM_ROLES: usize = 82;

/// The ids that the recorded rules and variables name.
const RECORDED: [(&str, &str); 3] = [
    ("5ebd45066968444293932bb3898275d3", "group:devs"),
    ("46e73c6ff3b24f1e8a6e49c354eca716", "group:ops"),
    ("e86e85ee2a824b47b4f80973c6b296eb", "user:carol"),
];

/// Steps that are logins, and those that look at what became of some.
struct Play {
    world: World,
    /// The tokens of the logins, by number of the step.
    tokens: BTreeMap<usize, String>,
    rescoped: String,
}

#[tokio::test]
async fn every_recorded_login_is_answered_alike() {
    let vectors: Value = serde_json::from_str(include_str!(
        "../../../crates/federation/tests/vectors.json"
    ))
    .expect("the vectors are JSON");
    let steps = vectors["login"]["steps"].as_array().expect("a list");
    let mut play = Play {
        world: World::new().await,
        tokens: BTreeMap::new(),
        rescoped: String::new(),
    };
    assert_eq!(steps.len(), 106);
    for (number, step) in (1..).zip(steps) {
        // Events of a second are no events of the next.
        play.world.cloud.advance(Duration::seconds(2));
        if step.get("environment").is_some() {
            Box::pin(play.login(number, step)).await;
        } else {
            Box::pin(play.look(number)).await;
        }
    }
}

impl Play {
    /// Plays a login, and compares answer and rows.
    async fn login(&mut self, number: usize, step: &Value) {
        let step = self.resolved(step);
        if number == WITHOUT_SYSTEM_ROLES {
            let path = format!(
                "/v3/system/groups/{}/roles/{}",
                self.world.ids["group:devs"], self.world.ids["role:admin"]
            );
            let admin = self.world.cloud.admin().await;
            admin.put(&path).await.no_content();
        }
        if let Some(rules) = step["rules"].as_array() {
            let version = step["schema_version"].as_str().expect("a version");
            self.world.map(version, &json!(rules)).await;
        }
        let answer = self.ask(&step).await;
        let (status, text) = (answer.status, answer.body.clone());
        let different = DIFFERENT.iter().find(|(known, ..)| *known == number);
        let recorded = u16::try_from(step["status"].as_u64().expect("a status")).expect("small");
        let expected = different.map_or(recorded, |(_, status, _)| *status);
        assert_eq!(status, expected, "step {number}: {text}");
        if status == 201 {
            self.tokens.insert(number, token(&answer));
        }
        if different.is_some() {
            return;
        }
        if status == 201 {
            let shown = shown(&answer.body["token"], number);
            assert_eq!(shown, shown_vector(&step["token"], number), "step {number}");
        } else {
            assert_eq!(text["error"], step["error"], "step {number}");
        }
        if let Some(rows) = step.get("database") {
            let user = rows["user"][0]["id"].as_str().expect("a user");
            assert_eq!(self.rows(user).await, sorted(rows), "step {number}");
        }
    }

    /// A step with ids in place of labels.
    fn resolved(&self, step: &Value) -> Value {
        let mut text = step.to_string();
        for (id, label) in RECORDED {
            text = text.replace(id, &self.world.ids[label]);
        }
        for (label, id) in &self.world.ids {
            text = text.replace(&format!("<{label}>"), id);
        }
        serde_json::from_str(&text).expect("ids are texts")
    }

    async fn ask(&self, step: &Value) -> Answer {
        let text = |name: &str| step[name].as_str().expect("a text");
        let (provider, protocol) = (text("identity_provider"), text("protocol"));
        let request = if step.get("route").is_some() {
            let mapped = json!({ "identity_provider": provider, "protocol": protocol });
            let identity = json!({ "methods": ["mapped"], "mapped": mapped });
            let auth = json!({ "identity": identity, "scope": step["scope"] });
            Request::builder()
                .method("POST")
                .uri("/v3/auth/tokens")
                .header("content-type", "application/json")
                .body(Body::from(json!({ "auth": auth }).to_string()))
        } else {
            Request::builder()
                .uri(format!(
                    "/v3/OS-FEDERATION/identity_providers/{provider}/protocols/{protocol}/auth"
                ))
                .body(Body::empty())
        };
        let mut request = request.expect("a request");
        let variables = step["environment"].as_object().expect("variables");
        let mut variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().expect("a text")))
            .collect();
        let nobody = self.world.cloud.nobody();
        // A proxy's empty variable is one that is not set.
        if variables.iter().any(|(_, value)| value.is_empty()) {
            return nobody.vouched_for(variables).send(request).await;
        }
        // As `mod_auth_openidc` sends it.
        if let Some(at) = variables
            .iter()
            .position(|(name, _)| *name == "HTTP_OIDC_ISS")
        {
            let issuer = variables.remove(at).1.parse().expect("a header");
            request.headers_mut().insert("oidc-iss", issuer);
        }
        nobody.send_vouched(request, variables).await
    }

    /// The rows of a user, as the vectors have them.
    async fn rows(&self, user: &str) -> Value {
        let db = self.world.cloud.keystone.db();
        let user_row =
            "SELECT id, domain_id, enabled, extra, default_project_id FROM user WHERE id = ?";
        let users: Vec<(String, String, bool, String, Option<String>)> =
            sql(user_row).bind(user).fetch_all(db).await.expect("rows");
        let accounts = "\
            SELECT idp_id, protocol_id, unique_id, display_name FROM federated_user WHERE user_id = ? ORDER BY id";
        let accounts: Vec<(String, String, String, String)> =
            sql(accounts).bind(user).fetch_all(db).await.expect("rows");
        let memberships = "\
            SELECT group_id, idp_id FROM expiring_user_group_membership WHERE user_id = ? ORDER BY group_id";
        let memberships: Vec<(String, String)> = sql(memberships)
            .bind(user)
            .fetch_all(db)
            .await
            .expect("rows");
        let grants = "\
            SELECT a.type, a.target_id, a.role_id, a.inherited, p.name, p.domain_id \
              FROM assignment a JOIN project p ON p.id = a.target_id WHERE a.actor_id = ? ORDER BY a.target_id, a.role_id";
        let grants: Vec<(String, String, String, bool, String, String)> =
            sql(grants).bind(user).fetch_all(db).await.expect("rows");
        let known = &self.world.ids["project:acme-p1"];
        let rows = json!({
            "user": users.iter().map(|(id, domain, enabled, extra, project)| json!({
                "id": id, "domain_id": domain, "enabled": i32::from(*enabled), "extra": extra,
                "default_project_id": project,
            })).collect::<Vec<_>>(),
            "federated_user": accounts.iter().map(|(idp, protocol, unique, name)| json!({
                "idp_id": idp, "protocol_id": protocol, "unique_id": unique, "display_name": name,
            })).collect::<Vec<_>>(),
            "local_user": [],
            "expiring_user_group_membership": memberships.iter().map(|(group, idp)| json!({
                "group_id": group, "idp_id": idp,
            })).collect::<Vec<_>>(),
            "assignment": grants.iter().map(|(kind, target, role, inherited, name, domain)| json!({
                "type": kind, "target_id": if target == known { target } else { "<project>" }, "role_id": role,
                "inherited": i32::from(*inherited), "project_name": name, "project_domain": domain,
            })).collect::<Vec<_>>(),
        });
        sorted(&rows)
    }

    /// Looks at what became of logins.
    async fn look(&mut self, number: usize) {
        match number {
            50 => self.nothing_is_left_of_a_failed_login().await,
            85 => {
                self.is_valid(84).await;
                let answer = self.rescope(84).await;
                self.rescoped = token(&answer);
                let shown = &answer.body["token"];
                assert_eq!(names(&shown["roles"]), ["member", "reader"]);
                assert_eq!(shown["methods"], json!(["mapped", "token"]));
                assert_eq!(shown["audit_ids"].as_array().map(Vec::len), Some(1));
            }
            87 => {
                self.is_valid(84).await;
                self.validate(&self.rescoped).await.ok();
            }
            89 => {
                let rescoped = self.rescoped.clone();
                let old = [&self.tokens[&84], &rescoped, &self.tokens[&86]];
                for token in old {
                    let text = self.validate(token).await.refused(404);
                    assert_eq!(text, "Failed to validate token");
                }
                self.is_valid(88).await;
            }
            90 => self.revocation_events().await,
            92..=95 => self.without_provider_or_mapping(number).await,
            97..=99 => self.end_of_membership(number).await,
            101 => {
                let path = format!("/v3/groups/{}", self.world.ids["group:gx"]);
                let admin = self.world.cloud.admin().await;
                admin.delete(&path).await.no_content();
                self.is_valid(100).await;
                self.rescope(100).await.refused(500);
            }
            103 | 105 | 106 => self.without_protocol_or_provider(number).await,
            other => panic!("step {other} is not known"),
        }
        self.prepare(number + 1).await;
    }

    /// What the recorded server was made ready with before a login.
    async fn prepare(&mut self, number: usize) {
        match number {
            96 => {
                let rules = with_groups().to_string();
                let rules = Value::from(rules).to_string();
                let mapping =
                    "INSERT INTO mapping (id, rules, schema_version) VALUES ('m0', ?, '1.0')";
                self.world.run(sql(mapping).bind(rules)).await;
                let ttl = "UPDATE identity_provider SET authorization_ttl = 10 WHERE id = 'acme'";
                self.world.run(sql(ttl)).await;
            }
            100 => self.world.group("gx", "gx", "default").await,
            104 => {
                let protocol = "INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES ('acme', 'mapped', 'm0')";
                self.world.run(sql(protocol)).await;
            }
            _ => {}
        }
    }

    async fn validate(&self, token: &str) -> Answer {
        self.world.cloud.admin().await.validate(token).await
    }

    async fn is_valid(&self, step: usize) {
        self.validate(&self.tokens[&step]).await.ok();
    }

    /// Exchanges the token of a step for one on p2.
    async fn rescope(&self, step: usize) -> Answer {
        let identity = json!({ "methods": ["token"], "token": { "id": self.tokens[&step] } });
        let scope = json!({ "project": { "id": self.world.ids["project:p2"] } });
        let auth = json!({ "auth": { "identity": identity, "scope": scope } });
        self.world
            .cloud
            .nobody()
            .post("/v3/auth/tokens", &auth)
            .await
    }

    fn bearer(&self, step: usize) -> Session {
        self.world.cloud.nobody().with_token(&self.tokens[&step])
    }

    /// In Keystone the user stays.
    async fn nothing_is_left_of_a_failed_login(&self) {
        let db = self.world.cloud.keystone.db();
        let quin = sql("SELECT id FROM federated_user WHERE unique_id = 'quin'");
        assert!(!quin.exists(db).await.expect("rows"));
        let project = sql("SELECT id FROM project WHERE name = 'auto2'");
        assert!(!project.exists(db).await.expect("rows"));
    }

    async fn revocation_events(&self) {
        let events = "SELECT user_id FROM revocation_event WHERE user_id IS NOT NULL ORDER BY id";
        let db = self.world.cloud.keystone.db();
        let users = sql(events).fetch_texts(db).await.expect("rows");
        let count = |start: &str| users.iter().filter(|id| id.starts_with(start)).count();
        assert_eq!(count("16d3d825"), 1);
        // One more than recorded, for step 32.
        assert_eq!(count("b2cb4c3b"), 6);
        assert_eq!(count("005ac5b4"), 2);
        assert_eq!(count("f6a38325"), 1);
    }

    async fn without_provider_or_mapping(&self, number: usize) {
        match number {
            92 => {
                self.enable_provider(false).await;
                self.is_valid(91).await;
                let text = self.rescope(91).await.refused(403);
                assert_eq!(
                    text,
                    "You are not authorized to perform the requested action."
                );
            }
            93 => {
                let projects = self.bearer(91).get("/v3/auth/projects").await.ok();
                assert_eq!(names(&projects["projects"]), ["p2"]);
            }
            94 => {
                self.enable_provider(true).await;
                self.world
                    .run(sql("DELETE FROM mapping WHERE id = 'm0'"))
                    .await;
                self.is_valid(91).await;
                let text = self.rescope(91).await.refused(404);
                assert_eq!(text, "Could not find mapping: m0.");
            }
            _ => {
                let answer = self.world.log_in(&[("NAME", "tess"), ("G", "ops")]).await;
                assert_eq!(answer.refused(404), "Could not find mapping: m0.");
            }
        }
    }

    /// Who is left without an account is deleted.
    async fn without_protocol_or_provider(&self, number: usize) {
        let admin = self.world.cloud.admin().await;
        let provider = "/v3/OS-FEDERATION/identity_providers/acme";
        let (deleted, step, user) = match number {
            103 => (
                format!("{provider}/protocols/mapped"),
                102,
                "44862d7e58d3174661e521284aa3bcd642cb73660c3a52224d576ab0a7aa4c34",
            ),
            _ => (
                provider.to_owned(),
                104,
                "5e10bbdde04e74fc3a46f155d931045cc1d5dbce9b22640209bdc5c222f39bcd",
            ),
        };
        let gone = if number == 106 {
            self.bearer(step).get("/v3/auth/projects").await
        } else {
            admin.delete(&deleted).await.no_content();
            self.validate(&self.tokens[&step]).await
        };
        assert_eq!(gone.refused(404), format!("Could not find user: {user}."));
        if number == 105 {
            let left = sql("SELECT user_id FROM expiring_user_group_membership");
            let db = self.world.cloud.keystone.db();
            assert!(!left.exists(db).await.expect("rows"));
        }
    }

    async fn enable_provider(&self, enabled: bool) {
        let change = sql("UPDATE identity_provider SET enabled = ? WHERE id = 'acme'");
        self.world.run(change.bind(enabled)).await;
    }

    async fn end_of_membership(&self, number: usize) {
        let user = "f6a38325a5cf3a05ac61bcd8caee697da121bab036c382be6e05c31126c5b867";
        let path = format!("/v3/users/{user}/groups");
        let admin = self.world.cloud.admin().await;
        let groups = admin.get(&path).await.ok()["groups"].take();
        match number {
            97 => {
                assert_eq!(names(&groups), ["devs"]);
                assert!(groups[0]["membership_expires_at"].is_string(), "{groups}");
            }
            98 => {
                self.world.cloud.advance(Duration::minutes(11));
                self.is_valid(96).await;
                let answer = self.rescope(96).await.created();
                assert_eq!(names(&answer["token"]["roles"]), ["member", "reader"]);
            }
            _ => assert_eq!(groups, json!([])),
        }
    }
}

/// What is compared of the body of a token.
fn shown(token: &Value, number: usize) -> Value {
    let mut token = token.clone();
    let count = token["audit_ids"].as_array().map(Vec::len);
    assert_eq!(count, Some(1), "step {number}");
    if let Some(members) = token.as_object_mut() {
        members.retain(|name, _| {
            !matches!(
                name.as_str(),
                "audit_ids" | "expires_at" | "issued_at" | "catalog"
            )
        });
    }
    sorted(&token)
}

/// The recorded body.
fn shown_vector(token: &Value, number: usize) -> Value {
    let mut token = token.clone();
    if number == WITHOUT_SYSTEM_ROLES
        && let Some(roles) = token["roles"].as_array_mut()
    {
        roles.retain(|role| role["name"] != "admin");
    }
    sorted(&token)
}

/// The same with all lists in order: those compared have none.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(ToString::to_string);
            items.into()
        }
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members
                .iter()
                .map(|(name, value)| (name.clone(), sorted(value)))
                .collect();
            members.into_iter().collect()
        }
        other => other.clone(),
    }
}

fn names(items: &Value) -> Vec<&str> {
    let items = items.as_array().expect("a list").iter();
    let mut names: Vec<&str> = items.filter_map(|item| item["name"].as_str()).collect();
    names.sort_unstable();
    names
}
