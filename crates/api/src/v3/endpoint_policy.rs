//! `OS-ENDPOINT-POLICY`: which policy is for which endpoint.

use axum::http::StatusCode;
use axum::response::Response;
use keystone_catalog::{Association, Endpoint};
use keystone_types::{Resource, Result};
use serde_json::json;

use crate::App;
use crate::context::{Context, no_content};
use crate::error::{ApiError, json_line};
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(
            "/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy",
            get(policy),
        )
        .route(
            "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints",
            get(endpoints),
        )
        .route(
            "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}",
            get(check).put(create).delete(delete),
        )
        .route(
            "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}",
            get(check).put(create).delete(delete),
        )
        .route(
            "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}",
            get(check).put(create).delete(delete),
        )
}

async fn policy(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:get_policy_for_endpoint";
    let app = cx.allow(rule).await?;
    let policy = app
        .catalog
        .policy_for_endpoint(cx.path("endpoint_id"))
        .await?;
    let mut body = cx.linked(&policy)?;
    // Keystone links to an endpoint with the policy's id.
    body["links"] = cx.links::<Endpoint>(policy.id());
    Ok(json_line(StatusCode::OK, &json!({ "policy": body })))
}

async fn endpoints(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:list_endpoints_for_policy";
    let app = cx.allow(rule).await?;
    let endpoints = app.catalog.endpoints_of_policy(cx.path("policy_id"));
    cx.paginate(endpoints.await?).await
}

/// The rules of an action on what is associated with an endpoint, with a service, and with a service in a region.
type Rules = [&'static str; 3];

const CHECK: Rules = [
    "identity:check_policy_association_for_endpoint",
    "identity:check_policy_association_for_service",
    "identity:check_policy_association_for_region_and_service",
];

const CREATE: Rules = [
    "identity:create_policy_association_for_endpoint",
    "identity:create_policy_association_for_service",
    "identity:create_policy_association_for_region_and_service",
];

const DELETE: Rules = [
    "identity:delete_policy_association_for_endpoint",
    "identity:delete_policy_association_for_service",
    "identity:delete_policy_association_for_region_and_service",
];

async fn check(cx: Context) -> Result<Response, ApiError> {
    let (app, policy, with) = allowed(&cx, CHECK).await?;
    app.catalog.check_policy_association(policy, with).await?;
    Ok(no_content())
}

async fn create(cx: Context) -> Result<Response, ApiError> {
    let (app, policy, with) = allowed(&cx, CREATE).await?;
    app.catalog.associate_policy(policy, with).await?;
    Ok(no_content())
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let (app, policy, with) = allowed(&cx, DELETE).await?;
    app.catalog.dissociate_policy(policy, with).await?;
    Ok(no_content())
}

/// The policy in the path and what it is associated with, if the rule allows the action.
async fn allowed(
    cx: &Context,
    [endpoint, service, region]: Rules,
) -> Result<(&App, &str, Association<'_>)> {
    let policy = cx.path("policy_id");
    let path = ["endpoint_id", "service_id", "region_id"].map(|name| cx.path(name));
    let (rule, with) = match path {
        [id, "", _] => (endpoint, Association::Endpoint(id)),
        [_, id, ""] => (service, Association::Service(id)),
        [_, service_id, region_id] => {
            let with = Association::Region {
                service_id,
                region_id,
            };
            (region, with)
        }
    };
    Ok((cx.allow(rule).await?, policy, with))
}
