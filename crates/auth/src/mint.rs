//! The one place where tokens are made.

use keystone_token::{ScopeIds, Token, new_audit_id};
use keystone_types::{Error, Result};

use crate::auth::Auth;
use crate::choice::masked;
use crate::delegation::{self, Backing};
use crate::error::{TokenError, disabled};
use crate::methods::Verified;
use crate::scope::{Scope, ask_about};
use crate::token::AuthToken;

impl Auth {
    /// Makes a token of what was verified, on a scope; 401 without a role there. A token for a trust takes one of its uses.
    pub(crate) async fn mint(&self, verified: Verified, scope: Scope) -> Result<AuthToken> {
        let Verified {
            subject,
            methods,
            backing,
            expires_at,
            chain,
            fixed_scope: _,
            roles,
        } = verified;
        if !subject.domain.enabled {
            return Err(disabled("domain", &subject.domain.id).into_error());
        }
        backing
            .check_bearer(&subject)
            .map_err(TokenError::into_error)?;
        let is_known = |(known, _): &(ScopeIds, _)| *known == scope.ids();
        let (roles, shown) = match roles.filter(is_known) {
            // They are not those that somebody else delegated.
            Some((_, roles)) if matches!(backing, Backing::User) => (roles, None),
            Some(_) | None => {
                let mut asked = ask_about(&subject.user.id, &scope.ids());
                backing.ask(&mut asked);
                let facts = self.identity.facts(asked).await?;
                let roles = delegation::roles(&backing, &facts, &subject, &scope)?;
                let shown = delegation::shown_roles(&backing, &facts, &roles)?;
                (roles, shown)
            }
        };
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
            issued_at: self.tokens.issue_time(self.clock.precise()),
            expires_at: backing.capped(expires_at.unwrap_or(now + self.settings.expiration)),
            audit_ids: [new_audit_id()].into_iter().chain(chain).collect(),
        };
        if token.expires_at <= self.clock.precise() {
            return Err(Error::unauthorized(format!(
                "what user {} was delegated has expired",
                token.user_id
            )));
        }
        let id = self.tokens.seal(&token).map_err(Error::internal)?;
        if let Backing::Trust(trust) = &backing {
            // After everything that can fail, so that no use is lost, and before anybody has the token.
            masked(self.use_trust(trust).await)?;
        }
        let token = AuthToken::new(id, token, backing, subject, scope, roles);
        Ok(token.showing(shown))
    }
}
