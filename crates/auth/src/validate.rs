//! Validation: from a token back to its user, scope and roles as they are now.
//!
//! Nothing is remembered between two validations, so that each sees every write of every node.
//! Concurrent validations of one token share a lookup that begins after all of them: see
//! [`crate::single_flight::SingleFlight`].

use std::sync::Arc;

use chrono::Duration;
use keystone_identity::{RevocationEvent, revoke};
use keystone_storage::transaction;
use keystone_token::Token;
use keystone_types::{Error, Result};
use serde_json::Value;

use crate::auth::Auth;
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
        let (token, catalog) = tokio::join!(
            self.validate_opened(id, window, || Ok(opened.clone())),
            self.catalog_for(&opened),
        );
        Ok((token?, catalog?))
    }

    /// The catalog of a token's scope, rendered; none for an unscoped token.
    pub async fn catalog_of(&self, token: &AuthToken) -> Result<Option<Arc<Value>>> {
        self.catalog_for(&token.token).await
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
        let (scope, backing, subject) = (scope?, backing?, subject?);
        let (holder, events) = (holder?, events?);
        if !subject.domain.enabled {
            return Err(disabled("domain", &subject.domain.id));
        }
        let roles = self.roles(&backing, &holder, &scope).await?;
        if roles.is_empty() && scope != Scope::Unscoped {
            return Err(TokenError::NotFound(format!("Could not find token: {id}.")));
        }
        if events.revoke(&token, &subject, &roles) {
            return Err(TokenError::NotFound("Failed to validate token".to_owned()));
        }
        let token = AuthToken::new(id.to_owned(), token, backing, subject, scope, roles);
        Ok(Arc::new(token))
    }

    /// Opens a token.
    fn open(&self, id: &str) -> Result<Token, TokenError> {
        if id.is_empty() {
            return Err(TokenError::NotFound("No token in the request".to_owned()));
        }
        self.tokens.open(id).map_err(|error| match error {
            keystone_token::Error::NoKeys { .. } => TokenError::Failed(Error::internal(error)),
            keystone_token::Error::Unrecognized => {
                TokenError::NotFound("Could not recognize Fernet token".to_owned())
            }
            other => {
                tracing::warn!(error = %other, "a token sealed with one of our keys can't be read");
                TokenError::NotFound("Could not recognize Fernet token".to_owned())
            }
        })
    }

    /// Checks the expiry, and that the user is enabled: a user disabled by inactivity loses all tokens for good.
    async fn check_life(&self, token: &AuthToken, window: Duration) -> Result<(), TokenError> {
        if self.clock.precise() - window >= token.token.expires_at {
            return Err(TokenError::NotFound("Failed to validate token".to_owned()));
        }
        let user = &token.subject.user;
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
