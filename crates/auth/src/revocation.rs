//! Whether a revocation event ends a token.
//!
//! Events are found through the indices on what they name, so that many events of others cost nothing. Those that name
//! neither user, project nor token count only for a token with a chain or a revocable delegation; for one of a trust those of
//! its trustor count, too.

use keystone_identity::{Asked, Event, Facts, RoleRef, Subject};
use keystone_token::Token;
use keystone_types::same_id;

use crate::delegation::{Backing, Revocable, consumer, revocable};

/// Asks for the events that may end a token. Those of its user, its trustor and its project come with these.
pub(crate) fn ask_for_events(asked: &mut Asked, token: &Token, backing: Option<&Backing>) {
    asked.events_since = Some(token.issued_at);
    asked.audit_ids.extend(token.audit_ids.first().cloned());
    asked.chains.extend(token.audit_ids.get(1).cloned());
    asked.unnamed_events = counts_unnamed(token);
    asked.trusts.extend(trust(token).map(str::to_owned));
    asked
        .consumers
        .extend(backing.and_then(consumer).map(str::to_owned));
}

/// Whether one of the events ends the token.
pub(crate) fn is_revoked(
    facts: &Facts,
    token: &Token,
    backing: &Backing,
    bearer: &Subject,
    roles: &[RoleRef],
) -> bool {
    let counts_unnamed = counts_unnamed(token);
    let mut events = facts.events().iter().filter(|event| {
        let is_unnamed =
            event.user_id.is_none() && event.project_id.is_none() && event.audit_id.is_none();
        event.issued_before >= token.issued_at && (counts_unnamed || !is_unnamed)
    });
    events.any(|event| matches(event, token, backing, bearer, roles))
}

fn counts_unnamed(token: &Token) -> bool {
    token.audit_ids.len() > 1 || revocable(&token.origin) != Revocable::Never
}

fn trust(token: &Token) -> Option<&str> {
    match revocable(&token.origin) {
        Revocable::Trust(id) => Some(id),
        Revocable::Consumer | Revocable::Never => None,
    }
}

/// Whether everything that the event names is the token's.
fn matches(
    event: &Event,
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
    let domain = &event.domain_id;
    (names(&event.user_id, Some(&token.user_id)) || names(&event.user_id, backing.trustor_id()))
        && names(&event.project_id, token.scope.project_id())
        && is(&event.audit_id, token.audit_ids.first().map(String::as_str))
        && is(
            &event.audit_chain_id,
            token.audit_ids.get(1).map(String::as_str),
        )
        && is(&event.trust_id, trust(token))
        && names(&event.consumer_id, consumer(backing))
        && event.expires_at.is_none_or(|end| end == token.expires_at)
        && event
            .role_id
            .as_ref()
            .is_none_or(|role| roles.iter().any(|held| same_id(&held.id, role)))
        && (names(domain, Some(&bearer.domain.id)) || names(domain, token.scope.domain_id()))
}
