//! The names of the users, groups, projects and roles that assignments mention.

use std::collections::{HashMap, HashSet};

use keystone_storage::{Select, select};
use keystone_types::{Error, Result};

use super::{Assignments, Position};
use crate::directory::EntityBackend;
use crate::directory::id_mapping::Entity;
use crate::directory::users::subjects_in;
use crate::identity::Identity;
use crate::project::ROOT;
use crate::project::reference::DomainRef;
use crate::role::grant::{Actor, GrantTarget};
use crate::user::Subject;

/// Names by id; a deleted resource has none.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Of users.
    pub users: HashMap<String, Named>,
    /// Of groups.
    pub groups: HashMap<String, Named>,
    /// Of projects, and of domains.
    pub projects: HashMap<String, Named>,
    /// Of roles.
    pub roles: HashMap<String, Named>,
}

/// A name, and the domain in which it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The domain's id; a global role has none.
    pub domain_id: Option<String>,
    /// The domain's name.
    pub domain_name: Option<String>,
}

/// Kind, id, name, domain id and domain name.
type Row = (
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// The users in a table, each with the first name of a federated account, the one that no earlier one precedes: a subquery
/// that sorts them costs several times as much.
macro_rules! users_in {
    ($table:literal) => {
        concat!(
            "SELECT 'user', u.id, COALESCE(l.name, n.name, f.display_name), u.domain_id, d.name FROM ",
            $table,
            " LEFT JOIN project d ON d.id = u.domain_id \
              LEFT JOIN local_user l ON l.user_id = u.id \
              LEFT JOIN nonlocal_user n ON n.user_id = u.id \
              LEFT JOIN federated_user f ON f.user_id = u.id \
              LEFT JOIN federated_user earlier ON earlier.user_id = f.user_id AND earlier.id < f.id"
        )
    };
}

const USERS: &str = users_in!("`user` u");

/// Those to whom something is granted.
const GRANTED_USERS: &str = users_in!(
    "(SELECT actor_id FROM assignment UNION SELECT actor_id FROM system_assignment) a \
     JOIN `user` u ON u.id = a.actor_id"
);

const GROUPS: &str = "\
    SELECT 'group', g.id, g.name, g.domain_id, d.name FROM `group` g LEFT JOIN project d ON d.id = g.domain_id";

macro_rules! projects_in {
    ($table:literal) => {
        concat!(
            "SELECT 'project', p.id, p.name, p.domain_id, d.name FROM ",
            $table,
            " LEFT JOIN project d ON d.id = p.domain_id"
        )
    };
}

const PROJECTS: &str = projects_in!("project p");

/// Those on which something is granted.
const GRANTED_PROJECTS: &str = projects_in!(
    "(SELECT DISTINCT target_id FROM assignment) a JOIN project p ON p.id = a.target_id"
);

const ROLES: &str = "\
    SELECT 'role', r.id, r.name, NULLIF(r.domain_id, '<<null>>'), d.name \
      FROM role r LEFT JOIN project d ON d.id = r.domain_id";

/// The ids that assignments mention.
#[derive(Debug, Default)]
pub(super) struct MentionedIds {
    users: HashSet<String>,
    groups: HashSet<String>,
    projects: HashSet<String>,
    roles: HashSet<String>,
}

impl MentionedIds {
    pub(super) fn of(assignments: &Assignments) -> Self {
        let mut mentioned = Self::default();
        assignments.visit(&mut Position::default(), usize::MAX, |item| {
            match &item.actor {
                Actor::User(id) => add(&mut mentioned.users, id),
                Actor::Group(id) => add(&mut mentioned.groups, id),
            }
            if let GrantTarget::Project(id, _) | GrantTarget::Domain(id, _) = &item.target {
                add(&mut mentioned.projects, id);
            }
            add(&mut mentioned.roles, &item.role_id);
        });
        mentioned
    }
}

fn add(ids: &mut HashSet<String>, id: &str) {
    if !ids.contains(id) {
        ids.insert(id.to_owned());
    }
}

impl Identity {
    /// The names of everything that assignments mention, in one statement; `granted` tells that they are what was granted.
    pub(super) async fn names(&self, mentioned: MentionedIds, granted: bool) -> Result<Names> {
        let (users, projects) = if granted {
            (GRANTED_USERS, GRANTED_PROJECTS)
        } else {
            (USERS, PROJECTS)
        };
        let users = if is_few(&mentioned.users) {
            USERS
        } else {
            users
        };
        let projects = if is_few(&mentioned.projects) {
            PROJECTS
        } else {
            projects
        };
        let select = select(users).and("earlier.id IS NULL");
        let select = within_or_all(select, "u.id", &mentioned.users);
        let select = within_or_all(select.union_all(GROUPS), "g.id", &mentioned.groups);
        let select = within_or_all(select.union_all(projects), "p.id", &mentioned.projects);
        let select = within_or_all(select.union_all(ROLES), "r.id", &mentioned.roles);
        let rows: Vec<Row> = select.then("").fetch_all(&self.db).await?;
        let mut names = self.bulk.run(rows.len(), move || names(rows)).await?;
        self.name_in_directories(mentioned, &mut names).await?;
        Ok(names)
    }

    /// Adds the names of users and groups that are in directories. Those who have logged in have a row, whose name may be an
    /// earlier one. The ids are those of the assignments, which may be in other letters than the directory's.
    async fn name_in_directories(&self, mentioned: MentionedIds, names: &mut Names) -> Result<()> {
        let ids: Vec<&str> = mentioned.users.iter().map(String::as_str).collect();
        let backends = self.entity_backends(Entity::User, &ids).await?;
        for (id, Subject { user, domain }) in subjects_in(&ids, backends).await? {
            let name = user.name().to_owned();
            names.users.insert(id.to_owned(), named(name, domain));
        }
        let ids: Vec<&str> = mentioned.groups.iter().map(String::as_str).collect();
        let backends = self.entity_backends(Entity::Group, &ids).await?;
        for (id, backend) in ids.iter().zip(backends) {
            let EntityBackend::Directory(entry) = backend else {
                continue;
            };
            let domain = entry.of.domain.clone();
            match entry.group().await {
                Err(Error::NotFound { .. }) => {}
                found => {
                    let name = found?.name;
                    names.groups.insert((*id).to_owned(), named(name, domain));
                }
            }
        }
        Ok(())
    }
}

fn named(name: String, domain: DomainRef) -> Named {
    Named {
        name,
        domain_id: Some(domain.id),
        domain_name: Some(domain.name),
    }
}

fn names(rows: Vec<Row>) -> Names {
    let mut names = Names::default();
    for (kind, id, name, domain_id, domain_name) in rows {
        let of_kind = match kind.as_str() {
            "user" => &mut names.users,
            "group" => &mut names.groups,
            "project" => &mut names.projects,
            _ => &mut names.roles,
        };
        let name = name.unwrap_or_default();
        let found = Named {
            name,
            domain_id,
            domain_name,
        };
        of_kind.insert(id, found);
    }
    // A project that acts as a domain is shown as its own domain.
    for (id, project) in &mut names.projects {
        if project.domain_id.as_deref() == Some(ROOT) {
            project.domain_id = Some(id.clone());
            project.domain_name = Some(project.name.clone());
        }
    }
    names
}

/// The most ids that a statement lists; with more it finds everything that there can be.
const MAX_IDS: usize = 1000;

fn is_few(ids: &HashSet<String>) -> bool {
    ids.len() <= MAX_IDS
}

/// Narrows to these ids, unless they are too many for a statement.
fn within_or_all(select: Select, column: &'static str, ids: &HashSet<String>) -> Select {
    if is_few(ids) {
        select.within(column, ids)
    } else {
        select
    }
}
