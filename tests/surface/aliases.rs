//! A request has one reading: an attribute under another spelling is the attribute, and two
//! spellings of one are refused, before the policy, the checks or the store look.

use std::collections::BTreeSet;

use keystone_testkit::Session;
use serde_json::{Value, json};

use crate::Call;
use crate::injection::{World, names};

/// A caller with few rights, what the caller owns, and what others own.
struct Caller {
    session: Session,
    own: fn(&World, &str) -> String,
}

/// The attributes that rules read and that can be spelled in more than one way.
fn attributes() -> BTreeSet<String> {
    let names = names();
    let last = names.iter().filter_map(|name| name.rsplit('.').next());
    last.filter(|name| name.contains('_'))
        .map(str::to_owned)
        .collect()
}

/// The member of a body that has the attributes.
fn member(body: &Value) -> Option<String> {
    let mut members = body.as_object()?.iter();
    members.find_map(|(name, value)| match value {
        Value::Object(_) => Some(format!("/{name}")),
        Value::Array(items) if items.first()?.is_object() => Some(format!("/{name}/0")),
        _ => None,
    })
}

/// The body with these attributes, in this order, after the others that it has.
fn with(body: &Value, member: &str, attributes: &[(&str, &str)]) -> Value {
    let mut body = body.clone();
    let members = body
        .pointer_mut(member)
        .and_then(Value::as_object_mut)
        .unwrap();
    for (name, value) in attributes {
        members.shift_remove(*name);
        members.insert((*name).to_owned(), (*value).into());
    }
    body
}

/// Bodies that name an attribute in every way that two readings could understand differently.
fn bodies(body: &Value, attribute: &str, own: &str, others: &str) -> Vec<Value> {
    let Some(member) = member(body) else {
        return Vec::new();
    };
    let mut bodies = vec![with(body, &member, &[(attribute, others)])];
    let mut without = body.clone();
    let members = without.pointer_mut(&member).and_then(Value::as_object_mut);
    members.unwrap().shift_remove(attribute);
    for (one, other) in [('-', ':'), (':', '-')] {
        let alias = attribute.replace('_', &one.to_string());
        let second = attribute.replace('_', &other.to_string());
        for attributes in [
            &[(attribute, own), (&alias, others)][..],
            &[(&alias, others), (attribute, own)],
            &[(attribute, others), (&alias, own)],
            &[(&alias, own), (&second, others)],
            &[(&alias, others)],
        ] {
            bodies.push(with(&without, &member, attributes));
        }
    }
    bodies
}

/// Everything that the requests could have changed.
async fn stored(admin: &Session) -> Vec<Value> {
    let mut stored = Vec::new();
    for collection in [
        "credentials",
        "domains",
        "endpoints",
        "groups",
        "limits",
        "policies",
        "projects",
        "regions",
        "registered_limits",
        "roles",
        "services",
        "users",
        "OS-EP-FILTER/endpoint_groups",
        "OS-FEDERATION/identity_providers",
        "OS-FEDERATION/mappings",
        "OS-FEDERATION/service_providers",
    ] {
        stored.push(admin.get(&format!("/v3/{collection}")).await.ok());
    }
    stored
}

#[tokio::test]
async fn sec_51_no_spelling_of_an_attribute_bypasses_a_rule() {
    let world = World::new().await;
    let callers = [
        Caller {
            session: world.eve.clone(),
            own: |world, name| world.wished(name).to_owned(),
        },
        Caller {
            session: world.manager_of_a_domain().await,
            own: |world, name| match name {
                name if name.contains("domain") => world.managed.clone(),
                name => world.wished(name).to_owned(),
            },
        },
    ];
    let attributes = attributes();
    assert!(attributes.contains("user_id") && attributes.contains("domain_id"));
    let admin = world.cloud.admin().await;
    let before = stored(&admin).await;
    let (mut asked, mut wrong) = (0, Vec::new());
    let writes = Call::all().filter(|call| ["PATCH", "POST", "PUT"].contains(&call.method));
    for (call, body) in writes.filter_map(|call| Some((call, call.body()?))) {
        let url = call.url(|parameter| world.victim(parameter));
        for (attribute, caller) in attributes
            .iter()
            .flat_map(|attribute| callers.iter().map(move |caller| (attribute, caller)))
        {
            let own = (caller.own)(&world, attribute);
            for body in bodies(body, attribute, &own, &world.victim(attribute)) {
                let answer = caller.session.request(call.method, &url, Some(&body)).await;
                asked += 1;
                if !matches!(answer.status, 400..500) {
                    wrong.push(format!("{} {body}: {}", call.key(), answer.status));
                }
            }
        }
    }
    assert!(asked > 1000, "{asked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let after = stored(&admin).await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_rule_sees_the_attribute_that_is_stored() {
    let world = World::new().await;
    let manager = world.manager_of_a_domain().await;
    for name in ["domain_id", "domain-id", "domain:id"] {
        for (path, kind) in [
            ("users", "user"),
            ("groups", "group"),
            ("projects", "project"),
        ] {
            let url = format!("/v3/{path}");
            let new =
                |domain: &str| json!({ kind: { "name": format!("{kind} {name}"), name: domain } });
            let elsewhere = world.victim("domain_id");
            manager.post(&url, &new(&elsewhere)).await.refused(403);
            let made = manager.post(&url, &new(&world.managed)).await.created();
            assert_eq!(made[kind]["domain_id"], world.managed.as_str());
            assert!(name == "domain_id" || made[kind].get(name).is_none());
        }
    }
}

#[tokio::test]
async fn two_spellings_of_a_credentials_owner_are_refused() {
    let world = World::new().await;
    let (eve, admin) = (&world.eve, world.cloud.admin().await);
    let before = admin.get("/v3/credentials").await.ok();
    for alias in ["user-id", "user:id"] {
        let credential = json!({
            "type": "ec2",
            "user_id": world.eve_id,
            "project_id": world.victim("project_id"),
            "blob": json!({ "access": "access", "secret": "secret" }).to_string(),
            alias: world.victim("user_id"),
        });
        let body = json!({ "credential": credential });
        let message = eve.post("/v3/credentials", &body).await.refused(400);
        assert!(message.contains(alias), "{message}");
    }
    assert_eq!(admin.get("/v3/credentials").await.ok(), before);
}
