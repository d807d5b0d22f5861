//! A cloud with the identity providers of Keystone's recorded logins, which are stored as Python Keystone stores them.

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone::storage::{Query, sql};
use keystone_testkit::{Answer, Cloud, Ids, trusted_proxy};
use serde_json::{Value, json};

pub(super) const ACME: &str = "acacacacacacacacacacacacacacacac";
pub(super) const BETA: &str = "bebebebebebebebebebebebebebebebe";

/// The variables that the proxy vouches for.
const VARIABLES: [&str; 8] = [
    "NAME",
    "SUB",
    "MAIL",
    "G",
    "O",
    "PJ",
    "OTHER",
    "REMOTE_USER",
];

pub(super) struct World {
    pub(super) cloud: Cloud,
    /// The ids of groups, projects, roles and users, by label.
    pub(super) ids: Ids,
}

/// Settings with the methods and the proxy of the recorded logins.
pub(super) fn settings() -> Settings {
    let mut settings = Settings::default();
    let methods = [
        "external",
        "password",
        "token",
        "oauth1",
        "mapped",
        "application_credential",
        "ec2credential",
        "openid",
        "saml2",
    ];
    settings.auth.methods = methods.map(str::to_owned).into();
    let federation = &mut settings.auth.federation;
    let issuer = ("openid".to_owned(), "HTTP_OIDC_ISS".to_owned());
    federation.remote_id_attributes.extend([issuer]);
    let mut proxy = trusted_proxy(VARIABLES);
    proxy.header_prefixes = vec!["OIDC-".to_owned()];
    settings.api.trusted_proxy = Some(proxy);
    settings
}

impl World {
    pub(super) async fn new() -> Self {
        Box::pin(Self::with(settings())).await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        let cloud = Box::pin(Cloud::with(settings)).await;
        let mut world = Self {
            cloud,
            ids: Ids::new(),
        };
        Box::pin(world.set_up()).await;
        world
    }

    async fn set_up(&mut self) {
        let admin = self.cloud.admin().await;
        for (id, name) in [(ACME, "Acme"), (BETA, "Beta")] {
            let domain = json!({ "domain": { "name": name, "explicit_domain_id": id } });
            admin.post("/v3/domains", &domain).await.created();
        }
        let beta_only = json!({ "role": { "name": "beta-only", "domain_id": BETA } });
        admin.post("/v3/roles", &beta_only).await.created();
        for role in ["admin", "member", "reader"] {
            let id = self.cloud.role(role).await;
            self.ids.insert(format!("role:{role}"), id);
        }
        for (label, name, domain) in [("p2", "p2", "default"), ("acme-p1", "p1", ACME)] {
            let project = json!({ "project": { "name": name, "domain_id": domain } });
            let made = admin.post("/v3/projects", &project).await.created();
            self.keep("project", label, &made);
        }
        for (label, name, domain, role) in [
            ("devs", "devs", "default", "member"),
            ("ops", "ops", "default", "reader"),
            ("acme-devs", "devs", ACME, "member"),
        ] {
            self.group(label, name, domain).await;
            let path = format!(
                "/v3/projects/{}/groups/{}/roles/{}",
                self.ids["project:p2"],
                self.ids[&format!("group:{label}")],
                self.ids[&format!("role:{role}")]
            );
            admin.put(&path).await.no_content();
        }
        for name in ["carol", "dave"] {
            let id = self.cloud.user(name).await;
            self.ids.insert(format!("user:{name}"), id);
        }
        let disabled = json!({ "user": { "enabled": false } });
        let dave = format!("/v3/users/{}", self.ids["user:dave"]);
        admin.patch(&dave, &disabled).await.ok();
        self.store_providers().await;
    }

    async fn store_providers(&self) {
        let mapping =
            "INSERT INTO mapping (id, rules, schema_version) VALUES ('m0', '\"[]\"', '1.0')";
        self.run(sql(mapping)).await;
        for (provider, enabled) in [("acme", true), ("open", true), ("off", false)] {
            self.run(
                sql("INSERT INTO identity_provider (id, enabled, domain_id) VALUES (?, ?, ?)")
                    .bind(provider)
                    .bind(enabled)
                    .bind(ACME),
            )
            .await;
        }
        for (provider, protocol) in [
            ("acme", "mapped"),
            ("acme", "openid"),
            ("open", "mapped"),
            ("off", "mapped"),
        ] {
            self.run(
                sql("INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES (?, ?, 'm0')")
                    .bind(provider)
                    .bind(protocol),
            )
            .await;
        }
        let issuer =
            "INSERT INTO idp_remote_ids (idp_id, remote_id) VALUES ('acme', 'https://idp.acme')";
        self.run(sql(issuer)).await;
    }

    fn keep(&mut self, kind: &str, label: &str, made: &Value) {
        let id = made[kind]["id"].as_str().expect("a resource has an id");
        self.ids.insert(format!("{kind}:{label}"), id.to_owned());
    }

    pub(super) async fn group(&mut self, label: &str, name: &str, domain: &str) {
        let group = json!({ "group": { "name": name, "domain_id": domain } });
        let admin = self.cloud.admin().await;
        let made = admin.post("/v3/groups", &group).await.created();
        self.keep("group", label, &made);
    }

    pub(super) async fn run(&self, statement: Query) {
        let done = statement.execute(self.cloud.keystone.db()).await;
        done.expect("a statement of a test is right");
    }

    /// Rewrites the one mapping.
    pub(super) async fn map(&self, version: &str, rules: &Value) {
        // JSON in the string of another JSON.
        let rules = Value::from(rules.to_string()).to_string();
        self.run(
            sql("UPDATE mapping SET rules = ?, schema_version = ? WHERE id = 'm0'")
                .bind(rules)
                .bind(version),
        )
        .await;
    }

    /// A login by `acme` and `mapped`, for which the proxy vouches.
    pub(super) async fn log_in(&self, variables: &[(&str, &str)]) -> Answer {
        let path = "/v3/OS-FEDERATION/identity_providers/acme/protocols/mapped/auth";
        self.get(path, variables).await
    }

    /// `GET` by way of the proxy.
    pub(super) async fn get(&self, path: &str, variables: &[(&str, &str)]) -> Answer {
        let request = Request::builder().uri(path).body(Body::empty());
        let request = request.expect("a test's request is well-formed");
        let nobody = self.cloud.nobody();
        nobody
            .send_vouched(request, variables.iter().copied())
            .await
    }
}

/// The token of an answer.
pub(super) fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let id = answer.header("x-subject-token");
    id.expect("a new token is in a header").to_owned()
}

/// Rules that name the user in `NAME`, and groups of the default domain in `G`.
pub(super) fn with_groups() -> Value {
    json!([{
        "remote": [{ "type": "NAME" }, { "type": "G" }],
        "local": [{ "user": { "name": "{0}" } }, { "groups": "{1}", "domain": { "id": "default" } }],
    }])
}
