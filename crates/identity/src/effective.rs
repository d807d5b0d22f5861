//! Effective roles: what a user can do somewhere, through groups, inheritance and implication.

use std::collections::HashSet;

use keystone_storage::{Select, select};
use keystone_types::{Listing, Page, Result};

use crate::group::joined;
use crate::project::{PROJECTS, ROOT, projects_in};
use crate::role::{RoleGraph, RoleRef};
use crate::{Domain, Identity, Project, ProjectRef};

const ROLES: &str = "SELECT a.role_id FROM assignment a JOIN project t ON t.id = a.target_id";

/// The same for a project that stands below others, which `up` has with those above.
const UP: &str = "\
    WITH RECURSIVE up (id) AS (\
        SELECT id FROM project WHERE id = ? \
        UNION SELECT p.parent_id FROM project p JOIN up ON p.id = up.id WHERE p.parent_id IS NOT NULL) ";
const ROLES_UP: &str = "SELECT a.role_id FROM assignment a JOIN up t ON t.id = a.target_id";

const ROLES_ON_DOMAIN: &str = "SELECT a.role_id FROM assignment a";
const ROLES_ON_SYSTEM: &str = "SELECT a.role_id FROM system_assignment a";

/// On the target itself what is not inherited holds, from above what is.
const IN_FORCE: &str = "\
    CASE WHEN t.id = ? THEN a.inherited = 0 AND a.type IN ('UserProject', 'GroupProject') ELSE a.inherited = 1 END";

/// What a user holds on projects and domains, the projects reached, and what follows the `WITH`.
const HELD: &str = include_str!("effective/held.sql");

/// A user as one who may hold roles: with the groups that may hold them too, and what each role
/// implies.
#[derive(Debug)]
pub struct Holder {
    actors: Actors,
    graph: RoleGraph,
}

/// A user, and the groups that the user is in.
#[derive(Debug)]
pub(crate) struct Actors {
    user: String,
    /// The groups that federation has put the user in for a while, [`joined`].
    expiring: String,
}

/// Where the assignments of a group can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Any,
    Domain,
    System,
}

impl Place {
    /// One condition for each type: with it the primary key finds an actor's few assignments on a
    /// target among the many that a group may have.
    fn of_members(self) -> &'static [&'static str] {
        match self {
            Self::Any => &[
                "m.user_id = ? AND a.type = 'GroupProject'",
                "m.user_id = ? AND a.type = 'GroupDomain'",
            ],
            Self::Domain => &["m.user_id = ? AND a.type = 'GroupDomain'"],
            Self::System => &["m.user_id = ? AND a.type = 'GroupSystem'"],
        }
    }
}

impl Actors {
    /// Finds the assignments `a` of the user and of the groups, with what `first` and `more` select
    /// and `narrow` leaves of it; `more` is `first` without a `WITH` before it. The id of the actor
    /// alone does not tell: an identity backend may give a group the id of a user.
    pub(crate) fn hold(
        &self,
        first: Select,
        more: &'static str,
        place: Place,
        narrow: impl Fn(Select) -> Select,
    ) -> Select {
        let own = "a.actor_id = ? AND a.type IN ('UserProject', 'UserDomain', 'UserSystem')";
        let mut found = narrow(first).filter(own, Some(&self.user));
        for members in place.of_members() {
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

    /// Begins a statement that knows what the user holds.
    fn held(&self) -> Select {
        let user = || self.user.as_str();
        select(HELD)
            .bind(user())
            .bind(user())
            .bind(user())
            .bind(&self.expiring)
    }
}

impl Identity {
    /// Finds out what the roles of a user follow from, wherever they are.
    pub async fn holder(&self, user_id: &str) -> Result<Holder> {
        let (actors, graph) = tokio::join!(self.actors(user_id), self.role_graph());
        Ok(Holder {
            actors: actors?,
            graph: graph?,
        })
    }

    /// The roles on a project, by id.
    pub async fn roles_on_project(
        &self,
        holder: &Holder,
        project: &ProjectRef,
    ) -> Result<Vec<RoleRef>> {
        let id = project.id.as_str();
        let query = match &project.parent_id {
            Some(parent) if project.domain.id != *parent => {
                let first = select(UP).bind(id).text(ROLES_UP);
                let narrow = |select: Select| select.filter(IN_FORCE, Some(id));
                holder.actors.hold(first, ROLES_UP, Place::Any, narrow)
            }
            // The usual case, a project right below its domain, needs no look at the tree.
            parent => {
                let above = parent.as_deref().unwrap_or(id);
                let narrow = |select: Select| {
                    let select = select.filter_all("t.id IN (?, ?)", [id, above]);
                    select.filter(IN_FORCE, Some(id))
                };
                holder.actors.hold(select(ROLES), ROLES, Place::Any, narrow)
            }
        };
        self.roles_held(holder, query).await
    }

    /// The roles on a domain, by id.
    pub async fn roles_on_domain(&self, holder: &Holder, domain_id: &str) -> Result<Vec<RoleRef>> {
        let narrow = |select: Select| {
            let on_domain =
                "a.target_id = ? AND a.inherited = 0 AND a.type IN ('UserDomain', 'GroupDomain')";
            select.filter(on_domain, Some(domain_id))
        };
        let first = select(ROLES_ON_DOMAIN);
        let query = holder
            .actors
            .hold(first, ROLES_ON_DOMAIN, Place::Domain, narrow);
        self.roles_held(holder, query).await
    }

    /// The roles on the system, by id.
    pub async fn roles_on_system(&self, holder: &Holder) -> Result<Vec<RoleRef>> {
        let narrow = |select: Select| select.and("a.target_id = 'system'");
        let first = select(ROLES_ON_SYSTEM);
        let query = holder
            .actors
            .hold(first, ROLES_ON_SYSTEM, Place::System, narrow);
        self.roles_held(holder, query).await
    }

    async fn roles_held(&self, holder: &Holder, assignments: Select) -> Result<Vec<RoleRef>> {
        let held: Vec<(String,)> = assignments
            .then(" ORDER BY role_id")
            .fetch_all(&self.db)
            .await?;
        Ok(holder.graph.expand(held.iter().map(|(id,)| id.as_str())))
    }

    /// The projects on which a user has a role, domains that act as projects apart.
    pub async fn projects_for_user(
        &self,
        user_id: &str,
        listing: &Listing,
    ) -> Result<Page<Project>> {
        let held = self.actors(user_id).await?.held().text(PROJECTS);
        let reached = projects_in(held).and("p.id IN (SELECT id FROM reached)");
        // Here, unlike among all projects, the reference compares names itself, by case.
        let reached = reached.filter(
            "LENGTH(REPLACE(p.name, ?, '')) = 0",
            listing.exact("name").map(str::to_owned),
        );
        self.page_of(reached, listing).await
    }

    /// The ids of the projects on which a user has a role.
    pub async fn project_ids_for_user(&self, user_id: &str) -> Result<HashSet<String>> {
        let held = self.actors(user_id).await?.held();
        let ids: Vec<(String,)> = held
            .text("SELECT p.id FROM project p JOIN reached ON reached.id = p.id")
            .filter("p.id <> ?", Some(ROOT))
            .then(" ORDER BY p.id")
            .fetch_all(&self.db)
            .await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// The domains on which a user has a role.
    pub async fn domains_for_user(&self, user_id: &str) -> Result<Vec<Domain>> {
        let held = self.actors(user_id).await?.held().text(PROJECTS);
        let query = projects_in(held).and("p.is_domain = 1").and(
            "p.id IN (SELECT target_id FROM held WHERE inherited = 0 AND kind IN ('UserDomain', 'GroupDomain'))",
        );
        let query = query.then(" ORDER BY p.id");
        let found: Vec<Project> = query.fetch_readable(&self.db).await?;
        Ok(found.into_iter().map(Domain::from).collect())
    }

    /// A user as one to whom roles are assigned.
    pub(crate) async fn actors(&self, user_id: &str) -> Result<Actors> {
        Ok(Actors {
            user: user_id.to_owned(),
            expiring: joined(&self.expiring_groups(user_id).await?),
        })
    }
}
