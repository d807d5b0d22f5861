//! Which projects lie below what: where inherited grants take effect.

use std::collections::{BTreeMap, BTreeSet};

use keystone_storage::{Db, Query, sql};
use keystone_types::{Error, Result};

use crate::Project;
use crate::project::ROOT;

/// Projects, and under each that stands above some of them, which.
#[derive(Debug, Default)]
pub(super) struct Below {
    /// The projects that this is about.
    pub(super) projects: BTreeSet<String>,
    /// What stands above, with the projects below it, not only directly.
    pub(super) roots: BTreeMap<String, Vec<String>>,
}

impl Below {
    /// About one project.
    pub(super) async fn project(db: &Db, id: &str) -> Result<Self> {
        const UP: &str = "\
            WITH RECURSIVE up (id, root) AS (\
                SELECT id, parent_id FROM project WHERE id = ? AND id <> ? \
                UNION SELECT up.id, p.parent_id FROM project p JOIN up ON p.id = up.root) \
            SELECT id, root FROM up ORDER BY id, root";
        Self::read(db, sql(UP).bind(id).bind(ROOT))
            .await?
            .existing(id)
    }

    /// About a project and all below it.
    pub(super) async fn tree(db: &Db, id: &str) -> Result<Self> {
        const TREE: &str = "\
            WITH RECURSIVE tree (id) AS (\
                SELECT id FROM project WHERE id = ? AND id <> ? \
                UNION SELECT p.id FROM project p JOIN tree ON p.parent_id = tree.id), \
            up (id, root) AS (\
                SELECT p.id, p.parent_id FROM project p JOIN tree ON tree.id = p.id \
                UNION SELECT up.id, p.parent_id FROM project p JOIN up ON p.id = up.root) \
            SELECT id, root FROM up ORDER BY id, root";
        Self::read(db, sql(TREE).bind(id).bind(ROOT))
            .await?
            .existing(id)
    }

    /// About every project that some inherited grant reaches.
    pub(super) async fn inherited(db: &Db) -> Result<Self> {
        const DOWN: &str = "\
            WITH RECURSIVE down (id, root) AS (\
                SELECT p.id, p.parent_id FROM project p \
                 WHERE p.parent_id IN (SELECT a.target_id FROM assignment a WHERE a.inherited = 1) \
                UNION SELECT p.id, down.root FROM project p JOIN down ON p.parent_id = down.id) \
            SELECT id, root FROM down ORDER BY id, root";
        Self::read(db, sql(DOWN)).await
    }

    async fn read(db: &Db, query: Query) -> Result<Self> {
        let rows: Vec<(String, Option<String>)> = query.fetch_all(db).await?;
        let mut below = Self::default();
        for (id, root) in rows {
            if let Some(root) = root {
                below.roots.entry(root).or_default().push(id.clone());
            }
            below.projects.insert(id);
        }
        Ok(below)
    }

    fn existing(self, id: &str) -> Result<Self> {
        if self.projects.is_empty() {
            return Err(Error::not_found::<Project>(id));
        }
        Ok(self)
    }
}
