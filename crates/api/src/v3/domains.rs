//! `/v3/domains`

use axum::response::Response;
use keystone_identity::{Identity, Project};
use keystone_notify::Operation;
use keystone_types::{Error, Listing, Result, new_id};
use serde_json::{Value, json};

use crate::body::{Body, parse_member};
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/domains", get(list).post(create).renaming())
        .route(
            "/v3/domains/{domain_id}",
            get(show).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let scope = cx.domain_scope();
    let domain = scope.map(|id| json!({ "id": id }));
    let target = PolicyTarget::new().with_some("domain", domain)?;
    let app = cx.allow_on("identity:list_domains", target).await?;
    let listing = cx.listing(ListLimit::Resource, &["name", "enabled"])?;
    let narrowed = listing.within("id", scope);
    let read = |identity: Identity, page: Listing| async move { identity.domains(&page).await };
    cx.long_collection_or_all(&app.identity, narrowed, read)
        .await
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    cx.authenticated()?;
    let found = cx.unchecked().domain(cx.path("domain_id")).await;
    let target = PolicyTarget::new().maybe("domain", found)?;
    let app = cx.allow_on("identity:get_domain", target).await?;
    cx.member(&app.identity.domain(cx.path("domain_id")).await?)
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_domain").await?;
    let mut domain = body.member("domain")?;
    let id = match domain.shift_remove("explicit_domain_id") {
        Some(Value::String(id)) if is_simple_uuid(&id) => id,
        Some(Value::Null) | None => new_id(),
        Some(_) => {
            return Err(Error::Validation(
                "Domain ID does not conform to required UUID format.".to_owned(),
            )
            .into());
        }
    };
    domain.insert("id".to_owned(), id.into());
    let project: Project = parse_member(domain)?;
    let created = app.identity.create_domain(project).await?;
    cx.announce_project(Operation::Created, &created.id, true);
    cx.created(&created)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let id = cx.path("domain_id");
    let found = cx.unchecked().domain(id);
    let app = cx.allow_found("identity:update_domain", found).await?;
    let mut patch = body.member("domain")?;
    patch.shift_remove("id");
    let updated = app.identity.update_domain(id, patch).await?;
    cx.announce_project(Operation::Updated, id, true);
    cx.member(&updated)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let id = cx.path("domain_id");
    let found = cx.unchecked().domain(id);
    let app = cx.allow_found("identity:delete_domain", found).await?;
    let deleted = app.identity.delete_domain(id).await?;
    cx.announce_deleted(&deleted);
    cx.announce_project(Operation::Deleted, id, true);
    Ok(no_content())
}

/// 32 lower-case hex digits.
fn is_simple_uuid(id: &str) -> bool {
    id.len() == 32
        && id
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
