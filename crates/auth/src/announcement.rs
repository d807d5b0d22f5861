//! Announcements of logins: each attempt by a password, users who do not exist, and users of identity providers. An attempt is
//! announced at once, whatever becomes of the request.

use keystone_identity::{Rejected, ShadowChanges};
use keystone_notify::{
    Announcer, Assignment, Event, FederatedCredential, Initiator, Operation, Outcome, UnknownUser,
};
use keystone_token::Federation;
use keystone_types::Error;

use crate::auth::Auth;
use crate::choice::UserChoice;

/// Announces whether a user's password was accepted; nothing where this server could not find out. `hash` is announced with a wrong
/// one.
pub fn announce_password(
    announcer: &Announcer,
    user_id: &str,
    name: Option<&str>,
    accepted: Result<(), &Rejected>,
    hash: Option<String>,
) {
    if let Err(Rejected::Other(error)) = accepted
        && is_own(error)
    {
        return;
    }
    let event = Event::authentication(Outcome::of(&accepted));
    // Why it was rejected is told of the rules of `[security_compliance]` only (`keystone/notifications.py`).
    let event = match accepted {
        Err(Rejected::Locked { user_id }) => {
            event.because(format!("The account is locked for user: {user_id}."), 401)
        }
        Err(rejected @ Rejected::Expired { .. }) => {
            event.because(Error::from(rejected.clone()).to_string(), 401)
        }
        Err(Rejected::Wrong(_)) => event.with_partial_hash(hash),
        Ok(()) | Err(Rejected::Other(_)) => event,
    };
    let initiator = Initiator {
        user_id: Some(user_id.to_owned()),
        name: name.map(str::to_owned),
        ..announcer.initiator.clone()
    };
    announcer.notifier.send(&event.by(initiator));
}

/// Whether this server is at fault, and not the login.
fn is_own(error: &Error) -> bool {
    error.status() >= 500
}

impl Auth {
    /// Announces a login by a user who does not exist, unless the domain does not either. The request does not wait for the look at
    /// the domain: its answer is not to depend on it, nor when it comes.
    pub(crate) fn announce_unknown(&self, announcer: Option<&Announcer>, choice: &UserChoice) {
        let Some(announcer) = announcer else { return };
        let (auth, initiator) = (self.clone(), announcer.initiator.clone());
        let choice = choice.clone();
        announcer.notifier.send_later(async move {
            let user = match choice {
                UserChoice::Id(id) => UnknownUser::Id(id),
                UserChoice::Name(name, domain) => match auth.find_domain(&domain).await {
                    Ok(domain) => UnknownUser::Name(name, domain.id, domain.name),
                    Err(Error::Unauthorized { .. }) => return None,
                    Err(error) => {
                        tracing::warn!(
                            cause = error.cause(),
                            request = initiator.request_id,
                            "a login by a user who does not exist is not announced: its domain can't be read"
                        );
                        return None;
                    }
                },
            };
            Some(Event::unknown_user(user, initiator))
        });
    }
}

/// Announces a login of a user whom an identity provider vouches for, or an exchange of such a user's token, by its audit id.
pub(crate) fn announce_federated(
    announcer: Option<&Announcer>,
    identity_provider: &str,
    token: Option<&str>,
    vouched: Result<Option<(&str, &Federation)>, &Error>,
) {
    let Some(announcer) = announcer else { return };
    if vouched.is_err_and(is_own) {
        return;
    }
    let event = Event::authentication(Outcome::of(&vouched));
    let found = vouched.ok().flatten();
    let credential = FederatedCredential {
        token: token.map(str::to_owned),
        identity_provider: identity_provider.to_owned(),
        user: found.map(|(user, _)| user.to_owned()),
        groups: found
            .map(|(_, it)| it.group_ids.clone())
            .unwrap_or_default(),
    };
    let initiator = Initiator {
        credential: Some(credential),
        ..announcer.initiator.clone()
    };
    announcer.notifier.send(&event.by(initiator));
}

/// Announces what a login of such a user has changed. As in Keystone, the event names no initiator.
pub(crate) fn announce_shadow(
    announcer: Option<&Announcer>,
    user_id: &str,
    changes: &ShadowChanges,
) {
    let Some(announcer) = announcer else { return };
    let notifier = &announcer.notifier;
    if changes.updated {
        notifier.send(&Event::resource(Operation::Updated, "user", user_id));
    }
    for project in &changes.projects {
        notifier.send(&Event::resource(Operation::Created, "project", project));
    }
    for (operation, grants) in [
        (Operation::Created, &changes.granted),
        (Operation::Deleted, &changes.revoked),
    ] {
        for (project, role) in grants {
            let assignment = Assignment {
                actor: ("user", user_id.to_owned()),
                target: ("project", project.clone()),
                inherited: false,
                role: role.clone(),
            };
            notifier.send(&Event::assignment(operation, assignment, Outcome::Success));
        }
    }
}
