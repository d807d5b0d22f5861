//! Effective roles: the roles of a user on a target, including those through groups, inheritance and implied roles.

use std::collections::{BTreeSet, HashSet};

use keystone_storage::{Select, select};
use keystone_types::{Listing, Page, Result};

use crate::domain::Domain;
use crate::group::comma_joined;
use crate::identity::Identity;
use crate::project::reference::ProjectRef;
use crate::project::{PROJECTS, Project, ROOT, projects_in};
use crate::role::RoleRef;
use crate::role::implied::RoleGraph;

const ROLES: &str = "SELECT a.role_id FROM assignment a JOIN project t ON t.id = a.target_id";

/// The project and its ancestors.
const UP: &str = "\
    WITH RECURSIVE up (id) AS (\
        SELECT id FROM project WHERE id = ? \
        UNION SELECT p.parent_id FROM project p JOIN up ON p.id = up.id WHERE p.parent_id IS NOT NULL) ";
const ROLES_UP: &str = "SELECT a.role_id FROM assignment a JOIN up t ON t.id = a.target_id";

const ROLES_ON_DOMAIN: &str = "SELECT a.role_id FROM assignment a";
const ROLES_ON_SYSTEM: &str = "SELECT a.role_id FROM system_assignment a";

/// Direct grants apply on the project itself, inherited grants apply from its ancestors.
const APPLIES: &str = "\
    CASE WHEN t.id = ? THEN a.inherited = 0 AND a.type IN ('UserProject', 'GroupProject') ELSE a.inherited = 1 END";

/// A `WITH` that names the assignments of a user as `assigned`, and the projects on which these take effect as `reached`.
const REACHABLE_PROJECTS: &str = include_str!("effective_roles/reachable_projects.sql");

/// A user with everything that effective roles are computed from: groups and implied roles.
#[derive(Debug)]
pub struct Holder {
    actors: Actors,
    graph: RoleGraph,
}

impl Holder {
    /// Whether there is a role with this id.
    pub fn knows_role(&self, id: &str) -> bool {
        self.graph.has(id)
    }
}

/// A user and the groups of the user: the actors whose assignments count.
#[derive(Debug)]
pub(crate) struct Actors {
    user: String,
    /// The ids of the groups of unexpired federated memberships, [`comma_joined`].
    expiring: String,
    /// The ids of groups of which the user need not be a member, [`comma_joined`].
    mapped: String,
}

/// The targets for which assignments of groups are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupTargets {
    ProjectsAndDomains,
    Domains,
    System,
}

impl GroupTargets {
    /// One condition for each assignment type: the primary key begins with the type.
    fn conditions(self) -> &'static [&'static str] {
        match self {
            Self::ProjectsAndDomains => &[
                "m.user_id = ? AND a.type = 'GroupProject'",
                "m.user_id = ? AND a.type = 'GroupDomain'",
            ],
            Self::Domains => &["m.user_id = ? AND a.type = 'GroupDomain'"],
            Self::System => &["m.user_id = ? AND a.type = 'GroupSystem'"],
        }
    }
}

impl Actors {
    /// Selects the assignments `a` of the user and of the groups, as a union: `first` begins the first `SELECT` and `more`
    /// each further one, which has no `WITH` before it; `narrow` adds conditions to each. The type of the assignment is
    /// compared too, because an identity backend may give a group the id of a user.
    pub(crate) fn assignments(
        &self,
        first: Select,
        more: &'static str,
        targets: GroupTargets,
        narrow: impl Fn(Select) -> Select,
    ) -> Select {
        let own = "a.actor_id = ? AND a.type IN ('UserProject', 'UserDomain', 'UserSystem')";
        let mut found = narrow(first).filter(own, Some(&self.user));
        for members in targets.conditions() {
            let join = " JOIN user_group_membership m ON m.group_id = a.actor_id";
            let select = found.union_all(more).text(join);
            found = narrow(select).filter(members, Some(&self.user));
        }
        if !self.expiring.is_empty() {
            let join = " JOIN expiring_user_group_membership e ON e.group_id = a.actor_id";
            found = narrow(found.union_all(more).text(join)).filter_all(
                "e.user_id = ? AND INSTR(?, ',' || e.group_id || ',') > 0 \
                 AND a.type IN ('GroupProject', 'GroupDomain', 'GroupSystem')",
                [&self.user, &self.expiring],
            );
        }
        if !self.mapped.is_empty() {
            found = narrow(found.union_all(more)).filter(
                "INSTR(?, ',' || a.actor_id || ',') > 0 \
                 AND a.type IN ('GroupProject', 'GroupDomain', 'GroupSystem')",
                Some(&self.mapped),
            );
        }
        found
    }

    /// Selects the assignments that take effect on a project.
    fn assignments_on_project(&self, project: &ProjectRef) -> Select {
        let id = project.id.as_str();
        match &project.parent_id {
            Some(parent) if project.domain.id != *parent => {
                let first = select(UP).bind(id).text(ROLES_UP);
                let narrow = |select: Select| select.filter(APPLIES, Some(id));
                self.assignments(first, ROLES_UP, GroupTargets::ProjectsAndDomains, narrow)
            }
            // A project right below its domain, the usual case, needs no recursion.
            parent => {
                let above = parent.as_deref().unwrap_or(id);
                let narrow = |select: Select| {
                    let select = select.filter_all("t.id IN (?, ?)", [id, above]);
                    select.filter(APPLIES, Some(id))
                };
                let first = select(ROLES);
                self.assignments(first, ROLES, GroupTargets::ProjectsAndDomains, narrow)
            }
        }
    }

    /// Begins a statement with [`REACHABLE_PROJECTS`].
    fn reachable(&self) -> Select {
        let user = || self.user.as_str();
        select(REACHABLE_PROJECTS)
            .bind(user())
            .bind(user())
            .bind(user())
            .bind(&self.expiring)
    }
}

impl Holder {
    /// The ids of these roles and of those that they imply, domain-specific ones among them.
    pub fn closure<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        self.graph.closure(ids).into_iter().cloned().collect()
    }

    /// The roles with these ids and those that they imply, whether the user has them or not.
    pub fn with_implied<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Vec<RoleRef> {
        self.graph.expand(ids)
    }
}

impl Identity {
    /// Loads what the effective roles of a user on any target are computed from.
    pub async fn holder(&self, user_id: &str) -> Result<Holder> {
        let (actors, graph) = tokio::join!(self.actors(user_id), self.role_graph());
        Ok(Holder {
            actors: actors?,
            graph: graph?,
        })
    }

    /// The same for somebody without a user, whom a mapping puts into groups; their ids are those of the database.
    pub async fn mapped_holder(&self, group_ids: &[String]) -> Result<Holder> {
        Ok(Holder {
            actors: Actors {
                user: String::new(),
                expiring: String::new(),
                mapped: comma_joined(group_ids.iter().map(String::as_str)),
            },
            graph: self.role_graph().await?,
        })
    }

    /// The effective roles on a project, by id.
    pub async fn roles_on_project(
        &self,
        holder: &Holder,
        project: &ProjectRef,
    ) -> Result<Vec<RoleRef>> {
        let query = holder.actors.assignments_on_project(project);
        self.with_implied_roles(holder, query).await
    }

    /// The ids of the roles on a project that a user can delegate: the effective ones, domain-specific ones among them.
    /// Of the holder, who may be somebody else, only what roles imply counts.
    pub async fn delegable_roles(
        &self,
        user_id: &str,
        holder: &Holder,
        project: &ProjectRef,
    ) -> Result<BTreeSet<String>> {
        let query = self.actors(user_id).await?.assignments_on_project(project);
        let assigned: Vec<(String,)> = query.then(" ORDER BY role_id").fetch_all(&self.db).await?;
        Ok(holder.closure(assigned.iter().map(|(id,)| id.as_str())))
    }

    /// The effective roles on a domain, by id.
    pub async fn roles_on_domain(&self, holder: &Holder, domain_id: &str) -> Result<Vec<RoleRef>> {
        let narrow = |select: Select| {
            let on_domain =
                "a.target_id = ? AND a.inherited = 0 AND a.type IN ('UserDomain', 'GroupDomain')";
            select.filter(on_domain, Some(domain_id))
        };
        let first = select(ROLES_ON_DOMAIN);
        let query =
            holder
                .actors
                .assignments(first, ROLES_ON_DOMAIN, GroupTargets::Domains, narrow);
        self.with_implied_roles(holder, query).await
    }

    /// The effective roles on the system, by id.
    pub async fn roles_on_system(&self, holder: &Holder) -> Result<Vec<RoleRef>> {
        let narrow = |select: Select| select.and("a.target_id = 'system'");
        let first = select(ROLES_ON_SYSTEM);
        let query = holder
            .actors
            .assignments(first, ROLES_ON_SYSTEM, GroupTargets::System, narrow);
        self.with_implied_roles(holder, query).await
    }

    async fn with_implied_roles(
        &self,
        holder: &Holder,
        assignments: Select,
    ) -> Result<Vec<RoleRef>> {
        let assigned = assignments.then(" ORDER BY role_id");
        let assigned = assigned.fetch_texts(&self.db).await?;
        Ok(holder.graph.expand(assigned.iter().map(String::as_str)))
    }

    /// The projects on which a user has a role, domains that act as projects apart.
    pub async fn projects_for_user(
        &self,
        user_id: &str,
        listing: &Listing,
    ) -> Result<Page<Project>> {
        let reachable = self.actors(user_id).await?.reachable().text(PROJECTS);
        let reached = projects_in(reachable).and("p.id IN (SELECT id FROM reached)");
        // Keystone compares names in Python here, and so by case, but in SQL for the list of all projects.
        let reached = reached.filter(
            "LENGTH(REPLACE(p.name, ?, '')) = 0",
            listing.exact("name").map(str::to_owned),
        );
        self.page_of(reached, listing).await
    }

    /// The ids of the projects on which a user has a role.
    pub async fn project_ids_for_user(&self, user_id: &str) -> Result<HashSet<String>> {
        let reachable = self.actors(user_id).await?.reachable();
        let ids = reachable
            .text("SELECT p.id FROM project p JOIN reached ON reached.id = p.id")
            .filter("p.id <> ?", Some(ROOT))
            .then(" ORDER BY p.id");
        Ok(ids.fetch_texts(&self.db).await?.into_iter().collect())
    }

    /// The domains on which a user has a role.
    pub async fn domains_for_user(&self, user_id: &str) -> Result<Vec<Domain>> {
        let reachable = self.actors(user_id).await?.reachable().text(PROJECTS);
        let query = projects_in(reachable).and("p.is_domain = 1").and(
            "p.id IN (SELECT target_id FROM assigned WHERE inherited = 0 AND kind IN ('UserDomain', 'GroupDomain'))",
        );
        let query = query.then(" ORDER BY p.id");
        let found: Vec<Project> = query.fetch_readable(&self.db).await?;
        Ok(found.into_iter().map(Domain::from).collect())
    }

    /// The actors whose assignments count for a user.
    pub(crate) async fn actors(&self, user_id: &str) -> Result<Actors> {
        let expiring = self.expiring_groups(user_id).await?;
        Ok(Actors {
            user: user_id.to_owned(),
            expiring: comma_joined(expiring.iter().map(|(id, _)| id.as_str())),
            mapped: String::new(),
        })
    }
}
