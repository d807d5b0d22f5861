//! Delegation: what the way in which a token came about decides.
//!
//! Each question is one match over [`Origin`], or over [`Backing`], the record that it names, without a wildcard, so that a
//! new origin compiles only once every question is answered for it. The origin decides first. Where it is the user's own,
//! the methods still may tell of a delegation: [`are_primary`], [`check_caller`] and [`check_receipt`] are the only readers
//! of them, as `keystone/api/_shared/delegation.py` is in Keystone. What a delegated token may create is decided where it is
//! created, by a match over [`Delegation`].

use std::collections::BTreeSet;

use chrono::NaiveDateTime;
use keystone_identity::{Asked, Facts, Holder, Role, RoleRef, Subject};
use keystone_token::{Federation, Origin, ScopeIds, Token};
use keystone_types::{Error, Extra, Result};
use serde_json::{Map, Value, json};

use crate::application_credential::ApplicationCredential;
use crate::application_credential::access_rule::AccessRule;
use crate::auth::Auth;
use crate::basis::Basis;
use crate::error::TokenError;
use crate::oauth1::AccessToken;
use crate::scope::{RequestedScope, Scope, effective_roles};
use crate::settings::Settings;
use crate::trust::{self, Trust};

/// The method of tokens that an EC2 signature was exchanged for.
pub(crate) const EC2: &str = "ec2credential";

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

/// 401 for a receipt of a login with a delegation that this request is not: a receipt names the methods, but no
/// delegation, so that the token would be without its limits. Keystone answers with a 500 for an application credential,
/// and with the limitless token for an `OAuth1` access token.
pub(crate) fn check_receipt(earlier: &[String], now: &BTreeSet<String>) -> Result<()> {
    const DELEGATED: [&str; 4] = ["application_credential", "oauth1", "oauth2_credential", EC2];
    let is_lost = |method: &&String| DELEGATED.contains(&method.as_str()) && !now.contains(*method);
    match earlier.iter().find(is_lost) {
        Some(method) => Err(Error::unauthorized(format!(
            "the receipt is of a login with {method}, which this request must name too"
        ))),
        None => Ok(()),
    }
}

/// 403 for a token that must not be used to read or manage trusts, as in `keystone/api/trusts.py`. One for a trust may: that
/// is how it is redelegated.
pub(crate) fn check_trust_manager(token: &Token, settings: &Settings) -> Result<()> {
    let may = match &token.origin {
        Origin::User | Origin::Federated(_) | Origin::Trust { .. } => {
            are_primary(&token.methods, settings)
        }
        Origin::ApplicationCredential { .. } => settings.application_credentials_manage_trusts,
        Origin::OAuth1 { .. } | Origin::OAuth2Mtls { .. } => false,
    };
    if may {
        return Ok(());
    }
    Err(Error::forbidden_action(
        "Delegated tokens cannot manage trusts.",
    ))
}

/// Whether the body of a token tells which kind of project it is for.
pub(crate) fn tells_kind_of_project(backing: &Backing) -> bool {
    match backing {
        Backing::User
        | Backing::Federated(_)
        | Backing::ApplicationCredential(_)
        | Backing::AccessToken(_)
        | Backing::Certificate { .. } => true,
        Backing::Trust(_) => false,
    }
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
    /// The end of a token that would end then, and ends with the record behind it at the latest.
    pub(crate) fn capped(&self, end: NaiveDateTime) -> NaiveDateTime {
        let record_end = match self {
            Self::ApplicationCredential(credential) => credential.expires_at,
            Self::Trust(trust) => trust.expires_at,
            Self::User | Self::Federated(_) | Self::AccessToken(_) | Self::Certificate { .. } => {
                None
            }
        };
        record_end.map_or(end, |record_end| end.min(record_end))
    }

    /// Whether its tokens may manage application credentials, for the part of it.
    pub(crate) fn manages_credentials(&self) -> bool {
        match self {
            Self::ApplicationCredential(credential) => credential.is_unrestricted(),
            Self::User
            | Self::Federated(_)
            | Self::Trust(_)
            | Self::AccessToken(_)
            | Self::Certificate { .. } => true,
        }
    }

    /// The access rules that its tokens are confined to; none where they are not.
    pub(crate) fn access_rules(&self) -> Option<&[AccessRule]> {
        match self {
            Self::ApplicationCredential(credential) if !credential.access_rules.is_empty() => {
                Some(&credential.access_rules)
            }
            Self::User
            | Self::Federated(_)
            | Self::Trust(_)
            | Self::ApplicationCredential(_)
            | Self::AccessToken(_)
            | Self::Certificate { .. } => None,
        }
    }

    /// The trust, if it is one.
    fn trust(&self) -> Option<&Trust> {
        match self {
            Self::Trust(trust) => Some(trust),
            Self::User
            | Self::Federated(_)
            | Self::ApplicationCredential(_)
            | Self::AccessToken(_)
            | Self::Certificate { .. } => None,
        }
    }

    /// The user whom the bearer stands for, if that is somebody else.
    pub(crate) fn impersonated(&self) -> Option<&Subject> {
        self.trust()?.impersonated()
    }

    /// The user who stands for another one.
    pub(crate) fn impersonator(&self) -> Option<&Subject> {
        self.trust()?.impersonator()
    }

    /// The user who delegated to the bearer, if that is somebody else.
    pub(crate) fn trustor_id(&self) -> Option<&str> {
        self.trust().map(|trust| trust.trustor_user_id.as_str())
    }

    /// The user whose catalog the bearer gets.
    pub(crate) fn catalog_user<'a>(&'a self, bearer: &'a str) -> &'a str {
        self.trustor_id().unwrap_or(bearer)
    }

    /// Asks for what tells the roles.
    pub(crate) fn ask(&self, asked: &mut Asked) {
        let trustors = self.trust().into_iter().flat_map(Trust::trustors);
        asked.actors.extend(trustors.map(str::to_owned));
        if let Self::Federated(federation) = self {
            asked.actors.extend(federation.group_ids.iter().cloned());
        }
        asked.whole_roles = self.shows_whole_roles();
    }

    /// Whether the body of a token shows the roles with all their attributes, as `keystone/models/token_model.py` does.
    fn shows_whole_roles(&self) -> bool {
        match self {
            Self::Trust(_) | Self::Federated(_) => true,
            Self::User
            | Self::ApplicationCredential(_)
            | Self::AccessToken(_)
            | Self::Certificate { .. } => false,
        }
    }

    /// Checks that the bearer may hold the token.
    pub(crate) fn check_bearer(&self, bearer: &Subject) -> Result<(), TokenError> {
        self.trust()
            .map_or(Ok(()), |trust| trust.check_parties(bearer))
    }

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

/// The record that the origin of a token names, as it was read; with the facts it becomes a [`Backing`].
#[derive(Debug)]
pub(crate) enum Record {
    /// A trust and those before it.
    Trust(Vec<Trust>),
    Other(Backing),
}

impl Record {
    /// What is known of the backing before the facts are.
    pub(crate) fn backing(&self) -> Option<&Backing> {
        match self {
            Self::Trust(_) => None,
            Self::Other(backing) => Some(backing),
        }
    }

    /// Asks for what it needs to be checked, and to tell the roles.
    pub(crate) fn ask(&self, asked: &mut Asked) {
        match self {
            Self::Trust(chain) => {
                let users = trust::parties(chain).into_iter();
                asked.actors.extend(users.map(str::to_owned));
                asked.whole_roles = true;
            }
            Self::Other(backing) => backing.ask(asked),
        }
    }

    /// Adds it to the basis of an answer.
    pub(crate) fn add_to(&self, basis: &mut Basis) {
        match self {
            Self::Trust(chain) => {
                let users = trust::parties(chain).into_iter();
                basis.users.extend(users.map(str::to_owned));
                basis
                    .trusts
                    .extend(chain.iter().map(|trust| trust.id.clone()));
                basis.until = chain.iter().filter_map(|trust| trust.expires_at).min();
            }
            Self::Other(Backing::ApplicationCredential(credential)) => {
                basis.application_credentials.push(credential.id.clone());
            }
            Self::Other(Backing::AccessToken(access)) => {
                basis.access_tokens.push(access.id.clone());
            }
            Self::Other(Backing::Federated(federation)) => {
                basis.groups.extend_from_slice(&federation.group_ids);
            }
            Self::Other(Backing::User | Backing::Trust(_) | Backing::Certificate { .. }) => {}
        }
    }
}

impl Auth {
    /// Loads the record that a token's origin names.
    pub(crate) async fn record(&self, token: &Token) -> Result<Record, TokenError> {
        Ok(Record::Other(match &token.origin {
            Origin::User => Backing::User,
            Origin::Federated(federation) => Backing::Federated(federation.clone()),
            Origin::Trust { trust_id } => return Ok(Record::Trust(self.chain(trust_id).await?)),
            Origin::ApplicationCredential { app_cred_id } => {
                let credential = self
                    .application_credential_of(&token.user_id, app_cred_id)
                    .await?;
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
        }))
    }

    /// The backing that a record is with these facts; 403 for a trust whose chain does not hold any more.
    pub(crate) fn backing(&self, record: &Record, facts: &Facts) -> Result<Backing> {
        match record {
            Record::Trust(chain) => {
                let users = facts.subjects(trust::parties(chain))?;
                let mut chain = self.settled(chain.clone(), &users)?;
                Ok(Backing::Trust(chain.swap_remove(0).into()))
            }
            Record::Other(backing) => Ok(backing.clone()),
        }
    }
}

/// The roles on a scope of a token with this record behind it.
pub(crate) fn roles(
    backing: &Backing,
    facts: &Facts,
    bearer: &Subject,
    scope: &Scope,
) -> Result<Vec<RoleRef>> {
    let effective = || effective_roles(facts, Holder::User(&bearer.user.id), scope);
    match backing {
        Backing::User | Backing::Certificate { .. } => Ok(effective()),
        // Those that were granted, as far as the user still has them. Keystone names a role twice that was granted and is
        // implied by another one (`add_implied_roles` of `keystone/assignment/core.py`).
        Backing::AccessToken(access) => {
            let granted = facts.with_implied(access.role_ids.0.iter().map(String::as_str));
            let mut roles = effective();
            roles.retain(|role| granted.contains(role));
            Ok(roles)
        }
        // The roles of the credential, as far as its user has them still.
        Backing::ApplicationCredential(credential) => {
            let role_ids = &credential.role_ids;
            if let Some(gone) = role_ids.iter().find(|id| !facts.knows_role(id)) {
                return Err(Error::not_found::<Role>(gone));
            }
            let mut roles = effective();
            roles.retain(|role| role_ids.contains(&role.id));
            Ok(roles)
        }
        // The user's own are not the answer.
        Backing::Trust(trust) => trust.delegated_roles(facts, scope),
        // Keystone adds the roles on the system of the user and the groups, which no token of a project or domain is to have.
        Backing::Federated(_) => Ok(match scope {
            Scope::System => Vec::new(),
            Scope::Unscoped | Scope::Project(_) | Scope::Domain(_) => {
                effective_roles(facts, holder(backing, &bearer.user.id), scope)
            }
        }),
    }
}

/// Whose assignments count for a token with this record behind it, where all of them do.
pub(crate) fn holder<'a>(backing: &'a Backing, user: &'a str) -> Holder<'a> {
    match backing {
        Backing::Federated(federation) => Holder::Vouched {
            user,
            groups: &federation.group_ids,
        },
        Backing::User
        | Backing::Trust(_)
        | Backing::ApplicationCredential(_)
        | Backing::AccessToken(_)
        | Backing::Certificate { .. } => Holder::User(user),
    }
}

/// The roles with all their attributes where the body of a token has them.
pub(crate) fn shown_roles(
    backing: &Backing,
    facts: &Facts,
    roles: &[RoleRef],
) -> Result<Option<Value>> {
    if !backing.shows_whole_roles() {
        return Ok(None);
    }
    let shown = facts.whole_roles(roles).map(|role| {
        let mut role = serde_json::to_value(role).map_err(Error::internal)?;
        role.as_object_mut().map(Extra::was_unreadable);
        Ok(role)
    });
    shown.collect::<Result<Value>>().map(Some)
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

/// The consumer that a revocation event can name.
pub(crate) fn consumer(backing: &Backing) -> Option<&str> {
    match backing {
        Backing::AccessToken(access) => Some(&access.consumer_id),
        Backing::User
        | Backing::Federated(_)
        | Backing::Trust(_)
        | Backing::ApplicationCredential(_)
        | Backing::Certificate { .. } => None,
    }
}

/// Finds the part of an origin that a revocation event can name, beside those of every token.
pub(crate) fn revocable(origin: &Origin) -> Revocable<'_> {
    match origin {
        Origin::Trust { trust_id } => Revocable::Trust(trust_id),
        Origin::OAuth1 { .. } => Revocable::Consumer,
        // The deletion of an application credential leaves no event: its lookup fails. Tokens of users who have another name
        // outlive the identity provider that vouched for them, as in Keystone: only their exchange looks for it.
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
        Backing::ApplicationCredential(credential) => {
            let mut value = json!({
                "id": credential.id,
                "name": credential.name,
                "restricted": !credential.is_unrestricted(),
            });
            if !credential.access_rules.is_empty() {
                value["access_rules"] = json!(credential.access_rules);
            }
            ("application_credential", value)
        }
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
