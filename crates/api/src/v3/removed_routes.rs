//! Routes of what Keystone no longer does, for clients that still ask.

use keystone_types::Error;

use crate::context::Context;
use crate::error::ApiError;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/OS-SIMPLE-CERT/ca", get(certificate))
        .route("/v3/OS-SIMPLE-CERT/certificates", get(certificate))
        .route("/v3/auth/tokens/OS-PKI/revoked", get(revoked))
}

async fn certificate() -> ApiError {
    let text = "This API is no longer available due to the removal of support for PKI tokens.";
    Error::Gone(text.to_owned()).into()
}

async fn revoked(cx: Context) -> ApiError {
    if cx.settings().revoke_by_id {
        let detail = "tokens are not kept, so that no list has the revoked ones".to_owned();
        return Error::Forbidden { detail }.into();
    }
    let text = "The service you have requested is no longer available on this server.";
    Error::Gone(text.to_owned()).into()
}
