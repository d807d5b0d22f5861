//! `/v3/OS-OAUTH2/token`: access tokens of OAuth 2.0 for application credentials, and for users by their certificates.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystone_auth::{AuthToken, ClientRefused, TokenRequest};
use keystone_types::{Error, Result, Secret};
use serde_json::{Value, json};

use crate::body::Form;
use crate::context::Context;
use crate::error::{ApiError, json_line, log};
use crate::middleware::header_text;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    let refused = get(no_method).put(no_method).patch(no_method);
    Routes::new().route(
        "/v3/OS-OAUTH2/token",
        refused.delete(no_method).post(create),
    )
}

/// A client, and how it authenticates.
enum Client {
    /// An application credential.
    Secret { id: String, secret: Secret },
    /// A user, by the certificate of the connection.
    Certificate { id: String },
}

/// The answer where no token is issued.
struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
}

async fn create(cx: Context, form: Form) -> Result<Response, ApiError> {
    let issued = match client(&cx, &form) {
        Ok(client) => issue(&cx, client).await?,
        Err(refusal) => Err(refusal),
    };
    match issued {
        Ok(token) => {
            let settings = cx.unchecked().auth_settings();
            let body = json!({
                "access_token": token.id,
                "expires_in": settings.expiration.num_seconds(),
                "token_type": "Bearer",
            });
            Ok(json_line(StatusCode::OK, &body))
        }
        Err(refusal) => refusal.response(&cx),
    }
}

async fn no_method(cx: Context) -> Result<Response, ApiError> {
    let refusal = Refusal {
        status: StatusCode::METHOD_NOT_ALLOWED,
        error: "other_error",
        description: "The method is not allowed for the requested URL.".to_owned(),
    };
    refusal.response(&cx)
}

/// The client that asks for a token: named by HTTP's basic authentication, else in the form; with a certificate, there only.
fn client(cx: &Context, form: &Form) -> Result<Client, Refusal> {
    let bad_request = |error, description| Refusal {
        status: StatusCode::BAD_REQUEST,
        error,
        description,
    };
    match form.value("grant_type") {
        Some("client_credentials") => {}
        None => {
            let text = "The parameter grant_type is required.".to_owned();
            return Err(bad_request("invalid_request", text));
        }
        Some(other) => {
            let text = format!("The parameter grant_type {other} is not supported.");
            return Err(bad_request("unsupported_grant_type", text));
        }
    }
    let in_form = || {
        let text = |name| form.value(name).unwrap_or_default().to_owned();
        (text("client_id"), text("client_secret"))
    };
    if cx.environment().get("SSL_CLIENT_CERT").is_some() {
        return match in_form().0 {
            id if id.is_empty() => Err(Refusal::unknown_client()),
            id => Ok(Client::Certificate { id }),
        };
    }
    let (id, secret) = basic(&cx.headers).unwrap_or_else(in_form);
    if id.is_empty() || secret.is_empty() {
        return Err(Refusal::unknown_client());
    }
    let secret = secret.into();
    Ok(Client::Secret { id, secret })
}

/// The name and the password of HTTP's basic authentication.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, credentials) =
        header_text(headers, header::AUTHORIZATION.as_str())?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':').unwrap_or((&text, ""));
    Some((name.to_owned(), password.to_owned()))
}

/// Issues a token as for the same login with JSON. An error of this server stays one.
async fn issue(cx: &Context, client: Client) -> Result<Result<AuthToken, Refusal>> {
    let service = &cx.without_policy().auth;
    let allowed = |method: &str| {
        let methods = &service.settings().oauth2_methods;
        methods.iter().any(|allowed| allowed == method)
    };
    let issued = match client {
        Client::Secret { id, secret } if allowed("client_secret_basic") => {
            let request = TokenRequest::application_credential(id, secret);
            service.log_in(request, &cx.login(None)).await
        }
        Client::Certificate { id } if allowed("tls_client_auth") => {
            match service.issue_for_certificate(&id, cx.environment()).await {
                Err(ClientRefused::Unauthenticated(reason)) => {
                    log(&Error::unauthorized(reason));
                    return Ok(Err(Refusal::unknown_client()));
                }
                Err(ClientRefused::Failed(error)) => Err(error),
                Ok(token) => Ok(token),
            }
        }
        Client::Secret { .. } | Client::Certificate { .. } => {
            return Ok(Err(Refusal::unknown_client()));
        }
    };
    match issued {
        Ok(token) => Ok(Ok(token)),
        Err(error @ Error::Unavailable { .. }) => Err(error),
        Err(error) => {
            log(&error);
            Ok(Err(Refusal::of(&error)))
        }
    }
}

/// The text of an error, which tells what a receipt has instead of giving one.
fn text(error: &Error) -> String {
    let Error::Receipt { body, .. } = error else {
        return error.to_string();
    };
    let receipt = &body["receipt"];
    let user = receipt["user"]["id"].as_str().unwrap_or_default();
    let methods = receipt["methods"].as_array().into_iter().flatten();
    let methods: Vec<&str> = methods.filter_map(Value::as_str).collect();
    let methods = methods.join(",");
    format!("Insufficient auth methods received for {user}. Auth Methods Provided: [{methods}].")
}

impl Refusal {
    fn unknown_client() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_client",
            description: "Client authentication failed.".to_owned(),
        }
    }

    fn of(error: &Error) -> Self {
        let status = StatusCode::from_u16(error.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (kind, description) = match status {
            StatusCode::UNAUTHORIZED => ("invalid_client", text(error)),
            StatusCode::BAD_REQUEST => ("invalid_request", text(error)),
            _ => (
                "other_error",
                "An unknown error occurred and failed to get an OAuth2.0 access token.".to_owned(),
            ),
        };
        Self {
            status,
            error: kind,
            description,
        }
    }

    fn response(self, cx: &Context) -> Result<Response, ApiError> {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = json_line(self.status, &body);
        if self.status == StatusCode::UNAUTHORIZED {
            let uri = format!("Keystone uri=\"{}\"", cx.url("").trim_end_matches('/'));
            let uri = HeaderValue::from_str(&uri).map_err(Error::internal)?;
            response.headers_mut().insert(header::WWW_AUTHENTICATE, uri);
        }
        Ok(response)
    }
}
