//! `[cors]`: whether a page of another origin may read the answers, as oslo.middleware decides it.
//!
//! Not tower-http's layer: that answers every preflight itself, lists all that is allowed rather
//! than what was asked for, names the allowed methods to any origin, and sets another `Vary`. Here
//! the API answers `OPTIONS` first, a failure then becomes an empty 200 (which clients of paths
//! without a route see too), and a request that isn't allowed gets none of the headers.
//!
//! Python Keystone reads `[cors]` from `/etc/keystone/keystone.conf`, whichever file it was started
//! with; here it is read from the same files as the rest. The sections `[cors.NAME]` of old releases
//! are read by neither.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderName,
    VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;

use crate::forwarded::joined;

/// The headers that every origin may send.
const SIMPLE: [&str; 8] = [
    "Accept",
    "Accept-Language",
    "Content-Type",
    "Cache-Control",
    "Content-Language",
    "Expires",
    "Last-Modified",
    "Pragma",
];

/// Options of `[cors]`.
#[derive(Clone, Debug)]
pub struct Cors {
    /// `allowed_origin`; `*` stands for every other one.
    pub origins: Vec<String>,
    /// `allow_credentials`
    pub credentials: bool,
    /// `allow_methods`
    pub methods: Vec<String>,
    /// `allow_headers`
    pub headers: Vec<String>,
    /// `expose_headers`
    pub exposed: Vec<String>,
    /// `max_age`, in seconds; 0 sends no header.
    pub max_age: i64,
}

impl Default for Cors {
    fn default() -> Self {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            origins: Vec::new(),
            credentials: true,
            methods: own(&["GET", "PUT", "POST", "DELETE", "PATCH"]),
            headers: own(&[
                "X-Auth-Token",
                "X-Openstack-Request-Id",
                "X-Subject-Token",
                "X-Project-Id",
                "X-Project-Name",
                "X-Project-Domain-Id",
                "X-Project-Domain-Name",
                "X-Domain-Id",
                "X-Domain-Name",
                "Openstack-Auth-Receipt",
            ]),
            exposed: own(&[
                "X-Auth-Token",
                "X-Openstack-Request-Id",
                "X-Subject-Token",
                "Openstack-Auth-Receipt",
            ]),
            max_age: 3600,
        }
    }
}

/// The CORS headers of a request.
#[derive(Debug)]
pub(crate) struct CorsRequest {
    preflight: bool,
    origin: Option<String>,
    method: Option<String>,
    headers: Option<String>,
}

impl CorsRequest {
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        Self {
            preflight: method == Method::OPTIONS,
            origin: joined(headers, "origin"),
            method: joined(headers, "access-control-request-method"),
            headers: joined(headers, "access-control-request-headers"),
        }
    }
}

impl Cors {
    /// The answer with what the page's browser wants to know.
    pub(crate) fn decorate(&self, asked: &CorsRequest, response: Response) -> Response {
        let mut response = if asked.preflight && !response.status().is_success() {
            Response::default()
        } else {
            response
        };
        let Some(origin) = asked.origin.as_deref().and_then(|it| self.origin(it)) else {
            return response;
        };
        let headers = response.headers_mut();
        if !asked.preflight {
            let vary = joined(headers, VARY.as_str());
            let vary = vary.map_or_else(|| "Origin".to_owned(), |vary| format!("{vary},Origin"));
            set(headers, VARY, &vary);
            self.admit(headers, origin);
            if !self.exposed.is_empty() {
                set(
                    headers,
                    ACCESS_CONTROL_EXPOSE_HEADERS,
                    &self.exposed.join(","),
                );
            }
        } else if let Some((method, wanted)) = self.granted(asked) {
            set(headers, VARY, "Origin");
            self.admit(headers, origin);
            if self.max_age != 0 {
                set(headers, ACCESS_CONTROL_MAX_AGE, &self.max_age.to_string());
            }
            set(headers, ACCESS_CONTROL_ALLOW_METHODS, method);
            if !wanted.is_empty() {
                set(headers, ACCESS_CONTROL_ALLOW_HEADERS, &wanted.join(","));
            }
        }
        response
    }

    /// An allowed origin as it is told; letters of both cases differ.
    fn origin<'a>(&'a self, asked: &'a str) -> Option<&'a str> {
        let mut origins = self.origins.iter();
        let known = |origin: &&String| *origin == asked;
        let any = || self.origins.iter().find(|origin| *origin == "*");
        let found = origins.find(known).or_else(any);
        found.map(String::as_str)
    }

    /// The method and the headers that a preflight asks for, if all are allowed.
    fn granted<'a>(&self, asked: &'a CorsRequest) -> Option<(&'a str, Vec<&'a str>)> {
        let method = asked.method.as_deref()?;
        let wanted = asked.headers.as_deref().unwrap_or_default().split(',');
        let wanted: Vec<&str> = wanted
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        let is_allowed = |wanted: &&str| {
            let mut own = self.headers.iter().map(String::as_str).chain(SIMPLE);
            own.any(|name| name.eq_ignore_ascii_case(wanted))
        };
        let allowed =
            self.methods.iter().any(|allowed| allowed == method) && wanted.iter().all(is_allowed);
        allowed.then_some((method, wanted))
    }

    fn admit(&self, headers: &mut HeaderMap, origin: &str) {
        set(headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            set(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
