//! Validation: from a token back to its user, scope and roles as they are now.
//!
//! What was looked up is remembered while nothing changes that it depends on (`keystone-cache`), so that each validation
//! sees every write of every node. Where changes can't be followed nothing is remembered.
//! Lookups at the same time share a statement that begins after all of them: see [`keystone_identity::Facts`].

use std::sync::Arc;
use std::time::Instant;

use chrono::Duration;
use keystone_cache::{AsOf, Pass, Source};
use keystone_identity::{Facts, Holder, RevocationEvent, RoleRef, revoke};
use keystone_storage::transaction;
use keystone_token::{Origin, ScopeIds, Token, Tokens};
use keystone_types::{Error, Result};

use crate::auth::Auth;
use crate::basis::Basis;
use crate::delegation::{self, Record};
use crate::error::{TokenError, disabled};
use crate::methods::HeldToken;
use crate::remembered::{KnownToken, ROLE_BYTES, TOKEN_BYTES};
use crate::revocation::{ask_for_events, is_revoked};
use crate::scope::{Scope, ask_about, current_scope, effective_roles};
use crate::token::AuthToken;

impl Auth {
    /// Leave to answer from memory. The answers that are given with it reflect every write that was finished before this
    /// call: a request needs it once.
    pub async fn pass(&self) -> Result<Pass> {
        self.changes.pass().await
    }

    /// Validates a token; it may have expired up to `window` ago.
    pub async fn validate(&self, id: &str, window: Duration) -> Result<Arc<AuthToken>, TokenError> {
        let pass = self.pass().await?;
        self.validate_with(pass, id, window).await
    }

    /// The same for a caller that has passed.
    pub async fn validate_with(
        &self,
        pass: Pass,
        id: &str,
        window: Duration,
    ) -> Result<Arc<AuthToken>, TokenError> {
        let token = if let Some(token) = self.recall(pass, id) {
            token
        } else {
            self.look_up(id, &ScopeIds::Unscoped).await?.0
        };
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
        // A node whose clock is ahead may have made it: an event counts only for tokens that are not younger.
        let now = self.clock.now().max(token.token.issued_at);
        transaction!(self.db, |tx| {
            revoke(tx, one.clone(), now).await?;
            if cascade {
                revoke(tx, chain.clone(), now).await?;
            }
            Ok(())
        })
        .await
    }

    /// Validates a token that is to be exchanged for one on another scope, with the roles of its user there.
    pub(crate) async fn validate_for(
        &self,
        pass: Option<Pass>,
        id: &str,
        scope: &Scope,
    ) -> Result<(Arc<AuthToken>, Vec<RoleRef>), TokenError> {
        let remembered = pass.and_then(|pass| {
            let token = self.recall(pass, id)?;
            let roles = self.recall_roles(pass, &token.token.user_id, &scope.ids())?;
            Some((token, roles))
        });
        let (token, roles) = match remembered {
            Some(found) => found,
            None => self.look_up_with_roles(id, scope).await?,
        };
        self.check_life(&token, Duration::zero()).await?;
        Ok((token, roles))
    }

    async fn look_up_with_roles(
        &self,
        id: &str,
        scope: &Scope,
    ) -> Result<(Arc<AuthToken>, Vec<RoleRef>), TokenError> {
        let as_of = self.remembered.roles.now();
        let (token, facts) = self.look_up(id, &scope.ids()).await?;
        let roles = self.roles_in(as_of, &facts, &token, scope);
        Ok((token, roles))
    }

    /// The roles of a token's user on a scope, in facts since `as_of`; they are remembered.
    fn roles_in(
        &self,
        as_of: AsOf,
        facts: &Facts,
        token: &AuthToken,
        scope: &Scope,
    ) -> Vec<RoleRef> {
        let user_id = &token.token.user_id;
        let roles = effective_roles(facts, Holder::User(user_id), scope);
        self.remember_roles(as_of, user_id, scope, facts, &roles);
        roles
    }

    /// Remembers, by one statement, what an exchange for a project needs and is not known. What can't be found or
    /// remembered is looked up again, in the order in which Keystone does.
    pub(crate) async fn prefetch(&self, pass: Pass, held: &HeldToken, project_id: &str) {
        let scope = ScopeIds::Project(project_id.to_owned());
        let is_known = |token: Arc<AuthToken>| {
            let roles = self.recall_roles(pass, &token.token.user_id, &scope);
            roles.is_some() && self.recall_project(pass, project_id).is_some()
        };
        let token = self.recall(pass, held.id());
        if pass.source == Source::Database || token.is_some_and(is_known) {
            return;
        }
        let as_of = self.remembered.roles.now();
        let Ok((token, facts)) = self.look_up(held.id(), &scope).await else {
            return;
        };
        if let Ok(project) = facts.project(project_id) {
            self.remember_project(as_of, project_id, project);
            self.roles_in(as_of, &facts, &token, &Scope::Project(project.clone()));
        }
    }

    /// Finds what a token names, and remembers it; the facts also tell of its user on another scope.
    async fn look_up(
        &self,
        id: &str,
        other_scope: &ScopeIds,
    ) -> Result<(Arc<AuthToken>, Arc<Facts>), TokenError> {
        let as_of = self.remembered.tokens.now();
        let day = self.clock.now().date();
        // Before it is opened: with keys that replace them meanwhile it might not open.
        let keys = self.tokens.keys_since(Instant::now());
        let token = self.open(id)?;
        let record = self.record(&token).await;
        let mut asked = ask_about(&token.user_id, &token.scope);
        asked.add(ask_about(&token.user_id, other_scope));
        let known = record.as_ref().ok();
        if let Some(record) = known {
            record.ask(&mut asked);
        }
        ask_for_events(&mut asked, &token, known.and_then(Record::backing));
        let facts = self.identity.facts(asked).await?;
        let (token, basis) = self.judge(id, token, record, &facts)?;
        let token = Arc::new(token);
        // What a directory says is asked for each time.
        let lasts = basis.until.is_none_or(|end| end > self.clock.precise());
        if let Some(keys) = keys.ok().filter(|_| lasts) {
            let bytes = id.len() + TOKEN_BYTES + token.roles.len() * ROLE_BYTES;
            let known = KnownToken {
                token: Arc::clone(&token),
                keys,
                day,
                until: basis.until,
            };
            let on = basis.dependencies();
            self.remembered.tokens.put(id, as_of, known, bytes, on);
        }
        Ok((token, facts))
    }

    /// The token as the facts let it be, and what that depends on.
    fn judge(
        &self,
        id: &str,
        token: Token,
        record: Result<Record, TokenError>,
        facts: &Facts,
    ) -> Result<(AuthToken, Basis), TokenError> {
        let scope = current_scope(facts, &token.scope)?;
        let subject = facts.subject(&token.user_id);
        // Keystone finds the users of a trust through the trust, and other records through the user.
        let (subject, record) = match (&token.origin, subject, record) {
            (Origin::Trust { .. }, subject, record) => (subject, record?),
            (_, subject, record) => (Ok(subject?), record?),
        };
        let backing = self.backing(&record, facts)?;
        let subject = subject?;
        backing.check_bearer(&subject)?;
        if !subject.domain.enabled {
            return Err(disabled("domain", &subject.domain.id));
        }
        let roles = delegation::roles(&backing, facts, &subject, &scope)?;
        if roles.is_empty() && scope != Scope::Unscoped {
            return Err(TokenError::NotFound(format!("Could not find token: {id}.")));
        }
        if is_revoked(facts, &token, &backing, &subject, &roles) {
            return Err(TokenError::NotFound("Failed to validate token".to_owned()));
        }
        let shown = delegation::shown_roles(&backing, facts, &roles)?;
        let basis = Basis::new(&token, &record, &subject, &scope, facts);
        let token = AuthToken::new(id.to_owned(), token, backing, subject, scope, roles);
        Ok((token.showing(shown), basis))
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
