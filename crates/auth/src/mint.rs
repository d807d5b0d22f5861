//! The one place where tokens are made.

use keystone_token::{Token, new_audit_id};
use keystone_types::{Error, Result};

use crate::auth::Auth;
use crate::methods::Verified;
use crate::scope::Scope;
use crate::token::AuthToken;

impl Auth {
    /// Makes a token of what was verified, on a scope; 401 without a role there.
    pub(crate) async fn mint(&self, verified: Verified, scope: Scope) -> Result<AuthToken> {
        let Verified {
            subject,
            methods,
            backing,
            expires_at,
            chain,
            fixed_scope: _,
        } = verified;
        let holder = self.identity.holder(&subject.user.id).await?;
        let roles = self.roles(&backing, &holder, &scope).await?;
        if roles.is_empty() && scope != Scope::Unscoped {
            return Err(Error::unauthorized(format!(
                "user {} has no role on the scope it asks for",
                subject.user.id
            )));
        }
        let now = self.clock.now();
        let token = Token {
            user_id: subject.user.id.clone(),
            methods: methods.into_iter().collect(),
            scope: scope.ids(),
            origin: backing.origin(),
            issued_at: now,
            expires_at: expires_at.unwrap_or(now + self.settings.expiration),
            audit_ids: [new_audit_id()].into_iter().chain(chain).collect(),
        };
        let id = self.tokens.seal(&token).map_err(Error::internal)?;
        Ok(AuthToken::new(id, token, backing, subject, scope, roles))
    }
}
