//! The headers that tell the service behind who its caller is, and that no client may send.

use http::{HeaderMap, HeaderName, HeaderValue};
use keystone_types::to_python_json;
use serde_json::{Map, Value, json};

use crate::token_info::{Service, TokenInfo};

/// The user's token.
pub(crate) const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
/// The same for clients of Swift's first API.
pub(crate) const STORAGE_TOKEN: HeaderName = HeaderName::from_static("x-storage-token");
/// The token of a service that acts for the user.
pub(crate) const SERVICE_TOKEN: HeaderName = HeaderName::from_static("x-service-token");

pub(crate) const STATUS: HeaderName = HeaderName::from_static("x-identity-status");
pub(crate) const SERVICE_STATUS: HeaderName = HeaderName::from_static("x-service-identity-status");
const CATALOG: HeaderName = HeaderName::from_static("x-service-catalog");

pub(crate) const CONFIRMED: HeaderValue = HeaderValue::from_static("Confirmed");
pub(crate) const INVALID: HeaderValue = HeaderValue::from_static("Invalid");

/// Headers that only the guard sets, in order: those of `_all_auth_headers` in
/// `keystonemiddleware/auth_token/_request.py`, and `OpenStack-System-Scope`, which is missing there.
const FORGEABLE: [&str; 32] = [
    "openstack-system-scope",
    "x-domain-id",
    "x-domain-name",
    "x-identity-status",
    "x-is-admin-project",
    "x-project-domain-id",
    "x-project-domain-name",
    "x-project-id",
    "x-project-name",
    "x-role",
    "x-roles",
    "x-service-catalog",
    "x-service-domain-id",
    "x-service-domain-name",
    "x-service-identity-status",
    "x-service-project-domain-id",
    "x-service-project-domain-name",
    "x-service-project-id",
    "x-service-project-name",
    "x-service-roles",
    "x-service-user-domain-id",
    "x-service-user-domain-name",
    "x-service-user-id",
    "x-service-user-name",
    "x-tenant",
    "x-tenant-id",
    "x-tenant-name",
    "x-user",
    "x-user-domain-id",
    "x-user-domain-name",
    "x-user-id",
    "x-user-name",
];

/// The headers of tokens, which stay in their proper spelling.
const TOKENS: [HeaderName; 3] = [AUTH_TOKEN, STORAGE_TOKEN, SERVICE_TOKEN];

/// The length of the longest of these names.
const LONGEST: usize = 29;

/// Removes what a client could forge, in every spelling: software behind that makes variables of headers takes
/// `X_Roles` and `X.Roles` for `X-Roles`.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let forged = |name: &&HeaderName| is_forgeable(name);
    // `remove` wants the map for itself; most requests have nothing to remove.
    let forged: Vec<_> = headers.keys().filter(forged).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

fn is_forgeable(name: &HeaderName) -> bool {
    let text = name.as_str().as_bytes();
    if text.len() > LONGEST || !matches!(text.first(), Some(b'x' | b'o')) {
        return false;
    }
    let mut plain = [0; LONGEST];
    let plain = &mut plain[..text.len()];
    for (to, byte) in plain.iter_mut().zip(text) {
        *to = if byte.is_ascii_alphanumeric() {
            *byte
        } else {
            b'-'
        };
    }
    let plain: &[u8] = plain;
    let known = FORGEABLE.binary_search_by(|known| known.as_bytes().cmp(plain));
    let respelt = |token: &HeaderName| token.as_str().as_bytes() == plain && token != name;
    known.is_ok() || TOKENS.iter().any(respelt)
}

/// Headers of a token, ready to be copied into requests.
pub(crate) type Headers = Box<[(HeaderName, HeaderValue)]>;

/// Tells the service behind about the user.
pub(crate) fn set_user(headers: &mut HeaderMap, token: &TokenInfo) {
    extend(headers, token.headers.get_or_init(|| user_headers(token)));
}

/// Tells the service behind about the service that acts for the user.
pub(crate) fn set_service(headers: &mut HeaderMap, token: &TokenInfo) {
    let made = || {
        identity("x-service", token)
            .into_iter()
            .filter_map(header)
            .collect()
    };
    extend(headers, token.service_headers.get_or_init(made));
}

fn extend(headers: &mut HeaderMap, more: &Headers) {
    headers.reserve(more.len());
    for (name, value) in more {
        headers.insert(name.clone(), value.clone());
    }
}

fn user_headers(token: &TokenInfo) -> Headers {
    let mut all = identity("x", token);
    let roles = role_names(token);
    let project = token.project.as_ref();
    let project_name = project.map(|project| project.name.clone());
    let is_admin_project = if token.is_admin_project {
        "True"
    } else {
        "False"
    };
    let more = [
        (
            "openstack-system-scope",
            token.system_scope().map(str::to_owned),
        ),
        ("x-is-admin-project", Some(is_admin_project.to_owned())),
        // Older names of the same.
        ("x-role", Some(roles)),
        ("x-user", Some(token.user.name.clone())),
        ("x-tenant-id", project.map(|project| project.id.clone())),
        ("x-tenant-name", project_name.clone()),
        ("x-tenant", project_name),
    ];
    all.extend(more.map(|(name, value)| (name.to_owned(), value)));
    let catalog = token.catalog.as_deref().map(catalog);
    all.push((CATALOG.as_str().to_owned(), catalog));
    all.into_iter().filter_map(header).collect()
}

/// The headers that a user's and a service's identity have alike.
fn identity(prefix: &str, token: &TokenInfo) -> Vec<(String, Option<String>)> {
    let (user, project, domain) = (&token.user, token.project.as_ref(), token.domain.as_ref());
    let values = [
        ("roles", Some(role_names(token))),
        ("domain-id", domain.map(|domain| domain.id.clone())),
        ("domain-name", domain.map(|domain| domain.name.clone())),
        ("project-id", project.map(|project| project.id.clone())),
        ("project-name", project.map(|project| project.name.clone())),
        (
            "project-domain-id",
            project.map(|project| project.domain.id.clone()),
        ),
        (
            "project-domain-name",
            project.map(|project| project.domain.name.clone()),
        ),
        ("user-id", Some(user.id.clone())),
        ("user-name", Some(user.name.clone())),
        ("user-domain-id", Some(user.domain.id.clone())),
        ("user-domain-name", Some(user.domain.name.clone())),
    ];
    let named = values.map(|(name, value)| (format!("{prefix}-{name}"), value));
    named.into()
}

fn role_names(token: &TokenInfo) -> String {
    let names: Vec<_> = token.roles.iter().map(|role| role.name.as_str()).collect();
    names.join(",")
}

/// The header, unless its value has line breaks or other control characters, which HTTP can't carry.
fn header((name, value): (String, Option<String>)) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_bytes(value?.as_bytes()).ok()?;
    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
}

/// The catalog in the format of Identity API v2, with the endpoints of a region together, as `_normalize_catalog` of
/// `keystonemiddleware/auth_token/_request.py` makes it.
fn catalog(services: &[Service]) -> String {
    let services: Vec<Value> = services.iter().map(service_as_in_v2).collect();
    to_python_json(&Value::Array(services))
}

fn service_as_in_v2(service: &Service) -> Value {
    let mut regions: Vec<(Option<&str>, Map<String, Value>)> = Vec::new();
    for endpoint in &service.endpoints {
        let region = endpoint.region.as_deref();
        let at = regions.iter().position(|(name, _)| *name == region);
        let at = at.unwrap_or_else(|| {
            let name = region.filter(|name| !name.is_empty());
            let named = name.map(|name| ("region".to_owned(), json!(name)));
            regions.push((region, named.into_iter().collect()));
            regions.len() - 1
        });
        let url = format!("{}URL", endpoint.interface.to_lowercase());
        regions[at].1.insert(url, json!(endpoint.url));
    }
    let endpoints: Vec<_> = regions.into_iter().map(|(_, urls)| urls).collect();
    let mut made = Map::new();
    made.insert("type".to_owned(), json!(service.kind));
    if let Some(name) = &service.name {
        made.insert("name".to_owned(), json!(name));
    }
    made.insert("endpoints".to_owned(), json!(endpoints));
    made.into()
}

#[cfg(test)]
mod tests;
