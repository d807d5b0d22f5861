//! Events and their initiators. Names of events and members of payloads are those of `keystone/notifications.py`.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};
use uuid::{Builder, Uuid};

/// How many characters of a text that a client has chosen are announced. Names of what there is are not longer.
const LONGEST_TEXT: usize = 255;

/// What was done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was removed.
    Deleted,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// Whether it worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did.
    Success,
    /// It did not.
    Failure,
}

impl Outcome {
    /// Of something that was tried.
    pub fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() {
            Self::Success
        } else {
            Self::Failure
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// How a user's membership in a group has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// The user is a member now.
    Added,
    /// The user is no member any more.
    Removed,
}

/// A role of a user or a group on a project or a domain.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// `user` or `group`, and its id.
    pub actor: (&'static str, String),
    /// `project` or `domain`, and its id.
    pub target: (&'static str, String),
    /// Whether it is for the projects below the target.
    pub inherited: bool,
    /// The id of the role.
    pub role: String,
}

/// Something to announce.
#[derive(Clone, Debug)]
pub struct Event {
    pub(crate) subject: Subject,
    pub(crate) outcome: Outcome,
    pub(crate) initiator: Option<Initiator>,
    /// A message for people, and the status of the answer.
    reason: Option<(String, u16)>,
    /// The hash of a wrong password.
    partial_hash: Option<String>,
}

/// What an event is about.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Resource {
        operation: Operation,
        kind: &'static str,
        id: String,
        /// The user whose membership has changed, of a group.
        member: Option<(String, Membership)>,
    },
    Assignment(Operation, Assignment),
    Authentication,
}

impl Event {
    /// A resource of a kind was made, changed or removed. The kind is the noun of the event's name: `user`,
    /// `OS-TRUST:trust`.
    pub fn resource(operation: Operation, kind: &'static str, id: impl Into<String>) -> Self {
        Self::about(Subject::Resource {
            operation,
            kind,
            id: id.into(),
            member: None,
        })
    }

    /// A user was put into a group, or taken out of it.
    pub fn member(group: impl Into<String>, user: impl Into<String>, change: Membership) -> Self {
        Self::about(Subject::Resource {
            operation: Operation::Updated,
            kind: "group",
            id: group.into(),
            member: Some((user.into(), change)),
        })
    }

    /// A role was to be granted or revoked.
    pub fn assignment(operation: Operation, assignment: Assignment, outcome: Outcome) -> Self {
        Self {
            outcome,
            ..Self::about(Subject::Assignment(operation, assignment))
        }
    }

    /// A login has named a user who does not exist.
    pub fn unknown_user(user: UnknownUser, initiator: Initiator) -> Self {
        let user = user.clipped();
        let (UnknownUser::Id(sought) | UnknownUser::Name(sought, ..)) = &user;
        let text = format!("Could not find user: {sought}.");
        Self::authentication(Outcome::Failure)
            .because(text, 404)
            .by(Initiator {
                unknown: Some(user),
                ..initiator
            })
    }

    /// Somebody has tried to log in.
    pub fn authentication(outcome: Outcome) -> Self {
        Self {
            outcome,
            ..Self::about(Subject::Authentication)
        }
    }

    fn about(subject: Subject) -> Self {
        Self {
            subject,
            outcome: Outcome::Success,
            initiator: None,
            reason: None,
            partial_hash: None,
        }
    }

    /// The same with the one who did it.
    #[must_use]
    pub fn by(self, initiator: Initiator) -> Self {
        Self {
            initiator: Some(initiator),
            ..self
        }
    }

    /// The same with a message for people, and the status of the answer.
    #[must_use]
    pub fn because(self, message: impl Into<String>, status: u16) -> Self {
        Self {
            reason: Some((message.into(), status)),
            ..self
        }
    }

    /// The same with the hash of the password that a login was refused for, if it is to be announced.
    #[must_use]
    pub fn with_partial_hash(self, partial_hash: Option<String>) -> Self {
        Self {
            partial_hash,
            ..self
        }
    }

    pub(crate) fn name(&self) -> String {
        match &self.subject {
            Subject::Resource {
                operation, kind, ..
            } => format!("identity.{kind}.{}", operation.name()),
            Subject::Assignment(operation, _) => {
                format!("identity.role_assignment.{}", operation.name())
            }
            Subject::Authentication => "identity.authenticate".to_owned(),
        }
    }

    /// Whether it is about a change that was refused.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.subject, Subject::Resource { .. }) && self.reason.is_some()
    }

    /// The payload of the format `basic`; none for what that format announces by CADF.
    pub(crate) fn basic(&self) -> Option<Value> {
        let Subject::Resource { id, member, .. } = &self.subject else {
            return None;
        };
        let mut payload = json!({ "resource_info": id });
        if let Some((user, change)) = member {
            payload["actor_id"] = user.as_str().into();
            payload["actor_type"] = "user".into();
            payload["actor_operation"] = match change {
                Membership::Added => "added".into(),
                Membership::Removed => "removed".into(),
            };
        }
        if let Some(initiator) = &self.initiator {
            payload["request_id"] = initiator.request_id.as_str().into();
            if let Some(id) = &initiator.global_request_id {
                payload["global_request_id"] = id.as_str().into();
            }
        }
        Some(payload)
    }

    /// The payload of CADF. `id` gives ids that are new each time.
    pub(crate) fn cadf(&self, time: &str, id: impl Fn() -> String) -> Value {
        const ACCOUNT: &str = "service/security/account/user";
        let (action, target) = match &self.subject {
            Subject::Resource {
                operation,
                kind,
                id,
                ..
            } => (
                format!("{}.{kind}", operation.name()),
                json!({ "id": id, "typeURI": type_uri(kind) }),
            ),
            Subject::Assignment(operation, _) => (
                format!("{}.role_assignment", operation.name()),
                json!({ "id": id(), "typeURI": ACCOUNT }),
            ),
            Subject::Authentication => (
                "authenticate".to_owned(),
                json!({ "id": id(), "typeURI": ACCOUNT }),
            ),
        };
        let mut payload = json!({
            "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
            "eventType": "activity",
            "id": id(),
            "eventTime": time,
            "action": action,
            "outcome": self.outcome.name(),
            // In place of the id of this service in the catalog.
            "observer": { "id": id(), "typeURI": "service/security" },
        });
        if let Some(initiator) = &self.initiator {
            payload["initiator"] = initiator.cadf(ACCOUNT, &id);
        }
        payload["target"] = target;
        if let Some((message, status)) = &self.reason {
            payload["reason"] = json!({ "reasonType": message, "reasonCode": status.to_string() });
        }
        if let Some(hash) = &self.partial_hash {
            payload["attachments"] = json!([{ "typeURI": "mime:text/plain", "content": hash, "name": "partial_password_hash" }]);
        }
        match &self.subject {
            Subject::Resource { id, .. } => payload["resource_info"] = id.as_str().into(),
            Subject::Assignment(_, assignment) => {
                for (what, id) in [&assignment.target, &assignment.actor] {
                    payload[*what] = id.as_str().into();
                }
                payload["inherited_to_projects"] = assignment.inherited.into();
                payload["role"] = assignment.role.as_str().into();
            }
            Subject::Authentication => {}
        }
        payload
    }
}

/// The type of a resource in CADF's taxonomy.
fn type_uri(kind: &str) -> &'static str {
    match kind {
        "group" => "data/security/group",
        "project" => "data/security/project",
        "role" => "data/security/role",
        "user" => "data/security/account/user",
        "domain" => "data/security/domain",
        "region" => "data/security/region",
        "endpoint" => "data/security/endpoint",
        "service" => "data/security/service",
        "policy" => "data/security/policy",
        "OS-TRUST:trust" => "data/security/trust",
        "OS-OAUTH1:consumer" => "data/security/account",
        "OS-OAUTH1:access_token" | "OS-OAUTH1:request_token" | "application_credential" => {
            "data/security/credential"
        }
        // As Keystone has it for `credential`, `access_rule` and `project tag`.
        _ => "unknown",
    }
}

impl UnknownUser {
    fn clipped(self) -> Self {
        let clipped = |text: String| clipped(&text).to_owned();
        match self {
            Self::Id(id) => Self::Id(clipped(id)),
            Self::Name(name, domain_id, domain) => {
                Self::Name(clipped(name), clipped(domain_id), clipped(domain))
            }
        }
    }
}

fn clipped(text: &str) -> &str {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// The user and the request behind an event.
#[derive(Clone, Debug, Default)]
pub struct Initiator {
    /// The client's address, where it is known.
    pub address: Option<IpAddr>,
    /// `User-Agent`
    pub agent: String,
    /// The id of the request: `req-…`.
    pub request_id: String,
    /// The id that the client gave to what the request is a part of.
    pub global_request_id: Option<String>,
    /// The user.
    pub user_id: Option<String>,
    /// The name of that user.
    pub name: Option<String>,
    /// The project that the caller's token is scoped to.
    pub project_id: Option<String>,
    /// The domain that the token is scoped to.
    pub domain_id: Option<String>,
    /// The user that a login has named, where there is none.
    pub unknown: Option<UnknownUser>,
    /// The user as an identity provider describes them.
    pub credential: Option<FederatedCredential>,
}

/// A user who does not exist.
#[derive(Clone, Debug)]
pub enum UnknownUser {
    /// By id.
    Id(String),
    /// By name, in the domain of this id and name.
    Name(String, String, String),
}

/// A user as an identity provider describes them.
#[derive(Clone, Debug)]
pub struct FederatedCredential {
    /// The audit id of the token that was presented.
    pub token: Option<String>,
    /// The id of the provider.
    pub identity_provider: String,
    /// The id of the user.
    pub user: Option<String>,
    /// The ids of the groups.
    pub groups: Vec<String>,
}

impl Initiator {
    fn cadf(&self, account: &str, new_id: impl Fn() -> String) -> Value {
        let id = self.user_id.as_deref().map_or_else(new_id, resource_uuid);
        let mut host = Map::new();
        if let Some(address) = self.address {
            host.insert("address".to_owned(), address.to_string().into());
        }
        host.insert("agent".to_owned(), clipped(&self.agent).into());
        let mut initiator = json!({ "id": id, "typeURI": account, "host": host });
        if let Some(credential) = &self.credential {
            initiator["credential"] = credential.cadf();
        }
        for (key, value) in [
            ("user_id", &self.user_id),
            ("project_id", &self.project_id),
            ("domain_id", &self.domain_id),
            ("global_request_id", &self.global_request_id),
            ("name", &self.name),
            ("username", &self.name),
        ] {
            if let Some(value) = value {
                initiator[key] = value.as_str().into();
            }
        }
        match &self.unknown {
            Some(UnknownUser::Id(id)) => initiator["user_id"] = id.as_str().into(),
            Some(UnknownUser::Name(name, domain_id, domain_name)) => {
                initiator["user_name"] = name.as_str().into();
                initiator["domain_id"] = domain_id.as_str().into();
                initiator["domain_name"] = domain_name.as_str().into();
            }
            None => {}
        }
        initiator["request_id"] = self.request_id.as_str().into();
        initiator
    }
}

impl FederatedCredential {
    fn cadf(&self) -> Value {
        json!({
            "type": "http://docs.oasis-open.org/security/saml/v2.0",
            "token": self.token.as_deref().unwrap_or("unknown"),
            "identity_provider": self.identity_provider,
            "user": self.user.as_deref().unwrap_or("unknown"),
            "groups": self.groups,
        })
    }
}

/// The id as CADF wants it, which allows UUIDs only: `keystone.common.utils.resource_uuid`.
fn resource_uuid(id: &str) -> String {
    const NAMESPACE: Uuid = Uuid::from_u128(0x4332_ecab_770b_4288_a680_b9ac_a3b1_b153);
    match Uuid::try_parse(id) {
        Ok(_) => id.to_owned(),
        Err(_) => uuid5(NAMESPACE, id).simple().to_string(),
    }
}

/// The UUID of a name in a namespace (RFC 9562, version 5).
pub(crate) fn uuid5(namespace: Uuid, name: &str) -> Uuid {
    let digest = Sha1::new()
        .chain_update(namespace.as_bytes())
        .chain_update(name.as_bytes())
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_sha1_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_clients_are_cut() {
        let long = "ü".repeat(300);
        let initiator = Initiator {
            agent: long.clone(),
            ..Initiator::default()
        };
        let user = UnknownUser::Name(long.clone(), long.clone(), long);
        let event = Event::unknown_user(user, initiator);
        let payload = event.cadf("now", || "id".to_owned());
        let (cut, initiator) = ("ü".repeat(255), &payload["initiator"]);
        for key in ["user_name", "domain_id", "domain_name"] {
            assert_eq!(initiator[key], cut, "{key}");
        }
        assert_eq!(initiator["host"]["agent"], cut);
        let reason = format!("Could not find user: {cut}.");
        assert_eq!(payload["reason"]["reasonType"], reason);
    }

    #[test]
    fn id_that_is_no_uuid_becomes_the_uuid5_of_python() {
        // uuid.uuid5(uuid.UUID("4332ecab-770b-4288-a680-b9aca3b1b153"), "federated").hex
        assert_eq!(
            resource_uuid("federated"),
            "cdf2a8bbc27f571fa21d63e0d11c0b63"
        );
        let id = "e7e31bbf8e29418895970ea1d6642a6e";
        assert_eq!(resource_uuid(id), id);
    }
}
