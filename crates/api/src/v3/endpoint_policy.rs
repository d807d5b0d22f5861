//! `OS-ENDPOINT-POLICY`: which policy is for which endpoint.

use axum::http::StatusCode;
use axum::response::Response;
use keystone_catalog::{Association, Endpoint};
use keystone_types::{Error, Resource, Result};
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
            get(check_endpoint)
                .put(add_endpoint)
                .delete(remove_endpoint),
        )
        .route(
            "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}",
            get(check_service).put(add_service).delete(remove_service),
        )
        .route(
            "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}",
            get(check_region).put(add_region).delete(remove_region),
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
    let policy = app.catalog.policy(cx.path("policy_id")).await?;
    cx.paginate(app.catalog.endpoints_of_policy(&policy.id).await?)
        .await
}

async fn check_endpoint(cx: Context) -> Result<Response, ApiError> {
    check(&cx, "identity:check_policy_association_for_endpoint").await
}

async fn add_endpoint(cx: Context) -> Result<Response, ApiError> {
    add(&cx, "identity:create_policy_association_for_endpoint").await
}

async fn remove_endpoint(cx: Context) -> Result<Response, ApiError> {
    remove(&cx, "identity:delete_policy_association_for_endpoint").await
}

async fn check_service(cx: Context) -> Result<Response, ApiError> {
    check(&cx, "identity:check_policy_association_for_service").await
}

async fn add_service(cx: Context) -> Result<Response, ApiError> {
    add(&cx, "identity:create_policy_association_for_service").await
}

async fn remove_service(cx: Context) -> Result<Response, ApiError> {
    remove(&cx, "identity:delete_policy_association_for_service").await
}

async fn check_region(cx: Context) -> Result<Response, ApiError> {
    check(
        &cx,
        "identity:check_policy_association_for_region_and_service",
    )
    .await
}

async fn add_region(cx: Context) -> Result<Response, ApiError> {
    add(
        &cx,
        "identity:create_policy_association_for_region_and_service",
    )
    .await
}

async fn remove_region(cx: Context) -> Result<Response, ApiError> {
    remove(
        &cx,
        "identity:delete_policy_association_for_region_and_service",
    )
    .await
}

async fn check(cx: &Context, rule: &'static str) -> Result<Response, ApiError> {
    let app = cx.allow(rule).await?;
    let (policy, with) = named(cx, app).await?;
    app.catalog.check_policy_association(policy, with).await?;
    Ok(no_content())
}

async fn add(cx: &Context, rule: &'static str) -> Result<Response, ApiError> {
    let app = cx.allow(rule).await?;
    let (policy, with) = named(cx, app).await?;
    app.catalog.associate_policy(policy, with).await?;
    Ok(no_content())
}

async fn remove(cx: &Context, rule: &'static str) -> Result<Response, ApiError> {
    let app = cx.allow(rule).await?;
    let (policy, with) = named(cx, app).await?;
    app.catalog.dissociate_policy(policy, with).await?;
    Ok(no_content())
}

/// The policy of the path and what it is associated with, all of which must exist.
async fn named<'a>(cx: &'a Context, app: &App) -> Result<(&'a str, Association<'a>), Error> {
    let catalog = &app.catalog;
    let policy = cx.path("policy_id");
    catalog.policy(policy).await?;
    let path = ["endpoint_id", "service_id", "region_id"].map(|name| cx.path(name));
    let with = match path {
        [endpoint, "", _] => {
            catalog.endpoint(endpoint).await?;
            Association::Endpoint(endpoint)
        }
        [_, service, ""] => {
            catalog.service(service).await?;
            Association::Service(service)
        }
        [_, service_id, region_id] => {
            catalog.service(service_id).await?;
            catalog.region(region_id).await?;
            Association::Region {
                service_id,
                region_id,
            }
        }
    };
    Ok((policy, with))
}
