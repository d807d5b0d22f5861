//! Tags: the labels of projects, and filters by them.

use std::collections::BTreeSet;

use keystone_storage::{Arg, OrConflict, Select, Tx, sql};
use keystone_types::{Comparison, Filter, Listing, Result};
use serde::{Deserialize, Serialize};

use crate::Project;
use crate::project::name_taken;

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

/// Narrows to the projects with all or any of some tags, or without.
pub(crate) fn tagged(select: Select, listing: &Listing) -> Select {
    let exact = |filter: &&Filter| filter.comparison == Comparison::Equals;
    listing.filters.iter().filter(exact).fold(select, |select, filter| {
        // How many of the tags asked for it has, against how many are asked for. No tag holds a comma.
        let condition = match filter.name.as_str() {
            "tags" => {
                "(SELECT COUNT(*) FROM project_tag t \
                   WHERE t.project_id = p.id AND INSTR(?, ',' || t.name || ',') > 0) = ?"
            }
            "not-tags" => {
                "(SELECT COUNT(*) FROM project_tag t \
                   WHERE t.project_id = p.id AND INSTR(?, ',' || t.name || ',') > 0) < ?"
            }
            "tags-any" => {
                "(SELECT COUNT(*) FROM project_tag t \
                   WHERE t.project_id = p.id AND INSTR(?, ',' || t.name || ',') > 0) BETWEEN 1 AND ?"
            }
            "not-tags-any" => {
                "(SELECT COUNT(*) FROM project_tag t \
                   WHERE t.project_id = p.id AND INSTR(?, ',' || t.name || ',') > 0) = 0 * ?"
            }
            _ => return select,
        };
        let wanted: BTreeSet<&str> = filter.value.split(',').collect();
        let joined = format!(",{},", filter.value);
        let count = Arg::Int(i64::try_from(wanted.len()).ok());
        select.filter_all(condition, [joined.into(), count])
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
