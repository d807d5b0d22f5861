//! `/v3/credentials`

use axum::response::Response;
use keystone_auth::{Delegation, Scope};
use keystone_identity::{Credential, SealedCredential};
use keystone_notify::Operation;
use keystone_types::{Error, Listing, Page, Result};
use serde_json::Value;

use crate::App;
use crate::body::{Body, resource};
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/credentials", get(list).post(create).renaming())
        .route(
            "/v3/credentials/{credential_id}",
            get(show).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let target = match cx.caller().scope() {
        Some(Scope::System) | None => PolicyTarget::new(),
        Some(_) => PolicyTarget::credential_of(cx.caller().user_id().unwrap_or_default())?,
    };
    let app = cx.allow_on("identity:list_credentials", target).await?;
    let listing = cx.listing(ListLimit::Client, &["user_id", "type"])?;
    let (sealed, auth) = (visible(&cx, app, &listing).await?, app.auth.clone());
    let (count, wanted) = (sealed.len(), listing.limit);
    let open = move || {
        let credentials = auth.credentials();
        let opened = sealed
            .into_iter()
            .filter_map(|sealed| credentials.unseal_readable(sealed).transpose());
        let wanted = wanted.map_or(usize::MAX, |limit| limit as usize + 1);
        opened.take(wanted).collect::<Result<Vec<_>>>()
    };
    let items = cx.bulk(count, open).await?;
    cx.collection(Page::cut(items, &listing), &listing).await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let mut attributes = body.member("credential")?;
    let blob = attributes.shift_remove("blob");
    let target = PolicyTarget::new().with("credential", &attributes)?;
    let app = cx.allow_on("identity:create_credential", target).await?;
    let blob = blob.as_ref().and_then(Value::as_str).unwrap_or_default();
    // Clients cannot set these columns.
    for column in ["encrypted_blob", "key_hash"] {
        attributes.shift_remove(column);
    }
    let credential: Credential = resource(attributes)?;
    let delegation = access(&cx).await?.check(&credential)?;
    let credentials = app.auth.credentials();
    let created = credentials.create(credential, blob.to_owned(), delegation);
    let created = created.await?;
    cx.announce(Operation::Created, "credential", &created.credential.id);
    cx.created(&created)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let (app, credential) = allowed(&cx, "identity:get_credential").await?;
    cx.member(&app.auth.credentials().open(&credential.id).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    const RULE: &str = "identity:update_credential";
    let (_, credential) = allowed(&cx, RULE).await?;
    let patch = body.member("credential")?;
    // The rule is asked about the changed credential too.
    let mut changed = serde_json::to_value(&credential).map_err(Error::internal)?;
    if let Value::Object(changed) = &mut changed {
        changed.extend(patch.clone());
    }
    let target = PolicyTarget::new().with("credential", &changed)?;
    let app = cx.allow_on(RULE, target).await?;
    let blob = patch.get("blob").and_then(Value::as_str);
    let blob = blob.unwrap_or_default().to_owned();
    let credentials = app.auth.credentials();
    cx.member(&credentials.update(credential, blob).await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let (app, credential) = allowed(&cx, "identity:delete_credential").await?;
    app.identity.delete_credential(&credential.id).await?;
    cx.announce(Operation::Deleted, "credential", &credential.id);
    Ok(no_content())
}

/// The services and the credential in the path, if the rule and the caller's kind of token allow it.
async fn allowed<'a>(cx: &'a Context, rule: &'static str) -> Result<(&'a App, Credential)> {
    cx.authenticated()?;
    let found = cx.unchecked().credential(cx.path("credential_id")).await;
    let target = PolicyTarget::new().maybe("credential", found.clone())?;
    let app = cx.allow_on(rule, target).await?;
    let credential = found?;
    access(cx).await?.check(&credential)?;
    Ok((app, credential))
}

/// The credentials that the listing asks for and the caller may see, from its marker on.
async fn visible(cx: &Context, app: &App, listing: &Listing) -> Result<Vec<SealedCredential>> {
    const RULE: &str = "identity:get_credential";
    let access = access(cx).await?;
    if access == Access::Nothing {
        return Ok(Vec::new());
    }
    // For a caller who may see only the own credentials, only those are read.
    let mut narrowed = listing.clone();
    narrowed.limit = None;
    let owner = "target.credential.user_id";
    let foreign = PolicyTarget::credential_of("")?;
    if let Some(id) = cx.confined_to_own(RULE, owner, foreign).await? {
        narrowed = narrowed.with("user_id", id);
    }
    let found = app.identity.sealed_credentials(&narrowed).await?.items;
    let target =
        |sealed: &SealedCredential| PolicyTarget::new().with("credential", &sealed.credential);
    let mut seen = cx.filter_allowed(RULE, found, target).await?;
    seen.retain(|sealed| access.check(&sealed.credential).is_ok());
    Ok(seen)
}

/// Which credentials the caller's kind of token may touch, whatever the policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access<'a> {
    All,
    Ec2(Delegation<'a>),
    Nothing,
}

/// A delegated token must not get at secrets that outlive it (`keystone/api/credentials.py`).
async fn access(cx: &Context) -> Result<Access<'_>> {
    cx.refuse_tokenless()?;
    let settings = cx.unchecked().auth_settings();
    let Some(token) = cx.token() else {
        return Ok(Access::All);
    };
    Ok(match token.delegation(settings) {
        Delegation::None => Access::All,
        delegation @ (Delegation::Trust(_)
        | Delegation::ApplicationCredential(_)
        | Delegation::AccessToken(_)
        | Delegation::Unnamed) => {
            let exempt =
                settings.delegated_admins_reach_ec2 && cx.allow("admin_required").await.is_ok();
            if exempt {
                Access::Ec2(delegation)
            } else {
                Access::Nothing
            }
        }
    })
}

impl<'a> Access<'a> {
    /// The delegation by which a credential of this type is touched.
    fn check(self, credential: &Credential) -> Result<Delegation<'a>> {
        match self {
            Self::All => Ok(Delegation::None),
            Self::Ec2(delegation) if credential.is_ec2() => Ok(delegation),
            Self::Ec2(_) | Self::Nothing => Err(Error::forbidden_action(
                "Delegated tokens cannot access credentials directly",
            )),
        }
    }
}
