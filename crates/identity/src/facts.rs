//! Facts: everything that decides about tokens, read for many of them by one statement.
//!
//! A caller says what it needs to know about ([`Asked`]) and waits in a queue; the statement that answers begins
//! afterwards, so that no answer is older than its question.

mod queue;
mod statement;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{NaiveDateTime, NaiveTime};
use keystone_types::{Error, Result};

use crate::directory::users::UserWithGroups;
use crate::domain::Domain;
use crate::options::Options;
use crate::project::reference::{DomainRef, ProjectRef};
use crate::project::{Project, ROOT};
use crate::role::implied::RoleGraph;
use crate::role::{Role, RoleRef};
use crate::settings::Settings;
use crate::user::{Subject, UserRow, missing};

pub(crate) use queue::Queue;

/// What a caller needs to know about, by id.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Users, with their groups; or groups, for their own assignments.
    pub actors: BTreeSet<String>,
    /// Projects and domains.
    pub scopes: BTreeSet<String>,
    /// Whether assignments on the system are needed.
    pub on_system: bool,
    /// Whether roles are needed with all their attributes.
    pub whole_roles: bool,
    /// The time from which on revocation events are needed, if any are: those that name one of the actors or scopes, or
    /// one of the audit ids.
    pub events_since: Option<NaiveDateTime>,
    /// Audit ids of tokens.
    pub audit_ids: BTreeSet<String>,
    /// Whether events are needed that name neither user, project nor audit id: those of the chains, trusts and consumers,
    /// and those that name nothing of these either.
    pub unnamed_events: bool,
    /// Audit ids of roots of chains.
    pub chains: BTreeSet<String>,
    /// Trusts.
    pub trusts: BTreeSet<String>,
    /// Consumers of `OAuth1`.
    pub consumers: BTreeSet<String>,
}

impl Asked {
    /// Asks about the other one's things, too.
    pub fn add(&mut self, other: Self) {
        self.actors.extend(other.actors);
        self.scopes.extend(other.scopes);
        self.on_system |= other.on_system;
        self.whole_roles |= other.whole_roles;
        self.events_since = match (self.events_since, other.events_since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.audit_ids.extend(other.audit_ids);
        self.unnamed_events |= other.unnamed_events;
        self.chains.extend(other.chains);
        self.trusts.extend(other.trusts);
        self.consumers.extend(other.consumers);
    }
}

/// A revocation event: it ends the tokens that have everything that it names.
#[derive(Clone, Debug)]
pub struct Event {
    /// The user.
    pub user_id: Option<String>,
    /// The project in scope.
    pub project_id: Option<String>,
    /// The token.
    pub audit_id: Option<String>,
    /// The root of the token's chain.
    pub audit_chain_id: Option<String>,
    /// The domain of the user, or the one in scope.
    pub domain_id: Option<String>,
    /// A role.
    pub role_id: Option<String>,
    /// The trust.
    pub trust_id: Option<String>,
    /// The consumer of the access token.
    pub consumer_id: Option<String>,
    /// The end of the token.
    pub expires_at: Option<NaiveDateTime>,
    /// Tokens that were issued later are not meant.
    pub issued_before: NaiveDateTime,
}

/// Whose assignments count.
#[derive(Clone, Copy, Debug)]
pub enum Holder<'a> {
    /// A user's, and those of the user's groups.
    User(&'a str),
    /// The same with those of groups that an identity provider vouches for, of which the user need not be a member.
    Vouched {
        /// The user.
        user: &'a str,
        /// The groups, by the ids of the database.
        groups: &'a [String],
    },
    /// Those of groups, by the ids of the database, of which nobody need be a member.
    Groups(&'a [String]),
}

/// The kinds of targets that assignments have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Project,
    Domain,
    System,
}

/// An assignment to a user or a group.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Assignment {
    role_id: String,
    /// A group may have the id of a user, if identity backends make both.
    to_group: bool,
    on: Target,
    target: Key,
    inherited: bool,
}

/// A project or a domain.
#[derive(Debug)]
struct ScopeFacts {
    project: ProjectRef,
    /// The stored owner: above all domains, there is one row.
    owner_id: String,
    ancestors: Vec<String>,
}

/// A user's membership in a group.
#[derive(Debug)]
struct Membership {
    group_id: String,
    /// When it ends; a federated one does.
    end: Option<NaiveDateTime>,
}

/// An id as the database compares it: without case and spaces at the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key(String);

fn key(id: &str) -> Key {
    Key(id.trim_end_matches(' ').to_ascii_lowercase())
}

/// What the database held when a statement read it.
#[derive(Debug)]
pub struct Facts {
    settings: Arc<Settings>,
    /// When it was read.
    now: NaiveDateTime,
    users: HashMap<Key, UserRow>,
    /// The options of users, each as `id` and the hex of its value.
    options: HashMap<Key, Vec<String>>,
    scopes: HashMap<Key, ScopeFacts>,
    assignments: HashMap<Key, BTreeSet<Assignment>>,
    memberships: HashMap<Key, BTreeMap<Key, Membership>>,
    graph: RoleGraph,
    whole_roles: Vec<Role>,
    events: Vec<Event>,
    /// The users who are in directories; `None` for one who is gone.
    directory_users: HashMap<Key, Option<Subject>>,
}

impl Facts {
    fn new(settings: Arc<Settings>, now: NaiveDateTime) -> Self {
        Self {
            settings,
            now,
            users: HashMap::new(),
            options: HashMap::new(),
            scopes: HashMap::new(),
            assignments: HashMap::new(),
            memberships: HashMap::new(),
            graph: RoleGraph::default(),
            whole_roles: Vec::new(),
            events: Vec::new(),
            directory_users: HashMap::new(),
        }
    }

    /// One user with its domain.
    pub fn subject(&self, id: &str) -> Result<Subject> {
        let known = key(id);
        if let Some(found) = self.directory_users.get(&known) {
            return found.clone().ok_or_else(|| missing(id));
        }
        let mut row = self.users.get(&known).cloned().ok_or_else(|| missing(id))?;
        if let Some(options) = self.options.get(&known) {
            row.options = Options::stored(Some(options.join(",")), "user", &row.id)?;
        }
        Ok(row.into_subject(&self.settings, self.now.date()))
    }

    /// The users with these ids, each with its domain; those that do not exist are left out.
    pub fn subjects<'i>(&self, ids: impl IntoIterator<Item = &'i str>) -> Result<Vec<Subject>> {
        let is_there = |id: &&str| match self.directory_users.get(&key(id)) {
            Some(found) => found.is_some(),
            None => self.users.contains_key(&key(id)),
        };
        let there = ids.into_iter().filter(is_there);
        there.map(|id| self.subject(id)).collect()
    }

    /// One project with its domain.
    pub fn project(&self, id: &str) -> Result<&ProjectRef> {
        let found = self.scopes.get(&key(id)).map(|scope| &scope.project);
        let found = found.filter(|project| project.id != ROOT);
        found.ok_or_else(|| Error::not_found::<Project>(id))
    }

    /// One domain.
    pub fn domain(&self, id: &str) -> Result<&DomainRef> {
        let found = self.scopes.get(&key(id));
        let found = found.filter(|it| it.project.is_domain && it.project.id != it.owner_id);
        let found = found.map(|scope| &scope.project.domain);
        found.ok_or_else(|| Error::not_found::<Domain>(id))
    }

    /// The ids of the ancestors of a project, nearest first, with the domain at the top.
    pub fn ancestors(&self, project_id: &str) -> &[String] {
        let found = self.scopes.get(&key(project_id));
        found.map_or(&[], |scope| &scope.ancestors)
    }

    /// The ids of the groups of a user; memberships that have ended are among them.
    pub fn groups(&self, user_id: &str) -> impl Iterator<Item = &str> {
        self.memberships(user_id).map(|it| it.group_id.as_str())
    }

    /// When time alone changes something about a user: a membership ends, or the user was inactive for too long. At once for
    /// one of a directory, since nothing tells of its changes.
    pub fn until(&self, user_id: &str) -> Option<NaiveDateTime> {
        if self.directory_users.contains_key(&key(user_id)) {
            return Some(self.now);
        }
        let ends = self.memberships(user_id).filter_map(|it| it.end);
        let ends = ends.filter(|end| *end > self.now);
        let counts_days = self
            .settings
            .compliance
            .disable_after_days_inactive
            .is_some();
        let tomorrow = self.now.date().succ_opt().filter(|_| counts_days);
        ends.chain(tomorrow.map(|day| day.and_time(NaiveTime::MIN)))
            .min()
    }

    /// Adds what directories said about users, before or while the database was read.
    fn add_directory_users(&mut self, found: BTreeMap<String, Option<UserWithGroups>>) {
        for (id, member) in found {
            // What the database has of them is from their first login.
            self.memberships.remove(&key(&id));
            let subject = member.map(|member| {
                for group in &member.groups {
                    self.add_membership(&id, group, None);
                }
                member.subject
            });
            self.directory_users.insert(key(&id), subject);
        }
    }

    /// The revocation events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The effective roles on a project, by id.
    pub fn roles_on_project(&self, holder: Holder<'_>, project_id: &str) -> Vec<RoleRef> {
        self.graph
            .expand(self.assigned_on_project(holder, project_id))
    }

    /// The effective roles on a domain, by id.
    pub fn roles_on_domain(&self, holder: Holder<'_>, domain_id: &str) -> Vec<RoleRef> {
        let domain = key(domain_id);
        let applies =
            |it: &Assignment| it.on == Target::Domain && !it.inherited && it.target == domain;
        self.graph.expand(self.assigned(holder, applies))
    }

    /// The effective roles on the system, by id.
    pub fn roles_on_system(&self, holder: Holder<'_>) -> Vec<RoleRef> {
        let applies = |it: &Assignment| it.on == Target::System;
        self.graph.expand(self.assigned(holder, applies))
    }

    /// The ids of the roles on a project that a user can delegate: the effective ones, domain-specific ones among them.
    pub fn delegable_roles(&self, user_id: &str, project_id: &str) -> BTreeSet<String> {
        self.closure(self.assigned_on_project(Holder::User(user_id), project_id))
    }

    /// Whether there is a role with this id.
    pub fn knows_role(&self, id: &str) -> bool {
        self.graph.has(id)
    }

    /// The ids of these roles and of those that they imply, domain-specific ones among them.
    pub fn closure<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        self.graph.closure(ids).into_iter().cloned().collect()
    }

    /// The roles with these ids and those that they imply, whether anybody has them or not.
    pub fn with_implied<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Vec<RoleRef> {
        self.graph.expand(ids)
    }

    /// The roles with these ids and all their attributes; those that do not exist are left out.
    pub fn whole_roles<'r>(&'r self, ids: &'r [RoleRef]) -> impl Iterator<Item = &'r Role> {
        let roles = self.whole_roles.iter();
        roles.filter(|role| ids.iter().any(|wanted| wanted.id == role.id))
    }

    fn memberships(&self, user_id: &str) -> impl Iterator<Item = &Membership> {
        let of_user = self.memberships.get(&key(user_id));
        of_user.into_iter().flat_map(BTreeMap::values)
    }

    /// Direct assignments apply on the project itself, inherited ones apply from its ancestors.
    fn assigned_on_project<'f>(&'f self, holder: Holder<'_>, project_id: &str) -> Vec<&'f str> {
        let project = key(project_id);
        let ancestors: BTreeSet<Key> = self
            .ancestors(project_id)
            .iter()
            .map(|id| key(id))
            .collect();
        self.assigned(holder, |it| {
            if it.target == project {
                it.on == Target::Project && !it.inherited
            } else {
                it.on != Target::System && it.inherited && ancestors.contains(&it.target)
            }
        })
    }

    /// The ids of the roles that are assigned to a holder.
    fn assigned<'f>(
        &'f self,
        holder: Holder<'_>,
        applies: impl Fn(&Assignment) -> bool,
    ) -> Vec<&'f str> {
        let (user, groups): (_, &[String]) = match holder {
            Holder::Groups(ids) => (None, ids),
            Holder::User(id) => (Some(id), &[]),
            Holder::Vouched { user, groups } => (Some(user), groups),
        };
        let lasts = |it: &&Membership| it.end.is_none_or(|end| end > self.now);
        let memberships = user.into_iter().flat_map(|id| self.memberships(id));
        let memberships = memberships.filter(lasts).map(|it| it.group_id.as_str());
        let groups = memberships.chain(groups.iter().map(String::as_str));
        let actors = user.into_iter().map(|id| (false, id));
        let actors = actors.chain(groups.map(|id| (true, id)));
        let found = actors.flat_map(|(is_group, id)| {
            let assignments = self.assignments.get(&key(id)).into_iter().flatten();
            assignments.filter(move |it| it.to_group == is_group)
        });
        found
            .filter(|it| applies(it))
            .map(|it| it.role_id.as_str())
            .collect()
    }
}
