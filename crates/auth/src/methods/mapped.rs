//! `mapped`, and the same by other names: an identity provider vouches for the user, or has vouched for one who holds a token.

use std::collections::BTreeSet;

use keystone_types::{Error, Result};
use serde_json::Value;

use super::{HeldToken, Verified};
use crate::auth::Auth;
use crate::delegation::Backing;
use crate::login::Login;
use crate::scope::{RequestedScope, Scope};

/// The names; a protocol has to be called like one of them.
pub(super) const NAMES: [&str; 4] = ["mapped", "openid", "saml2", "x509"];

/// What a request says of an identity.
#[derive(Debug)]
pub(crate) struct MappedIdentity {
    pub(super) name: &'static str,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Provider { id: String, protocol: String },
    Token(HeldToken),
}

impl MappedIdentity {
    pub(super) fn parse(name: &'static str, data: &Value) -> Result<Self> {
        if data.get("id").is_some() {
            let source = Source::Token(HeldToken::parse(data)?);
            return Ok(Self { name, source });
        }
        let text = |key: &str| {
            let text = data.get(key).and_then(Value::as_str);
            let text = text.ok_or_else(|| Error::expecting(key, "mapped"));
            text.map(str::to_owned)
        };
        let source = Source::Provider {
            id: text("identity_provider")?,
            protocol: text("protocol")?,
        };
        Ok(Self { name, source })
    }

    pub(super) async fn verify(
        self,
        auth: &Auth,
        requested: &RequestedScope,
        scope: &Scope,
        login: &Login<'_>,
    ) -> Result<Verified> {
        let held = match self.source {
            Source::Provider { id, protocol } => {
                return auth.federated(self.name, (&id, &protocol), login).await;
            }
            Source::Token(held) => held,
        };
        let verified = held.verify(auth, requested, scope, login).await?;
        if !matches!(verified.backing, Backing::Federated(_)) {
            // Keystone looks for the provider of a token that has none.
            return Err(Error::NotFound {
                kind: "Identity Provider",
                id: "None".to_owned(),
            });
        }
        Ok(Verified {
            methods: BTreeSet::from([self.name.to_owned()]),
            ..verified
        })
    }
}
