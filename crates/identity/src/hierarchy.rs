//! The tree of projects: what stands above and below, and the rules about it.

use keystone_storage::sql;
use keystone_types::{Error, Result};

use crate::{Identity, Project};

impl Identity {
    /// The projects above, nearest first; a domain at the top is among them.
    pub async fn parents(&self, id: &str) -> Result<Vec<Project>> {
        // A cycle in corrupt rows must not run for ever: UNION drops what was seen.
        let ids: Vec<(String,)> = sql("\
            WITH RECURSIVE up (id) AS (\
                SELECT parent_id FROM project WHERE id = ? AND parent_id IS NOT NULL \
                UNION SELECT p.parent_id FROM project p JOIN up ON p.id = up.id WHERE p.parent_id IS NOT NULL) \
            SELECT id FROM up")
        .bind(id)
        .fetch_all(&self.db)
        .await?;
        let ids: Vec<String> = ids.into_iter().map(|(id,)| id).collect();
        let mut parents = self.projects_with_ids(&ids).await?;
        parents.sort_by_key(|project| ids.iter().position(|id| *id == project.id));
        Ok(parents)
    }

    /// The projects below, level by level.
    pub async fn subtree(&self, id: &str) -> Result<Vec<Project>> {
        let ids: Vec<(String,)> = sql("\
            WITH RECURSIVE down (id) AS (\
                SELECT id FROM project WHERE parent_id = ? \
                UNION SELECT p.id FROM project p JOIN down ON p.parent_id = down.id) \
            SELECT id FROM down")
        .bind(id)
        .fetch_all(&self.db)
        .await?;
        let ids: Vec<String> = ids.into_iter().map(|(id,)| id).collect();
        let mut subtree = self.projects_with_ids(&ids).await?;
        subtree.sort_by_key(|project| ids.iter().position(|id| *id == project.id));
        Ok(subtree)
    }

    /// Whether a new project may stand where it asks to.
    pub(crate) async fn check_place(&self, project: &Project) -> Result<()> {
        if project.is_domain {
            return self.check_domain_place(project);
        }
        let domain_id = project.domain_id.as_deref().unwrap_or_default();
        let domain = self.domain(domain_id).await?;
        let parent_id = project.parent_id.as_deref().unwrap_or_default();
        let parent = self.project(parent_id).await?;
        if parent.is_domain && parent.id != domain.id {
            return Err(Error::Validation(format!(
                "Cannot create project, the parent ({}) is acting as a domain, but this project's domain id ({}) does not \
                 match the parent's id.",
                parent.id, domain.id
            )));
        }
        if !parent.is_domain && parent.domain_id.as_deref() != Some(&domain.id) {
            return Err(Error::Validation(format!(
                "Cannot create project, since it specifies its domain_id {}, but specifies a parent in a different domain \
                 ({}).",
                domain.id,
                parent.domain_id.unwrap_or_default()
            )));
        }
        let mut above = self.parents(parent_id).await?;
        above.push(parent);
        if let Some(disabled) = above.iter().find(|project| !project.is_enabled()) {
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

    /// The rules about what stands above and below when a project is enabled or disabled.
    pub(crate) async fn check_enabled_change(
        &self,
        from: &Project,
        to: Option<bool>,
    ) -> Result<()> {
        if !from.is_enabled() && to == Some(true) {
            return self.check_not_enabled_alone(from).await;
        }
        let disabled = from.is_enabled() && to != Some(true);
        if disabled
            && !from.is_domain
            && self
                .subtree(&from.id)
                .await?
                .iter()
                .any(Project::is_enabled)
        {
            return Err(Error::Refused(format!(
                "Cannot disable project {} since its subtree contains enabled projects.",
                from.id
            )));
        }
        Ok(())
    }

    /// Any change that does not say otherwise counts as enabling, in the reference too: not below what is disabled.
    pub(crate) async fn check_not_enabled_alone(&self, project: &Project) -> Result<()> {
        if project.is_enabled()
            || self
                .parents(&project.id)
                .await?
                .iter()
                .all(Project::is_enabled)
        {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "Cannot enable project {} since it has disabled parents",
            project.id
        )))
    }
}
