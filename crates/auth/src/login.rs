//! From credentials to a token.

use keystone_identity::password::Claimant;
use keystone_types::{Error, Result};
use serde_json::Value;

use crate::auth::Auth;
use crate::delegation;
use crate::methods::Verified;
use crate::request::Request;
use crate::scope::RequestedScope;
use crate::token::AuthToken;

impl Auth {
    /// Issues a token for the `auth` object of a request whose schema was checked. `client` tells
    /// the client from others who want to log in.
    pub async fn issue(
        &self,
        auth: &Value,
        receipt: Option<&str>,
        client: Claimant,
    ) -> Result<AuthToken> {
        let Request { methods, scope } = Request::parse(auth, &self.settings.methods)?;
        // Before any credential is checked, as in `keystone/auth/core.py`.
        let requested = self.requested_scope(&scope).await?;
        let mut verified: Option<Verified> = None;
        for method in methods {
            let next = method.verify(self, &scope, &client).await?;
            verified = Some(match verified {
                Some(others) => others.and(next)?,
                None => next,
            });
        }
        let mut verified = verified.ok_or_else(|| Error::unauthorized("no method named a user"))?;
        let scope = match (verified.fixed_scope.take(), scope) {
            (Some(fixed), _) => fixed,
            (None, RequestedScope::Default)
                if delegation::takes_default_project(&verified.backing) =>
            {
                self.default_scope(&verified.subject).await?
            }
            (None, _) => requested,
        };
        if let Some(receipt) = receipt {
            let earlier = self.receipt_methods(receipt, &verified.subject.user.id)?;
            verified.methods.extend(earlier);
        }
        self.check_rules(&verified.subject, &verified.methods)?;
        self.mint(verified, scope).await
    }
}
