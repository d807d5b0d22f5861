//! The project tree: ancestors and descendants of a project, and the rules about its parent.

use std::collections::{HashMap, HashSet, VecDeque};

use keystone_storage::{Select, Tx, select, sql};
use keystone_types::{Error, Result, same_id};

use crate::identity::Identity;
use crate::project::{PROJECTS, Project, ROOT, projects_in};
use crate::shared_lock;

/// The ancestors or the descendants of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relatives {
    /// With the domain at the top.
    Ancestors,
    /// Not only the children.
    Descendants,
}

// UNION drops rows that were seen, so that the recursion ends in a cycle of corrupt rows.
const ANCESTORS: &str = "\
    WITH RECURSIVE relatives (id) AS (\
        SELECT parent_id FROM project WHERE id = ? AND parent_id IS NOT NULL \
        UNION SELECT p.parent_id FROM project p JOIN relatives ON p.id = relatives.id WHERE p.parent_id IS NOT NULL) ";

const DESCENDANTS: &str = "\
    WITH RECURSIVE relatives (id) AS (\
        SELECT id FROM project WHERE parent_id = ? \
        UNION SELECT p.id FROM project p JOIN relatives ON p.parent_id = relatives.id) ";

impl Relatives {
    /// Begins a statement that has their ids as `relatives`.
    pub(crate) fn of(self, project_id: &str) -> Select {
        let text = match self {
            Self::Ancestors => ANCESTORS,
            Self::Descendants => DESCENDANTS,
        };
        select(text).bind(project_id)
    }
}

impl Identity {
    /// The ancestors of a project, nearest first, with the domain at the top.
    pub async fn parents(&self, id: &str) -> Result<Vec<Project>> {
        let mut parents = self.relatives(id, Relatives::Ancestors).await?;
        parents.reverse();
        Ok(parents)
    }

    /// The descendants of a project, level by level.
    pub async fn subtree(&self, id: &str) -> Result<Vec<Project>> {
        self.relatives(id, Relatives::Descendants).await
    }

    /// The ids of the ancestors or descendants of a project, each with that of its parent.
    pub async fn relative_ids(
        &self,
        id: &str,
        relatives: Relatives,
    ) -> Result<Vec<(String, Option<String>)>> {
        let query = relatives
            .of(id)
            .text("SELECT p.id, p.parent_id FROM project p JOIN relatives ON relatives.id = p.id");
        let found: Vec<_> = query.then(" ORDER BY p.id").fetch_all(&self.db).await?;
        if found.is_empty() {
            self.project(id).await?;
        }
        Ok(found)
    }

    /// The ancestors or descendants of a project, the uppermost first.
    async fn relatives(&self, id: &str, relatives: Relatives) -> Result<Vec<Project>> {
        let query = relatives
            .of(id)
            .text(PROJECTS)
            .text(" JOIN relatives ON relatives.id = p.id");
        let query = projects_in(query).then(" ORDER BY p.id");
        let mut found: Vec<Project> = query.fetch_readable(&self.db).await?;
        if found.is_empty() {
            self.project(id).await?;
        }
        let count = found.len();
        let sort = move || {
            sort_by_level(&mut found);
            found
        };
        self.bulk.run(count, sort).await
    }

    /// Checks the parent and the domain of a new project, and replaces its parent's id by the stored one.
    ///
    /// Its ancestors are locked: nobody disables or deletes one of them before the project is stored.
    pub(crate) async fn check_parent(&self, tx: &mut Tx, project: &mut Project) -> Result<()> {
        if project.is_domain {
            return self.check_new_domain(project);
        }
        let domain_id = project.domain_id.clone().unwrap_or_default();
        shared_lock::domain(tx, &domain_id).await?;
        let parent_id = project.parent_id.clone().unwrap_or_default();
        let ancestry = lock_ancestry(tx, &parent_id).await?;
        let Some((parent, others)) = ancestry.split_first() else {
            return Err(Error::not_found::<Project>(&parent_id));
        };
        if parent.is_domain && parent.id != domain_id {
            return Err(Error::Validation(format!(
                "Cannot create project, the parent ({}) is acting as a domain, but this project's domain id ({domain_id}) does \
                 not match the parent's id.",
                parent.id
            )));
        }
        if !parent.is_domain && !same_id(&parent.domain_id, &domain_id) {
            return Err(Error::Validation(format!(
                "Cannot create project, since it specifies its domain_id {domain_id}, but specifies a parent in a different \
                 domain ({}).",
                parent.domain_id
            )));
        }
        project.parent_id = Some(parent.id.clone());
        // `keystone/resource/core.py` checks the parent last.
        let disabled = others.iter().chain([parent]).find(|node| !node.enabled);
        if let Some(disabled) = disabled {
            return Err(Error::Validation(format!(
                "cannot create a project in a branch containing a disabled project: {}",
                disabled.id
            )));
        }
        // The domain at the top does not count.
        let deepest = self.settings.enforcement_model.max_project_tree_depth();
        let deepest = deepest.map_or(self.settings.max_project_tree_depth, |depth| {
            depth.min(self.settings.max_project_tree_depth)
        });
        if ancestry.len() > deepest {
            return Err(Error::Refused(format!(
                "Max hierarchy depth reached for {parent_id} branch."
            )));
        }
        Ok(())
    }

    fn check_new_domain(&self, domain: &Project) -> Result<()> {
        self.check_not_reserved(&domain.id, &domain.name)?;
        if domain.parent_id.is_some() {
            return Err(Error::Validation(
                "only root projects are allowed to act as domains.".to_owned(),
            ));
        }
        Ok(())
    }
}

/// A project or domain on the path to the root.
#[derive(Debug, sqlx::FromRow)]
struct Node {
    id: String,
    parent_id: Option<String>,
    domain_id: String,
    is_domain: bool,
    enabled: bool,
}

/// A project and its ancestors, nearest first, each under a shared lock.
async fn lock_ancestry(tx: &mut Tx, id: &str) -> Result<Vec<Node>> {
    const NODE: &str = "\
        SELECT id, parent_id, domain_id, is_domain, COALESCE(enabled, 0) = 1 AS enabled \
          FROM project WHERE id = ? AND id <> ?";
    let mut ancestry: Vec<Node> = Vec::new();
    let mut next = Some(id.to_owned());
    while let Some(id) = next.take() {
        let node = sql(NODE).bind(id).bind(ROOT).sharing();
        let node: Option<Node> = node.fetch_optional(&mut *tx).await?;
        // Corrupt rows may form a cycle.
        if let Some(node) = node.filter(|node| ancestry.iter().all(|passed| passed.id != node.id)) {
            next.clone_from(&node.parent_id);
            ancestry.push(node);
        }
    }
    Ok(ancestry)
}

/// The rules about ancestors and descendants when a project is enabled or disabled.
pub(crate) async fn check_enabled_change(
    tx: &mut Tx,
    from: &Project,
    to: Option<bool>,
) -> Result<()> {
    if !from.is_enabled() && to == Some(true) {
        return check_parents_enabled(tx, from).await;
    }
    let disabled = from.is_enabled() && to != Some(true);
    if disabled && !from.is_domain && has_enabled_descendant(tx, &from.id).await? {
        return Err(Error::Refused(format!(
            "Cannot disable project {} since its subtree contains enabled projects.",
            from.id
        )));
    }
    Ok(())
}

async fn has_enabled_descendant(tx: &mut Tx, id: &str) -> Result<bool> {
    let enabled = Relatives::Descendants
        .of(id)
        .text("SELECT p.id FROM project p JOIN relatives ON relatives.id = p.id")
        .and("p.enabled = 1")
        .then(" ORDER BY p.id LIMIT 1");
    Ok(enabled.exists(tx).await?)
}

/// Refuses to enable a project below a disabled one. As in `keystone/resource/core.py`, a change that does not mention
/// `enabled` counts as enabling.
pub(crate) async fn check_parents_enabled(tx: &mut Tx, project: &Project) -> Result<()> {
    if project.is_enabled() {
        return Ok(());
    }
    let ancestry = match &project.parent_id {
        Some(parent) => lock_ancestry(tx, parent).await?,
        None => Vec::new(),
    };
    if ancestry.iter().all(|node| node.enabled) {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "Cannot enable project {} since it has disabled parents",
        project.id
    )))
}

/// Sorts projects by level in the tree, and those of one level by id.
fn sort_by_level(projects: &mut [Project]) {
    let ids: HashSet<&str> = projects.iter().map(|project| project.id.as_str()).collect();
    let mut below: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut open = VecDeque::new();
    for project in &*projects {
        match project.parent_id.as_deref().filter(|id| ids.contains(id)) {
            Some(parent) => below.entry(parent).or_default().push(&project.id),
            None => open.push_back((project.id.as_str(), 0_usize)),
        }
    }
    let mut levels: HashMap<String, usize> = HashMap::with_capacity(projects.len());
    while let Some((id, level)) = open.pop_front() {
        levels.insert(id.to_owned(), level);
        let children = below.remove(id).unwrap_or_default();
        open.extend(children.into_iter().map(|child| (child, level + 1)));
    }
    // Projects in a cycle of corrupt rows have no level, and come last.
    let level = |project: &Project| levels.get(&project.id).copied().unwrap_or(usize::MAX);
    projects.sort_by_key(level);
}
