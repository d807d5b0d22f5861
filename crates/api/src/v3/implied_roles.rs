//! `/v3/roles/{id}/implies` and `/v3/role_inferences`: which role implies which.

use axum::http::StatusCode;
use axum::response::Response;
use keystone_identity::Role;
use keystone_types::{Error, Result};
use serde_json::{Value, json};

use crate::App;
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::{ApiError, json_line};
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/role_inferences", get(inferences))
        .route("/v3/roles/{prior_role_id}/implies", get(list))
        .route(
            "/v3/roles/{prior_role_id}/implies/{implied_role_id}",
            get(show).head(check).put(create).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let (app, prior) = allow_list(&cx).await?;
    let implied = app.identity.implied_roles(&prior.id).await?;
    let implied = implied.iter();
    let implied = implied.map(|role| reference(&cx, &role.id, &role.name));
    let link = format!("roles/{}/implies", prior.id);
    Ok(answer(
        &cx,
        StatusCode::OK,
        &prior,
        &implied.collect(),
        &link,
    ))
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let pair = Pair::load(&cx).await?;
    let app = pair.allow(&cx, "identity:get_implied_role").await?;
    pair.check(app).await?;
    Ok(pair.answer(&cx, StatusCode::OK))
}

async fn check(cx: Context) -> Result<Response, ApiError> {
    let pair = Pair::load(&cx).await?;
    pair.allow(&cx, "identity:check_implied_role").await?;
    let app = pair.allow(&cx, "identity:get_implied_role").await?;
    pair.check(app).await?;
    Ok(no_content())
}

async fn create(cx: Context) -> Result<Response, ApiError> {
    let pair = Pair::load(&cx).await?;
    let app = pair.allow(&cx, "identity:create_implied_role").await?;
    app.identity
        .create_implied_role(&pair.prior.id, &pair.implied.id)
        .await?;
    Ok(pair.answer(&cx, StatusCode::CREATED))
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let pair = Pair::load(&cx).await?;
    let app = pair.allow(&cx, "identity:delete_implied_role").await?;
    app.identity
        .delete_implied_role(&pair.prior.id, &pair.implied.id)
        .await?;
    Ok(no_content())
}

async fn inferences(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_role_inference_rules").await?;
    let rules = app.identity.role_inferences().await?;
    let rules = rules.iter().map(|rule| {
        let implies = rule.implies.iter();
        let implies: Value = implies
            .map(|role| reference(&cx, &role.id, &role.name))
            .collect();
        let prior = reference(&cx, &rule.prior.id, &rule.prior.name);
        json!({ "prior_role": prior, "implies": implies })
    });
    let body = json!({ "role_inferences": rules.collect::<Value>() });
    Ok(json_line(StatusCode::OK, &body))
}

/// The two roles that a path names; they are looked up before any rule is asked.
struct Pair {
    prior: Role,
    implied: Role,
}

impl Pair {
    async fn load(cx: &Context) -> Result<Self> {
        cx.authenticated()?;
        let unchecked = cx.unchecked();
        Ok(Self {
            prior: unchecked.role(cx.path("prior_role_id")).await?,
            implied: unchecked.role(cx.path("implied_role_id")).await?,
        })
    }

    async fn allow<'a>(&self, cx: &'a Context, rule: &'static str) -> Result<&'a App> {
        let target = PolicyTarget::new().with("prior_role", &self.prior)?;
        cx.allow_on(rule, target.with("implied_role", &self.implied)?)
            .await
    }

    async fn check(&self, app: &App) -> Result<(), Error> {
        app.identity
            .check_implied_role(&self.prior.id, &self.implied.id)
            .await
    }

    fn answer(&self, cx: &Context, status: StatusCode) -> Response {
        let implied = reference(cx, &self.implied.id, &self.implied.name);
        let link = format!("roles/{}/implies/{}", self.prior.id, self.implied.id);
        answer(cx, status, &self.prior, &implied, &link)
    }
}

async fn allow_list(cx: &Context) -> Result<(&App, Role)> {
    cx.authenticated()?;
    let prior = cx.unchecked().role(cx.path("prior_role_id")).await?;
    let target = PolicyTarget::new().with("prior_role", &prior)?;
    let app = cx.allow_on("identity:list_implied_roles", target).await?;
    Ok((app, prior))
}

fn answer(cx: &Context, status: StatusCode, prior: &Role, implies: &Value, link: &str) -> Response {
    let prior = reference(cx, &prior.id, &prior.name);
    let body = json!({
        "role_inference": { "prior_role": prior, "implies": implies },
        "links": { "self": cx.url(link) },
    });
    json_line(status, &body)
}

fn reference(cx: &Context, id: &str, name: &str) -> Value {
    json!({ "id": id, "links": { "self": cx.url(&format!("roles/{id}")) }, "name": name })
}
