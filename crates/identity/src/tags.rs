//! Tags: the labels of projects, and filters by them.

use std::collections::BTreeSet;

use keystone_storage::{Arg, OrConflict, Select, Tx, sql};
use keystone_types::{Error, Listing, Result};
use serde::{Deserialize, Serialize};

use crate::project::name_taken;
use crate::{Identity, Project};

/// The labels of a project, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(pub Vec<String>);

/// Tags are selected joined by commas, which they can't contain.
impl From<Option<String>> for Tags {
    fn from(joined: Option<String>) -> Self {
        let mut tags: Vec<String> = joined
            .iter()
            .flat_map(|text| text.split(','))
            .map(str::to_owned)
            .collect();
        tags.sort();
        Self(tags)
    }
}

impl Identity {
    /// The labels of a project or domain.
    pub async fn project_tags(&self, id: &str) -> Result<Vec<String>> {
        Ok(self.project(id).await?.tags.0)
    }

    /// Replaces the labels of a project or domain.
    pub async fn set_project_tags(&self, id: &str, tags: Vec<String>) -> Result<Vec<String>> {
        let mut project = self.changeable(id, "update").await?;
        self.check_not_enabled_alone(&project).await?;
        project.tags = Tags(tags.iter().map(|tag| tag.trim().to_owned()).collect());
        let mut tx = self.db.begin().await?;
        store_tags(&mut tx, &project).await?;
        tx.commit().await?;
        Ok(project.tags.0)
    }

    /// 404 unless a project has exactly this label.
    pub async fn check_project_tag(&self, id: &str, tag: &str) -> Result<()> {
        let tags = self.project_tags(id).await?;
        if tags.iter().any(|known| known == tag) {
            Ok(())
        } else {
            Err(no_tag(tag))
        }
    }

    /// Labels a project or domain.
    pub async fn add_project_tag(&self, id: &str, tag: &str) -> Result<()> {
        let project = self.changeable(id, "create").await?;
        self.check_not_enabled_alone(&project).await?;
        let done = sql("INSERT INTO project_tag (project_id, name) VALUES (?, ?)")
            .bind(&project.id)
            .bind(tag.trim())
            .execute(&self.db)
            .await;
        done.or_conflict(|| name_taken(&project))?;
        Ok(())
    }

    /// Takes a label from a project or domain.
    pub async fn delete_project_tag(&self, id: &str, tag: &str) -> Result<()> {
        let project = self.changeable(id, "delete").await?;
        if project.tags.0.iter().all(|known| known != tag) {
            return Err(no_tag(tag));
        }
        sql("DELETE FROM project_tag WHERE project_id = ? AND name = ?")
            .bind(&project.id)
            .bind(tag)
            .execute(&self.db)
            .await?;
        Ok(())
    }

    async fn changeable(&self, id: &str, verb: &str) -> Result<Project> {
        let project = self.project(id).await?;
        if project.options.immutable() {
            return Err(Error::Refused(format!(
                "Cannot {verb} project tags for {id}, project is immutable. Set \"immutable\" option to false before \
                 creating project tags."
            )));
        }
        Ok(project)
    }
}

fn no_tag(tag: &str) -> Error {
    Error::NotFound {
        kind: "project tag",
        id: tag.to_owned(),
    }
}

/// Narrows to the projects with all or any of some tags, or without: of a repeated filter the first counts, and letter
/// case only where all are asked for.
pub(crate) fn tagged(select: Select, listing: &Listing) -> Select {
    // How many of the tags asked for a project has. No tag holds a comma, and REPLACE minds the case of letters.
    const ALL: &str = "(SELECT COUNT(*) FROM project_tag t \
         WHERE t.project_id = p.id AND LENGTH(REPLACE(?, ',' || t.name || ',', '')) < LENGTH(?)) = ?";
    const NOT_ALL: &str = "(SELECT COUNT(*) FROM project_tag t \
         WHERE t.project_id = p.id AND LENGTH(REPLACE(?, ',' || t.name || ',', '')) < LENGTH(?)) < ?";
    const ANY: &str =
        "EXISTS (SELECT 1 FROM project_tag t WHERE t.project_id = p.id AND t.name IN (?))";
    const NONE: &str =
        "NOT EXISTS (SELECT 1 FROM project_tag t WHERE t.project_id = p.id AND t.name IN (?))";
    ["tags", "tags-any", "not-tags", "not-tags-any"]
        .into_iter()
        .fold(select, |select, name| {
            let Some(value) = listing.exact(name) else {
                return select;
            };
            let wanted: BTreeSet<&str> = value.split(',').collect();
            let joined = || Arg::from(format!(",{value},"));
            let counted = [
                joined(),
                joined(),
                Arg::Int(i64::try_from(wanted.len()).ok()),
            ];
            match name {
                "tags" => select.filter_all(ALL, counted),
                "not-tags" => select.filter_all(NOT_ALL, counted),
                "tags-any" => select.among(ANY, wanted),
                _ => select.among(NONE, wanted),
            }
        })
}

pub(crate) async fn store_tags(tx: &mut Tx, project: &Project) -> Result<()> {
    sql("DELETE FROM project_tag WHERE project_id = ?")
        .bind(&project.id)
        .execute(&mut *tx)
        .await?;
    for tag in &project.tags.0 {
        sql("INSERT INTO project_tag (project_id, name) VALUES (?, ?)")
            .bind(&project.id)
            .bind(tag)
            .execute(&mut *tx)
            .await
            // Tags that differ in case only; the reference tells it as if the name were taken.
            .or_conflict(|| name_taken(project))?;
    }
    Ok(())
}
