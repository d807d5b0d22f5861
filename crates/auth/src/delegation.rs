//! Delegation: what the way in which a token came about decides.
//!
//! Each question is one match over [`Origin`], or over [`Backing`], the record that it names, without a wildcard, so that a
//! new origin compiles only once every question is answered for it. The origin decides first. Where it is the user's own, the methods still may tell of a delegation:
//! [`are_primary`] and [`check_caller`] are the only readers of them, as `keystone/api/_shared/delegation.py` is
//! in Keystone. What a delegated token may create is decided where it is created, by a match over [`Delegation`].

use keystone_identity::{Holder, RoleRef};
use keystone_token::{Federation, Origin, ScopeIds, Token};
use keystone_types::{Error, Result};
use serde_json::{Map, Value, json};

use crate::application_credential::ApplicationCredential;
use crate::auth::Auth;
use crate::error::TokenError;
use crate::oauth1::AccessToken;
use crate::scope::{RequestedScope, Scope};
use crate::settings::Settings;
use crate::trust::Trust;

/// The method of tokens that an EC2 signature was exchanged for.
const EC2: &str = "ec2credential";

/// The delegation by which a token's bearer acts for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delegation<'a> {
    /// None: the user authenticated.
    None,
    /// A trust, by id.
    Trust(&'a str),
    /// An application credential, by id.
    ApplicationCredential(&'a str),
    /// An `OAuth1` access token, by id.
    AccessToken(&'a str),
    /// One that the token does not name.
    Unnamed,
}

impl<'a> Delegation<'a> {
    /// The delegation behind a token.
    pub(crate) fn of(token: &'a Token, settings: &Settings) -> Self {
        match &token.origin {
            Origin::Trust { trust_id } => Self::Trust(trust_id),
            Origin::ApplicationCredential { app_cred_id } => {
                Self::ApplicationCredential(app_cred_id)
            }
            Origin::OAuth1 { access_token_id } => Self::AccessToken(access_token_id),
            Origin::User | Origin::Federated(_) if are_primary(&token.methods, settings) => {
                Self::None
            }
            Origin::User | Origin::Federated(_) | Origin::OAuth2Mtls { .. } => Self::Unnamed,
        }
    }
}

/// Whether users authenticate themselves by each of the methods. A method that nobody knows counts as delegated.
fn are_primary(methods: &[String], settings: &Settings) -> bool {
    const PRIMARY: [&str; 9] = [
        "external", "kerberos", "mapped", "openid", "password", "saml2", "token", "totp", "x509",
    ];
    let is_primary = |method: &String| {
        method != EC2
            && (PRIMARY.contains(&method.as_str())
                || settings.additional_primary_methods.contains(method))
    };
    // A method that is not configured leaves no bit in a token, so that no method at all may be one of those.
    !methods.is_empty() && methods.iter().all(is_primary)
}

/// 403 for the token of a caller that is for other services only, as in
/// `keystone/server/flask/request_processing/middleware/auth_context.py`.
pub(crate) fn check_caller(token: &Token) -> Result<()> {
    if token.methods.iter().any(|method| method == EC2) {
        return Err(Error::Forbidden {
            detail: "EC2 credential tokens cannot be used for authorization.".to_owned(),
        });
    }
    Ok(())
}

/// The record that the origin of a token names, as it is now.
#[derive(Clone, Debug)]
pub(crate) enum Backing {
    /// None: the user authenticated.
    User,
    /// What an identity provider vouched for.
    Federated(Federation),
    Trust(Box<Trust>),
    ApplicationCredential(Box<ApplicationCredential>),
    AccessToken(Box<AccessToken>),
    /// The client's certificate.
    Certificate {
        thumbprint: String,
        domain_id: Option<String>,
    },
}

impl Backing {
    /// The origin that names the record.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::User => Origin::User,
            Self::Federated(federation) => Origin::Federated(federation.clone()),
            Self::Trust(trust) => Origin::Trust {
                trust_id: trust.id.clone(),
            },
            Self::ApplicationCredential(credential) => Origin::ApplicationCredential {
                app_cred_id: credential.id.clone(),
            },
            Self::AccessToken(access) => Origin::OAuth1 {
                access_token_id: access.id.clone(),
            },
            Self::Certificate {
                thumbprint,
                domain_id,
            } => Origin::OAuth2Mtls {
                thumbprint: thumbprint.clone(),
                domain_id: domain_id.clone(),
            },
        }
    }
}

/// The result of exchanging a token.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The record behind the new token.
    pub(crate) backing: Backing,
    /// The audit id of the root of its chain.
    pub(crate) chain: Option<String>,
}

/// Exchanges a token for one of another scope, or fails with the 403 of `keystone/auth/plugins/token.py`.
pub(crate) fn exchange(
    token: &Token,
    requested: &RequestedScope,
    settings: &Settings,
) -> Result<Exchange> {
    let refused = match &token.origin {
        Origin::OAuth1 { .. } => Some(
            "Using OAuth-scoped token to create another token. Create a new OAuth-scoped token instead",
        ),
        Origin::Trust { .. } => Some(
            "Using trust-scoped token to create another token. Create a new trust-scoped token instead",
        ),
        // `keystone/auth/plugins/mapped.py` asks neither for methods nor for the scope, and begins a new chain.
        Origin::Federated(federation) => {
            return Ok(Exchange {
                backing: Backing::Federated(federation.clone()),
                chain: None,
            });
        }
        Origin::User | Origin::ApplicationCredential { .. } | Origin::OAuth2Mtls { .. } => {
            refused_by_scope_or_methods(token, requested, settings)
        }
    };
    match refused {
        Some(action) => Err(Error::forbidden_action(action)),
        None => Ok(Exchange {
            backing: Backing::User,
            chain: token.audit_ids.last().cloned(),
        }),
    }
}

fn refused_by_scope_or_methods(
    token: &Token,
    requested: &RequestedScope,
    settings: &Settings,
) -> Option<&'static str> {
    if token.scope == ScopeIds::System && requested.is_project_or_domain() {
        return Some(
            "Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed.",
        );
    }
    if Delegation::of(token, settings) != Delegation::None {
        return Some("Using a delegated token to create another token is not allowed.");
    }
    let is_scoped = token.scope != ScopeIds::Unscoped;
    (is_scoped && !settings.allow_rescope_scoped_token).then_some("rescope a scoped token")
}

/// Whether a login without a scope takes the user's default project.
pub(crate) fn takes_default_project(backing: &Backing) -> bool {
    match backing {
        Backing::User => true,
        Backing::Federated(_)
        | Backing::Trust(_)
        | Backing::ApplicationCredential(_)
        | Backing::AccessToken(_)
        | Backing::Certificate { .. } => false,
    }
}

impl Auth {
    /// Loads the record that a token's origin names.
    pub(crate) async fn backing(&self, token: &Token) -> Result<Backing, TokenError> {
        Ok(match &token.origin {
            Origin::User => Backing::User,
            Origin::Federated(_) => {
                tracing::warn!(
                    user.id = token.user_id,
                    "federated tokens are not supported yet"
                );
                return Err(TokenError::NotFound("Failed to validate token".to_owned()));
            }
            Origin::Trust { trust_id } => Backing::Trust(self.trust(trust_id).await?.into()),
            Origin::ApplicationCredential { app_cred_id } => {
                let credential = self.application_credential(app_cred_id).await?;
                Backing::ApplicationCredential(credential.into())
            }
            Origin::OAuth1 { access_token_id } => {
                Backing::AccessToken(self.access_token(access_token_id).await?.into())
            }
            Origin::OAuth2Mtls {
                thumbprint,
                domain_id,
            } => Backing::Certificate {
                thumbprint: thumbprint.clone(),
                domain_id: domain_id.clone(),
            },
        })
    }

    /// The roles on a scope of a token with this record behind it.
    pub(crate) async fn roles(
        &self,
        backing: &Backing,
        holder: &Holder,
        scope: &Scope,
    ) -> Result<Vec<RoleRef>> {
        match backing {
            Backing::User | Backing::Certificate { .. } => {
                self.effective_roles(holder, scope).await
            }
            // The user's own are not the answer.
            Backing::Federated(_)
            | Backing::Trust(_)
            | Backing::ApplicationCredential(_)
            | Backing::AccessToken(_) => Ok(Vec::new()),
        }
    }
}

/// The part of a token's origin that a revocation event can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revocable<'a> {
    /// Nothing.
    Never,
    /// A trust, by id.
    Trust(&'a str),
    /// The consumer of an access token.
    Consumer,
}

/// Finds the part of an origin that a revocation event can name, beside those of every token.
pub(crate) fn revocable(origin: &Origin) -> Revocable<'_> {
    match origin {
        Origin::Trust { trust_id } => Revocable::Trust(trust_id),
        Origin::OAuth1 { .. } => Revocable::Consumer,
        // The deletion of an application credential or an identity provider leaves no event: their lookup fails.
        Origin::User
        | Origin::Federated(_)
        | Origin::ApplicationCredential { .. }
        | Origin::OAuth2Mtls { .. } => Revocable::Never,
    }
}

/// Adds to the body of a token what it tells of the record behind it, as `keystone/common/render_token.py` names it.
/// Policy rules see the same.
pub(crate) fn describe(backing: &Backing, body: &mut Map<String, Value>) {
    let (name, value) = match backing {
        Backing::User => return,
        Backing::Federated(federation) => {
            let groups = federation.group_ids.iter().map(|id| json!({ "id": id }));
            let value = json!({
                "groups": groups.collect::<Vec<_>>(),
                "identity_provider": { "id": federation.identity_provider_id },
                "protocol": { "id": federation.protocol_id },
            });
            if let Some(Value::Object(user)) = body.get_mut("user") {
                user.shift_remove("password_expires_at");
                user.insert("OS-FEDERATION".to_owned(), value);
            }
            return;
        }
        Backing::Trust(trust) => (
            "OS-TRUST:trust",
            json!({
                "id": trust.id,
                "impersonation": trust.impersonation,
                "trustee_user": { "id": trust.trustee_user_id },
                "trustor_user": { "id": trust.trustor_user_id },
            }),
        ),
        Backing::ApplicationCredential(credential) => (
            "application_credential",
            json!({
                "id": credential.id,
                "name": credential.name,
                "restricted": !credential.unrestricted,
            }),
        ),
        Backing::AccessToken(access) => (
            "OS-OAUTH1",
            json!({ "access_token_id": access.id, "consumer_id": access.consumer_id }),
        ),
        Backing::Certificate { thumbprint, .. } => {
            ("oauth2_credential", json!({ "x5t#S256": thumbprint }))
        }
    };
    body.insert(name.to_owned(), value);
}

#[cfg(test)]
mod tests;
