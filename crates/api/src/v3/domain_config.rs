//! `/v3/domains/{domain_id}/config`: what a domain sets for itself, and what holds where it does not.

use axum::http::StatusCode;
use axum::response::Response;
use keystone_identity::{Config, ConfigPart};
use keystone_types::Result;
use serde_json::{Value, json};

use crate::body::Body;
use crate::context::{Context, no_content};
use crate::error::{ApiError, json_line};
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/domains/config/default", get(defaults))
        .route("/v3/domains/config/{group}/default", get(defaults))
        .route("/v3/domains/config/{group}/{option}/default", get(defaults))
        .route(
            "/v3/domains/{domain_id}/config",
            get(show).put(create).patch(update).delete(delete),
        )
        .route(
            "/v3/domains/{domain_id}/config/{group}",
            get(show).patch(update).delete(delete),
        )
        .route(
            "/v3/domains/{domain_id}/config/{group}/{option}",
            get(show).patch(update).delete(delete),
        )
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let (id, part) = (cx.path("domain_id"), part(&cx));
    let config = if part.group == Some("security_compliance") {
        let rule = "identity:get_security_compliance_domain_config";
        let identity = &cx.allow(rule).await?.identity;
        identity.security_compliance_config(id, part.option).await?
    } else {
        let app = cx.allow("identity:get_domain_config").await?;
        app.identity.domain_config(id, part).await?
    };
    Ok(answer(StatusCode::OK, config))
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_domain_config").await?;
    let (config, new) = app
        .identity
        .create_domain_config(cx.path("domain_id"), &wanted(body))
        .await?;
    Ok(answer(
        if new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        },
        config,
    ))
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_domain_config").await?;
    let config = app
        .identity
        .update_domain_config(cx.path("domain_id"), &wanted(body), part(&cx))
        .await?;
    Ok(answer(StatusCode::OK, config))
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_domain_config").await?;
    app.identity
        .delete_domain_config(cx.path("domain_id"), part(&cx))
        .await?;
    Ok(no_content())
}

async fn defaults(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_domain_config_default").await?;
    Ok(answer(
        StatusCode::OK,
        app.identity.default_domain_config(part(&cx))?,
    ))
}

fn part(cx: &Context) -> ConfigPart<'_> {
    let named = |name| Some(cx.path(name)).filter(|text| !text.is_empty());
    ConfigPart {
        group: named("group"),
        option: named("option"),
    }
}

fn wanted(body: Body) -> Value {
    body.value("config").unwrap_or_else(|| json!({}))
}

fn answer(status: StatusCode, config: Config) -> Response {
    json_line(status, &json!({ "config": Value::Object(config) }))
}
