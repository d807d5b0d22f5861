//! Announcements of logins: each attempt by a password, users who do not exist, and users of identity providers. An attempt is
//! announced at once, whatever becomes of the request.

use keystone_identity::{Rejected, ShadowChanges};
use keystone_notify::{
    Announcer, Assignment, Event, FederatedCredential, Initiator, Operation, Outcome, UnknownUser,
};
use keystone_token::Federation;
use keystone_types::{Error, Result};

use crate::auth::Auth;
use crate::choice::UserChoice;

/// Announces whether a user's password was accepted.
pub fn announce_password(
    announcer: &Announcer,
    user_id: &str,
    name: Option<&str>,
    accepted: Result<(), &Rejected>,
) {
    let event = Event::authentication(Outcome::of(&accepted));
    // Why it was rejected is told of the rules of `[security_compliance]` only (`keystone/notifications.py`).
    let event = match accepted {
        Err(Rejected::Locked { user_id }) => {
            event.because(format!("The account is locked for user: {user_id}."), 401)
        }
        Err(rejected @ Rejected::Expired { .. }) => {
            event.because(Error::from(rejected.clone()).to_string(), 401)
        }
        Ok(()) | Err(Rejected::Other(_)) => event,
    };
    let initiator = Initiator {
        user_id: Some(user_id.to_owned()),
        name: name.map(str::to_owned),
        ..announcer.initiator.clone()
    };
    announcer.notifier.send(&event.by(initiator));
}

impl Auth {
    /// Announces a login by a user who does not exist, unless the domain does not either.
    pub(crate) async fn announce_unknown(
        &self,
        announcer: Option<&Announcer>,
        choice: &UserChoice,
    ) -> Result<()> {
        let Some(announcer) = announcer else {
            return Ok(());
        };
        let user = match choice {
            UserChoice::Id(id) => UnknownUser::Id(id.clone()),
            UserChoice::Name(name, domain) => match self.find_domain(domain).await {
                Ok(domain) => UnknownUser::Name(name.clone(), domain.id, domain.name),
                Err(Error::Unauthorized { .. }) => return Ok(()),
                Err(error) => return Err(error),
            },
        };
        let event = Event::unknown_user(user, announcer.initiator.clone());
        announcer.notifier.send(&event);
        Ok(())
    }
}

/// Announces a login of a user whom an identity provider vouches for, or an exchange of such a user's token, by its audit id.
pub(crate) fn announce_federated(
    announcer: Option<&Announcer>,
    identity_provider: &str,
    token: Option<&str>,
    vouched: Result<Option<(&str, &Federation)>, ()>,
) {
    let Some(announcer) = announcer else { return };
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
