//! The typed services refuse what the routes refuse, in the same words.

use keystone::auth::{Delegation, NewTrust};
use keystone::catalog::{Association, Endpoint, EndpointGroup, Policy, Region, Service};
use keystone::identity::{
    Actor, AssignmentQuery, AssignmentScope, ConfigPart, Grant, GrantTarget, Holder, Inheritance,
    Relatives, Role,
};
use keystone::types::{Listing, Result};
use keystone_testkit::{Cloud, Session};
use serde_json::{Map, Value, json};

const MISSING: &str = "f00df00df00df00df00df00df00df00d";

/// Asks both ways.
struct Both {
    admin: Session,
}

impl Both {
    async fn new(cloud: &Cloud) -> Self {
        let admin = cloud.admin().await;
        Self { admin }
    }

    /// Insists that a service has refused something as the route does.
    async fn refuse<T>(&self, told: Result<T>, method: &str, path: &str, body: Option<&Value>) {
        let path = format!("/v3/{path}");
        let answer = self.admin.request(method, &path, body).await;
        let message = answer.body["error"]["message"].as_str().unwrap_or_default();
        let error = told.err().unwrap_or_else(|| panic!("{method} {path}"));
        let told = (error.status(), error.to_string());
        assert_eq!(told, (answer.status, message.to_owned()), "{method} {path}");
    }
}

fn patch(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

#[tokio::test]
async fn the_configuration_of_a_domain_needs_the_domain() {
    let cloud = Cloud::new().await;
    let (both, identity) = (Both::new(&cloud).await, cloud.keystone.identity());
    let path = format!("domains/{MISSING}/config");
    let whole = ConfigPart::default();
    let config = json!({ "identity": { "driver": "ldap" } });
    let body = json!({ "config": config });
    // Of a domain and an option that are both wrong, the domain is told.
    let unknown = json!({ "nothing": { "driver": "ldap" } });
    for (config, body) in [(&config, &body), (&unknown, &json!({ "config": unknown }))] {
        let created = identity.create_domain_config(MISSING, config).await;
        both.refuse(created, "PUT", &path, Some(body)).await;
        let updated = identity.update_domain_config(MISSING, config, whole).await;
        both.refuse(updated, "PATCH", &path, Some(body)).await;
    }
    let option = ConfigPart {
        group: Some("nothing"),
        option: Some("driver"),
    };
    for (part, below) in [(whole, ""), (option, "/nothing/driver")] {
        let path = format!("{path}{below}");
        let shown = identity.domain_config(MISSING, part).await;
        both.refuse(shown, "GET", &path, None).await;
        let deleted = identity.delete_domain_config(MISSING, part).await;
        both.refuse(deleted, "DELETE", &path, None).await;
    }
    let rules = identity.security_compliance_config(MISSING, None).await;
    both.refuse(rules, "GET", &format!("{path}/security_compliance"), None)
        .await;
}

#[tokio::test]
async fn keys_of_ec2_need_their_user_and_project_and_no_delegation() {
    let cloud = Cloud::new().await;
    let both = Both::new(&cloud).await;
    let (alice, project) = (cloud.user("alice").await, cloud.project("p").await);
    let auth = cloud.keystone.auth();
    let credentials = auth.credentials();
    let own = Delegation::None;
    let path = |user: &str| format!("users/{user}/credentials/OS-EC2");

    let listed = credentials.ec2_keys(MISSING, own).await;
    both.refuse(listed, "GET", &path(MISSING), None).await;
    for (user, project) in [(MISSING, &*project), (MISSING, MISSING), (&*alice, MISSING)] {
        let made = credentials.create_ec2_keys(user, project, own).await;
        let body = json!({ "tenant_id": project });
        both.refuse(made, "POST", &path(user), Some(&body)).await;
    }
    let body = json!({ "tenant_id": project });
    let own_path = format!("/v3/{}", path(&alice));
    let keys = both.admin.post(&own_path, &body).await.created();
    let access = keys["credential"]["access"].as_str().unwrap();
    for (user, access) in [(&*alice, "nothing"), (MISSING, access)] {
        let path = format!("{}/{access}", path(user));
        let shown = credentials.ec2_key(user, access, own).await;
        both.refuse(shown, "GET", &path, None).await;
        let deleted = credentials.delete_ec2_key(user, access, own).await;
        both.refuse(deleted, "DELETE", &path, None).await;
    }

    let delegated = Delegation::Trust("any");
    let refused = [
        credentials.ec2_keys(&alice, delegated).await.err(),
        credentials.ec2_key(&alice, access, delegated).await.err(),
        credentials
            .delete_ec2_key(&alice, access, delegated)
            .await
            .err(),
        credentials
            .create_ec2_keys(&alice, &project, delegated)
            .await
            .err(),
    ];
    assert!(
        refused
            .iter()
            .all(|error| error.as_ref().is_some_and(|error| error.status() == 403))
    );
    let listed = credentials.ec2_keys(&alice, own).await.unwrap();
    assert_eq!(listed.len(), 1);
    credentials
        .delete_ec2_key(&alice, access, own)
        .await
        .unwrap();
    assert!(credentials.ec2_keys(&alice, own).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_association_of_a_policy_needs_both_sides() {
    let cloud = Cloud::new().await;
    let (both, catalog) = (Both::new(&cloud).await, cloud.keystone.catalog());
    let policy: Policy = serde_json::from_value(json!({ "type": "t", "blob": "b" })).unwrap();
    let policy = catalog.create_policy(policy).await.unwrap().id;
    let service = catalog.ensure_service(Service::new("image", "glance"));
    let service = service.await.unwrap().id;
    let listed = catalog.endpoints_of_policy(MISSING).await;
    let path = format!("policies/{MISSING}/OS-ENDPOINT-POLICY/endpoints");
    both.refuse(listed, "GET", &path, None).await;
    let region = |service_id, region_id| Association::Region {
        service_id,
        region_id,
    };
    for (policy, with, path) in [
        (MISSING, Association::Endpoint(MISSING), "endpoints/{}"),
        (&*policy, Association::Endpoint(MISSING), "endpoints/{}"),
        (&*policy, Association::Service(MISSING), "services/{}"),
        (&*policy, region(MISSING, "r"), "services/{}/regions/r"),
        (
            &*policy,
            region(&service, "r"),
            "services/{service}/regions/r",
        ),
    ] {
        let path = path.replace("{}", MISSING).replace("{service}", &service);
        let path = format!("policies/{policy}/OS-ENDPOINT-POLICY/{path}");
        let checked = catalog.check_policy_association(policy, with).await;
        both.refuse(checked, "GET", &path, None).await;
        let made = catalog.associate_policy(policy, with).await;
        both.refuse(made, "PUT", &path, None).await;
        let ended = catalog.dissociate_policy(policy, with).await;
        both.refuse(ended, "DELETE", &path, None).await;
    }
}

#[tokio::test]
async fn a_filter_of_endpoints_needs_both_sides() {
    let cloud = Cloud::new().await;
    let (both, catalog) = (Both::new(&cloud).await, cloud.keystone.catalog());
    let identity = cloud.keystone.identity();
    let project = cloud.project("p").await;
    let group: EndpointGroup =
        serde_json::from_value(json!({ "name": "g", "filters": { "interface": "admin" } }))
            .unwrap();
    let group = catalog.create_endpoint_group(group).await.unwrap().id;
    let service = catalog.ensure_service(Service::new("image", "glance"));
    let service = service.await.unwrap().id;
    let endpoint = Endpoint::new(&service, "public", None, "http://image.test");
    let endpoint = catalog.ensure_endpoint(endpoint).await.unwrap().id;

    let groups = catalog.endpoint_groups_of_project(MISSING).await;
    let path = format!("OS-EP-FILTER/projects/{MISSING}/endpoint_groups");
    both.refuse(groups, "GET", &path, None).await;
    let endpoints = catalog.endpoints_of_project(MISSING).await;
    let path = format!("OS-EP-FILTER/projects/{MISSING}/endpoints");
    both.refuse(endpoints, "GET", &path, None).await;
    let projects = identity.projects_of_endpoint(MISSING).await;
    let path = format!("OS-EP-FILTER/endpoints/{MISSING}/projects");
    both.refuse(projects, "GET", &path, None).await;

    let root = "<<keystone.domain.root>>";
    let in_path = |id: &str| id.replace('<', "%3C").replace('>', "%3E");
    for (group_id, project_id) in [
        (MISSING, MISSING),
        (MISSING, &*project),
        (&*group, MISSING),
        (&*group, root),
        (&*group, &*project),
    ] {
        let below = format!("{group_id}/projects/{}", in_path(project_id));
        let path = format!("OS-EP-FILTER/endpoint_groups/{below}");
        let shown = catalog.endpoint_group_in_project(group_id, project_id);
        both.refuse(shown.await, "GET", &path, None).await;
        let ended = catalog.remove_endpoint_group_from_project(group_id, project_id);
        both.refuse(ended.await, "DELETE", &path, None).await;
        if project_id != project || group_id != group {
            let made = catalog.add_endpoint_group_to_project(group_id, project_id);
            both.refuse(made.await, "PUT", &path, None).await;
        }
    }
    for (endpoint_id, project_id) in [
        (MISSING, MISSING),
        (MISSING, &*project),
        (&*endpoint, MISSING),
        (&*endpoint, root),
        (&*endpoint, &*project),
    ] {
        let below = format!("{}/endpoints/{endpoint_id}", in_path(project_id));
        let path = format!("OS-EP-FILTER/projects/{below}");
        let checked = catalog.check_endpoint_in_project(endpoint_id, project_id);
        both.refuse(checked.await, "GET", &path, None).await;
        let ended = catalog.remove_endpoint_from_project(endpoint_id, project_id);
        both.refuse(ended.await, "DELETE", &path, None).await;
        if project_id != project || endpoint_id != endpoint {
            let made = catalog.add_endpoint_to_project(endpoint_id, project_id);
            both.refuse(made.await, "PUT", &path, None).await;
        }
    }
}

#[tokio::test]
async fn an_implication_needs_both_roles() {
    let cloud = Cloud::new().await;
    let (both, identity) = (Both::new(&cloud).await, cloud.keystone.identity());
    let role = identity.create_role(Role::new("r")).await.unwrap().id;
    let other = identity.create_role(Role::new("s")).await.unwrap().id;
    let listed = identity.implied_roles(MISSING).await;
    both.refuse(listed, "GET", &format!("roles/{MISSING}/implies"), None)
        .await;
    let missing = "0".repeat(32);
    for (prior, implied) in [
        (MISSING, &*missing),
        (MISSING, &*role),
        (&*role, MISSING),
        (&*role, &*other),
    ] {
        let path = format!("roles/{prior}/implies/{implied}");
        let checked = identity.check_implied_role(prior, implied).await;
        both.refuse(checked, "GET", &path, None).await;
        let ended = identity.delete_implied_role(prior, implied).await;
        both.refuse(ended, "DELETE", &path, None).await;
        if implied != other {
            let made = identity.create_implied_role(prior, implied).await;
            both.refuse(made, "PUT", &path, None).await;
        }
    }
}

/// The path of a grant, and the grant.
fn grants(user: &str, project: &str) -> Vec<(String, Grant)> {
    use Inheritance::{Direct, Inherited};
    let actor_of = |id: &str| Actor::User(id.to_owned());
    let on_project = |id: &str, how| GrantTarget::Project(id.to_owned(), how);
    let on_domain = |id: &str, how| GrantTarget::Domain(id.to_owned(), how);
    let grant = |actor, target| Grant { actor, target };
    let group = Actor::Group("group".to_owned());
    let missing = || actor_of(MISSING);
    vec![
        (
            format!("projects/{MISSING}/users/{MISSING}/roles"),
            grant(missing(), on_project(MISSING, Direct)),
        ),
        (
            format!("projects/{project}/users/{MISSING}/roles"),
            grant(missing(), on_project(project, Direct)),
        ),
        (
            format!("projects/{project}/groups/group/roles"),
            grant(group.clone(), on_project(project, Direct)),
        ),
        (
            format!("projects/{MISSING}/users/{user}/roles"),
            grant(actor_of(user), on_project(MISSING, Direct)),
        ),
        (
            format!("domains/{MISSING}/users/{MISSING}/roles"),
            grant(missing(), on_domain(MISSING, Direct)),
        ),
        (
            "domains/default/groups/group/roles".to_owned(),
            grant(group, on_domain("default", Direct)),
        ),
        (
            format!("system/users/{MISSING}/roles"),
            grant(missing(), GrantTarget::System),
        ),
        (
            format!("OS-INHERIT/domains/{MISSING}/users/{MISSING}/roles"),
            grant(missing(), on_domain(MISSING, Inherited)),
        ),
        (
            format!("OS-INHERIT/projects/{MISSING}/users/{MISSING}/roles"),
            grant(missing(), on_project(MISSING, Inherited)),
        ),
    ]
}

#[tokio::test]
async fn a_grant_needs_everything_that_it_names() {
    let cloud = Cloud::new().await;
    let identity = cloud.keystone.identity();
    let both = Both {
        admin: cloud.system_admin().await,
    };
    let (user, project) = (cloud.user("alice").await, cloud.project("p").await);
    let member = cloud.role("member").await;
    for (path, grant) in grants(&user, &project) {
        let inherited = path.starts_with("OS-INHERIT");
        let end = if inherited {
            "/inherited_to_projects"
        } else {
            ""
        };
        // Keystone lists no inherited roles on projects.
        if !path.starts_with("OS-INHERIT/projects") {
            let listed = identity.grants(&grant).await;
            both.refuse(listed, "GET", &format!("{path}{end}"), None)
                .await;
        }
        for role in [MISSING, &*member] {
            let path = format!("{path}/{role}{end}");
            let checked = identity.check_grant(&grant, role).await;
            both.refuse(checked, "GET", &path, None).await;
            let ended = identity.delete_grant(&grant, role).await;
            both.refuse(ended, "DELETE", &path, None).await;
            let made = identity.create_grant(&grant, role).await;
            both.refuse(made, "PUT", &path, None).await;
        }
    }
}

#[tokio::test]
async fn listings_of_what_does_not_exist_are_refused() {
    let cloud = Cloud::new().await;
    let (both, identity) = (Both::new(&cloud).await, cloud.keystone.identity());
    let everything = Listing::default();
    let projects = identity.projects_of(Holder::User(MISSING), &everything);
    both.refuse(
        projects.await,
        "GET",
        &format!("users/{MISSING}/projects"),
        None,
    )
    .await;
    for (relatives, query) in [
        (Relatives::Ancestors, "parents"),
        (Relatives::Descendants, "subtree"),
    ] {
        let ids = identity.relative_ids(MISSING, relatives).await;
        let path = format!("projects/{MISSING}?{query}_as_ids");
        both.refuse(ids, "GET", &path, None).await;
        let listed = match relatives {
            Relatives::Ancestors => identity.parents(MISSING).await,
            Relatives::Descendants => identity.subtree(MISSING).await,
        };
        let path = format!("projects/{MISSING}?{query}_as_list");
        both.refuse(listed, "GET", &path, None).await;
    }
    let tree = |effective| AssignmentQuery {
        scope: Some(AssignmentScope::Tree(MISSING.to_owned())),
        effective,
        ..AssignmentQuery::default()
    };
    let path = format!("role_assignments?include_subtree&scope.project.id={MISSING}");
    for (effective, more) in [(false, ""), (true, "&effective")] {
        let listed = identity.role_assignments(&tree(effective)).await;
        both.refuse(listed, "GET", &format!("{path}{more}"), None)
            .await;
    }
}

#[tokio::test]
async fn assignments_that_cannot_be_are_not_listed() {
    let cloud = Cloud::new().await;
    let (both, identity) = (Both::new(&cloud).await, cloud.keystone.identity());
    let by_group = AssignmentQuery {
        actor: Some(Actor::Group("g".to_owned())),
        effective: true,
        ..AssignmentQuery::default()
    };
    let inherited = AssignmentQuery {
        scope: Some(AssignmentScope::Domain("default".to_owned())),
        inherited: Some(true),
        effective: true,
        ..AssignmentQuery::default()
    };
    for (query, path) in [
        (by_group, "group.id=g"),
        (
            inherited,
            "scope.domain.id=default&scope.OS-INHERIT:inherited_to=projects",
        ),
    ] {
        let listed = identity.role_assignments(&query).await;
        let path = format!("role_assignments?effective&{path}");
        both.refuse(listed, "GET", &path, None).await;
    }
}

#[tokio::test]
async fn a_patch_never_changes_an_id() {
    let cloud = Cloud::new().await;
    let both = Both::new(&cloud).await;
    let (identity, catalog) = (cloud.keystone.identity(), cloud.keystone.catalog());
    let change = || patch("id", MISSING.into());
    let body = |kind: &str| json!({ kind: { "id": MISSING } });
    let project = cloud.project("p").await;
    let changed = identity.update_project(&project, change()).await;
    let path = format!("projects/{project}");
    both.refuse(changed, "PATCH", &path, Some(&body("project")))
        .await;
    let role = identity.create_role(Role::new("r")).await.unwrap().id;
    let changed = identity.update_role(&role, change()).await;
    let path = format!("roles/{role}");
    both.refuse(changed, "PATCH", &path, Some(&body("role")))
        .await;
    let region = catalog.create_region(Region::new("r")).await.unwrap();
    let changed = catalog.update_region("r", change()).await;
    both.refuse(changed, "PATCH", "regions/r", Some(&body("region")))
        .await;
    for same in [json!("r"), Value::Null] {
        let same = catalog.update_region("r", patch("id", same)).await;
        assert_eq!(same.unwrap(), region);
    }
}

#[tokio::test]
async fn roles_of_delegations_are_those_that_were_delegated() {
    let cloud = Cloud::new().await;
    let (alice, bob) = (cloud.user("alice").await, cloud.user("bob").await);
    let project = cloud.project("p").await;
    cloud.grant(&alice, &project, "member").await;
    let scope = json!({ "project": { "id": project } });
    let both = Both {
        admin: cloud.session("alice", "alice", &scope).await,
    };
    let (auth, reader) = (cloud.keystone.auth(), cloud.role("reader").await);

    let new: NewTrust = serde_json::from_value(json!({
        "trustor_user_id": alice, "trustee_user_id": bob, "impersonation": false,
        "project_id": project, "roles": [{ "name": "member" }],
    }))
    .unwrap();
    let trust = auth.create_trust(new, Some(&alice), Delegation::None);
    let trust = trust.await.unwrap();
    for role in [MISSING, &*reader] {
        let told = auth.role_of_trust(&trust, role).await;
        let path = format!("OS-TRUST/trusts/{}/roles/{role}", trust.id);
        both.refuse(told, "GET", &path, None).await;
    }

    let admin = Both::new(&cloud).await;
    let token = admin.admin.validate(admin.admin.token()).await.ok();
    let id_of = |kind: &str| token["token"][kind]["id"].as_str().unwrap().to_owned();
    let (user, project) = (id_of("user"), id_of("project"));
    let roles = [cloud.role("admin").await];
    let consumer = cloud.consumer().await;
    let granted = consumer.granted(&admin.admin, &project, &[&roles[0]]).await;
    let id = &granted.key;
    let of = |user: &str, id: &str| format!("users/{user}/OS-OAUTH1/access_tokens/{id}");
    for (user, id) in [(&*bob, &**id), (&*user, MISSING)] {
        let shown = auth.access_token_of(user, id).await;
        admin.refuse(shown, "GET", &of(user, id), None).await;
        let roles = auth.roles_of_access_token(user, id).await;
        let path = format!("{}/roles", of(user, id));
        admin.refuse(roles, "GET", &path, None).await;
        let role = auth.role_of_access_token(user, id, &reader).await;
        let path = format!("{}/roles/{reader}", of(user, id));
        admin.refuse(role, "GET", &path, None).await;
    }
    let role = auth.role_of_access_token(&user, id, &reader).await;
    let path = format!("{}/roles/{reader}", of(&user, id));
    admin.refuse(role, "GET", &path, None).await;
    let role = auth.role_of_access_token(&user, id, &roles[0]).await;
    assert_eq!(role.unwrap().name, "admin");
}
