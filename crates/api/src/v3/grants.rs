//! Grants of roles to users and groups on projects, domains and the system: one set of handlers
//! for the ways in which the path can be put together.

use axum::http::StatusCode;
use axum::response::Response;
use keystone_identity::{Actor, Grant, GrantTarget, Inheritance};
use keystone_notify::Operation;
use keystone_types::{Error, Result};

use crate::App;
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::ApiError;
use crate::routes::{Routes, get};

/// Where the roles of an actor are listed.
const LISTS: [&str; 8] = [
    "/v3/domains/{domain_id}/groups/{group_id}/roles",
    "/v3/domains/{domain_id}/users/{user_id}/roles",
    "/v3/projects/{project_id}/groups/{group_id}/roles",
    "/v3/projects/{project_id}/users/{user_id}/roles",
    "/v3/system/groups/{group_id}/roles",
    "/v3/system/users/{user_id}/roles",
    "/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/inherited_to_projects",
    "/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/inherited_to_projects",
];

/// Where one role is granted.
const GRANTS: [&str; 10] = [
    "/v3/domains/{domain_id}/groups/{group_id}/roles/{role_id}",
    "/v3/domains/{domain_id}/users/{user_id}/roles/{role_id}",
    "/v3/projects/{project_id}/groups/{group_id}/roles/{role_id}",
    "/v3/projects/{project_id}/users/{user_id}/roles/{role_id}",
    "/v3/system/groups/{group_id}/roles/{role_id}",
    "/v3/system/users/{user_id}/roles/{role_id}",
    "/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects",
    "/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/{role_id}/inherited_to_projects",
    "/v3/OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects",
    "/v3/OS-INHERIT/projects/{project_id}/users/{user_id}/roles/{role_id}/inherited_to_projects",
];

pub(crate) fn routes() -> Routes {
    let lists = LISTS.into_iter();
    let routes = lists.fold(Routes::new(), |routes, path| routes.route(path, get(list)));
    GRANTS.into_iter().fold(routes, |routes, path| {
        routes.route(path, get(check).put(create).delete(delete))
    })
}

/// An action on grants: its rule, and those for the system.
struct Action {
    rule: &'static str,
    system_user: &'static str,
    system_group: &'static str,
    /// Whether the actor may be missing: its roles can still be revoked.
    for_missing_actor: bool,
}

const LIST: Action = Action {
    rule: "identity:list_grants",
    system_user: "identity:list_system_grants_for_user",
    system_group: "identity:list_system_grants_for_group",
    for_missing_actor: false,
};

const CHECK: Action = Action {
    rule: "identity:check_grant",
    system_user: "identity:check_system_grant_for_user",
    system_group: "identity:check_system_grant_for_group",
    for_missing_actor: false,
};

const CREATE: Action = Action {
    rule: "identity:create_grant",
    system_user: "identity:create_system_grant_for_user",
    system_group: "identity:create_system_grant_for_group",
    for_missing_actor: false,
};

const REVOKE: Action = Action {
    rule: "identity:revoke_grant",
    system_user: "identity:revoke_system_grant_for_user",
    system_group: "identity:revoke_system_grant_for_group",
    for_missing_actor: true,
};

async fn list(cx: Context) -> Result<Response, ApiError> {
    let grant = grant(&cx);
    let app = allow(&cx, &grant, &LIST).await?;
    cx.all(app.identity.grants(&grant).await?).await
}

async fn check(cx: Context) -> Result<Response, ApiError> {
    let grant = grant(&cx);
    let app = allow(&cx, &grant, &CHECK).await?;
    app.identity.check_grant(&grant, cx.path("role_id")).await?;
    Ok(no_content())
}

async fn create(cx: Context) -> Result<StatusCode, ApiError> {
    let grant = grant(&cx);
    let app = allow(&cx, &grant, &CREATE).await?;
    let role_id = cx.path("role_id");
    let granted = app.identity.create_grant(&grant, role_id).await;
    cx.announce_grant(Operation::Created, &grant, role_id, &granted);
    granted?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(cx: Context) -> Result<StatusCode, ApiError> {
    let grant = grant(&cx);
    let app = allow(&cx, &grant, &REVOKE).await?;
    let role_id = cx.path("role_id");
    let revoked = app.identity.delete_grant(&grant, role_id).await;
    cx.announce_grant(Operation::Deleted, &grant, role_id, &revoked);
    revoked?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads the grant off the path.
fn grant(cx: &Context) -> Grant {
    let inheritance = if cx.is_below("OS-INHERIT") {
        Inheritance::Inherited
    } else {
        Inheritance::Direct
    };
    let id = |name: &str| {
        Some(cx.path(name))
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
    };
    let actor = match id("user_id") {
        Some(id) => Actor::User(id),
        None => Actor::Group(cx.path("group_id").to_owned()),
    };
    let target = match (id("project_id"), id("domain_id")) {
        (Some(id), _) => GrantTarget::Project(id, inheritance),
        (None, Some(id)) => GrantTarget::Domain(id, inheritance),
        (None, None) => GrantTarget::System,
    };
    Grant { actor, target }
}

/// Looks up everything that the path names, which the rules may look at, and asks.
async fn allow<'a>(cx: &'a Context, grant: &Grant, action: &Action) -> Result<&'a App> {
    cx.authenticated()?;
    let found = cx.unchecked();
    // Below OS-INHERIT Keystone asks the rule even where a resource is missing (`keystone/api/os_inherit.py`).
    let lenient = matches!(
        grant.target,
        GrantTarget::Project(_, Inheritance::Inherited)
            | GrantTarget::Domain(_, Inheritance::Inherited)
    );
    let mut target = PolicyTarget::new();
    if let GrantTarget::Domain(id, _) = &grant.target {
        target = add(target, "domain", found.domain(id).await, lenient)?;
    }
    let role_id = cx.path("role_id");
    if !role_id.is_empty() {
        target = add(target, "role", found.role(role_id).await, lenient)?;
    }
    let missing = lenient || action.for_missing_actor;
    target = match &grant.actor {
        Actor::User(id) => add(target, "user", found.user(id).await, missing)?,
        Actor::Group(id) => add(target, "group", found.group(id).await, missing)?,
    };
    if let GrantTarget::Project(id, _) = &grant.target {
        target = add(target, "project", found.project(id).await, lenient)?;
    }
    let rule = match (&grant.target, &grant.actor) {
        (GrantTarget::System, Actor::User(_)) => action.system_user,
        (GrantTarget::System, Actor::Group(_)) => action.system_group,
        _ => action.rule,
    };
    cx.allow_on(rule, target).await
}

fn add<R: serde::Serialize>(
    target: PolicyTarget,
    name: &str,
    found: Result<R>,
    may_be_missing: bool,
) -> Result<PolicyTarget, Error> {
    if may_be_missing {
        target.maybe(name, found)
    } else {
        target.with(name, &found?)
    }
}
