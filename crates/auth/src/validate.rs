//! From a token back to what it stands for now.
//!
//! Nothing is remembered between two validations, so that each sees every write of every node.
//! Requests for the same token that wait at the same time share one look at the database, which
//! begins after all of them came: see [`crate::shared::Shared`].

use keystone_storage::transaction;
use std::sync::Arc;

use chrono::Duration;
use keystone_identity::{Holder, RevocationEvent, RoleRef, revoke};
use keystone_token::{Payload, Token};
use keystone_types::{Error, Result};
use serde_json::Value;

use crate::Auth;
use crate::token::{AuthToken, Scope};

/// Why a token can't be used.
#[derive(Clone, Debug)]
pub enum TokenError {
    /// The token itself is no good: 404 for a subject, as if absent for a caller.
    NotFound(String),
    /// Something it stands for is gone or refused, or this server is in trouble.
    Failed(Error),
}

impl TokenError {
    /// The answer to somebody who asks about the token.
    pub fn into_error(self) -> Error {
        match self {
            Self::NotFound(text) => Error::Missing(text),
            Self::Failed(error) => error,
        }
    }

    /// Whether this server is in trouble, whatever the token is.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Failed(error) if error.status() >= 500)
    }
}

impl From<Error> for TokenError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Auth {
    /// Validates a token; it may have expired up to `window` ago.
    pub async fn validate(&self, id: &str, window: Duration) -> Result<Arc<AuthToken>, TokenError> {
        let token = self.shared_tokens.get(id, || self.look_up(id)).await?;
        self.check_life(&token, window).await?;
        Ok(token)
    }

    /// The catalog of a token's scope, rendered; none for an unscoped token.
    pub async fn catalog_of(&self, token: &AuthToken) -> Result<Option<Arc<Value>>> {
        self.catalog_for(&token.token).await
    }

    /// The catalog that goes with a token which is being validated at the same time; none for one
    /// that can't be opened.
    pub async fn catalog_ahead(&self, id: &str) -> Result<Option<Arc<Value>>> {
        match self.tokens.open(id) {
            Ok(token) => self.catalog_for(&token).await,
            Err(_) => Ok(None),
        }
    }

    async fn catalog_for(&self, token: &Token) -> Result<Option<Arc<Value>>> {
        if token.payload == Payload::Unscoped {
            return Ok(None);
        }
        let (user_id, project_id) = (&token.user_id, token.payload.project_id());
        let key = format!("{user_id}/{}", project_id.unwrap_or_default());
        let load = || async {
            let services = self.catalog.for_scope(user_id, project_id).await?;
            Ok(Arc::new(
                serde_json::to_value(services).map_err(Error::internal)?,
            ))
        };
        let catalog = self.shared_catalogs.get(&key, load).await;
        catalog.map(Some).map_err(TokenError::into_error)
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

    /// Opens a token and finds what it names.
    async fn look_up(&self, id: &str) -> Result<Arc<AuthToken>, TokenError> {
        if id.is_empty() {
            return Err(TokenError::NotFound("No token in the request".to_owned()));
        }
        let token = self.open(id)?;
        check_kind(&token)?;
        // All of them to the end: a statement that is cut off costs its connection.
        let (scope, subject, holder, events) = tokio::join!(
            self.scope_of(&token),
            self.identity.subject(&token.user_id),
            self.identity.holder(&token.user_id),
            self.revocation_events(&token),
        );
        let (scope, subject, holder, events) = (scope?, subject?, holder?, events?);
        if !subject.domain.enabled {
            return Err(disabled("domain", &subject.domain.id));
        }
        let roles = self.roles(&holder, &scope).await?;
        if roles.is_empty() && scope != Scope::Unscoped {
            return Err(TokenError::NotFound(format!("Could not find token: {id}.")));
        }
        if events.revoke(&token, &subject, &roles) {
            return Err(TokenError::NotFound("Failed to validate token".to_owned()));
        }
        Ok(Arc::new(AuthToken {
            id: id.to_owned(),
            token,
            subject,
            scope,
            roles,
        }))
    }

    fn open(&self, id: &str) -> Result<Token, TokenError> {
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

    async fn scope_of(&self, token: &Token) -> Result<Scope, TokenError> {
        if let Some(project_id) = token.payload.project_id() {
            let project = self.identity.project_ref(project_id).await?;
            if !project.enabled {
                return Err(disabled("project", &project.id));
            }
            if !project.domain.enabled {
                return Err(disabled("domain", &project.domain.id));
            }
            return Ok(Scope::Project(project));
        }
        if let Some(domain_id) = token.payload.domain_id() {
            let domain = self.identity.domain_ref(domain_id).await?;
            // The reference asks only about the user's own domain.
            if !domain.enabled {
                return Err(disabled("domain", &domain.id));
            }
            return Ok(Scope::Domain(domain));
        }
        Ok(if token.payload == Payload::System {
            Scope::System
        } else {
            Scope::Unscoped
        })
    }

    /// The effective roles of a user on a scope.
    pub(crate) async fn roles(&self, holder: &Holder, scope: &Scope) -> Result<Vec<RoleRef>> {
        match scope {
            Scope::Unscoped => Ok(Vec::new()),
            Scope::Project(project) => self.identity.roles_on_project(holder, project).await,
            Scope::Domain(domain) => self.identity.roles_on_domain(holder, &domain.id).await,
            Scope::System => self.identity.roles_on_system(holder).await,
        }
    }

    /// Expiry, and a user who was disabled by time: that ends the user's tokens for good.
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

fn disabled(kind: &str, id: &str) -> TokenError {
    TokenError::Failed(Error::Missing(format!(
        "Unable to validate token because {kind} {id} is disabled"
    )))
}

/// Fails closed on tokens whose delegation can't be checked here.
fn check_kind(token: &Token) -> Result<(), TokenError> {
    match &token.payload {
        Payload::Unscoped | Payload::Domain { .. } | Payload::Project { .. } | Payload::System => {
            Ok(())
        }
        Payload::Trust { .. }
        | Payload::FederatedUnscoped(_)
        | Payload::FederatedProject { .. }
        | Payload::FederatedDomain { .. }
        | Payload::OAuth1 { .. }
        | Payload::ApplicationCredential { .. }
        | Payload::OAuth2Mtls { .. } => {
            let version = token.payload.version();
            tracing::warn!(
                user.id = token.user_id,
                token.version = version,
                "tokens of this kind are not supported yet"
            );
            Err(TokenError::NotFound("Failed to validate token".to_owned()))
        }
    }
}
