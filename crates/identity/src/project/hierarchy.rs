//! The tree of projects: what stands above and below, and the rules about it.

use std::collections::{HashMap, HashSet, VecDeque};

use keystone_storage::{Select, Tx, select, sql};
use keystone_types::{Error, Result, same_id};

use crate::identity::Identity;
use crate::project::{PROJECTS, Project, ROOT, projects_in};
use crate::shared_lock;

/// Other projects on a project's branch of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relatives {
    /// Those above; a domain at the top is among them.
    Above,
    /// Those below, not only directly.
    Below,
}

// A cycle in corrupt rows must not run for ever: UNION drops what was seen.
const ABOVE: &str = "\
    WITH RECURSIVE relatives (id) AS (\
        SELECT parent_id FROM project WHERE id = ? AND parent_id IS NOT NULL \
        UNION SELECT p.parent_id FROM project p JOIN relatives ON p.id = relatives.id WHERE p.parent_id IS NOT NULL) ";

const BELOW: &str = "\
    WITH RECURSIVE relatives (id) AS (\
        SELECT id FROM project WHERE parent_id = ? \
        UNION SELECT p.id FROM project p JOIN relatives ON p.parent_id = relatives.id) ";

impl Relatives {
    /// Begins a statement that knows their ids as `relatives`.
    pub(crate) fn of(self, project_id: &str) -> Select {
        let text = match self {
            Self::Above => ABOVE,
            Self::Below => BELOW,
        };
        select(text).bind(project_id)
    }
}

impl Identity {
    /// The projects above, nearest first; a domain at the top is among them.
    pub async fn parents(&self, id: &str) -> Result<Vec<Project>> {
        let mut parents = self.relatives(id, Relatives::Above).await?;
        parents.reverse();
        Ok(parents)
    }

    /// The projects below, level by level.
    pub async fn subtree(&self, id: &str) -> Result<Vec<Project>> {
        self.relatives(id, Relatives::Below).await
    }

    /// The ids of the projects above or below one, each with its parent's.
    pub async fn relative_ids(
        &self,
        id: &str,
        relatives: Relatives,
    ) -> Result<Vec<(String, Option<String>)>> {
        let query = relatives
            .of(id)
            .text("SELECT p.id, p.parent_id FROM project p JOIN relatives ON relatives.id = p.id");
        Ok(query.then(" ORDER BY p.id").fetch_all(&self.db).await?)
    }

    /// The projects above or below one, the uppermost first.
    async fn relatives(&self, id: &str, relatives: Relatives) -> Result<Vec<Project>> {
        let query = relatives
            .of(id)
            .text(PROJECTS)
            .text(" JOIN relatives ON relatives.id = p.id");
        let query = projects_in(query).then(" ORDER BY p.id");
        let mut found: Vec<Project> = query.fetch_readable(&self.db).await?;
        let count = found.len();
        let sort = move || {
            sort_by_level(&mut found);
            found
        };
        self.bulk.run(count, sort).await
    }

    /// Whether a new project may stand where it asks to; its domain and parent are then named as they are stored.
    ///
    /// What stands above stays as it is until the project is there: nobody disables or deletes it in between.
    pub(crate) async fn check_place(&self, tx: &mut Tx, project: &mut Project) -> Result<()> {
        if project.is_domain {
            return self.check_domain_place(project);
        }
        let domain_id = project.domain_id.clone().unwrap_or_default();
        shared_lock::domain(tx, &domain_id).await?;
        let parent_id = project.parent_id.clone().unwrap_or_default();
        let above = branch(tx, &parent_id).await?;
        let Some((parent, others)) = above.split_first() else {
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
        // The reference looks at the parent last.
        let disabled = others.iter().chain([parent]).find(|node| !node.enabled);
        if let Some(disabled) = disabled {
            return Err(Error::Validation(format!(
                "cannot create a project in a branch containing a disabled project: {}",
                disabled.id
            )));
        }
        // The domain at the top is a project too, and does not count.
        let deepest = self.settings.enforcement_model.max_project_tree_depth();
        let deepest = deepest.map_or(self.settings.max_project_tree_depth, |depth| {
            depth.min(self.settings.max_project_tree_depth)
        });
        if above.len() > deepest {
            return Err(Error::Refused(format!(
                "Max hierarchy depth reached for {parent_id} branch."
            )));
        }
        Ok(())
    }

    fn check_domain_place(&self, domain: &Project) -> Result<()> {
        self.check_not_federated(&domain.id, &domain.name)?;
        if domain.parent_id.is_some() {
            return Err(Error::Validation(
                "only root projects are allowed to act as domains.".to_owned(),
            ));
        }
        Ok(())
    }
}

/// A project or domain on the way up to the root.
#[derive(Debug, sqlx::FromRow)]
struct Node {
    id: String,
    parent_id: Option<String>,
    domain_id: String,
    is_domain: bool,
    enabled: bool,
}

/// A project and what stands above it, nearest first, each kept as it is until the transaction ends.
async fn branch(tx: &mut Tx, id: &str) -> Result<Vec<Node>> {
    const NODE: &str = "\
        SELECT id, parent_id, domain_id, is_domain, COALESCE(enabled, 0) = 1 AS enabled \
          FROM project WHERE id = ? AND id <> ?";
    let mut branch: Vec<Node> = Vec::new();
    let mut next = Some(id.to_owned());
    while let Some(id) = next.take() {
        let node = sql(NODE).bind(id).bind(ROOT).sharing();
        let node: Option<Node> = node.fetch_optional(&mut *tx).await?;
        // A cycle in corrupt rows must not run for ever.
        if let Some(node) = node.filter(|node| branch.iter().all(|passed| passed.id != node.id)) {
            next.clone_from(&node.parent_id);
            branch.push(node);
        }
    }
    Ok(branch)
}

/// The rules about what stands above and below when a project is enabled or disabled.
pub(crate) async fn check_enabled_change(
    tx: &mut Tx,
    from: &Project,
    to: Option<bool>,
) -> Result<()> {
    if !from.is_enabled() && to == Some(true) {
        return check_not_enabled_alone(tx, from).await;
    }
    let disabled = from.is_enabled() && to != Some(true);
    if disabled && !from.is_domain && has_enabled_below(tx, &from.id).await? {
        return Err(Error::Refused(format!(
            "Cannot disable project {} since its subtree contains enabled projects.",
            from.id
        )));
    }
    Ok(())
}

async fn has_enabled_below(tx: &mut Tx, id: &str) -> Result<bool> {
    let enabled: Option<(String,)> = Relatives::Below
        .of(id)
        .text("SELECT p.id FROM project p JOIN relatives ON relatives.id = p.id")
        .and("p.enabled = 1")
        .then(" ORDER BY p.id LIMIT 1")
        .fetch_optional(tx)
        .await?;
    Ok(enabled.is_some())
}

/// Any change that does not say otherwise counts as enabling, in the reference too: not below what is disabled.
pub(crate) async fn check_not_enabled_alone(tx: &mut Tx, project: &Project) -> Result<()> {
    if project.is_enabled() {
        return Ok(());
    }
    let above = match &project.parent_id {
        Some(parent) => branch(tx, parent).await?,
        None => Vec::new(),
    };
    if above.iter().all(|node| node.enabled) {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "Cannot enable project {} since it has disabled parents",
        project.id
    )))
}

/// Sorts projects so that none stands before one above it, and otherwise by id.
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
    // Those of a cycle in corrupt rows hang on nothing, and come last.
    let level = |project: &Project| levels.get(&project.id).copied().unwrap_or(usize::MAX);
    projects.sort_by_key(level);
}
