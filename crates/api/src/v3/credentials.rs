//! `/v3/credentials`

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use keystone_auth::{Authority, Scope};
use keystone_identity::{Credential, SealedCredential};
use keystone_types::{Error, Listing, Page, Result};
use serde_json::Value;

use crate::Live;
use crate::body::{Body, resource};
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::ApiError;

pub(crate) fn routes() -> Router<Live> {
    Router::new()
        .route("/v3/credentials", get(list).post(create))
        .route(
            "/v3/credentials/{credential_id}",
            get(show).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let target = match cx.token() {
        Some(token) if token.scope != Scope::System => {
            PolicyTarget::credential_of(&token.subject.user.id)?
        }
        _ => PolicyTarget::new(),
    };
    let app = cx.allow_on("identity:list_credentials", target).await?;
    let listing = cx.listing(&["user_id", "type"])?;
    let (sealed, auth) = (visible(&cx, &listing).await?, app.auth.clone());
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
    // What the columns of this name hold is not the client's to say.
    for column in ["encrypted_blob", "key_hash"] {
        attributes.shift_remove(column);
    }
    let credential: Credential = resource(attributes)?;
    let authority = reach(&cx).await.check(&credential)?;
    let credentials = app.auth.credentials();
    cx.created(
        &credentials
            .create(credential, blob.to_owned(), authority)
            .await?,
    )
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let credential = allowed(&cx, "identity:get_credential").await?;
    let app = cx.unchecked();
    cx.member(&app.auth.credentials().open(&credential.id).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    const RULE: &str = "identity:update_credential";
    let credential = allowed(&cx, RULE).await?;
    let patch = body.member("credential")?;
    // And may the caller have it as it would be then?
    let mut changed = serde_json::to_value(&credential).map_err(Error::internal)?;
    if let Value::Object(changed) = &mut changed {
        changed.extend(patch.clone());
    }
    let target = PolicyTarget::new().with("credential", &changed)?;
    cx.allow_on(RULE, target).await?;
    let blob = patch.get("blob").and_then(Value::as_str);
    let credentials = cx.unchecked().auth.credentials();
    let blob = blob.unwrap_or_default().to_owned();
    cx.member(&credentials.update(credential, blob).await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let credential = allowed(&cx, "identity:delete_credential").await?;
    let identity = &cx.unchecked().identity;
    identity.delete_credential(&credential.id).await?;
    Ok(no_content())
}

/// The credential in the path, once the caller may do with it what the rule is about.
async fn allowed(cx: &Context, rule: &'static str) -> Result<Credential> {
    cx.authenticated()?;
    let identity = &cx.unchecked().identity;
    let found = identity.credential(cx.path("credential_id")).await;
    let target = match &found {
        Ok(credential) => PolicyTarget::new().with("credential", credential)?,
        Err(error) if error.is_not_found() => PolicyTarget::new(),
        Err(_) => return found,
    };
    cx.allow_on(rule, target).await?;
    let credential = found?;
    reach(cx).await.check(&credential)?;
    Ok(credential)
}

/// What the listing asks for as far as the caller may see it, from its marker on.
async fn visible(cx: &Context, listing: &Listing) -> Result<Vec<SealedCredential>> {
    const RULE: &str = "identity:get_credential";
    let reach = reach(cx).await;
    if reach == Reach::Nothing {
        return Ok(Vec::new());
    }
    // Who sees none but the own ones does not read those of all the cloud.
    let mut narrowed = listing.clone();
    narrowed.limit = None;
    let owner = "target.credential.user_id";
    let stranger = PolicyTarget::credential_of("")?;
    if let Some(id) = cx.confined_to_own(RULE, owner, stranger).await? {
        narrowed = narrowed.with("user_id", id);
    }
    let identity = &cx.unchecked().identity;
    let found = identity.sealed_credentials(&narrowed).await?.items;
    let target =
        |sealed: &SealedCredential| PolicyTarget::new().with("credential", &sealed.credential);
    let mut seen = cx.reachable(RULE, found, target).await?;
    seen.retain(|sealed| reach.check(&sealed.credential).is_ok());
    Ok(seen)
}

/// Which credentials the caller's kind of token may touch, whatever the policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach<'a> {
    All,
    Ec2(Authority<'a>),
    Nothing,
}

/// A token that was made on somebody else's authority must not get at secrets that outlive it.
async fn reach(cx: &Context) -> Reach<'_> {
    let settings = cx.unchecked().auth.settings();
    let Some(token) = cx.token() else {
        return Reach::All;
    };
    match token.authority(settings) {
        Authority::Own => Reach::All,
        lent @ (Authority::Trust(_)
        | Authority::ApplicationCredential(_)
        | Authority::AccessToken(_)
        | Authority::Unknown) => {
            let exempt =
                settings.delegated_admins_reach_ec2 && cx.allow("admin_required").await.is_ok();
            if exempt {
                Reach::Ec2(lent)
            } else {
                Reach::Nothing
            }
        }
    }
}

impl<'a> Reach<'a> {
    /// On whose authority a credential of this type is touched.
    fn check(self, credential: &Credential) -> Result<Authority<'a>> {
        match self {
            Self::All => Ok(Authority::Own),
            Self::Ec2(authority) if credential.is_ec2() => Ok(authority),
            Self::Ec2(_) | Self::Nothing => Err(Error::forbidden_action(
                "Delegated tokens cannot access credentials directly",
            )),
        }
    }
}
