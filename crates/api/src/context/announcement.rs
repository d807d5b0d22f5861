//! Announcements of handlers, made once the service has committed: see `keystone-notify`. Without a notifier no event is built.

use keystone_auth::Scope;
use keystone_identity::{Actor, Deleted, Grant, GrantTarget, Inheritance};
use keystone_notify::{Announcer, Assignment, Event, Initiator, Membership, Operation, Outcome};
use keystone_types::Result;

use super::Context;
use crate::forwarded::Forwarded;
use crate::middleware::{Caller, RequestId, header_text, latin1};

impl Context {
    /// The notifier with the initiator of this request; none where no notifier is configured.
    pub(crate) fn announcer(&self) -> Option<Announcer> {
        let notifier = self.app.notifier.clone()?;
        let initiator = self.initiator();
        Some(Announcer {
            notifier,
            initiator,
        })
    }

    /// Announces that a resource was made, changed or removed.
    pub(crate) fn announce(&self, operation: Operation, kind: &'static str, id: &str) {
        self.notify(|| Event::resource(operation, kind, id).by(self.initiator()));
    }

    /// The same without an initiator, where Keystone names none.
    pub(crate) fn announce_without_initiator(
        &self,
        operation: Operation,
        kind: &'static str,
        id: &str,
    ) {
        self.notify(|| Event::resource(operation, kind, id));
    }

    /// Announces resources that were deleted with another one.
    pub(crate) fn announce_deleted(&self, deleted: &[Deleted]) {
        for (kind, id) in deleted {
            self.announce_without_initiator(Operation::Deleted, kind, id);
        }
    }

    /// Announces a change of a project, which may act as a domain.
    pub(crate) fn announce_project(&self, operation: Operation, id: &str, is_domain: bool) {
        // A new domain is a domain only (`keystone/resource/core.py`).
        if !is_domain || operation != Operation::Created {
            self.announce(operation, "project", id);
        }
        if is_domain {
            self.announce(operation, "domain", id);
        }
    }

    /// Announces that a user was put into a group, or taken out of it.
    pub(crate) fn announce_member(&self, group: &str, user: &str, change: Membership) {
        self.notify(|| Event::member(group, user, change).by(self.initiator()));
    }

    /// Announces that a role was granted or revoked, or that this failed. As in Keystone, roles on the system are not announced,
    /// and events below `/v3/OS-INHERIT` name no initiator.
    pub(crate) fn announce_grant<T>(
        &self,
        operation: Operation,
        grant: &Grant,
        role: &str,
        done: &Result<T>,
    ) {
        let (target, inheritance) = match &grant.target {
            GrantTarget::Project(id, inheritance) => (("project", id.clone()), inheritance),
            GrantTarget::Domain(id, inheritance) => (("domain", id.clone()), inheritance),
            GrantTarget::System => return,
        };
        self.notify(|| {
            let actor = match &grant.actor {
                Actor::User(id) => ("user", id.clone()),
                Actor::Group(id) => ("group", id.clone()),
            };
            let assignment = Assignment {
                actor,
                target,
                inherited: *inheritance == Inheritance::Inherited,
                role: role.to_owned(),
            };
            let event = Event::assignment(operation, assignment, Outcome::of(done));
            match inheritance {
                Inheritance::Direct => event.by(self.initiator()),
                Inheritance::Inherited => event,
            }
        });
    }

    fn notify(&self, event: impl FnOnce() -> Event) {
        if let Some(notifier) = &self.app.notifier {
            notifier.send(&event());
        }
    }

    fn initiator(&self) -> Initiator {
        let peer = self.connection.map(|connection| connection.remote.ip());
        let forwarded = Forwarded::read(&self.headers, self.app.settings.proxy_headers);
        let agent = self.headers.get("user-agent").map(latin1);
        let (project_id, domain_id) = match self.caller.scope() {
            Some(Scope::Project(project)) => (Some(project.id.clone()), None),
            Some(Scope::Domain(domain)) => (None, Some(domain.id.clone())),
            Some(Scope::Unscoped | Scope::System) | None => (None, None),
        };
        Initiator {
            address: forwarded.client(peer),
            agent: agent.unwrap_or_default(),
            request_id: self
                .request_id
                .as_ref()
                .map(|RequestId(id)| id.clone())
                .unwrap_or_default(),
            global_request_id: header_text(&self.headers, "x-openstack-request-id")
                .filter(|id| is_request_id(id))
                .map(str::to_owned),
            user_id: self.caller.user_id().map(str::to_owned),
            name: match &self.caller {
                Caller::Token(token) => token.subject.user.name.clone(),
                Caller::Nobody | Caller::AdminToken | Caller::Tokenless(_) => None,
            },
            project_id,
            domain_id,
            ..Initiator::default()
        }
    }
}

/// Whether a client may call a request so: `oslo_middleware/request_id.py`.
fn is_request_id(id: &str) -> bool {
    let Some(uuid) = id.strip_prefix("req-") else {
        return false;
    };
    let lengths = [8, 4, 4, 4, 12];
    let mut parts = uuid.split('-');
    let is_hex = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    lengths.iter().all(|length| {
        parts
            .next()
            .is_some_and(|part| part.len() == *length && is_hex(part))
    }) && parts.next().is_none()
}
