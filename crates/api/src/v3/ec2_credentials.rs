//! `/v3/users/{user_id}/credentials/OS-EC2`

use axum::response::Response;
use keystone_auth::ec2_credential_id;
use keystone_identity::Credential;
use keystone_notify::Operation;
use keystone_types::Result;

use crate::App;
use crate::body::Body;
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::ApiError;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(
            "/v3/users/{user_id}/credentials/OS-EC2",
            get(list).post(create),
        )
        .route(
            "/v3/users/{user_id}/credentials/OS-EC2/{credential_id}",
            get(show).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:ec2_list_credentials").await?;
    let credentials = app.auth.credentials();
    let keys = credentials.ec2_keys(cx.path("user_id"), cx.delegation()?);
    cx.all(keys.await?).await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let user_id = cx.path("user_id");
    let target = PolicyTarget::credential_of(user_id)?;
    let app = cx
        .allow_on("identity:ec2_create_credential", target)
        .await?;
    let project_id = body.value("tenant_id").unwrap_or_default();
    let project_id = keystone_python::str(&project_id);
    let credentials = app.auth.credentials();
    let keys = credentials.create_ec2_keys(user_id, &project_id, cx.delegation()?);
    let created = keys.await?;
    cx.announce_without_initiator(Operation::Created, "credential", &created.credential_id());
    cx.created(&created)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let (app, user_id, access) = allowed(&cx, "identity:ec2_get_credential").await?;
    let credentials = app.auth.credentials();
    let keys = credentials.ec2_key(user_id, access, cx.delegation()?);
    cx.member(&keys.await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let (app, user_id, access) = allowed(&cx, "identity:ec2_delete_credential").await?;
    let credentials = app.auth.credentials();
    credentials
        .delete_ec2_key(user_id, access, cx.delegation()?)
        .await?;
    let id = ec2_credential_id(access);
    cx.announce_without_initiator(Operation::Deleted, "credential", &id);
    Ok(no_content())
}

/// The services, and the user and the access key in the path, if the rule allows it.
async fn allowed<'a>(cx: &'a Context, rule: &'static str) -> Result<(&'a App, &'a str, &'a str)> {
    cx.authenticated()?;
    let (user_id, access) = (cx.path("user_id"), cx.path("credential_id"));
    let id = ec2_credential_id(access);
    let credential: Credential = cx.unchecked().credential(&id).await?;
    let target = PolicyTarget::new().with("credential", &credential)?;
    Ok((cx.allow_on(rule, target).await?, user_id, access))
}
