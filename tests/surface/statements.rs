//! A listing takes as many statements for many rows as for few.

mod world;

use std::collections::BTreeSet;

use keystone_testkit::{ADMIN_PASSWORD, Answer, Cloud, Session};
use serde_json::json;

use crate::{Call, UNKNOWN};
use world::World;

/// Listings, with the ids of the world by their names; `+` before those whose rows do not grow.
const LISTINGS: [&str; 71] = [
    "/v3/OS-EP-FILTER/endpoint_groups",
    "/v3/OS-EP-FILTER/endpoint_groups?name=eg-x0",
    "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints",
    "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects",
    "/v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects",
    "/v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups",
    "/v3/OS-EP-FILTER/projects/{project_id}/endpoints",
    "/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/inherited_to_projects",
    "/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/inherited_to_projects",
    "/v3/OS-REVOKE/events",
    "/v3/auth/catalog",
    "/v3/auth/domains",
    "/v3/auth/projects",
    "+/v3/auth/system",
    "/v3/credentials",
    "/v3/credentials?type=cert",
    "/v3/credentials?user_id={user_id}",
    "/v3/domains",
    "/v3/domains?name__contains=x",
    "/v3/domains?enabled=true&limit=500",
    "+/v3/domains/{domain_id}/config",
    "+/v3/domains/{domain_id}/config/identity",
    "+/v3/domains/config/default",
    "+/v3/domains/config/identity/default",
    "/v3/domains/{domain_id}/groups/{group_id}/roles",
    "/v3/domains/{domain_id}/users/{user_id}/roles",
    "/v3/endpoints",
    "/v3/endpoints?interface=public",
    "/v3/groups",
    "/v3/groups?name__contains=x&domain_id={domain_id}",
    "/v3/groups/{group_id}/users",
    "/v3/groups/{group_id}/users?enabled=true",
    "/v3/limits",
    "/v3/limits?region_id=RegionOne",
    "/v3/policies",
    "/v3/policies?type=text/plain",
    "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints",
    "/v3/projects",
    "/v3/projects?name__startswith=x&enabled=1",
    "/v3/projects?tags-any=blue,red",
    "/v3/projects?parent_id={project_id}",
    "/v3/projects/{project_id}?subtree_as_list",
    "+/v3/projects/{project_id}?subtree_as_ids",
    "+/v3/projects/{project_id}?parents_as_list",
    "/v3/projects/{project_id}/groups/{group_id}/roles",
    "/v3/projects/{project_id}/tags",
    "/v3/projects/{project_id}/users/{user_id}/roles",
    "/v3/regions",
    "/v3/regions?parent_region_id={region_id}",
    "/v3/registered_limits",
    "/v3/registered_limits?service_id={service_id}",
    "/v3/role_assignments",
    "/v3/role_assignments?include_names",
    "/v3/role_assignments?effective&include_names",
    "/v3/role_assignments?effective&user.id={user_id}",
    "/v3/role_assignments?scope.project.id={project_id}&include_subtree&include_names",
    "/v3/role_assignments?scope.project.id={project_id}&include_subtree&effective",
    "+/v3/role_inferences",
    "/v3/roles",
    "/v3/roles?domain_id={domain_id}",
    "/v3/roles?name__contains=x",
    "/v3/roles/{prior_role_id}/implies",
    "/v3/services",
    "/v3/services?type=x",
    "/v3/system/groups/{group_id}/roles",
    "/v3/system/users/{user_id}/roles",
    "/v3/users",
    "/v3/users?name__icontains=x&domain_id={domain_id}",
    "/v3/users?limit=500",
    "/v3/users/{user_id}/groups",
    "/v3/users/{user_id}/projects",
];

/// GETs whose path ends in a word, and which list nothing.
const NO_LISTING: [&str; 9] = [
    "/",
    "/v3",
    "/healthcheck",
    "/v3/OS-SIMPLE-CERT/ca",
    "/v3/OS-SIMPLE-CERT/certificates",
    "/v3/auth/tokens",
    "/v3/auth/tokens/OS-PKI/revoked",
    "/v3/limits/model",
    "/v3/users/{user_id}/password",
];

/// Answers with one thing, though the path ends in a word.
const SINGLE: [&str; 2] = [
    "/v3/domains/config/{group}/{option}/default",
    "/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy",
];

/// The longest list in an answer.
fn rows(answer: &Answer) -> usize {
    let members = answer.body.as_object().into_iter().flatten();
    let inner = members.flat_map(|(_, member)| {
        let deeper = member.as_object().into_iter().flatten();
        deeper.map(|(_, value)| value).chain([member])
    });
    let lists = inner.filter_map(|value| value.as_array());
    lists.map(Vec::len).max().unwrap_or_default()
}

/// The rows of a listing, and the statements that it takes once everything about the caller is known.
async fn cost(world: &World, session: &Session, url: &str) -> (usize, Vec<String>) {
    session.get(url).await.ok();
    let (answer, statements) = world.cloud.statements(session.get(url)).await;
    (rows(&answer), statements)
}

#[tokio::test]
async fn more_rows_take_no_more_statements() {
    let mut world = World::new().await;
    world.grow("x0").await;
    world.grow("x1").await;
    let mut before = Vec::new();
    let mut wrong = Vec::new();
    for listing in LISTINGS {
        let url = world.url(listing.trim_start_matches('+'));
        let status = world.admin.get(&url).await.status;
        if status == 200 {
            before.push((listing, cost(&world, &world.admin, &url).await));
        } else {
            wrong.push(format!("{listing}: {status}"));
        }
    }
    for name in ["x2", "x3", "x4", "x5"] {
        world.grow(name).await;
    }
    for (listing, (few, statements)) in before {
        let url = world.url(listing.trim_start_matches('+'));
        let (many, more) = cost(&world, &world.admin, &url).await;
        if few >= many && !listing.starts_with('+') && !listing.contains("eg-x0") {
            wrong.push(format!("{listing}: {few} rows stay {many}"));
        }
        if statements.len() != more.len() {
            let (few, many) = (statements.len(), more.len());
            let texts = more.join("\n    ");
            wrong.push(format!(
                "{listing}: {few} statements become {many}\n    {texts}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn names_of_role_assignments_take_four_statements() {
    let mut world = World::new().await;
    world.grow("x0").await;
    // Validating the caller's own token takes only the statements that validate the caller.
    let own = world
        .admin
        .about("HEAD", "/v3/auth/tokens?nocatalog", world.admin.token());
    let (answer, own) = world.cloud.statements(own).await;
    assert_eq!(answer.status, 200);
    for query in [
        "",
        "&effective",
        "&scope.project.id={project_id}&include_subtree",
    ] {
        let url = world.url(&format!("/v3/role_assignments?include_names{query}"));
        let (_, statements) = cost(&world, &world.admin, &url).await;
        let count = statements.len() - own.len();
        // Effective assignments also read group members, the project tree and implied roles.
        let most = if query == "&effective" { 5 } else { 4 };
        assert!(count <= most, "{url}: {count}\n{}", statements.join("\n"));
    }
}

#[test]
fn every_listing_is_measured() {
    let listings = LISTINGS.iter().map(|url| url.trim_start_matches('+'));
    let measured: BTreeSet<_> = listings
        .map(|url| url.split_once('?').map_or(url, |(path, _)| path))
        .map(|path| path.replace("/identity", "/{group}"))
        .collect();
    let known = |path: &str| {
        measured.contains(path) || NO_LISTING.contains(&path) || SINGLE.contains(&path)
    };
    let forgotten: Vec<_> = Call::all()
        .filter(|call| call.method == "GET" && !call.path.ends_with('}') && !known(call.path))
        .filter(|call| {
            !call
                .path
                .ends_with("/roles/{role_id}/inherited_to_projects")
        })
        .map(Call::key)
        .collect();
    assert!(forgotten.is_empty(), "{forgotten:#?}");
    assert!(!UNKNOWN.is_empty());
}

#[tokio::test]
async fn tokens_are_issued_and_validated_in_few_statements() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let user = json!({ "name": "admin", "domain": { "id": "default" } });
    let scope = json!({ "project": { "name": "admin", "domain": { "id": "default" } } });
    let nobody = cloud.nobody();
    let (answer, issued) = cloud
        .statements(nobody.log_in(&user, ADMIN_PASSWORD, &scope))
        .await;
    answer.created();
    let other = cloud.admin().await;
    let (answer, validated) = cloud.statements(admin.validate(other.token())).await;
    answer.ok();
    let (answer, own) = cloud.statements(admin.validate(admin.token())).await;
    answer.ok();
    for (what, statements, most) in [
        ("a login", issued, 10),
        ("a validation", validated, 13),
        ("a validation of the caller's own token", own, 7),
    ] {
        let count = statements.len();
        assert!(count <= most, "{what}: {count}\n{}", statements.join("\n"));
    }
}

/// How many of the statements read a user's row.
fn loads_of_users(statements: &[String]) -> usize {
    let loads = statements.iter();
    loads
        .filter(|text| text.starts_with("SELECT u.id, u.domain_id, u.extra"))
        .count()
}

#[tokio::test]
async fn a_change_of_a_user_reads_the_row_to_authorise_to_change_and_to_answer() {
    let world = World::new().await;
    let url = format!("/v3/users/{}", world.cloud.user("dora").await);
    let own = world
        .admin
        .about("HEAD", "/v3/auth/tokens?nocatalog", world.admin.token());
    let (_, own) = world.cloud.statements(own).await;
    for (patch, loads, total) in [
        (json!({ "description": "a painter" }), 3, 8),
        // What would be refused is refused before the password is hashed, which takes long.
        (json!({ "password": "brush" }), 4, 13),
    ] {
        let patch = json!({ "user": patch });
        let (answer, statements) = world
            .cloud
            .statements(world.admin.patch(&url, &patch))
            .await;
        assert_eq!(answer.status, 200);
        let texts = statements.join("\n");
        let caller = loads_of_users(&own);
        assert_eq!(loads_of_users(&statements) - caller, loads, "{texts}");
        assert_eq!(statements.len() - own.len(), total, "{texts}");
    }
}

#[tokio::test]
async fn a_login_reads_the_users_row_before_and_after_hashing() {
    let world = World::new().await;
    world.cloud.user("dora").await;
    let user = json!({ "name": "dora", "domain": { "id": "default" } });
    let nobody = world.cloud.nobody();
    let scope = json!("unscoped");
    let login = nobody.log_in(&user, "dora", &scope);
    let (answer, statements) = world.cloud.statements(login).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let texts = statements.join("\n");
    assert_eq!(loads_of_users(&statements), 2, "{texts}");
}
