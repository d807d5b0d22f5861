//! `token`: a token that the user holds, exchanged for one of another scope.

use keystone_types::{Error, Result, Secret};
use serde_json::Value;

use super::Verified;
use crate::announcement::announce_federated;
use crate::auth::Auth;
use crate::delegation::{self, Backing};
use crate::error::TokenError;
use crate::login::Login;
use crate::scope::{RequestedScope, Scope};

pub(super) const NAME: &str = "token";

/// The token to exchange.
#[derive(Debug)]
pub(crate) struct HeldToken {
    pub(super) id: Secret,
}

impl HeldToken {
    pub(super) fn parse(data: &Value) -> Result<Self> {
        let id = data.get("id").and_then(Value::as_str);
        let id = id.ok_or_else(|| Error::expecting("id", "token"))?;
        Ok(Self { id: id.into() })
    }

    /// The token as its holder has it.
    pub(crate) fn id(&self) -> &str {
        self.id.reveal()
    }

    pub(super) async fn verify(
        self,
        auth: &Auth,
        requested: &RequestedScope,
        scope: &Scope,
        login: &Login<'_>,
    ) -> Result<Verified> {
        let held = auth.validate_for(login.pass, self.id(), scope).await;
        let (held, roles) = held.map_err(TokenError::into_error)?;
        held.check_reader(None)?;
        let exchange = delegation::exchange(&held.token, requested, &auth.settings)?;
        if let Backing::Federated(federation) = &exchange.backing {
            let checked = auth.check_exchange(federation).await;
            let vouched = checked
                .as_ref()
                .map(|()| Some((&*held.subject.user.id, federation)));
            announce_federated(
                login.announcer.as_ref(),
                &federation.identity_provider_id,
                held.token.audit_ids.first().map(String::as_str),
                vouched,
            );
            checked?;
        }
        let mut verified = Verified::by(NAME, held.subject.clone());
        verified.methods.extend(held.token.methods.iter().cloned());
        verified.backing = exchange.backing;
        verified.expires_at = Some(held.token.expires_at);
        verified.chain = exchange.chain;
        verified.roles = Some((scope.ids(), roles));
        Ok(verified)
    }
}
