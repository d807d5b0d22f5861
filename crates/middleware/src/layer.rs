//! The guard as a tower layer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use keystone_policy::Enforcer;
use keystone_types::Validate;
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;

use crate::guard::{Guard, Rejection, Rules};
use crate::tokens::Tokens;

/// Guards the routes of a service: a request passes if Keystone knows its token as valid, and brings along who its
/// caller is, as a [`Token`](crate::Token) and in the headers that Python's middleware sets.
///
/// The options are those of `[keystone_authtoken]`, with the same defaults.
#[derive(Debug)]
pub struct TokenLayer<V> {
    tokens: Arc<Tokens<V>>,
    rules: Rules,
}

impl<V: Validate> TokenLayer<V> {
    /// A guard that asks `validator` about tokens.
    pub fn new(validator: V) -> Self {
        Self::over(Tokens::new(validator).into())
    }

    /// A guard with tokens that others use too, or that are kept as the service wants them to be.
    pub fn over(tokens: Arc<Tokens<V>>) -> Self {
        let rules = Rules::for_clients_of(tokens.validator().auth_url());
        Self { tokens, rules }
    }

    /// Whether requests that would be refused pass too, for the service to decide (`delay_auth_decision`). They have no
    /// [`Token`](crate::Token); `X-Identity-Status` or `X-Service-Identity-Status` is `Invalid`.
    #[must_use]
    pub fn delay_auth_decision(mut self, delay: bool) -> Self {
        self.rules.delay_auth_decision = delay;
        self
    }

    /// The type of this service in the catalog, such as `image`: without it, application credentials with access rules
    /// are refused (`service_type`).
    #[must_use]
    pub fn service_type(mut self, service_type: impl Into<String>) -> Self {
        self.rules.service_type = Some(service_type.into());
        self
    }

    /// Roles that make a token one of a service: one of them must be there (`service_token_roles`, by default
    /// `service`).
    #[must_use]
    pub fn service_token_roles<R: Into<String>>(
        mut self,
        roles: impl IntoIterator<Item = R>,
    ) -> Self {
        self.rules.service_token_roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a service token without such a role is invalid (`service_token_roles_required`). `false` is for old
    /// clouds: then any valid token is taken for one of a service, though never to accept an expired one or to pass
    /// over access rules.
    #[must_use]
    pub fn service_token_roles_required(mut self, required: bool) -> Self {
        self.rules.service_token_roles_required = required;
        self
    }

    /// Where clients are told to authenticate (`www_authenticate_uri`); by default where the validator does.
    #[must_use]
    pub fn www_authenticate_uri(mut self, uri: &str) -> Self {
        self.rules.authenticate = Rules::authenticate(uri);
        self
    }

    /// The path below which the service is nested, if the guard is inside of what takes it away from requests, such as
    /// axum's `nest`: access rules are about whole paths.
    #[must_use]
    pub fn mounted_at(mut self, path: impl Into<String>) -> Self {
        self.rules.mounted_at = path.into();
        self
    }

    /// Whether the service behind gets `X-User-Id`, `X-Roles` and their like. One that only takes a
    /// [`Token`](crate::Token) can do without; what a client sent of them is removed all the same.
    #[must_use]
    pub fn identity_headers(mut self, set: bool) -> Self {
        self.rules.identity_headers = set;
        self
    }

    /// The policy that [`Token::enforce`](crate::Token::enforce) asks.
    #[must_use]
    pub fn policy(mut self, policy: Arc<Enforcer>) -> Self {
        self.rules.policy = Some(policy);
        self
    }
}

impl<V> Clone for TokenLayer<V> {
    fn clone(&self) -> Self {
        Self {
            tokens: Arc::clone(&self.tokens),
            rules: self.rules.clone(),
        }
    }
}

impl<S, V> Layer<S> for TokenLayer<V> {
    type Service = TokenService<S, V>;

    fn layer(&self, inner: S) -> Self::Service {
        let guard = Guard {
            tokens: Arc::clone(&self.tokens),
            rules: self.rules.clone(),
        };
        TokenService {
            inner,
            guard: guard.into(),
        }
    }
}

/// A service behind a guard; see [`TokenLayer`].
#[derive(Debug)]
pub struct TokenService<S, V> {
    inner: S,
    guard: Arc<Guard<V>>,
}

impl<S: Clone, V> Clone for TokenService<S, V> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            guard: Arc::clone(&self.guard),
        }
    }
}

impl<S, V, Body, Answer> Service<Request<Body>> for TokenService<S, V>
where
    S: Service<Request<Body>, Response = Response<Answer>> + Clone + Send + 'static,
    S::Future: Send,
    V: Validate + 'static,
    Body: Send + 'static,
    Answer: From<String>,
{
    type Response = Response<Answer>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let clone = self.inner.clone();
        // The one that is ready, and not its clone.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if let Err(rejection) = guard.admit(&mut parts).await {
                return Ok(reject(rejection, &guard.rules.authenticate));
            }
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            if response.status() == StatusCode::UNAUTHORIZED {
                let headers = response.headers_mut();
                headers.append(WWW_AUTHENTICATE, guard.rules.authenticate.clone());
            }
            Ok(response)
        })
    }
}

fn reject<Answer: From<String>>(
    rejection: Rejection,
    authenticate: &HeaderValue,
) -> Response<Answer> {
    let (status, title, message) = match rejection {
        Rejection::Unauthorized => (
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "The request you have made requires authentication.",
        ),
        Rejection::Unavailable => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Service Unavailable",
            "The Keystone service is temporarily unavailable.",
        ),
    };
    let error = json!({ "error": { "code": status.as_u16(), "title": title, "message": message } });
    let mut response = Response::new(Answer::from(error.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, json);
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, authenticate.clone());
    }
    response
}

#[cfg(test)]
mod tests;
