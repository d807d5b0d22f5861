//! Authentication methods: a file each, which reads its part of a request and verifies it.

mod external;
mod password;
mod token;

use std::collections::BTreeSet;

use chrono::NaiveDateTime;
use keystone_identity::Subject;
use keystone_identity::password::Claimant;
use keystone_types::{Error, Result};
use serde_json::Value;

use crate::auth::Auth;
use crate::delegation::Backing;
use crate::scope::{RequestedScope, Scope};

use password::Password;
use token::HeldToken;

/// A method with its part of the request.
#[derive(Debug)]
pub(crate) enum Method {
    Password(Password),
    Token(HeldToken),
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
}

impl Method {
    /// Reads a method's part; `configured` are the methods that a client may name.
    pub(crate) fn parse(name: &str, data: &Value, configured: &[String]) -> Result<Self> {
        match name {
            external::NAME => Err(external::refusal()),
            password::NAME => Ok(Self::Password(Password::parse(data)?)),
            token::NAME => Ok(Self::Token(HeldToken::parse(data)?)),
            _ => Err(unsupported(configured)),
        }
    }

    /// Whether there is a method of this name.
    pub(crate) fn is_known(name: &str) -> bool {
        [external::NAME, password::NAME, token::NAME].contains(&name)
    }

    /// Verifies the method's part of a request for this scope.
    pub(crate) async fn verify(
        self,
        auth: &Auth,
        requested: &RequestedScope,
        client: &Claimant,
    ) -> Result<Verified> {
        match self {
            Self::Password(password) => password.verify(auth, client).await,
            Self::Token(token) => token.verify(auth, requested).await,
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
    fn by(method: &str, subject: Subject) -> Self {
        Self {
            subject,
            methods: BTreeSet::from([method.to_owned()]),
            backing: Backing::User,
            fixed_scope: None,
            expires_at: None,
            chain: None,
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
        })
    }
}
