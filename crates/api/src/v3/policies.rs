//! `/v3/policies`

use axum::response::Response;
use keystone_catalog::Policy;
use keystone_notify::Operation;
use keystone_types::{Error, Result};
use serde_json::{Map, Value, json};

use crate::body::{Body, attributes, resource};
use crate::context::{Context, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get, mismatch};
use crate::schema;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(
            "/v3/policies",
            get(list)
                .post(create)
                .renaming()
                .patch(mismatch(
                    "PolicyResource.patch() missing 1 required positional argument: 'policy_id'",
                ))
                .delete(mismatch(
                    "PolicyResource.delete() missing 1 required positional argument: 'policy_id'",
                )),
        )
        .route(
            "/v3/policies/{policy_id}",
            get(show)
                .post(mismatch(
                    "PolicyResource.post() got an unexpected keyword argument 'policy_id'",
                ))
                .patch(update)
                .delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_policies").await?;
    let listing = cx.listing(ListLimit::Policy, &["type"])?;
    cx.collection(app.catalog.policies(&listing).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_policy").await?;
    let policy = checked(body, "POST /v3/policies", "policy_create")?;
    let policy: Policy = resource(policy)?;
    let created = app.catalog.create_policy(policy).await?;
    cx.announce(Operation::Created, "policy", &created.id);
    cx.created(&created)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_policy").await?;
    cx.member(&app.catalog.policy(cx.path("policy_id")).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_policy").await?;
    let patch = checked(body, "PATCH /v3/policies/{policy_id}", "policy_update")?;
    let id = cx.path("policy_id");
    let updated = app.catalog.update_policy(id, patch).await?;
    cx.announce(Operation::Updated, "policy", id);
    cx.member(&updated)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_policy").await?;
    app.catalog.delete_policy(cx.path("policy_id")).await?;
    cx.announce(Operation::Deleted, "policy", cx.path("policy_id"));
    Ok(no_content())
}

/// The attributes of the policy in a body; here the policy is asked before the schema.
fn checked(body: Body, route: &str, label: &str) -> Result<Map<String, Value>> {
    let policy = body.value("policy").unwrap_or_else(|| json!({}));
    schema::inline(route, label, &policy).map_err(Error::Validation)?;
    Ok(attributes(policy))
}
