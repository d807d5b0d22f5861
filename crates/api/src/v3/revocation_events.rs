//! `/v3/OS-REVOKE/events`

use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDateTime;
use keystone_python::parse_isotime;
use keystone_types::{Error, Result};
use serde_json::json;

use crate::context::Context;
use crate::error::{ApiError, json_line};
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new().route("/v3/OS-REVOKE/events", get(list))
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_revoke_events").await?;
    let events = app.identity.revocations(since(&cx)?).await?;
    let links = json!({ "next": null, "self": cx.url("OS-REVOKE/events"), "previous": null });
    Ok(json_line(
        StatusCode::OK,
        &json!({ "events": events, "links": links }),
    ))
}

fn since(cx: &Context) -> Result<Option<NaiveDateTime>> {
    let Some(since) = cx.query("since").filter(|since| !since.is_empty()) else {
        return Ok(None);
    };
    // The odd verb is Keystone's (`keystone/api/os_revoke.py`).
    parse_isotime(since)
        .map(Some)
        .ok_or_else(|| Error::Validation(format!("invalidate date format {since}")))
}
