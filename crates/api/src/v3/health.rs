//! `/healthcheck`: whether the process answers, for load balancers.

use axum::http::StatusCode;

pub(crate) async fn show() -> StatusCode {
    StatusCode::OK
}
