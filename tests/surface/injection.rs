//! No part of a request can replace the target or the credentials of a rule.

use std::collections::BTreeSet;

use keystone_testkit::{Answer, Cloud, Session};
use serde_json::{Map, Value, json};

use crate::{Call, UNKNOWN};

/// Eve is a reader on one project; the calls are about resources that are not hers.
pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) eve: Session,
    pub(crate) eve_id: String,
    project: String,
    /// A domain that neither eve nor the targets of the calls belong to.
    pub(crate) managed: String,
    victim: Vec<(&'static str, String)>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let cloud = Cloud::new().await;
        let admin = cloud.admin().await;
        let made = async |path: &str, name: &str, body: Value| {
            let body = admin.post(path, &json!({ name: body })).await.created();
            body[name]["id"].as_str().unwrap().to_owned()
        };
        let (eve_id, alice) = (cloud.user("eve").await, cloud.user("alice").await);
        let (project, other) = (cloud.project("p1").await, cloud.project("p2").await);
        cloud.grant(&eve_id, &project, "reader").await;
        cloud.grant(&alice, &other, "member").await;
        let elsewhere = made("/v3/domains", "domain", json!({ "name": "elsewhere" })).await;
        let group = json!({ "name": "group", "domain_id": elsewhere });
        let service = made("/v3/services", "service", json!({ "type": "compute" })).await;
        let endpoint =
            json!({ "service_id": service, "interface": "public", "url": "http://compute.test/" });
        let credential = json!({ "user_id": alice, "type": "cert", "blob": "secret" });
        let limit = json!({ "service_id": service, "resource_name": "core", "default_limit": 5 });
        let limits = json!({ "registered_limits": [limit] });
        let limits = admin.post("/v3/registered_limits", &limits).await.created();
        let victim = vec![
            ("user_id", alice),
            ("project_id", other),
            ("group_id", made("/v3/groups", "group", group).await),
            ("role_id", cloud.role("member").await),
            ("prior_role_id", cloud.role("admin").await),
            ("implied_role_id", cloud.role("manager").await),
            ("domain_id", elsewhere),
            ("region_id", "RegionOne".to_owned()),
            (
                "endpoint_id",
                made("/v3/endpoints", "endpoint", endpoint).await,
            ),
            ("service_id", service),
            (
                "credential_id",
                made("/v3/credentials", "credential", credential).await,
            ),
            (
                "registered_limit_id",
                text(&limits["registered_limits"][0]["id"]),
            ),
            ("group", "identity".to_owned()),
            ("option", "driver".to_owned()),
            ("value", "blue".to_owned()),
        ];
        let managed = made("/v3/domains", "domain", json!({ "name": "managed" })).await;
        let scope = json!({ "project": { "id": project } });
        let eve = cloud.session("eve", "eve", &scope).await;
        Self {
            cloud,
            eve,
            eve_id,
            project,
            managed,
            victim,
        }
    }

    /// Eve as the manager of a domain other than that of the targets.
    pub(crate) async fn manager_of_a_domain(&self) -> Session {
        let role = self.cloud.role("manager").await;
        let (domain, eve) = (&self.managed, &self.eve_id);
        let grant = format!("/v3/domains/{domain}/users/{eve}/roles/{role}");
        self.cloud.admin().await.put(&grant).await.no_content();
        let scope = json!({ "domain": { "id": domain } });
        self.cloud.session("eve", "eve", &scope).await
    }

    /// The value of a parameter in the path.
    pub(crate) fn victim(&self, parameter: &str) -> String {
        let found = self.victim.iter().find(|(name, _)| *name == parameter);
        found.map_or_else(|| UNKNOWN.to_owned(), |(_, id)| id.clone())
    }

    /// The value that eve wants a rule to read under this name.
    pub(crate) fn wished(&self, name: &str) -> &str {
        match name {
            "target.role.name" => "reader",
            name if name.contains("domain") => "default",
            name if name.contains("project") => &self.project,
            _ => &self.eve_id,
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Every name that a rule reads from its target.
pub(crate) fn names() -> BTreeSet<String> {
    let rules = include_str!("../../policy/defaults.json");
    let reads = rules.split("%(").skip(1);
    reads
        .map(|rest| rest.split_once(")s").unwrap().0.to_owned())
        .collect()
}

/// Sets `a.b.c` inside nested objects.
fn nest(into: &mut Map<String, Value>, name: &str, value: &str) {
    match name.split_once('.') {
        None => {
            into.insert(name.to_owned(), value.into());
        }
        Some((first, rest)) => {
            let inner = into.entry(first).or_insert_with(|| json!({}));
            // A text with the same name is replaced: `project_id` and the attributes of `project` differ.
            if let Value::Object(inner) = inner {
                nest(inner, rest, value);
            }
        }
    }
}

/// The bodies with the values that eve wants: under flat names, under nested ones, and inside the resource.
fn bodies(world: &World, formed: Option<&Value>) -> Vec<Value> {
    let formed = formed
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let (mut flat, mut nested, mut inside) = (formed.clone(), formed.clone(), formed);
    for name in names() {
        let value = world.wished(&name);
        flat.insert(name.clone(), value.into());
        nest(&mut nested, &name, value);
        for (_, member) in &mut inside {
            if let Value::Object(member) = member {
                // Attributes of the resource itself are a legitimate target of a rule.
                member.entry(name.clone()).or_insert(value.into());
            }
        }
    }
    vec![flat.into(), nested.into(), inside.into()]
}

/// The number of resources in an answer.
fn shown(answer: &Answer) -> usize {
    let members = answer.body.as_object().into_iter().flatten();
    let lists = members.filter_map(|(_, value)| value.as_array());
    lists.map(Vec::len).sum()
}

/// What the answer to a request with additions shows or permits beyond the answer to the plain one.
fn gained(plain: &Answer, answer: &Answer) -> Option<String> {
    // A schema may refuse additions, and the answer may be a refusal; it may not change otherwise.
    let refused = matches!(answer.status, 400 | 403);
    let same = answer.status == plain.status;
    let good = match plain.status {
        200..300 => refused || (same && shown(answer) <= shown(plain)),
        _ => same || answer.status == 400,
    };
    (!good).then(|| format!("{} became {}", plain.status, answer.status))
}

#[tokio::test]
async fn sec_51_no_key_of_a_body_or_a_query_changes_a_decision() {
    let world = World::new().await;
    let mut wrong = Vec::new();
    let names = names();
    assert!(names.len() >= 17, "{names:?}");
    for call in Call::all() {
        let url = call.url(|parameter| world.victim(parameter));
        let ask =
            async |url: &str, body: Option<&Value>| world.eve.request(call.method, url, body).await;
        let plain = ask(&url, call.body()).await;
        let mut note = |what: &str, answer: &Answer| {
            let gained = gained(&plain, answer);
            wrong.extend(gained.map(|gained| format!("{} with {what}: {gained}", call.key())));
        };
        for body in bodies(&world, call.body()) {
            note(&body.to_string(), &ask(&url, Some(&body)).await);
        }
        let pairs = names
            .iter()
            .map(|name| format!("{name}={}", world.wished(name)));
        let pairs: Vec<String> = pairs.collect();
        let together = pairs.join("&");
        let answer = ask(&format!("{url}?{together}"), call.body()).await;
        note(&together, &answer);
        if answer.status == 400 {
            for pair in &pairs {
                note(pair, &ask(&format!("{url}?{pair}"), call.body()).await);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn sec_51_a_caller_cannot_claim_to_be_the_owner() {
    let world = World::new().await;
    let (eve, eve_id) = (&world.eve, &world.eve_id);
    let alice = world.victim("user_id");
    let credential = format!("/v3/credentials/{}", world.victim("credential_id"));
    let mut body = json!({ "target": { "credential": { "user_id": eve_id } } });
    eve.request("GET", &credential, Some(&body))
        .await
        .refused(403);
    body["credential"] = json!({ "blob": "changed" });
    eve.patch(&credential, &body).await.refused(403);
    for path in ["", "/projects", "/groups"] {
        let url = format!("/v3/users/{alice}{path}?user_id={eve_id}");
        eve.get(&url).await.refused(403);
        eve.head(&url).await.with(403);
    }
}
