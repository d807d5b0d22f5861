//! `/v3/OS-FEDERATION/identity_providers`, and their protocols

use axum::http::StatusCode;
use axum::response::Response;
use keystone_federation::{IdentityProvider, NewIdentityProvider, NewProtocol, Protocol};
use keystone_notify::Operation;
use keystone_types::{Resource, Result};
use serde_json::{Value, json};

use crate::body::{Body, parse_member};
use crate::context::{Context, filters, no_content};
use crate::error::{ApiError, json_line};
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/OS-FEDERATION/identity_providers", get(list))
        .route(
            "/v3/OS-FEDERATION/identity_providers/{idp_id}",
            get(show).put(create).patch(update).delete(delete),
        )
        .route(
            "/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols",
            get(list_protocols),
        )
        .route(
            "/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}",
            get(show_protocol)
                .put(create_protocol)
                .patch(update_protocol)
                .delete(delete_protocol),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    const RULE: &str = "identity:list_identity_providers";
    let app = cx.allow(RULE).await?;
    let listing = cx.listing(ListLimit::Client, filters(RULE))?;
    let page = app.federation.identity_providers(&listing).await?;
    // Only here, in `keystone/api/os_federation.py`.
    let protocols = |provider: &IdentityProvider, base: &str, links: &mut Value| {
        let own = format!("{base}{}/{}", IdentityProvider::PATH, provider.id);
        links["protocols"] = format!("{own}/protocols").into();
    };
    cx.collection_with_links(page, &listing, protocols).await
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_identity_provider").await?;
    let provider = app.federation.identity_provider(cx.path("idp_id")).await?;
    cx.member(&provider)
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_identity_provider").await?;
    let new: NewIdentityProvider = parse_member(body.member(IdentityProvider::MEMBER)?)?;
    let id = cx.path("idp_id");
    let names_domain = new.domain_id.as_ref().is_some_and(|id| !id.is_empty());
    let created = app.federation.create_identity_provider(id, new).await?;
    if !names_domain {
        cx.announce_without_initiator(Operation::Created, "domain", &created.domain_id);
    }
    cx.created(&created)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_identity_provider").await?;
    let patch = body.member(IdentityProvider::MEMBER)?;
    let id = cx.path("idp_id");
    cx.member(&app.federation.update_identity_provider(id, patch).await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_identity_provider").await?;
    let id = cx.path("idp_id");
    app.federation.delete_identity_provider(id).await?;
    Ok(no_content())
}

async fn list_protocols(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_protocols").await?;
    let listing = cx.listing(ListLimit::Client, &[])?;
    let page = app.federation.protocols(cx.path("idp_id"), &listing);
    let provider = |protocol: &Protocol, base: &str, links: &mut Value| {
        links["identity_provider"] = provider_url(protocol, base).into();
    };
    cx.collection_with_links(page.await?, &listing, provider)
        .await
}

async fn show_protocol(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_protocol").await?;
    let (provider_id, id) = (cx.path("idp_id"), cx.path("protocol_id"));
    let protocol = app.federation.protocol(provider_id, id).await?;
    Ok(protocol_member(&cx, StatusCode::OK, &protocol))
}

async fn create_protocol(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_protocol").await?;
    let new: NewProtocol = parse_member(body.member(Protocol::MEMBER)?)?;
    let (provider_id, id) = (cx.path("idp_id"), cx.path("protocol_id"));
    let protocol = app.federation.create_protocol(provider_id, id, new).await?;
    Ok(protocol_member(&cx, StatusCode::CREATED, &protocol))
}

async fn update_protocol(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_protocol").await?;
    let patch = body.member(Protocol::MEMBER)?;
    let (provider_id, id) = (cx.path("idp_id"), cx.path("protocol_id"));
    let protocol = app.federation.update_protocol(provider_id, id, patch);
    Ok(protocol_member(&cx, StatusCode::OK, &protocol.await?))
}

async fn delete_protocol(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_protocol").await?;
    let (provider_id, id) = (cx.path("idp_id"), cx.path("protocol_id"));
    app.federation.delete_protocol(provider_id, id).await?;
    Ok(no_content())
}

/// One protocol has fewer attributes than one of a list, and the URLs in it lead nowhere, as in
/// `keystone/api/os_federation.py`.
fn protocol_member(cx: &Context, status: StatusCode, protocol: &Protocol) -> Response {
    let links = json!({
        "self": cx.url(&format!("{}/{}", Protocol::PATH, protocol.id)),
        "identity_provider": provider_url(protocol, &cx.url("")),
    });
    let member = json!({ "id": protocol.id, "mapping_id": protocol.mapping_id, "links": links });
    json_line(status, &json!({ Protocol::MEMBER: member }))
}

fn provider_url(protocol: &Protocol, base: &str) -> String {
    format!("{base}{}", protocol.idp_id)
}
