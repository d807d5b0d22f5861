//! A cloud in which everything that can be listed grows together.

use std::collections::BTreeMap;

use keystone_testkit::{Cloud, Session};
use serde_json::{Value, json};

use crate::filled;

/// The cloud, its administrator, and the ids that paths name.
pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) admin: Session,
    ids: BTreeMap<&'static str, String>,
    /// The roles that the administrator has got on the project.
    roles: Vec<String>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let cloud = Cloud::new().await;
        let admin = cloud.admin().await;
        let mut world = Self {
            cloud,
            admin,
            ids: BTreeMap::new(),
            roles: Vec::new(),
        };
        let own = world.admin.validate(world.admin.token()).await.ok();
        let user = own["token"]["user"]["id"].as_str().unwrap().to_owned();
        let project = own["token"]["project"]["id"].as_str().unwrap().to_owned();
        world.ids.insert("user_id", user);
        world.ids.insert("project_id", project);
        world.ids.insert("domain_id", "default".to_owned());
        world.ids.insert("region_id", "RegionOne".to_owned());
        let group = json!({ "name": "top", "domain_id": "default" });
        world.name("group_id", "groups", "group", group).await;
        let service = json!({ "type": "top", "name": "top" });
        world
            .name("service_id", "services", "service", service)
            .await;
        let endpoint = json!({ "service_id": world.ids["service_id"], "interface": "admin", "url": "http://top.test/" });
        world
            .name("endpoint_id", "endpoints", "endpoint", endpoint)
            .await;
        let filter = json!({ "name": "top", "filters": { "interface": "public" } });
        world
            .name(
                "endpoint_group_id",
                "OS-EP-FILTER/endpoint_groups",
                "endpoint_group",
                filter,
            )
            .await;
        let policy = json!({ "blob": "{}", "type": "text/plain" });
        world.name("policy_id", "policies", "policy", policy).await;
        world
            .name("prior_role_id", "roles", "role", json!({ "name": "prior" }))
            .await;
        let trust = world.trust();
        world
            .name("trust_id", "OS-TRUST/trusts", "trust", trust)
            .await;
        let service = &world.ids["service_id"];
        let path = format!(
            "policies/{}/OS-ENDPOINT-POLICY/services/{service}",
            world.ids["policy_id"]
        );
        world.put(&path).await;
        let config = json!({ "config": { "identity": { "driver": "sql" } } });
        let url = world.url("/v3/domains/{domain_id}/config");
        let answer = world.admin.request("PUT", &url, Some(&config)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        world.ids.insert("idp_id", "top".to_owned());
        world.federate("top").await;
        world
    }

    /// A URL with the ids of this world in it.
    pub(crate) fn url(&self, template: &str) -> String {
        let (path, query) = template.split_once('?').unwrap_or((template, ""));
        let path = filled(path, |name| self.ids[name].clone());
        let mut query = query.to_owned();
        for (name, id) in &self.ids {
            query = query.replace(&format!("{{{name}}}"), id);
        }
        if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }
    }

    async fn name(&mut self, parameter: &'static str, collection: &str, member: &str, body: Value) {
        let id = self.make(collection, member, body).await;
        self.ids.insert(parameter, id);
    }

    /// A trust of the administrator for the administrator.
    fn trust(&self) -> Value {
        let (user, project) = (&self.ids["user_id"], &self.ids["project_id"]);
        json!({ "trustor_user_id": user, "trustee_user_id": user, "project_id": project, "impersonation": false,
                "roles": [{ "name": "admin" }, { "name": "member" }] })
    }

    async fn make(&self, collection: &str, member: &str, body: Value) -> String {
        let answer = self
            .admin
            .post(&format!("/v3/{collection}"), &json!({ member: body }))
            .await;
        let body = answer.created();
        // Limits are made in lists.
        let made = match &body[member] {
            Value::Array(items) => &items[0],
            one => one,
        };
        made["id"].as_str().unwrap().to_owned()
    }

    async fn put(&self, path: &str) {
        let answer = self.admin.put(&format!("/v3/{path}")).await;
        assert!(
            (200..300).contains(&answer.status),
            "{path}: {}",
            answer.body
        );
    }

    /// Adds one of everything, tied to everything else.
    pub(crate) async fn grow(&mut self, name: &str) {
        let ids = self.ids.clone();
        let at = |parameter: &str| ids[parameter].as_str();
        let (user, group) = (at("user_id"), at("group_id"));
        let (project, domain) = (at("project_id"), at("domain_id"));
        self.grow_people(name, group, user).await;
        let role = self.make("roles", "role", json!({ "name": name })).await;
        self.make(
            "roles",
            "role",
            json!({ "name": name, "domain_id": domain }),
        )
        .await;
        self.put(&format!("roles/{}/implies/{role}", at("prior_role_id")))
            .await;
        let child = json!({ "name": name, "domain_id": domain, "parent_id": project, "tags": ["blue", name] });
        let child = self.make("projects", "project", child).await;
        self.put(&format!("projects/{project}/tags/{name}")).await;
        let other = self
            .make("domains", "domain", json!({ "name": name }))
            .await;
        for actor in [format!("users/{user}"), format!("groups/{group}")] {
            for on in [
                "system".to_owned(),
                format!("projects/{project}"),
                format!("projects/{child}"),
            ] {
                self.put(&format!("{on}/{actor}/roles/{role}")).await;
            }
            for on in [domain, other.as_str()] {
                self.put(&format!("domains/{on}/{actor}/roles/{role}"))
                    .await;
            }
            self.put(&format!(
                "OS-INHERIT/domains/{domain}/{actor}/roles/{role}/inherited_to_projects"
            ))
            .await;
        }
        self.grow_catalog(name, &ids, &child).await;
        self.make("OS-TRUST/trusts", "trust", self.trust()).await;
        self.grow_limits(name, at("service_id"), project).await;
        self.federate(name).await;
        self.roles.push(role);
        let roles: Vec<&str> = self.roles.iter().map(String::as_str).collect();
        let consumer = self.cloud.consumer().await;
        let token = consumer.granted(&self.admin, project, &roles).await;
        self.ids.insert("access_token_id", token.key);
        // Tokens that end early leave an event behind.
        let token = self.cloud.admin().await;
        let answer = token
            .about("DELETE", "/v3/auth/tokens", token.token())
            .await;
        answer.no_content();
    }

    /// A user in the group, a group with the administrator in it, and credentials.
    async fn grow_people(&self, name: &str, group: &str, admin: &str) {
        let user = json!({ "name": name, "domain_id": "default", "password": "secret", "email": "x@example.test" });
        let user = self.make("users", "user", user).await;
        self.put(&format!("groups/{group}/users/{user}")).await;
        let other = json!({ "name": name, "domain_id": "default" });
        let other = self.make("groups", "group", other).await;
        self.put(&format!("groups/{other}/users/{admin}")).await;
        for user in [user.as_str(), admin] {
            let credential = json!({ "user_id": user, "type": "cert", "blob": "secret" });
            self.make("credentials", "credential", credential).await;
            let project = json!({ "tenant_id": self.ids["project_id"] });
            let keys = format!("/v3/users/{user}/credentials/OS-EC2");
            self.admin.post(&keys, &project).await.created();
        }
        let rule = json!({ "service": "x", "path": format!("/{name}"), "method": "GET" });
        let credential = json!({ "name": name, "access_rules": [rule] });
        let credentials = format!("users/{admin}/application_credentials");
        self.make(&credentials, "application_credential", credential)
            .await;
    }

    /// An identity provider, a protocol of the first one, a mapping and a service provider.
    async fn federate(&self, name: &str) {
        let rules =
            json!([{ "local": [{ "user": { "name": "{0}" } }], "remote": [{ "type": "NAME" }] }]);
        let provider = json!({ "enabled": true, "remote_ids": [name] });
        let service = json!({ "auth_url": "https://x.test/a", "sp_url": "https://x.test/s", "enabled": true });
        for (path, member, body) in [
            (
                format!("identity_providers/{name}"),
                "identity_provider",
                provider,
            ),
            (
                format!("mappings/{name}"),
                "mapping",
                json!({ "rules": rules }),
            ),
            (
                format!("identity_providers/top/protocols/{name}"),
                "protocol",
                json!({ "mapping_id": name }),
            ),
            (
                format!("service_providers/{name}"),
                "service_provider",
                service,
            ),
        ] {
            let path = format!("/v3/OS-FEDERATION/{path}");
            let body = json!({ member: body });
            let answer = self.admin.request("PUT", &path, Some(&body)).await;
            answer.created();
        }
    }

    /// Registered limits of a service, and a project's limit.
    async fn grow_limits(&self, name: &str, service: &str, project: &str) {
        let limit = json!([{ "service_id": service, "resource_name": name, "default_limit": 9 }]);
        self.make("registered_limits", "registered_limits", limit)
            .await;
        let limit = json!([{ "service_id": service, "resource_name": name, "default_limit": 9, "region_id": "RegionOne" }]);
        self.make("registered_limits", "registered_limits", limit)
            .await;
        let limit = json!([{ "service_id": service, "resource_name": name, "resource_limit": 3, "project_id": project,
                             "region_id": "RegionOne" }]);
        self.make("limits", "limits", limit).await;
    }

    /// Regions, services and endpoints, with what filters them.
    async fn grow_catalog(&self, name: &str, ids: &BTreeMap<&'static str, String>, child: &str) {
        let (project, endpoint_group) = (&ids["project_id"], &ids["endpoint_group_id"]);
        let region = json!({ "id": name, "parent_region_id": "RegionOne" });
        self.make("regions", "region", region).await;
        let service = self
            .make("services", "service", json!({ "type": "x", "name": name }))
            .await;
        let mut ends = Vec::new();
        for service in [&service, &ids["service_id"]] {
            let endpoint = json!({ "service_id": service, "interface": "public", "region_id": name, "url": "http://x.test/" });
            ends.push(self.make("endpoints", "endpoint", endpoint).await);
        }
        for end in &ends {
            self.put(&format!("OS-EP-FILTER/projects/{project}/endpoints/{end}"))
                .await;
        }
        self.put(&format!(
            "OS-EP-FILTER/projects/{child}/endpoints/{}",
            ids["endpoint_id"]
        ))
        .await;
        let filter = json!({ "name": format!("eg-{name}"), "filters": { "service_id": service } });
        let filter = self
            .make("OS-EP-FILTER/endpoint_groups", "endpoint_group", filter)
            .await;
        let groups = "OS-EP-FILTER/endpoint_groups";
        self.put(&format!("{groups}/{filter}/projects/{project}"))
            .await;
        self.put(&format!("{groups}/{endpoint_group}/projects/{child}"))
            .await;
        let policy = json!({ "blob": "{}", "type": "text/plain" });
        self.make("policies", "policy", policy).await;
    }
}
