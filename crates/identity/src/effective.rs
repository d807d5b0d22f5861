//! Effective roles: what a user can do somewhere, through groups, inheritance and implication.

use std::collections::{BTreeMap, BTreeSet};

use keystone_storage::{Select, select, sql};
use keystone_types::{Listing, Page, Result};

use crate::project::projects;
use crate::role::{RoleGraph, RoleRef};
use crate::{Domain, Identity, Project, ProjectRef};

const ASSIGNMENTS: &str = "SELECT DISTINCT a.role_id FROM assignment a";

/// A user as one who may hold roles: with the groups that may hold them too, and what each role
/// implies.
#[derive(Debug)]
pub struct Holder {
    actors: Actors,
    graph: RoleGraph,
}

/// A user, and the groups that the user is in.
#[derive(Debug)]
struct Actors {
    user: String,
    groups: Vec<String>,
}

impl Actors {
    /// Narrows assignments to those of the user and of the groups. The id alone does not tell: an
    /// identity backend may give a group the id of a user.
    fn narrow(&self, assignments: Select) -> Select {
        let ids = self.groups.iter().chain([&self.user]);
        let held = assignments.within("a.actor_id", ids);
        if self.groups.contains(&self.user) {
            return held;
        }
        held.filter(
            "CASE WHEN a.actor_id = ? THEN a.type IN ('UserProject', 'UserDomain', 'UserSystem') \
                  ELSE a.type IN ('GroupProject', 'GroupDomain', 'GroupSystem') END",
            Some(&self.user),
        )
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
        let above = match &project.parent_id {
            // The usual case, a project right below its domain, needs no look at the tree.
            Some(parent) if project.domain.id == *parent => vec![parent.clone()],
            Some(_) => self
                .parents(&project.id)
                .await?
                .into_iter()
                .map(|parent| parent.id)
                .collect(),
            None => Vec::new(),
        };
        let targets = above.into_iter().chain([project.id.clone()]);
        let query = select(ASSIGNMENTS).within("a.target_id", targets).filter(
            "CASE WHEN a.target_id = ? THEN a.inherited = 0 AND a.type IN ('UserProject', 'GroupProject') \
                  ELSE a.inherited = 1 END",
            Some(&project.id),
        );
        self.roles_held(holder, query).await
    }

    /// The roles on a domain, by id.
    pub async fn roles_on_domain(&self, holder: &Holder, domain_id: &str) -> Result<Vec<RoleRef>> {
        let query = select(ASSIGNMENTS).filter(
            "a.target_id = ? AND a.inherited = 0 AND a.type IN ('UserDomain', 'GroupDomain')",
            Some(domain_id),
        );
        self.roles_held(holder, query).await
    }

    /// The roles on the system, by id.
    pub async fn roles_on_system(&self, holder: &Holder) -> Result<Vec<RoleRef>> {
        let query = select("SELECT DISTINCT a.role_id FROM system_assignment a")
            .and("a.target_id = 'system'");
        self.roles_held(holder, query).await
    }

    async fn roles_held(&self, holder: &Holder, assignments: Select) -> Result<Vec<RoleRef>> {
        let query = holder.actors.narrow(assignments);
        let held: Vec<(String,)> = query
            .then(" ORDER BY a.role_id")
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
        let graph = self.role_graph().await?;
        let mut held = self
            .held_targets(user_id, "a.type IN ('UserProject', 'GroupProject')")
            .await?;
        for (id, role) in self.inherited_projects(user_id).await? {
            held.entry(id).or_default().push(role);
        }
        let held = projects().within("p.id", with_effect(held, &graph));
        // Here, unlike among all projects, the reference compares names itself, by case.
        let held = held.filter(
            "LENGTH(REPLACE(p.name, ?, '')) = 0",
            listing.exact("name").map(str::to_owned),
        );
        self.page_of(held, listing).await
    }

    /// The domains on which a user has a role.
    pub async fn domains_for_user(&self, user_id: &str) -> Result<Vec<Domain>> {
        let graph = self.role_graph().await?;
        let held = self
            .held_targets(user_id, "a.type IN ('UserDomain', 'GroupDomain')")
            .await?;
        self.domains_with_ids(&with_effect(held, &graph)).await
    }

    /// Narrows to what a user holds directly or through a group.
    async fn held_by(&self, user_id: &str, select: Select) -> Result<Select> {
        Ok(self.actors(user_id).await?.narrow(select))
    }

    async fn actors(&self, user_id: &str) -> Result<Actors> {
        Ok(Actors {
            user: user_id.to_owned(),
            groups: self.group_ids(user_id).await?,
        })
    }

    /// The roles that a user holds on each target of these types, not inherited ones.
    async fn held_targets(
        &self,
        user_id: &str,
        types: &'static str,
    ) -> Result<BTreeMap<String, Vec<String>>> {
        let base = select("SELECT a.target_id, a.role_id FROM assignment a")
            .and("a.inherited = 0")
            .and(types);
        let query = self
            .held_by(user_id, base)
            .await?
            .then(" ORDER BY a.target_id, a.role_id");
        let rows: Vec<(String, String)> = query.fetch_all(&self.db).await?;
        let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (target, role) in rows {
            held.entry(target).or_default().push(role);
        }
        Ok(held)
    }

    /// The projects below targets of inherited grants, each with the role that reaches it.
    async fn inherited_projects(&self, user_id: &str) -> Result<BTreeSet<(String, String)>> {
        let base = select("SELECT DISTINCT a.target_id, a.role_id FROM assignment a")
            .and("a.inherited = 1");
        let query = self
            .held_by(user_id, base)
            .await?
            .then(" ORDER BY a.target_id, a.role_id");
        let roots: Vec<(String, String)> = query.fetch_all(&self.db).await?;
        if roots.is_empty() {
            return Ok(BTreeSet::new());
        }
        let edges: Vec<(String, String)> =
            sql("SELECT id, parent_id FROM project WHERE parent_id IS NOT NULL ORDER BY id")
                .fetch_all(&self.db)
                .await?;
        let mut below: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (id, parent) in &edges {
            below.entry(parent).or_default().push(id);
        }
        let mut reached = BTreeSet::new();
        for (root, role) in &roots {
            let mut open = vec![root.as_str()];
            while let Some(id) = open.pop() {
                for child in below.get(id).into_iter().flatten() {
                    if reached.insert(((*child).to_owned(), role.clone())) {
                        open.push(child);
                    }
                }
            }
        }
        Ok(reached)
    }
}

/// The targets on which at least one role remains when domain-specific ones have led to others.
fn with_effect(held: BTreeMap<String, Vec<String>>, graph: &RoleGraph) -> Vec<String> {
    let effective = held
        .into_iter()
        .filter(|(_, roles)| !graph.expand(roles.iter().map(String::as_str)).is_empty());
    effective.map(|(id, _)| id).collect()
}
