//! Whether a request passes, and as whose.

use std::collections::HashSet;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use keystone_policy::Enforcer;
use keystone_types::{NotValidated, Validate};

use crate::access_rules::plain_path;
use crate::headers::{self, CONFIRMED, INVALID, SERVICE_STATUS, STATUS};
use crate::token::Token;
use crate::token_info::TokenInfo;
use crate::tokens::Tokens;

/// What the service asks of its callers.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) delay_auth_decision: bool,
    pub(crate) service_type: Option<String>,
    pub(crate) service_token_roles: HashSet<String>,
    pub(crate) service_token_roles_required: bool,
    pub(crate) authenticate: HeaderValue,
    pub(crate) mounted_at: String,
    pub(crate) identity_headers: bool,
    pub(crate) policy: Option<Arc<Enforcer>>,
}

impl Rules {
    pub(crate) fn for_clients_of(auth_url: Option<&str>) -> Self {
        Self {
            delay_auth_decision: false,
            service_type: None,
            service_token_roles: HashSet::from(["service".to_owned()]),
            service_token_roles_required: true,
            authenticate: auth_url.map_or(HeaderValue::from_static("Keystone"), Self::authenticate),
            mounted_at: String::new(),
            identity_headers: true,
            policy: None,
        }
    }

    /// The challenge for clients; without an address if that can't be part of a header.
    pub(crate) fn authenticate(uri: &str) -> HeaderValue {
        let challenge = HeaderValue::try_from(format!("Keystone uri=\"{uri}\""));
        challenge.unwrap_or(HeaderValue::from_static("Keystone"))
    }

    /// Whether the token has a role of services.
    fn is_of_a_service(&self, token: &TokenInfo) -> bool {
        let mut roles = token.roles.iter();
        roles.any(|role| self.service_token_roles.contains(&role.name))
    }
}

/// Why a request does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// 401
    Unauthorized,
    /// 503
    Unavailable,
}

/// Decides about requests.
#[derive(Debug)]
pub(crate) struct Guard<V> {
    pub(crate) tokens: Arc<Tokens<V>>,
    pub(crate) rules: Rules,
}

/// What a header says about a token.
enum Presented<'a> {
    Nothing,
    Token(&'a str),
    /// Something that is no token, such as two of them.
    Nonsense,
}

/// What is known of a token that a request has or has not.
enum Standing {
    Absent,
    Invalid,
    Valid(Arc<TokenInfo>),
}

impl<V: Validate> Guard<V> {
    /// Removes what the client could forge, and says who it is instead.
    pub(crate) async fn admit(&self, parts: &mut Parts) -> Result<(), Rejection> {
        headers::strip(&mut parts.headers);
        parts.extensions.remove::<Token>();
        let service = self.service(&parts.headers).await?;
        let user = self.user(parts, &service).await?;
        let passes = matches!(user, Standing::Valid(_)) && !matches!(service, Standing::Invalid);
        if !passes && !self.rules.delay_auth_decision {
            return Err(Rejection::Unauthorized);
        }
        self.tell(parts, &user, &service);
        // A service that presents a bad token is not its user: handlers see nobody, as if the decision were not delayed.
        if let (Standing::Valid(user), true) = (user, passes) {
            let service = match service {
                Standing::Valid(service) => Some(service),
                Standing::Absent | Standing::Invalid => None,
            };
            let policy = self.rules.policy.clone();
            parts.extensions.insert(Token::new(user, service, policy));
        }
        Ok(())
    }

    /// The token in `X-Service-Token`.
    async fn service(&self, headers: &HeaderMap) -> Result<Standing, Rejection> {
        let standing = self.validate(service_token(headers), false).await?;
        let Standing::Valid(token) = standing else {
            return Ok(standing);
        };
        if self.rules.service_token_roles_required && !self.rules.is_of_a_service(&token) {
            tracing::info!(
                user.id = token.user.id,
                "the service token has none of the roles of services"
            );
            return Ok(Standing::Invalid);
        }
        Ok(Standing::Valid(token))
    }

    /// The token in `X-Auth-Token`, which may have expired if a service presents it.
    async fn user(&self, parts: &Parts, service: &Standing) -> Result<Standing, Rejection> {
        let by_service = match service {
            Standing::Valid(token) => self.rules.is_of_a_service(token),
            Standing::Absent | Standing::Invalid => false,
        };
        let standing = self
            .validate(user_token(&parts.headers), by_service)
            .await?;
        match standing {
            Standing::Valid(token) if !self.permits(&token, parts, by_service) => {
                Ok(Standing::Invalid)
            }
            standing => Ok(standing),
        }
    }

    async fn validate(&self, token: Presented<'_>, expired: bool) -> Result<Standing, Rejection> {
        let token = match token {
            Presented::Nothing => return Ok(Standing::Absent),
            Presented::Nonsense => return Ok(Standing::Invalid),
            Presented::Token(token) => token,
        };
        match self.tokens.validate_wanted(token, expired).await {
            // Bound tokens are from before the Queens release; nothing here could check the Kerberos ticket.
            Ok(token) if token.is_bound() => Ok(Standing::Invalid),
            Ok(token) => Ok(Standing::Valid(token)),
            Err(NotValidated::Invalid) => Ok(Standing::Invalid),
            Err(_) if self.rules.delay_auth_decision => Ok(Standing::Invalid),
            Err(_) => Err(Rejection::Unavailable),
        }
    }

    /// Whether the access rules of an application credential, if there are any, are for this request. A service may
    /// act for its bearer as it needs to: `validate_allowed_request` in `keystonemiddleware/auth_token/__init__.py`.
    fn permits(&self, token: &TokenInfo, parts: &Parts, by_service: bool) -> bool {
        let Some(rules) = token.access_rules() else {
            return true;
        };
        let Some(service_type) = self.rules.service_type.as_deref() else {
            tracing::warn!(
                "refused an application credential with access rules: the guard needs its service_type for them"
            );
            return false;
        };
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let path = plain_path(&format!("{}{path}", self.rules.mounted_at));
        // Anyone may ask about tokens.
        if service_type == "identity" && method == "GET" && path.ends_with("/v3/auth/tokens") {
            return true;
        }
        let mut services = token.catalog.iter().flatten();
        if !services.any(|service| service.kind == service_type) {
            tracing::warn!(
                service_type,
                "refused an application credential with access rules: its catalog has no service of this type"
            );
            return false;
        }
        let permitted = rules
            .iter()
            .any(|rule| rule.permits(service_type, method, &path));
        by_service || permitted
    }

    /// Tells the service behind, in headers, what Python's middleware does.
    fn tell(&self, parts: &mut Parts, user: &Standing, service: &Standing) {
        if !self.rules.identity_headers {
            return;
        }
        let headers = &mut parts.headers;
        match user {
            Standing::Valid(token) => {
                headers.insert(STATUS, CONFIRMED);
                headers::set_user(headers, token);
            }
            Standing::Absent | Standing::Invalid => {
                headers.insert(STATUS, INVALID);
            }
        }
        match service {
            Standing::Absent => {}
            Standing::Invalid => {
                headers.insert(SERVICE_STATUS, INVALID);
            }
            Standing::Valid(token) => {
                headers.insert(SERVICE_STATUS, CONFIRMED);
                headers::set_service(headers, token);
            }
        }
    }
}

fn user_token(headers: &HeaderMap) -> Presented<'_> {
    // An empty one still hides the other, as in `keystonemiddleware/auth_token/_request.py`.
    if headers.contains_key(headers::AUTH_TOKEN) {
        presented(headers, &headers::AUTH_TOKEN)
    } else {
        presented(headers, &headers::STORAGE_TOKEN)
    }
}

fn service_token(headers: &HeaderMap) -> Presented<'_> {
    presented(headers, &headers::SERVICE_TOKEN)
}

fn presented<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Presented<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Presented::Nothing,
        (Some(Ok(text)), None) if text.trim().is_empty() => Presented::Nothing,
        (Some(Ok(text)), None) => Presented::Token(text.trim()),
        (Some(_), _) => Presented::Nonsense,
    }
}
