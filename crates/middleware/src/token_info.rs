//! What Keystone says about a token.

use std::fmt::{self, Formatter};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use chrono::NaiveDateTime;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::access_rules::AccessRule;
use crate::headers::Headers;

/// A valid token: its user, scope, roles and catalog. It does not hold the token itself.
///
/// The parts are those of `GET /v3/auth/tokens` in the
/// [Identity API](https://docs.openstack.org/api-ref/identity/v3/#validate-and-show-information-for-token).
#[derive(Deserialize)]
#[non_exhaustive]
pub struct TokenInfo {
    /// Whose it is; for a trust with impersonation, the trustor.
    pub user: User,
    /// The project in scope.
    #[serde(default)]
    pub project: Option<Project>,
    /// The domain in scope.
    #[serde(default)]
    pub domain: Option<Reference>,
    /// Whether the whole system is in scope.
    #[serde(default, deserialize_with = "names_all")]
    pub system: bool,
    /// The roles of the user in this scope.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Whether the project in scope is the administrators'. A Keystone that has no such project does not say so, which
    /// counts as `true`, as in `keystoneauth1/access/access.py`.
    #[serde(default = "is_admin_project_unless_told")]
    pub is_admin_project: bool,
    /// Whether the project in scope acts as a domain.
    #[serde(default)]
    pub is_domain: bool,
    /// How the user authenticated.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The id of the token in audit records, and that of the token that it was first exchanged for.
    #[serde(default)]
    pub audit_ids: Vec<String>,
    /// When it ends.
    #[serde(deserialize_with = "time")]
    pub expires_at: SystemTime,
    /// When it was issued.
    #[serde(deserialize_with = "time")]
    pub issued_at: SystemTime,
    /// The endpoints that the user may use; none if they were not asked for, or without a scope.
    #[serde(default)]
    pub catalog: Option<Vec<Service>>,
    /// The trust by which the user acts.
    #[serde(default, rename = "OS-TRUST:trust")]
    pub trust: Option<Trust>,
    /// The application credential by which the user acts.
    #[serde(default)]
    pub application_credential: Option<ApplicationCredential>,
    /// The access token of `OAuth1` by which the user acts.
    #[serde(default, rename = "OS-OAUTH1")]
    pub oauth1: Option<OAuth1>,
    /// What the token was bound to by Keystones before the Queens release.
    #[serde(default)]
    pub(crate) bind: Option<Value>,
    #[serde(skip)]
    pub(crate) headers: OnceLock<Headers>,
    #[serde(skip)]
    pub(crate) service_headers: OnceLock<Headers>,
    #[serde(skip)]
    pub(crate) policy_credentials: OnceLock<Arc<Value>>,
}

/// The user of a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct User {
    /// The id.
    pub id: String,
    /// The name, which is unique in the domain.
    pub name: String,
    /// The domain.
    pub domain: Reference,
}

/// The project of a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Project {
    /// The id.
    pub id: String,
    /// The name, which is unique in the domain.
    pub name: String,
    /// The domain.
    pub domain: Reference,
}

/// A domain by id and name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Reference {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// A role of a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Role {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// A service in a catalog.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Service {
    /// The type, such as `image`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name.
    #[serde(default)]
    pub name: Option<String>,
    /// The endpoints.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint in a catalog.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Endpoint {
    /// `public`, `internal` or `admin`.
    pub interface: String,
    /// The region.
    #[serde(default)]
    pub region: Option<String>,
    /// The URL.
    pub url: String,
}

/// The trust of a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Trust {
    /// The id.
    pub id: String,
    /// Whether the trustee acts as the trustor.
    #[serde(default)]
    pub impersonation: bool,
    /// The user who acts.
    pub trustee_user: Id,
    /// The user on whose behalf.
    pub trustor_user: Id,
}

/// An object of which only the id is told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Id {
    /// The id.
    pub id: String,
}

/// The application credential of a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ApplicationCredential {
    /// The id.
    pub id: String,
    /// The name.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether it may not manage application credentials and trusts.
    #[serde(default)]
    pub restricted: bool,
    /// The only requests that it is good for; none limits nothing.
    #[serde(default)]
    pub access_rules: Option<Vec<AccessRule>>,
}

/// The access token of `OAuth1` of a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct OAuth1 {
    /// The id of the access token.
    pub access_token_id: String,
    /// The id of the consumer.
    pub consumer_id: String,
}

impl TokenInfo {
    /// Reads the body of `GET /v3/auth/tokens`.
    ///
    /// # Errors
    ///
    /// The body is not JSON, or lacks what every token of Identity API v3 has.
    pub fn from_body(json: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        struct Body {
            token: TokenInfo,
        }
        let body: Body = serde_json::from_slice(json).map_err(|error| Malformed {
            reason: error.to_string(),
        })?;
        Ok(body.token)
    }

    /// Whether the user has the role, by its name with the same case.
    pub fn has_role(&self, name: &str) -> bool {
        self.roles.iter().any(|role| role.name == name)
    }

    /// The URL of a service in the catalog, by type and interface, and in a region if one is named.
    pub fn endpoint(&self, kind: &str, interface: &str, region: Option<&str>) -> Option<&str> {
        let services = self.catalog.iter().flatten();
        let endpoints = services.filter(|service| service.kind == kind);
        let mut endpoints = endpoints.flat_map(|service| &service.endpoints);
        let found = endpoints.find(|endpoint| {
            let there = region.is_none() || region == endpoint.region.as_deref();
            endpoint.interface == interface && there
        });
        found.map(|endpoint| endpoint.url.as_str())
    }

    /// The only requests that it is good for; none limits nothing.
    pub(crate) fn access_rules(&self) -> Option<&[AccessRule]> {
        self.application_credential
            .as_ref()?
            .access_rules
            .as_deref()
    }

    /// Whether it is good only with a Kerberos ticket.
    pub(crate) fn is_bound(&self) -> bool {
        let kinds = self.bind.as_ref().and_then(Value::as_object);
        kinds.is_some_and(|kinds| kinds.contains_key("kerberos"))
    }

    /// `all` for a token of the whole system.
    pub(crate) fn system_scope(&self) -> Option<&'static str> {
        self.system.then_some("all")
    }

    /// Whether the token is of no use after `now`.
    pub(crate) fn has_expired(&self, now: SystemTime) -> bool {
        self.expires_at <= now
    }
}

impl fmt::Debug for TokenInfo {
    /// Who may do what where; not the catalog, which is long.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenInfo")
            .field("user", &self.user)
            .field("project", &self.project)
            .field("domain", &self.domain)
            .field("system", &self.system)
            .field("roles", &self.roles)
            .field("trust", &self.trust)
            .field("application_credential", &self.application_credential)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A body that is not one of a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the body of a token: {reason}")]
#[non_exhaustive]
pub struct Malformed {
    /// The reason, and where in the body.
    pub reason: String,
}

fn is_admin_project_unless_told() -> bool {
    true
}

/// `{"all": true}`
fn names_all<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    struct System {
        #[serde(default)]
        all: bool,
    }
    let system = Option::<System>::deserialize(value)?;
    Ok(system.is_some_and(|system| system.all))
}

/// A time as Keystone writes it: `2026-01-31T12:00:00.000000Z`.
fn time<'de, D: Deserializer<'de>>(value: D) -> Result<SystemTime, D::Error> {
    let text = std::borrow::Cow::<'_, str>::deserialize(value)?;
    let parsed = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.fZ");
    let time = parsed.map_err(serde::de::Error::custom)?;
    system_time(time).ok_or_else(|| serde::de::Error::custom("a time before 1970"))
}

/// The same time, unless it is before 1970.
pub(crate) fn system_time(time: NaiveDateTime) -> Option<SystemTime> {
    let micros = u64::try_from(time.and_utc().timestamp_micros()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests;
