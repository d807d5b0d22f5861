//! A listing takes as many statements for many rows as for few.

mod vouched;
mod world;

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone_testkit::{ADMIN_PASSWORD, Answer, Cloud, OAuthToken, Session, Signer, passcode};
use serde_json::{Value, json};

use crate::{Call, UNKNOWN};
use world::World;

/// Listings, with ids of the world by their names; `+` marks those whose rows do not grow.
const LISTINGS: [&str; 91] = [
    "/v3/OS-EP-FILTER/endpoint_groups",
    "/v3/OS-EP-FILTER/endpoint_groups?name=eg-x0",
    "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints",
    "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects",
    "/v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects",
    "/v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups",
    "/v3/OS-EP-FILTER/projects/{project_id}/endpoints",
    "/v3/OS-FEDERATION/domains",
    "/v3/OS-FEDERATION/identity_providers",
    "/v3/OS-FEDERATION/identity_providers?enabled=true",
    "/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols",
    "/v3/OS-FEDERATION/mappings",
    "/v3/OS-FEDERATION/projects",
    "/v3/OS-FEDERATION/service_providers",
    "/v3/OS-FEDERATION/service_providers?enabled=true",
    "/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/inherited_to_projects",
    "/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/inherited_to_projects",
    "/v3/OS-OAUTH1/consumers",
    "/v3/OS-REVOKE/events",
    "/v3/OS-TRUST/trusts",
    "/v3/OS-TRUST/trusts?trustee_user_id={user_id}",
    "/v3/OS-TRUST/trusts?trustor_user_id={user_id}",
    "+/v3/OS-TRUST/trusts/{trust_id}/roles",
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
    "/v3/users/{user_id}/OS-OAUTH1/access_tokens",
    "/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles",
    "/v3/users/{user_id}/access_rules",
    "/v3/users/{user_id}/access_rules?service=x",
    "/v3/users/{user_id}/application_credentials",
    "/v3/users/{user_id}/application_credentials?name__contains=x",
    "/v3/users/{user_id}/credentials/OS-EC2",
    "/v3/users/{user_id}/groups",
    "/v3/users/{user_id}/projects",
];

/// GETs whose path ends in a word, but that are no listings.
const NO_LISTING: [&str; 19] = [
    "/",
    "/v3",
    "/healthcheck",
    "/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
    "/v3/OS-FEDERATION/saml2/metadata",
    "/v3/OS-OAUTH1/access_token",
    "/v3/OS-OAUTH1/request_token",
    "/v3/OS-OAUTH2/token",
    "/v3/OS-SIMPLE-CERT/ca",
    "/v3/OS-SIMPLE-CERT/certificates",
    "/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso",
    "/v3/auth/OS-FEDERATION/saml2",
    "/v3/auth/OS-FEDERATION/saml2/ecp",
    "/v3/auth/tokens",
    "/v3/auth/tokens/OS-PKI/revoked",
    "/v3/ec2tokens",
    "/v3/limits/model",
    "/v3/s3tokens",
    "/v3/users/{user_id}/password",
];

/// GETs that answer with one resource, although their path ends in a word.
const SINGLE: [&str; 2] = [
    "/v3/domains/config/{group}/{option}/default",
    "/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy",
];

/// The length of the longest list in an answer.
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

/// The statements that validate the caller: this request takes no others.
async fn validation(cloud: &Cloud, caller: &Session) -> Vec<String> {
    let (answer, statements) = cloud.statements(caller.get("/v3/OS-SIMPLE-CERT/ca")).await;
    assert_eq!(answer.status, 410);
    statements
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
    let own = validation(&world.cloud, &world.admin).await;
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
        .map(|path| path.replace("config/identity", "config/{group}"))
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
    let cloud = Cloud::with_change_log(Settings::default()).await;
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
    let identity = json!({ "methods": ["token"], "token": { "id": admin.token() } });
    let body = json!({ "auth": { "identity": identity, "scope": scope } });
    let exchange = nobody.post("/v3/auth/tokens?nocatalog", &body);
    let (answer, exchanged) = cloud.statements(exchange).await;
    answer.created();
    // By the project's id, with a catalog, which is known by now.
    let project = cloud.project("other").await;
    let owner = admin.validate(admin.token()).await.ok()["token"]["user"]["id"].clone();
    cloud
        .grant(owner.as_str().unwrap(), &project, "reader")
        .await;
    let mut body = body;
    body["auth"]["scope"] = json!({ "project": { "id": project } });
    let exchange = async || nobody.post("/v3/auth/tokens", &body).await;
    let (answer, exchanged_by_id) = cloud.statements(exchange()).await;
    answer.created();
    let (answer, exchanged_again) = cloud.statements(exchange()).await;
    answer.created();
    for (what, statements, most) in [
        ("a login", issued, 5),
        ("a validation", validated, 3),
        ("a validation of the caller's own token", own, 2),
        // One is the read of the change log, behind which the service providers are known.
        ("an exchange for another scope", exchanged, 3),
        ("an exchange for a project by its id", exchanged_by_id, 2),
        ("the same again", exchanged_again, 1),
    ] {
        let count = statements.len();
        assert!(count <= most, "{what}: {count}\n{}", statements.join("\n"));
    }
}

#[tokio::test]
async fn tokens_of_oauth1_take_few_statements() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let project = admin.validate(admin.token()).await.ok()["token"]["project"]["id"].clone();
    let project = project.as_str().unwrap();
    let (member, reader) = (cloud.role("member").await, cloud.role("reader").await);
    let consumer = cloud.consumer().await;
    let (token, asked) = cloud.statements(consumer.request_token(project)).await;
    let roles = [member.as_str(), &reader];
    let (verifier, authorized) = cloud.statements(token.authorize(&admin, &roles)).await;
    let (answer, exchanged) = cloud.statements(consumer.exchange(&token, &verifier)).await;
    let token = OAuthToken::read(answer);
    let (answer, entered) = cloud.statements(consumer.log_in(&token)).await;
    let bearer = admin.with_token(answer.header("x-subject-token").unwrap());
    answer.created();
    let own = bearer.about("HEAD", "/v3/auth/tokens?nocatalog", bearer.token());
    let (answer, own) = cloud.statements(own).await;
    assert_eq!(answer.status, 200);
    for (what, statements, most) in [
        ("a request token", asked, 4),
        ("an authorization", authorized, 16),
        ("an access token", exchanged, 5),
        ("a login", entered, 10),
        ("a validation of the bearer's own token", own, 9),
    ] {
        let count = statements.len();
        assert!(count <= most, "{what}: {count}\n{}", statements.join("\n"));
    }
}

/// The tokens of an application credential and of a trust that delegate these roles of the administrator.
async fn delegated(cloud: &Cloud, admin: &Session, roles: &[&str]) -> [String; 2] {
    let owner = admin.validate(admin.token()).await.ok()["token"].clone();
    let user = owner["user"]["id"].as_str().unwrap();
    let named: Vec<Value> = roles.iter().map(|role| json!({ "name": role })).collect();
    let paths = roles.iter().map(|role| format!("/v2.1/{role}"));
    let access: Vec<Value> = paths
        .map(|path| json!({ "service": "compute", "method": "GET", "path": path }))
        .collect();
    let fields =
        json!({ "name": roles.join(" "), "secret": "s", "roles": named, "access_rules": access });
    let path = format!("/v3/users/{user}/application_credentials");
    let body = json!({ "application_credential": fields });
    let made = admin.post(&path, &body).await.created();
    let named_by = json!({ "id": made["application_credential"]["id"], "secret": "s" });
    let identity =
        json!({ "methods": ["application_credential"], "application_credential": named_by });
    let body = json!({ "auth": { "identity": identity } });
    let issued = cloud.nobody().post("/v3/auth/tokens", &body).await;
    let of_credential = issued.header("x-subject-token").unwrap().to_owned();
    issued.created();
    let name = format!("trustee-{}", roles.len());
    let fields = json!({ "trustor_user_id": user, "trustee_user_id": cloud.user(&name).await,
        "project_id": owner["project"]["id"], "impersonation": false, "roles": named });
    let body = json!({ "trust": fields });
    let made = admin.post("/v3/OS-TRUST/trusts", &body).await.created();
    let scope = json!({ "OS-TRUST:trust": { "id": made["trust"]["id"] } });
    let of_trust = cloud.session(&name, &name, &scope).await;
    [of_credential, of_trust.token().to_owned()]
}

#[tokio::test]
async fn a_delegated_token_is_validated_in_as_many_statements_whatever_it_delegates() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let mut counts = Vec::new();
    for roles in [&["reader"][..], &["admin", "manager", "member", "reader"]] {
        for token in delegated(&cloud, &admin, roles).await {
            let request = Request::get("/v3/auth/tokens")
                .header("x-subject-token", &token)
                .header("openstack-identity-access-rules", "1.0");
            let request = request.body(Body::empty()).unwrap();
            let (answer, statements) = cloud.statements(admin.send(request)).await;
            let shown = answer.ok()["token"]["roles"].as_array().unwrap().len();
            assert_eq!(shown, roles.len());
            counts.push(statements.len());
        }
    }
    assert_eq!(counts[..2], counts[2..]);
    assert!(counts.iter().all(|count| *count <= 20), "{counts:?}");
}

#[tokio::test]
async fn a_signed_request_is_exchanged_in_few_statements() {
    let world = World::new().await;
    let own = validation(&world.cloud, &world.admin).await;
    let url = world.url("/v3/users/{user_id}/credentials/OS-EC2");
    let tenant = json!({ "tenant_id": world.url("{project_id}") });
    let (made, creating) = world
        .cloud
        .statements(world.admin.post(&url, &tenant))
        .await;
    let keys = made.created()["credential"].clone();
    let signer = Signer::of(&keys);
    let one = format!("{url}/{}", keys["access"].as_str().unwrap());
    let (answer, shown) = world.cloud.statements(world.admin.get(&one)).await;
    answer.ok();
    let request = signer.version_2("2099-01-01T00:00:00Z");
    let (answer, exchanged) = world
        .cloud
        .statements(world.admin.exchange("ec2tokens", &request))
        .await;
    answer.ok();
    let (answer, for_s3) = world
        .cloud
        .statements(world.admin.exchange("s3tokens", &signer.s3("x")))
        .await;
    answer.ok();
    let (answer, deleted) = world.cloud.statements(world.admin.delete(&one)).await;
    answer.no_content();
    for (what, statements, wanted) in [
        ("creating", creating, [4, 4]),
        ("showing", shown, [4, 4]),
        ("deleting", deleted, [5, 5]),
        // The credential, its project and user, what the user holds, and the catalog and the service providers if they are
        // not remembered.
        ("a request to EC2", exchanged, [6, 6]),
        ("a request to S3", for_s3, [4, 6]),
    ] {
        let texts = statements.join("\n");
        let more = statements.len() - own.len();
        assert!(wanted.contains(&more), "{what}: {more}\n{texts}");
    }
}

/// How many of the statements read a user's row.
fn reads_of_users(statements: &[String]) -> usize {
    let loads = statements.iter();
    loads
        .filter(|text| text.starts_with("SELECT u.id, u.domain_id, u.extra"))
        .count()
}

#[tokio::test]
async fn a_change_of_a_user_reads_the_row_to_authorise_to_change_and_to_answer() {
    let world = World::new().await;
    let url = format!("/v3/users/{}", world.cloud.user("dora").await);
    let own = validation(&world.cloud, &world.admin).await;
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
        let caller = reads_of_users(&own);
        assert_eq!(reads_of_users(&statements) - caller, loads, "{texts}");
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
    assert_eq!(reads_of_users(&statements), 2, "{texts}");
}

#[tokio::test]
async fn a_one_time_password_takes_one_statement_for_all_secrets() {
    const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let mut settings = Settings::default();
    settings.auth.methods.push("totp".to_owned());
    let cloud = Cloud::with(settings).await;
    let (user, admin) = (cloud.user("dora").await, cloud.admin().await);
    let seed = json!({ "credential": { "type": "totp", "user_id": user, "blob": SEED } });
    let nobody = cloud.nobody();
    let mut counts = BTreeSet::new();
    for more in [1, 5] {
        for _ in 0..more {
            admin.post("/v3/credentials", &seed).await.created();
        }
        let code = passcode(SEED, cloud.now());
        let proof = json!({ "user": { "id": user, "passcode": code } });
        let auth =
            json!({ "identity": { "methods": ["totp"], "totp": proof }, "scope": "unscoped" });
        let body = json!({ "auth": auth });
        let (answer, statements) = cloud
            .statements(nobody.post("/v3/auth/tokens", &body))
            .await;
        answer.created();
        let texts = statements.join("\n");
        let of_secrets = statements
            .iter()
            .filter(|text| text.contains("FROM credential"));
        assert_eq!(of_secrets.count(), 1, "{texts}");
        counts.insert(statements.len());
    }
    assert_eq!(counts.len(), 1, "{counts:?}");
}
