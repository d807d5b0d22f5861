//! `/v3/limits`

use axum::http::StatusCode;
use axum::response::Response;
use keystone_auth::Scope;
use keystone_identity::Limit;
use keystone_types::{Error, Listing, Page, Result};
use serde::Serialize;
use serde_json::{Value, json};

use crate::App;
use crate::body::Body;
use crate::context::{Context, PolicyTarget, filters, no_content};
use crate::error::{ApiError, json_line};
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/limits", get(list).post(create))
        .route(
            "/v3/limits/{limit_id}",
            get(show).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    const RULE: &str = "identity:list_limits";
    let app = cx.allow(RULE).await?;
    let listing = cx.listing(ListLimit::Client, filters(RULE))?;
    cx.collection(visible(&cx, app, &listing).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_limits").await?;
    let limits = body.members::<Limit>("limits")?;
    cx.all_created(&app.identity.create_limits(limits).await?)
}

async fn model(cx: Context) -> Result<Response, ApiError> {
    let cx = cx.without_path();
    let app = cx.allow("identity:get_limit_model").await?;
    let model = app.identity.settings().enforcement_model;
    let model = json!({ "name": model.name(), "description": model.description() });
    Ok(json_line(StatusCode::OK, &json!({ "model": model })))
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    // One route for both: to other methods the word is an id like any other.
    if cx.path("limit_id") == "model" {
        return model(cx).await;
    }
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:get_limit", target).await?;
    cx.member(&app.identity.limit(cx.path("limit_id")).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let id = cx.path("limit_id");
    let found = cx.unchecked().limit(id);
    let app = cx.allow_found("identity:update_limit", found).await?;
    let patch = body.patch("limit", id)?;
    cx.member(&app.identity.update_limit(id, &patch).await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let id = cx.path("limit_id");
    let found = cx.unchecked().limit(id);
    let app = cx.allow_found("identity:delete_limit", found).await?;
    app.identity.delete_limit(id).await?;
    Ok(no_content())
}

/// The limits that the caller may see: all with the system in scope or with one of two roles, else those of the domain
/// or the project in scope. No rule decides this in `keystone/api/limits.py` either.
async fn visible(cx: &Context, app: &App, listing: &Listing) -> Result<Page<Limit>> {
    let Some(scope) = cx.caller().scope() else {
        return app.identity.limits(listing).await;
    };
    let wide = |name: &str| ["admin", "service"].contains(&name);
    if cx.caller().roles().iter().any(|role| wide(&role.name)) {
        return app.identity.limits(listing).await;
    }
    match scope {
        Scope::System => app.identity.limits(listing).await,
        Scope::Domain(domain) => {
            let limits = app.identity.limits_within_domain(&domain.id, listing);
            limits.await
        }
        Scope::Project(project) => {
            let own = listing.clone().with("project_id", &project.id);
            app.identity.limits(&own).await
        }
        Scope::Unscoped => Ok(Page {
            items: Vec::new(),
            more: false,
        }),
    }
}

/// The limit with the project or the domain that it belongs to.
async fn target(cx: &Context) -> Result<PolicyTarget> {
    cx.authenticated()?;
    let unchecked = cx.unchecked();
    let limit = match unchecked.limit(cx.path("limit_id")).await {
        Err(error) if error.is_not_found() => return Ok(PolicyTarget::new()),
        limit => limit?,
    };
    let mut about = serde_json::to_value(&limit).map_err(Error::internal)?;
    if let Some(id) = &limit.project_id {
        about["project"] = found(unchecked.project(id).await)?;
    } else if let Some(id) = &limit.domain_id {
        about["domain"] = found(unchecked.domain(id).await)?;
    }
    PolicyTarget::new().with("limit", &about)
}

/// The owner as an attribute of the limit; null where it is gone.
fn found(owner: Result<impl Serialize>) -> Result<Value> {
    match owner {
        Ok(owner) => Ok(json!(owner)),
        Err(error) if error.is_not_found() => Ok(Value::Null),
        Err(error) => Err(error),
    }
}
