//! Validation: from a token back to its user, scope and roles as they are now.
//!
//! Nothing is remembered between two validations, so that each sees every write of every node.
//! Concurrent validations of one token share a lookup that begins after all of them: see
//! [`crate::single_flight::SingleFlight`].

use std::sync::Arc;

use chrono::Duration;
use keystone_identity::{RevocationEvent, revoke};
use keystone_storage::transaction;
use keystone_token::{Origin, Token, Tokens};
use keystone_types::{Error, Result};
use serde_json::Value;

use crate::auth::Auth;
use crate::delegation;
use crate::error::{TokenError, disabled};
use crate::scope::Scope;
use crate::token::AuthToken;

impl Auth {
    /// Validates a token; it may have expired up to `window` ago.
    pub async fn validate(&self, id: &str, window: Duration) -> Result<Arc<AuthToken>, TokenError> {
        self.validate_opened(id, window, || self.open(id)).await
    }

    /// The same, with the catalog of the token's scope, which is looked up at the same time.
    pub async fn validate_with_catalog(
        &self,
        id: &str,
        window: Duration,
    ) -> Result<(Arc<AuthToken>, Option<Arc<Value>>), TokenError> {
        let opened = self.open(id)?;
        let validate = self.validate_opened(id, window, || Ok(opened.clone()));
        if !delegation::has_own_catalog(&opened.origin) {
            let token = validate.await?;
            let catalog = self.catalog_of(&token).await?;
            return Ok((token, catalog));
        }
        let catalog = self.catalog_for(&opened, &opened.user_id);
        let (token, catalog) = tokio::join!(validate, catalog);
        Ok((token?, catalog?))
    }

    /// The catalog of a token's scope, rendered; none for an unscoped token.
    pub async fn catalog_of(&self, token: &AuthToken) -> Result<Option<Arc<Value>>> {
        let user_id = token.backing.catalog_user(&token.token.user_id);
        self.catalog_for(&token.token, user_id).await
    }

    async fn validate_opened(
        &self,
        id: &str,
        window: Duration,
        open: impl FnOnce() -> Result<Token, TokenError>,
    ) -> Result<Arc<AuthToken>, TokenError> {
        let look_up = || async { self.look_up(id, open()?).await };
        let token = self.token_lookups.run(id, look_up).await?;
        self.check_life(&token, window).await?;
        Ok(token)
    }

    /// Ends a token that was validated, and those derived from it where `cascade` says so.
    pub async fn revoke(&self, token: &AuthToken, cascade: bool) -> Result<()> {
        let audit_id = token.token.audit_ids.first();
        let one = RevocationEvent {
            audit_id: audit_id.cloned(),
            ..RevocationEvent::default()
        };
        let chain = RevocationEvent {
            audit_chain_id: audit_id.cloned(),
            ..RevocationEvent::default()
        };
        let now = self.clock.now();
        transaction!(self.db, |tx| {
            revoke(tx, one.clone(), now).await?;
            if cascade {
                revoke(tx, chain.clone(), now).await?;
            }
            Ok(())
        })
        .await
    }

    /// Finds what a token names.
    async fn look_up(&self, id: &str, token: Token) -> Result<Arc<AuthToken>, TokenError> {
        // All of them to the end: a statement that is cut off costs its connection.
        let (scope, backing, subject, holder, events) = tokio::join!(
            self.current_scope(&token.scope),
            self.backing(&token),
            self.identity.subject(&token.user_id),
            self.identity.holder(&token.user_id),
            self.revocation_events(&token),
        );
        let scope = scope?;
        // Keystone finds the users of a trust through the trust, and other records through the user.
        let (subject, backing) = match (&token.origin, subject, backing) {
            (Origin::Trust { .. }, subject, backing) => {
                let backing = backing?;
                (subject?, backing)
            }
            (_, subject, backing) => (subject?, backing?),
        };
        let (holder, events) = (holder?, events?);
        backing.check_bearer(&subject)?;
        if !subject.domain.enabled {
            return Err(disabled("domain", &subject.domain.id));
        }
        let roles = self.roles(&backing, &holder, &scope).await?;
        if roles.is_empty() && scope != Scope::Unscoped {
            return Err(TokenError::NotFound(format!("Could not find token: {id}.")));
        }
        if events.revoke(&token, &backing, &subject, &roles) {
            return Err(TokenError::NotFound("Failed to validate token".to_owned()));
        }
        let shown = self.shown_roles(&backing, &roles).await?;
        let token = AuthToken::new(id.to_owned(), token, backing, subject, scope, roles);
        Ok(Arc::new(token.showing(shown)))
    }

    /// Opens a token.
    fn open(&self, id: &str) -> Result<Token, TokenError> {
        if id.is_empty() {
            return Err(TokenError::NotFound("No token in the request".to_owned()));
        }
        self.tokens.open(id).map_err(|error| {
            if !error.is_of_text() {
                return TokenError::Failed(Error::internal(error));
            }
            if !matches!(error, keystone_token::Error::Unrecognized) {
                tracing::warn!(%error, "a token made with one of our keys can't be read");
            }
            TokenError::NotFound(match &self.tokens {
                Tokens::Fernet(_) => "Could not recognize Fernet token".to_owned(),
                Tokens::Jws(_) => format!("Could not find token: {id}."),
            })
        })
    }

    /// Checks the expiry, and that the user is enabled: a user disabled by inactivity loses all tokens for good.
    async fn check_life(&self, token: &AuthToken, window: Duration) -> Result<(), TokenError> {
        if self.clock.precise() - window >= token.token.expires_at {
            return Err(TokenError::NotFound("Failed to validate token".to_owned()));
        }
        let user = &token.bearer().user;
        if user.enabled {
            return Ok(());
        }
        let now = self.clock.now();
        let event = RevocationEvent::user(&user.id);
        transaction!(self.db, |tx| revoke(tx, event.clone(), now).await).await?;
        Err(TokenError::NotFound(format!(
            "Could not find token: {}.",
            token.id
        )))
    }
}
