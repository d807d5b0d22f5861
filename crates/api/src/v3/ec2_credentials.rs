//! `/v3/users/{user_id}/credentials/OS-EC2`

use axum::response::Response;
use keystone_auth::{Ec2Keys, ec2_credential_id};
use keystone_identity::Credential;
use keystone_types::{Error, Listing, Result};

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
    cx.refuse_delegated(delegated)?;
    let user_id = cx.path("user_id");
    app.identity.user(user_id).await?;
    let listing = Listing::default()
        .with("user_id", user_id)
        .with("type", "ec2");
    let sealed = app.identity.sealed_credentials(&listing).await?.items;
    let (count, auth) = (sealed.len(), app.auth.clone());
    let open = move || {
        let credentials = auth.credentials();
        let opened = sealed
            .into_iter()
            .filter_map(|sealed| credentials.unseal_readable(sealed).transpose());
        let keys = opened.filter_map(|open| open.map(Ec2Keys::of_readable).transpose());
        keys.collect::<Result<Vec<_>>>()
    };
    let keys = cx.bulk(count, open).await?;
    cx.all(keys).await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let user_id = cx.path("user_id");
    let target = PolicyTarget::credential_of(user_id)?;
    let app = cx
        .allow_on("identity:ec2_create_credential", target)
        .await?;
    app.identity.user(user_id).await?;
    let project_id = body.value("tenant_id").unwrap_or_default();
    let project_id = keystone_python::str(&project_id);
    app.identity.project(&project_id).await?;
    cx.refuse_delegated(delegated)?;
    let credentials = app.auth.credentials();
    let keys = credentials.create_ec2_keys(user_id, &project_id).await?;
    cx.created(&keys)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let (app, id) = allowed(&cx, "identity:ec2_get_credential").await?;
    cx.member(&Ec2Keys::of(app.auth.credentials().open(&id).await?)?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let (app, id) = allowed(&cx, "identity:ec2_delete_credential").await?;
    app.identity.delete_credential(&id).await?;
    Ok(no_content())
}

/// The services and the id of the credential in the path, if the rule and the caller's kind of token allow it. The user
/// in the path need not be its owner.
async fn allowed<'a>(cx: &'a Context, rule: &'static str) -> Result<(&'a App, String)> {
    cx.authenticated()?;
    let id = ec2_credential_id(cx.path("credential_id"));
    let credential: Credential = cx.unchecked().credential(&id).await?;
    let target = PolicyTarget::new().with("credential", &credential)?;
    let app = cx.allow_on(rule, target).await?;
    app.identity.user(cx.path("user_id")).await?;
    if credential.credential_type != "ec2" {
        return Err(Error::unauthorized(
            "the access key is of no EC2 credential",
        ));
    }
    cx.refuse_delegated(delegated)?;
    Ok((app, id))
}

/// As `_require_primary_auth_for_ec2` in `keystone/api/users.py`.
fn delegated() -> Error {
    Error::forbidden_action("Delegated tokens cannot access credentials directly")
}
