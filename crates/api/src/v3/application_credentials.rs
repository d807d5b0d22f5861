//! `/v3/users/{user_id}/application_credentials`

use axum::http::StatusCode;
use axum::response::Response;
use keystone_auth::{ApplicationCredential, AuthToken, Delegation};
use keystone_notify::Operation;
use keystone_types::{Error, Result};
use serde_json::json;

use crate::body::{Body, parse_member};
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::{ApiError, json_line};
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(
            "/v3/users/{user_id}/application_credentials",
            get(list).post(create),
        )
        .route(
            "/v3/users/{user_id}/application_credentials/{application_credential_id}",
            get(show).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_application_credentials").await?;
    check_delegation(&cx)?;
    let listing = cx.listing(ListLimit::Client, &["name"])?;
    let found = app
        .auth
        .application_credentials(cx.path("user_id"), &listing);
    cx.paginate(found.await?).await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_application_credential").await?;
    check_delegation(&cx)?;
    check_unrestricted(&cx)?;
    let token = own_token(&cx)?;
    let new = parse_member(body.member("application_credential")?)?;
    let project_id = token.project().map(|project| project.id.as_str());
    let user_id = &token.subject.user.id;
    let created = app
        .auth
        .create_application_credential(new, user_id, project_id, &token.roles);
    let (created, secret) = created.await?;
    cx.announce(
        Operation::Created,
        "application_credential",
        &created.credential.id,
    );
    let mut member = cx.linked(&created)?;
    member["secret"] = secret.reveal().into();
    let body = json!({ "application_credential": member });
    Ok(json_line(StatusCode::CREATED, &body))
}

async fn show(cx: Context, _: Body) -> Result<Response, ApiError> {
    let (cx, found) = at_owner(cx).await?;
    let rule = "identity:get_application_credential";
    let app = cx.allow_on(rule, target(&found)?).await?;
    check_delegation(&cx)?;
    cx.member(&app.auth.with_roles(found?).await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let (cx, found) = at_owner(cx).await?;
    let rule = "identity:delete_application_credential";
    let app = cx.allow_on(rule, target(&found)?).await?;
    check_delegation(&cx)?;
    check_unrestricted(&cx)?;
    let found = found?;
    app.auth.delete_application_credential(&found).await?;
    cx.announce(Operation::Deleted, "application_credential", &found.id);
    Ok(no_content())
}

/// The request as one below its owner's path, whoever the path names, so that nobody reaches the credentials of others
/// through the own path (`keystone/api/users.py`).
async fn at_owner(cx: Context) -> Result<(Context, Result<ApplicationCredential>)> {
    cx.authenticated()?;
    let id = cx.path("application_credential_id");
    let found = cx.unchecked().application_credential(id).await;
    Ok(match found {
        Ok(found) => (cx.with_path("user_id", &found.user_id), Ok(found)),
        Err(error) if error.is_not_found() => (cx, Err(error)),
        Err(error) => return Err(error),
    })
}

fn target(found: &Result<ApplicationCredential>) -> Result<PolicyTarget> {
    match found {
        Ok(found) => PolicyTarget::new().with("user_id", &found.user_id),
        Err(_) => Ok(PolicyTarget::new()),
    }
}

/// 403 for delegated tokens but those of application credentials: a credential would outlive the delegation.
pub(super) fn check_delegation(cx: &Context) -> Result<()> {
    cx.refuse_tokenless()?;
    let settings = cx.unchecked().auth_settings();
    let delegation = cx.token().map(|token| token.delegation(settings));
    match delegation {
        None | Some(Delegation::None | Delegation::ApplicationCredential(_)) => Ok(()),
        Some(Delegation::Trust(_) | Delegation::AccessToken(_) | Delegation::Unnamed) => {
            Err(Error::Forbidden {
                detail: "Cannot manage application credentials with a token issued via delegation."
                    .to_owned(),
            })
        }
    }
}

/// 403 for the token of an application credential that may not manage others.
fn check_unrestricted(cx: &Context) -> Result<()> {
    cx.token()
        .map_or(Ok(()), |token| token.check_unrestricted())
}

/// The token of the user in the path, who alone can create credentials.
fn own_token(cx: &Context) -> Result<&AuthToken> {
    let token = cx.token().map(AsRef::as_ref);
    let own = token.filter(|token: &&AuthToken| token.subject.user.id == cx.path("user_id"));
    own.ok_or_else(|| {
        Error::forbidden_action("Cannot create an application credential for another user.")
    })
}
