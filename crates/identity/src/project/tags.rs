//! Tags: the labels of projects, and filters by them.

use std::collections::BTreeSet;

use keystone_storage::{Arg, OrConflict, Select, Tx, sql, transaction};
use keystone_types::{Error, Listing, Result};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::project::hierarchy::check_not_enabled_alone;
use crate::project::{Project, locked, name_taken};

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
        transaction!(self.db, |tx| {
            let mut project = changeable(tx, id, "update").await?;
            check_not_enabled_alone(tx, &project).await?;
            let labels = tags.iter().map(|tag| tag.trim().to_owned());
            let current = std::mem::replace(&mut project.tags, Tags(labels.collect()));
            store_tags(tx, &project, &current).await?;
            Ok(project.tags.0)
        })
        .await
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
        transaction!(self.db, |tx| {
            let project = changeable(tx, id, "create").await?;
            check_not_enabled_alone(tx, &project).await?;
            insert(tx, &project, tag.trim()).await
        })
        .await
    }

    /// Takes a label from a project or domain.
    pub async fn delete_project_tag(&self, id: &str, tag: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let project = changeable(tx, id, "delete").await?;
            if project.tags.0.iter().all(|known| known != tag) {
                return Err(no_tag(tag));
            }
            delete(tx, &project, tag).await
        })
        .await
    }
}

async fn changeable(tx: &mut Tx, id: &str, verb: &str) -> Result<Project> {
    let project = locked(tx, id).await?;
    if project.options.immutable() {
        return Err(Error::Refused(format!(
            "Cannot {verb} project tags for {id}, project is immutable. Set \"immutable\" option to false before \
             creating project tags."
        )));
    }
    Ok(project)
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

/// Stores the labels of a project that now has others; those that stay are left alone.
pub(crate) async fn store_tags(tx: &mut Tx, project: &Project, current: &Tags) -> Result<()> {
    for tag in current.0.iter().filter(|tag| !project.tags.0.contains(tag)) {
        delete(tx, project, tag).await?;
    }
    for tag in project.tags.0.iter().filter(|tag| !current.0.contains(tag)) {
        insert(tx, project, tag).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx, project: &Project, tag: &str) -> Result<()> {
    sql("INSERT INTO project_tag (project_id, name) VALUES (?, ?)")
        .bind(&project.id)
        .bind(tag)
        .execute(tx)
        .await
        // Tags that differ in case only; the reference tells it as if the name were taken.
        .or_conflict(|| name_taken(project))?;
    Ok(())
}

async fn delete(tx: &mut Tx, project: &Project, tag: &str) -> Result<()> {
    sql("DELETE FROM project_tag WHERE project_id = ? AND name = ?")
        .bind(&project.id)
        .bind(tag)
        .execute(tx)
        .await?;
    Ok(())
}
