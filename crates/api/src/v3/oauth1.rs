//! `/v3/OS-OAUTH1`, and the access tokens of a user

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use keystone_auth::RoleChoice;
use keystone_auth::oauth1::{AccessToken, Consumer, Issued};
use keystone_identity::Role;
use keystone_notify::Operation;
use keystone_types::{Error, Resource, Result};
use serde_json::{Map, Value, json};

use crate::App;
use crate::body::{Body, attributes, resource, without_id};
use crate::context::{Context, JsonList, no_content};
use crate::error::{ApiError, json_line};
use crate::html;
use crate::listing::ListLimit;
use crate::middleware::latin1;
use crate::routes::{Routes, get, mismatch};
use crate::schema;

/// As events name a consumer.
const CONSUMER: &str = "OS-OAUTH1:consumer";
/// As events name an access token.
const ACCESS_TOKEN: &str = "OS-OAUTH1:access_token";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(
            "/v3/OS-OAUTH1/consumers",
            get(list)
                .post(create)
                .renaming()
                .patch(mismatch(
                    "ConsumerResource.patch() missing 1 required positional argument: 'consumer_id'",
                ))
                .delete(mismatch(
                    "ConsumerResource.delete() missing 1 required positional argument: 'consumer_id'",
                )),
        )
        .route(
            "/v3/OS-OAUTH1/consumers/{consumer_id}",
            get(show)
                .post(mismatch(
                    "ConsumerResource.post() got an unexpected keyword argument 'consumer_id'",
                ))
                .patch(update)
                .renaming()
                .delete(delete),
        )
        .route(
            "/v3/OS-OAUTH1/request_token",
            get(post_only).post(create_request_token),
        )
        .route(
            "/v3/OS-OAUTH1/authorize/{request_token_id}",
            get(mismatch(
                "_OAuth1ResourceBase.get() got an unexpected keyword argument 'request_token_id'",
            ))
            .put(authorize),
        )
        .route(
            "/v3/OS-OAUTH1/access_token",
            get(post_only).post(create_access_token),
        )
        .route(
            "/v3/users/{user_id}/OS-OAUTH1/access_tokens",
            get(list_access_tokens),
        )
        .route(
            "/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}",
            get(show_access_token).delete(delete_access_token),
        )
        .route(
            "/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles",
            get(list_roles),
        )
        .route(
            "/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles/{role_id}",
            get(show_role),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_consumers").await?;
    let listing = cx.listing(ListLimit::Client, &[])?;
    let consumers = app.auth.consumers(&listing).await?;
    cx.collection(consumers, &listing).await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_consumer").await?;
    let mut consumer = checked(body, "POST /v3/OS-OAUTH1/consumers", "consumer_create")?;
    // The secret is the server's to choose, as the id is.
    consumer.shift_remove("secret");
    let consumer: Consumer = resource(consumer)?;
    let created = app.auth.create_consumer(consumer).await?;
    cx.announce(Operation::Created, CONSUMER, &created.consumer.id);
    let mut member = cx.linked(&created.consumer)?;
    member["secret"] = created.secret.reveal().into();
    Ok(json_line(
        StatusCode::CREATED,
        &json!({ Consumer::MEMBER: member }),
    ))
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_consumer").await?;
    cx.member(&app.auth.consumer(cx.path("consumer_id")).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_consumer").await?;
    let route = "PATCH /v3/OS-OAUTH1/consumers/{consumer_id}";
    let id = cx.path("consumer_id");
    let patch = without_id(checked(body, route, "consumer_update")?, id)?;
    let updated = app.auth.update_consumer(id, patch).await?;
    cx.announce(Operation::Updated, CONSUMER, id);
    cx.member(&updated)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_consumer").await?;
    let id = cx.path("consumer_id");
    app.auth.delete_consumer(id).await?;
    cx.announce(Operation::Deleted, CONSUMER, id);
    Ok(no_content())
}

/// The attributes of the consumer in a body; here the policy is asked before the schema.
fn checked(body: Body, route: &str, label: &str) -> Result<Map<String, Value>> {
    let consumer = body.value(Consumer::MEMBER).unwrap_or_else(|| json!({}));
    schema::inline(route, label, &consumer).map_err(Error::Validation)?;
    Ok(attributes(consumer))
}

async fn create_request_token(cx: Context) -> Result<Response, ApiError> {
    let project_id = cx.headers.get("requested-project-id").map(latin1);
    let signed = cx.signed(cx.request_url());
    let auth = &cx.without_policy().auth;
    let issued = auth.create_request_token(&signed, project_id.as_deref());
    let issued = issued.await?;
    cx.announce(Operation::Created, "OS-OAUTH1:request_token", &issued.id);
    Ok(form(&issued))
}

async fn create_access_token(cx: Context) -> Result<Response, ApiError> {
    let signed = cx.signed(cx.request_url());
    let issued = cx
        .without_policy()
        .auth
        .create_access_token(&signed)
        .await?;
    cx.announce(Operation::Created, ACCESS_TOKEN, &issued.id);
    Ok(form(&issued))
}

async fn authorize(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:authorize_request_token").await?;
    let roles = body.value("roles").unwrap_or_else(|| json!([]));
    let route = "PUT /v3/OS-OAUTH1/authorize/{request_token_id}";
    schema::inline(route, "request_token_authorize", &roles).map_err(Error::Validation)?;
    // An access token outlives what it was made with. A caller without a token is refused last, as there is no user in it.
    if cx.token().is_some() {
        cx.refuse_delegated(|| {
            forbidden("Cannot authorize a request token with a token issued via delegation.")
        })?;
    }
    let roles: Vec<RoleChoice> = serde_json::from_value(roles).map_err(Error::internal)?;
    let user_id = cx.token().map(|token| token.subject.user.id.as_str());
    let id = cx.path("request_token_id");
    let verifier = app
        .auth
        .authorize_request_token(id, &roles, user_id)
        .await?;
    let token = json!({ "token": { "oauth_verifier": verifier } });
    Ok(json_line(StatusCode::OK, &token))
}

async fn list_access_tokens(cx: Context) -> Result<Response, ApiError> {
    let app = allowed(&cx, "identity:list_access_tokens").await?;
    let tokens = app.auth.access_tokens(cx.path("user_id")).await?;
    let mut text = JsonList::begin("access_tokens");
    for token in &tokens {
        text.push(&linked_token(&cx, token));
    }
    Ok(text.end(collection_links(&cx)))
}

async fn show_access_token(cx: Context) -> Result<Response, ApiError> {
    let app = allowed(&cx, "identity:get_access_token").await?;
    let (user_id, id) = (cx.path("user_id"), cx.path("access_token_id"));
    let token = app.auth.access_token_of(user_id, id).await?;
    let member = json!({ "access_token": linked_token(&cx, &token) });
    Ok(json_line(StatusCode::OK, &member))
}

async fn delete_access_token(cx: Context) -> Result<Response, ApiError> {
    // The rule is one of EC2's, in `keystone/api/users.py`.
    let app = allowed(&cx, "identity:ec2_delete_credential").await?;
    let (user_id, id) = (cx.path("user_id"), cx.path("access_token_id"));
    app.auth.delete_access_token(user_id, id).await?;
    cx.announce(Operation::Deleted, ACCESS_TOKEN, id);
    Ok(no_content())
}

async fn list_roles(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_access_token_roles").await?;
    let (user_id, id) = (cx.path("user_id"), cx.path("access_token_id"));
    let roles = app.auth.roles_of_access_token(user_id, id).await?;
    let mut text = JsonList::begin(Role::COLLECTION);
    for role in &roles {
        text.push(&brief(&cx, role)?);
    }
    Ok(text.end(collection_links(&cx)))
}

async fn show_role(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_access_token_role").await?;
    let (user_id, id) = (cx.path("user_id"), cx.path("access_token_id"));
    let role = app
        .auth
        .role_of_access_token(user_id, id, cx.path("role_id"));
    let role = brief(&cx, &role.await?)?;
    Ok(json_line(StatusCode::OK, &json!({ Role::MEMBER: role })))
}

/// The services, if the rule and the caller's kind of token allow it.
async fn allowed<'a>(cx: &'a Context, rule: &'static str) -> Result<&'a App> {
    let app = cx.allow(rule).await?;
    cx.refuse_delegated(|| {
        forbidden("Cannot manage OAuth access tokens with a token issued via delegation.")
    })?;
    Ok(app)
}

fn forbidden(detail: &str) -> Error {
    let detail = detail.to_owned();
    Error::Forbidden { detail }
}

fn linked_token(cx: &Context, token: &AccessToken) -> Value {
    let path = format!(
        "users/{}/OS-OAUTH1/access_tokens/{}",
        token.authorizing_user_id, token.id
    );
    let own = cx.url(&path);
    json!({
        "id": token.id,
        "authorizing_user_id": token.authorizing_user_id,
        "project_id": token.project_id,
        "consumer_id": token.consumer_id,
        "expires_at": token.expires_at,
        "links": { "roles": format!("{own}/roles"), "self": own },
    })
}

/// A role without its description.
fn brief(cx: &Context, role: &Role) -> Result<Value> {
    let mut brief = cx.linked(role)?;
    if let Some(attributes) = brief.as_object_mut() {
        attributes.shift_remove("description");
        attributes.shift_remove("enabled");
    }
    Ok(brief)
}

fn collection_links(cx: &Context) -> Map<String, Value> {
    let links = json!({ "next": null, "self": cx.self_url(), "previous": null });
    Map::from_iter([("links".to_owned(), links)])
}

/// A token with its secret, as the form that RFC 5849 wants.
fn form(issued: &Issued) -> Response {
    let (id, secret) = (&issued.id, issued.secret.reveal());
    let mut text = format!("oauth_token={id}&oauth_token_secret={secret}");
    if let Some(expires_at) = &issued.expires_at {
        text.extend(["&oauth_expires_at=", expires_at]);
    }
    let mut response = Response::new(text.into());
    *response.status_mut() = StatusCode::CREATED;
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    response.headers_mut().insert(header::CONTENT_TYPE, form);
    response
}

/// Keystone has this method in its tables, and drops the connection.
async fn post_only() -> Response {
    html::method_not_allowed_json("GET, HEAD, OPTIONS, POST")
}
