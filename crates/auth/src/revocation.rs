//! Whether a revocation event ends a token.
//!
//! Events are found through the indices on what they name, so that many events of others cost
//! nothing. Only a token with a chain or a revocable delegation reads those that name neither user,
//! project nor token; one for a trust also reads those of its trustor.

use chrono::NaiveDateTime;
use keystone_identity::{RoleRef, Subject};
use keystone_storage::sql;
use keystone_token::Token;
use keystone_types::same_id;

use crate::auth::Auth;
use crate::delegation::{Backing, Revocable, consumer, revocable};
use crate::error::TokenError;

#[derive(Debug, sqlx::FromRow)]
struct Event {
    user_id: Option<String>,
    project_id: Option<String>,
    audit_id: Option<String>,
    audit_chain_id: Option<String>,
    domain_id: Option<String>,
    role_id: Option<String>,
    trust_id: Option<String>,
    consumer_id: Option<String>,
    expires_at: Option<NaiveDateTime>,
}

macro_rules! events_where {
    ($condition:literal) => {
        concat!(
            "SELECT user_id, project_id, audit_id, audit_chain_id, domain_id, role_id, trust_id, consumer_id, expires_at \
               FROM revocation_event WHERE issued_before >= ? AND ",
            $condition
        )
    };
}

/// The events that may end a token.
#[derive(Debug)]
pub(crate) struct Events(Vec<Event>);

impl Auth {
    /// Finds the events that name something of the token's.
    pub(crate) async fn revocation_events(&self, token: &Token) -> Result<Events, TokenError> {
        let own = token
            .audit_ids
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        let named = sql(concat!(
            events_where!("user_id = ?"),
            " UNION ALL ",
            events_where!("user_id IS NULL AND project_id = ?"),
            " UNION ALL ",
            events_where!("audit_id = ?")
        ));
        let mut events: Vec<Event> = named
            .bind(token.issued_at)
            .bind(&token.user_id)
            .bind(token.issued_at)
            .bind(token.scope.project_id().unwrap_or_default())
            .bind(token.issued_at)
            .bind(own)
            .fetch_all(&self.db)
            .await
            .map_err(keystone_types::Error::from)?;
        let is_chained = token.audit_ids.len() > 1;
        let trust = match revocable(&token.origin) {
            Revocable::Trust(id) => Some(id),
            Revocable::Consumer | Revocable::Never => None,
        };
        if is_chained || revocable(&token.origin) != Revocable::Never {
            let unnamed = sql(events_where!(
                "user_id IS NULL AND project_id IS NULL AND audit_id IS NULL \
                 AND (audit_chain_id IS NULL OR audit_chain_id = ?) AND (trust_id IS NULL OR trust_id = ?)"
            ));
            let chain = token.audit_ids.get(1).map(String::as_str);
            let unnamed: Vec<Event> = unnamed
                .bind(token.issued_at)
                .bind(chain.unwrap_or_default())
                .bind(trust.unwrap_or_default())
                .fetch_all(&self.db)
                .await
                .map_err(keystone_types::Error::from)?;
            events.extend(unnamed);
        }
        if let Some(id) = trust {
            let of_trustor = sql(events_where!(
                "user_id = (SELECT t.trustor_user_id FROM trust t WHERE t.id = ?)"
            ));
            let of_trustor = of_trustor.bind(token.issued_at).bind(id);
            let of_trustor: Vec<Event> = of_trustor
                .fetch_all(&self.db)
                .await
                .map_err(keystone_types::Error::from)?;
            events.extend(of_trustor);
        }
        Ok(Events(events))
    }
}

impl Events {
    /// Whether one of them ends the token.
    pub(crate) fn revoke(
        &self,
        token: &Token,
        backing: &Backing,
        bearer: &Subject,
        roles: &[RoleRef],
    ) -> bool {
        self.0
            .iter()
            .any(|event| event.matches(token, backing, bearer, roles))
    }
}

impl Event {
    /// Whether everything that the event names is the token's.
    fn matches(
        &self,
        token: &Token,
        backing: &Backing,
        bearer: &Subject,
        roles: &[RoleRef],
    ) -> bool {
        let is = |named: &Option<String>, value: Option<&str>| {
            named.as_deref().is_none_or(|named| Some(named) == value)
        };
        // An event may name a thing in the spelling of a request.
        let names = |named: &Option<String>, id: Option<&str>| {
            named
                .as_deref()
                .is_none_or(|named| id.is_some_and(|id| same_id(named, id)))
        };
        let trust = match revocable(&token.origin) {
            Revocable::Trust(id) => Some(id),
            Revocable::Consumer | Revocable::Never => None,
        };
        let domain = &self.domain_id;
        (names(&self.user_id, Some(&token.user_id)) || names(&self.user_id, backing.trustor_id()))
            && names(&self.project_id, token.scope.project_id())
            && is(&self.audit_id, token.audit_ids.first().map(String::as_str))
            && is(
                &self.audit_chain_id,
                token.audit_ids.get(1).map(String::as_str),
            )
            && is(&self.trust_id, trust)
            && names(&self.consumer_id, consumer(backing))
            && self.expires_at.is_none_or(|end| end == token.expires_at)
            && self
                .role_id
                .as_ref()
                .is_none_or(|role| roles.iter().any(|held| same_id(&held.id, role)))
            && (names(domain, Some(&bearer.domain.id)) || names(domain, token.scope.domain_id()))
    }
}
