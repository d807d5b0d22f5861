//! Effective roles: what a user can do somewhere, through groups, inheritance and implication.

use std::collections::{BTreeMap, BTreeSet};

use keystone_storage::{Select, select, sql};
use keystone_types::Result;

use crate::role::{RoleGraph, RoleRef};
use crate::{Domain, Identity, Project, ProjectRef};

const ASSIGNMENTS: &str = "SELECT DISTINCT a.role_id FROM assignment a";

impl Identity {
    /// The roles of a user on a project, by id.
    pub async fn roles_on_project(
        &self,
        user_id: &str,
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
        let query = self.held_by(user_id, select(ASSIGNMENTS)).await?.within("a.target_id", targets).filter(
            "CASE WHEN a.target_id = ? THEN a.inherited = 0 AND a.type IN ('UserProject', 'GroupProject') \
                  ELSE a.inherited = 1 END",
            Some(&project.id),
        );
        self.expand(query).await
    }

    /// The roles of a user on a domain, by id.
    pub async fn roles_on_domain(&self, user_id: &str, domain_id: &str) -> Result<Vec<RoleRef>> {
        let query = self.held_by(user_id, select(ASSIGNMENTS)).await?.filter(
            "a.target_id = ? AND a.inherited = 0 AND a.type IN ('UserDomain', 'GroupDomain')",
            Some(domain_id),
        );
        self.expand(query).await
    }

    /// The roles of a user on the system, by id.
    pub async fn roles_on_system(&self, user_id: &str) -> Result<Vec<RoleRef>> {
        let base = select("SELECT DISTINCT a.role_id FROM system_assignment a")
            .and("a.target_id = 'system'");
        let query = self.held_by(user_id, base).await?;
        self.expand(query).await
    }

    /// The projects on which a user has a role, domains that act as projects apart.
    pub async fn projects_for_user(&self, user_id: &str) -> Result<Vec<Project>> {
        let graph = self.role_graph().await?;
        let mut held = self
            .held_targets(user_id, "a.type IN ('UserProject', 'GroupProject')")
            .await?;
        for (id, role) in self.inherited_projects(user_id).await? {
            held.entry(id).or_default().push(role);
        }
        self.projects_with_ids(&with_effect(held, &graph)).await
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
        let mut actors = self.group_ids(user_id).await?;
        actors.push(user_id.to_owned());
        Ok(select.within("a.actor_id", actors))
    }

    async fn expand(&self, assignments: Select) -> Result<Vec<RoleRef>> {
        let held: Vec<(String,)> = assignments
            .then(" ORDER BY a.role_id")
            .fetch_all(&self.db)
            .await?;
        if held.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self
            .role_graph()
            .await?
            .expand(held.iter().map(|(id,)| id.as_str())))
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
