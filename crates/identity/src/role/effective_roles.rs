//! The projects and domains on which a user has effective roles: through groups, inheritance and implied roles, too. The
//! roles on one of them are computed from [`crate::Facts`].

use std::collections::HashSet;

use keystone_storage::{Select, select};
use keystone_types::{Listing, Page, Result};

use crate::domain::Domain;
use crate::facts::Holder;
use crate::group::comma_joined;
use crate::identity::Identity;
use crate::project::{PROJECTS, Project, ROOT, projects_in};

/// A `WITH` up to the assignments of a user or of groups, which it calls `assigned`.
const USEFUL_ROLES: &str = include_str!("effective_roles/useful_roles.sql");
const ASSIGNED_TO_USER: &str = include_str!("effective_roles/assigned_to_user.sql");
const ASSIGNED_TO_GROUPS: &str = include_str!("effective_roles/assigned_to_groups.sql");

/// The rest of it: the projects on which these take effect are `reached`.
const REACHED_PROJECTS: &str = include_str!("effective_roles/reached_projects.sql");

/// A user and the groups of the user: the actors whose assignments count.
#[derive(Debug)]
pub(crate) struct Actors {
    user: String,
    /// The ids of the groups of unexpired federated memberships, [`comma_joined`].
    expiring: String,
    /// The ids of the groups of a directory.
    of_directory: Vec<String>,
}

/// The memberships of a user, with one condition for each assignment type: the primary key begins with the type.
const OF_GROUPS: [&str; 2] = [
    "m.user_id = ? AND a.type = 'GroupProject'",
    "m.user_id = ? AND a.type = 'GroupDomain'",
];

impl Actors {
    /// Selects the assignments `a` of the user and of the groups, as a union: `first` begins the first `SELECT` and `more`
    /// each further one, which has no `WITH` before it; `narrow` adds conditions to each. The type of the assignment is
    /// compared too, because an identity backend may give a group the id of a user.
    pub(crate) fn assignments(
        &self,
        first: Select,
        more: &'static str,
        narrow: impl Fn(Select) -> Select,
    ) -> Select {
        let own = "a.actor_id = ? AND a.type IN ('UserProject', 'UserDomain')";
        let mut found = narrow(first).filter(own, Some(&self.user));
        for members in OF_GROUPS {
            let join = " JOIN user_group_membership m ON m.group_id = a.actor_id";
            let select = found.union_all(more).text(join);
            found = narrow(select).filter(members, Some(&self.user));
        }
        if !self.expiring.is_empty() {
            let join = " JOIN expiring_user_group_membership e ON e.group_id = a.actor_id";
            found = narrow(found.union_all(more).text(join)).filter_all(
                "e.user_id = ? AND INSTR(?, ',' || e.group_id || ',') > 0 \
                 AND a.type IN ('GroupProject', 'GroupDomain')",
                [&self.user, &self.expiring],
            );
        }
        if !self.of_directory.is_empty() {
            let groups = narrow(found.union_all(more)).within("a.actor_id", &self.of_directory);
            found = groups.and("a.type IN ('GroupProject', 'GroupDomain')");
        }
        found
    }
}

impl Identity {
    /// The projects on which somebody has a role, domains that act as projects apart.
    pub async fn projects_of(
        &self,
        holder: Holder<'_>,
        listing: &Listing,
    ) -> Result<Page<Project>> {
        let reachable = self.reachable(holder).await?.text(PROJECTS);
        let reached = projects_in(reachable).and("p.id IN (SELECT id FROM reached)");
        // Keystone compares names in Python here, and so by case, but in SQL for the list of all projects.
        let reached = reached.filter(
            "LENGTH(REPLACE(p.name, ?, '')) = 0",
            listing.exact("name").map(str::to_owned),
        );
        let projects = self.page_of(reached, listing).await?;
        if let (true, Holder::User(id)) = (projects.items.is_empty(), holder) {
            self.subject(id).await?;
        }
        Ok(projects)
    }

    /// The ids of the projects on which somebody has a role.
    pub async fn project_ids_of(&self, holder: Holder<'_>) -> Result<HashSet<String>> {
        let reachable = self.reachable(holder).await?;
        let ids = reachable
            .text("SELECT p.id FROM project p JOIN reached ON reached.id = p.id")
            .filter("p.id <> ?", Some(ROOT))
            .then(" ORDER BY p.id");
        Ok(ids.fetch_texts(&self.db).await?.into_iter().collect())
    }

    /// The domains on which somebody has a role.
    pub async fn domains_of(&self, holder: Holder<'_>) -> Result<Vec<Domain>> {
        let reachable = self.reachable(holder).await?.text(PROJECTS);
        let query = projects_in(reachable).and("p.is_domain = 1").and(
            "p.id IN (SELECT target_id FROM assigned WHERE inherited = 0 AND kind IN ('UserDomain', 'GroupDomain'))",
        );
        let query = query.then(" ORDER BY p.id");
        let found: Vec<Project> = query.fetch_readable(&self.db).await?;
        Ok(found.into_iter().map(Domain::from).collect())
    }

    /// Begins a statement with the `WITH` that finds out where somebody has roles.
    async fn reachable(&self, holder: Holder<'_>) -> Result<Select> {
        let begun = select(USEFUL_ROLES);
        let assigned = match holder {
            Holder::User(id) => to_user(begun, &self.actors(id).await?),
            Holder::Vouched { user, groups } => {
                let own = to_user(begun, &self.actors(user).await?);
                to_groups(own.union_all(ASSIGNED_TO_GROUPS), groups)
            }
            Holder::Groups(ids) => to_groups(begun.text(ASSIGNED_TO_GROUPS), ids),
        };
        Ok(assigned.behind(REACHED_PROJECTS))
    }

    /// The actors whose assignments count for a user.
    pub(crate) async fn actors(&self, user_id: &str) -> Result<Actors> {
        let expiring = self.expiring_groups(user_id).await?;
        let member = self.directory_members(&[user_id]).await?.pop();
        let member = member.and_then(|(_, member)| member);
        Ok(Actors {
            user: user_id.to_owned(),
            expiring: comma_joined(expiring.iter().map(|(id, _)| id.as_str())),
            of_directory: member.map(|member| member.groups).unwrap_or_default(),
        })
    }
}

/// Adds the assignments to a user and the groups of the user.
fn to_user(select: Select, actors: &Actors) -> Select {
    let Actors {
        user,
        expiring,
        of_directory,
    } = actors;
    let select = select.text(ASSIGNED_TO_USER);
    let select = select.bind(user).bind(user).bind(user).bind(expiring);
    if of_directory.is_empty() {
        return select;
    }
    to_groups(select.union_all(ASSIGNED_TO_GROUPS), of_directory)
}

/// Narrows to the assignments to groups.
fn to_groups(select: Select, ids: &[String]) -> Select {
    let select = select.within("a.actor_id", ids);
    select.and("a.type IN ('GroupProject', 'GroupDomain')")
}
