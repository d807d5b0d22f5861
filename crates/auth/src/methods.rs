//! Authentication methods: a file each, which reads its part of a request and verifies it.

mod application_credential;
mod ec2credential;
pub(crate) mod external;
mod mapped;
mod oauth1;
mod password;
mod token;
mod totp;

use std::collections::BTreeSet;

use chrono::NaiveDateTime;
use keystone_identity::{RoleRef, Subject};
use keystone_token::ScopeIds;
use keystone_types::{Error, Result, Secret};
use serde_json::Value;

use crate::auth::Auth;
use crate::choice::UserChoice;
use crate::delegation::Backing;
use crate::login::Login;
use crate::scope::{RequestedScope, Scope};

use application_credential::PresentedCredential;
use mapped::MappedIdentity;
use password::Password;
pub(crate) use token::HeldToken;
use totp::OneTimePassword;

/// A method with its part of the request.
#[derive(Debug)]
pub(crate) enum Method {
    ApplicationCredential(PresentedCredential),
    External,
    Kerberos,
    Mapped(MappedIdentity),
    Password(Password),
    Token(HeldToken),
    OneTimePassword(OneTimePassword),
    /// What it verifies is in the header.
    OAuth1,
}

/// The result of one method, or of several together.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) subject: Subject,
    pub(crate) methods: BTreeSet<String>,
    /// The record behind the token.
    pub(crate) backing: Backing,
    /// The scope that the method dictates, whatever the request asks for.
    pub(crate) fixed_scope: Option<Scope>,
    /// The latest end of the token.
    pub(crate) expires_at: Option<NaiveDateTime>,
    /// The audit id of the root of the token's chain.
    pub(crate) chain: Option<String>,
    /// The roles that the user has on a scope, where they are known already.
    pub(crate) roles: Option<(ScopeIds, Vec<RoleRef>)>,
}

impl Method {
    pub(crate) fn password(user: UserChoice, password: Secret) -> Self {
        Self::Password(Password { user, password })
    }

    pub(crate) fn totp(user: UserChoice, passcode: Secret) -> Self {
        Self::OneTimePassword(OneTimePassword { user, passcode })
    }

    pub(crate) fn application_credential(id: String, secret: Secret) -> Self {
        Self::ApplicationCredential(PresentedCredential::by_id(id, secret))
    }

    pub(crate) fn token(id: Secret) -> Self {
        Self::Token(HeldToken { id })
    }

    /// Its name in requests and in tokens.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ApplicationCredential(_) => application_credential::NAME,
            Self::External => external::NAME,
            Self::Kerberos => external::KERBEROS,
            Self::Mapped(identity) => identity.name,
            Self::Password(_) => password::NAME,
            Self::Token(_) => token::NAME,
            Self::OneTimePassword(_) => totp::NAME,
            Self::OAuth1 => oauth1::NAME,
        }
    }

    /// Reads a method's part; `configured` are the methods that a client may name.
    pub(crate) fn parse(name: &str, data: &Value, configured: &[String]) -> Result<Self> {
        match name {
            application_credential::NAME => Ok(Self::ApplicationCredential(
                PresentedCredential::parse(data)?,
            )),
            ec2credential::NAME => Err(ec2credential::refusal()),
            external::NAME => Ok(Self::External),
            external::KERBEROS => Ok(Self::Kerberos),
            password::NAME => Ok(Self::Password(Password::parse(data)?)),
            token::NAME => Ok(Self::Token(HeldToken::parse(data)?)),
            totp::NAME => Ok(Self::OneTimePassword(OneTimePassword::parse(data)?)),
            oauth1::NAME => Ok(Self::OAuth1),
            _ => match mapped::NAMES.into_iter().find(|it| *it == name) {
                Some(name) => Ok(Self::Mapped(MappedIdentity::parse(name, data)?)),
                None => Err(unsupported(configured)),
            },
        }
    }

    /// Whether there is a method of this name.
    pub(crate) fn is_known(name: &str) -> bool {
        let known = [
            application_credential::NAME,
            ec2credential::NAME,
            external::NAME,
            external::KERBEROS,
            oauth1::NAME,
            password::NAME,
            token::NAME,
            totp::NAME,
        ];
        known.contains(&name) || mapped::NAMES.contains(&name)
    }

    /// Looks up what dictates the scope, which Keystone does before any secret is checked.
    pub(crate) async fn look_up(&mut self, auth: &Auth) -> Result<()> {
        match self {
            Self::ApplicationCredential(presented) => presented.look_up(auth).await,
            Self::External
            | Self::Kerberos
            | Self::Mapped(_)
            | Self::Password(_)
            | Self::Token(_)
            | Self::OneTimePassword(_)
            | Self::OAuth1 => Ok(()),
        }
    }

    /// Whether the method dictates the scope, so that none can be asked for.
    pub(crate) fn dictates_scope(name: &str) -> bool {
        name == application_credential::NAME
    }

    /// Verifies the method's part of a request for this scope.
    pub(crate) async fn verify(
        self,
        auth: &Auth,
        requested: &RequestedScope,
        scope: &Scope,
        login: &Login<'_>,
    ) -> Result<Verified> {
        match self {
            Self::ApplicationCredential(presented) => presented.verify(auth, &login.client).await,
            Self::External => auth.external(login.environment).await,
            Self::Kerberos => auth.kerberos(login.environment).await,
            Self::Mapped(identity) => identity.verify(auth, requested, scope, login).await,
            Self::Password(password) => password.verify(auth, login).await,
            Self::Token(token) => token.verify(auth, requested, scope, login).await,
            Self::OneTimePassword(code) => code.verify(auth, login).await,
            Self::OAuth1 => oauth1::verify(auth, &login.signed).await,
        }
    }
}

pub(crate) fn unsupported(configured: &[String]) -> Error {
    Error::Authentication {
        message: "Attempted to authenticate with an unsupported method.".to_owned(),
        identity: Some(serde_json::json!({ "methods": configured })),
    }
}

impl Verified {
    /// The result of a method that limits nothing.
    pub(crate) fn by(method: &str, subject: Subject) -> Self {
        Self {
            subject,
            methods: BTreeSet::from([method.to_owned()]),
            backing: Backing::User,
            fixed_scope: None,
            expires_at: None,
            chain: None,
            roles: None,
        }
    }

    /// Both together: they must name the same user, and no two delegations.
    pub(crate) fn and(self, other: Self) -> Result<Self> {
        if self.subject.user.id != other.subject.user.id {
            return Err(Error::unauthorized(
                "the methods of the request name different users",
            ));
        }
        let backing = match (self.backing, other.backing) {
            (Backing::User, backing) | (backing, Backing::User) => backing,
            (one, other) if one.origin() == other.origin() => one,
            _ => {
                return Err(Error::unauthorized(
                    "the methods of the request name different delegations",
                ));
            }
        };
        Ok(Self {
            subject: other.subject,
            methods: self.methods.into_iter().chain(other.methods).collect(),
            backing,
            fixed_scope: other.fixed_scope.or(self.fixed_scope),
            expires_at: [self.expires_at, other.expires_at]
                .into_iter()
                .flatten()
                .min(),
            chain: other.chain.or(self.chain),
            roles: other.roles.or(self.roles),
        })
    }
}
