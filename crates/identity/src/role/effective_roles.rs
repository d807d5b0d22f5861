//! Effective roles: the roles of a user on a target, including those through groups, inheritance and implied roles.

use std::collections::HashSet;

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

/// A user and the groups of the user: the actors whose assignments count.
#[derive(Debug)]
pub(crate) struct Actors {
    user: String,
    /// The ids of the groups of unexpired federated memberships, [`comma_joined`].
    expiring: String,
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
        if self.expiring.is_empty() {
            return found;
        }
        let join = " JOIN expiring_user_group_membership e ON e.group_id = a.actor_id";
        narrow(found.union_all(more).text(join)).filter_all(
            "e.user_id = ? AND INSTR(?, ',' || e.group_id || ',') > 0 \
             AND a.type IN ('GroupProject', 'GroupDomain', 'GroupSystem')",
            [&self.user, &self.expiring],
        )
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

impl Identity {
    /// Loads what the effective roles of a user on any target are computed from.
    pub async fn holder(&self, user_id: &str) -> Result<Holder> {
        let (actors, graph) = tokio::join!(self.actors(user_id), self.role_graph());
        Ok(Holder {
            actors: actors?,
            graph: graph?,
        })
    }

    /// The effective roles on a project, by id.
    pub async fn roles_on_project(
        &self,
        holder: &Holder,
        project: &ProjectRef,
    ) -> Result<Vec<RoleRef>> {
        let id = project.id.as_str();
        let query = match &project.parent_id {
            Some(parent) if project.domain.id != *parent => {
                let first = select(UP).bind(id).text(ROLES_UP);
                let narrow = |select: Select| select.filter(APPLIES, Some(id));
                holder
                    .actors
                    .assignments(first, ROLES_UP, GroupTargets::ProjectsAndDomains, narrow)
            }
            // A project right below its domain, the usual case, needs no recursion.
            parent => {
                let above = parent.as_deref().unwrap_or(id);
                let narrow = |select: Select| {
                    let select = select.filter_all("t.id IN (?, ?)", [id, above]);
                    select.filter(APPLIES, Some(id))
                };
                holder.actors.assignments(
                    select(ROLES),
                    ROLES,
                    GroupTargets::ProjectsAndDomains,
                    narrow,
                )
            }
        };
        self.with_implied_roles(holder, query).await
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
        let assigned: Vec<(String,)> = assignments
            .then(" ORDER BY role_id")
            .fetch_all(&self.db)
            .await?;
        Ok(holder
            .graph
            .expand(assigned.iter().map(|(id,)| id.as_str())))
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
        let ids: Vec<(String,)> = reachable
            .text("SELECT p.id FROM project p JOIN reached ON reached.id = p.id")
            .filter("p.id <> ?", Some(ROOT))
            .then(" ORDER BY p.id")
            .fetch_all(&self.db)
            .await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
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
        Ok(Actors {
            user: user_id.to_owned(),
            expiring: comma_joined(&self.expiring_groups(user_id).await?),
        })
    }
}
