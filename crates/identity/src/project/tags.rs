//! Project tags, and filters by them.

use std::collections::BTreeSet;

use keystone_python::quote;
use keystone_storage::{Arg, OrConflict, Select, Tx, sql, transaction};
use keystone_types::{Error, Listing, Result};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::project::hierarchy::check_parents_enabled;
use crate::project::{Project, locked, name_taken};

/// The tags of a project, sorted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(pub Vec<String>);

/// A statement selects tags joined by commas, which no tag contains.
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
    /// The tags of a project or domain.
    pub async fn project_tags(&self, id: &str) -> Result<Vec<String>> {
        Ok(self.project(id).await?.tags.0)
    }

    /// Replaces the tags of a project or domain.
    pub async fn set_project_tags(&self, id: &str, tags: Vec<String>) -> Result<Vec<String>> {
        transaction!(self.db, |tx| {
            let mut project = lock_mutable(tx, id, "update").await?;
            check_parents_enabled(tx, &project).await?;
            let tags = tags.iter().map(|tag| tag.trim().to_owned());
            let current = std::mem::replace(&mut project.tags, Tags(tags.collect()));
            store_tags(tx, &project, &current).await?;
            Ok(project.tags.0)
        })
        .await
    }

    /// 404 unless a project has exactly this tag.
    pub async fn check_project_tag(&self, id: &str, tag: &str) -> Result<()> {
        let tags = self.project_tags(id).await?;
        if tags.iter().any(|known| known == tag) {
            Ok(())
        } else {
            Err(no_tag(tag))
        }
    }

    /// Adds a tag to a project or domain.
    pub async fn add_project_tag(&self, id: &str, tag: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let mut project = lock_mutable(tx, id, "create").await?;
            check_parents_enabled(tx, &project).await?;
            let tag = tag.trim();
            project.tags.0.push(tag.to_owned());
            check(&project.tags)?;
            insert(tx, &project, tag).await
        })
        .await
    }

    /// Removes a tag from a project or domain.
    pub async fn delete_project_tag(&self, id: &str, tag: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let project = lock_mutable(tx, id, "delete").await?;
            if project.tags.0.iter().all(|known| known != tag) {
                return Err(no_tag(tag));
            }
            delete(tx, &project, tag).await
        })
        .await
    }
}

async fn lock_mutable(tx: &mut Tx, id: &str, verb: &str) -> Result<Project> {
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

/// Applies the filters by tags. The first of a repeated filter counts; case matters for `tags` and `not-tags` only, as in
/// `keystone/resource/backends/sql.py`.
pub(crate) fn filter_by_tags(select: Select, listing: &Listing) -> Select {
    // Counts the tags of a project that are asked for. No tag contains a comma, and REPLACE compares by case.
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

/// The most tags of a project.
const MOST: usize = 80;

/// 400 for more tags than a project may have, and for a tag that could not be told apart in a list of tags or in a path.
fn check(tags: &Tags) -> Result<()> {
    let invalid = |field: &str, value: &str, shown: &str, fault: &str| {
        Err(Error::Validation(format!(
            "Invalid input for field/attribute {field}. Value: {value}. {shown} {fault}"
        )))
    };
    if tags.0.len() > MOST {
        let shown: Vec<_> = tags.0.iter().map(|tag| quote(tag)).collect();
        let shown = format!("[{}]", shown.join(", "));
        return invalid("tags", &shown, &shown, "is too long");
    }
    let ambiguous = |tag: &&String| tag.contains([',', '/']);
    match tags.0.iter().zip(0_usize..).find(|(tag, _)| ambiguous(tag)) {
        Some((tag, place)) => {
            let fault = "does not match '^[^,/]*$'";
            invalid(&place.to_string(), tag, &quote(tag), fault)
        }
        None => Ok(()),
    }
}

/// Stores the tags of a project in place of the current ones; those that it keeps are not written.
pub(crate) async fn store_tags(tx: &mut Tx, project: &Project, current: &Tags) -> Result<()> {
    check(&project.tags)?;
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
        // Tags that differ in case only are duplicates, for which Keystone blames the name of the project.
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
