//! Where grants are, and which projects lie below what: where inherited ones take effect.

use std::collections::{HashMap, HashSet};

use keystone_storage::{Db, Query, Select, select, sql};
use keystone_types::Result;

use super::AssignmentScope;
use crate::project::ROOT;

/// A project with something above it; with nothing where it stands at the top.
pub(super) type Edge = (String, Option<String>);

/// Projects, and under each that stands above some of them, which.
#[derive(Clone, Debug, Default)]
pub(super) struct Below {
    /// The projects that this is about.
    pub(super) projects: HashSet<String>,
    /// What stands above, with the projects below it, not only directly.
    pub(super) roots: HashMap<String, Vec<String>>,
}

impl From<Vec<Edge>> for Below {
    fn from(edges: Vec<Edge>) -> Self {
        let mut below = Self::default();
        for (id, root) in edges {
            if !below.projects.contains(&id) {
                below.projects.insert(id.clone());
            }
            if let Some(root) = root {
                below.roots.entry(root).or_default().push(id);
            }
        }
        below
    }
}

/// A project, under everything above it; none if it does not exist.
pub(super) async fn above(db: &Db, id: &str) -> Result<Vec<Edge>> {
    const UP: &str = "\
        WITH RECURSIVE up (id, root) AS (\
            SELECT id, parent_id FROM project WHERE id = ? AND id <> ? \
            UNION SELECT up.id, p.parent_id FROM project p JOIN up ON p.id = up.root) \
        SELECT id, root FROM up ORDER BY id, root";
    edges(db, sql(UP).bind(id).bind(ROOT)).await
}

/// A project and all below it, each under everything above it; none if it does not exist.
pub(super) async fn above_tree(db: &Db, id: &str) -> Result<Vec<Edge>> {
    const TREE: &str = "\
        WITH RECURSIVE tree (id) AS (\
            SELECT id FROM project WHERE id = ? AND id <> ? \
            UNION SELECT p.id FROM project p JOIN tree ON p.parent_id = tree.id), \
        up (id, root) AS (\
            SELECT p.id, p.parent_id FROM project p JOIN tree ON tree.id = p.id \
            UNION SELECT up.id, p.parent_id FROM project p JOIN up ON p.id = up.root) \
        SELECT id, root FROM up ORDER BY id, root";
    edges(db, sql(TREE).bind(id).bind(ROOT)).await
}

/// Every project that some inherited grant reaches, under what was granted on.
pub(super) async fn inherited(db: &Db) -> Result<Vec<Edge>> {
    const DOWN: &str = "\
        WITH RECURSIVE down (id, root) AS (\
            SELECT p.id, p.parent_id FROM project p \
             WHERE p.parent_id IN (SELECT a.target_id FROM assignment a WHERE a.inherited = 1) \
            UNION SELECT p.id, down.root FROM project p JOIN down ON p.parent_id = down.id) \
        SELECT id, root FROM down ORDER BY id, root";
    edges(db, sql(DOWN)).await
}

async fn edges(db: &Db, query: Query) -> Result<Vec<Edge>> {
    Ok(query.fetch_all(db).await?)
}

/// Where the grants are that a query is about, in terms of SQL.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    Anywhere,
    On(&'a str),
    /// On a project or above it.
    Above(&'a str),
    /// On a project or below it.
    Tree(&'a str),
    /// The same, or above the project.
    Branch(&'a str),
}

const PLACES: &str = "\
    WITH RECURSIVE up (id) AS (\
        SELECT id FROM project WHERE id = ? \
        UNION SELECT p.parent_id FROM project p JOIN up ON p.id = up.id WHERE p.parent_id IS NOT NULL), \
    tree (id) AS (\
        SELECT id FROM project WHERE id = ? \
        UNION SELECT p.id FROM project p JOIN tree ON p.parent_id = tree.id), \
    branch (id) AS (SELECT id FROM up UNION SELECT id FROM tree) ";

impl<'a> Place<'a> {
    /// The targets of the grants as they were granted.
    pub(super) fn granted(scope: Option<&'a AssignmentScope>) -> Self {
        match scope {
            Some(AssignmentScope::Project(id) | AssignmentScope::Domain(id)) => Self::On(id),
            Some(AssignmentScope::Tree(id)) => Self::Tree(id),
            Some(AssignmentScope::System) | None => Self::Anywhere,
        }
    }

    /// Begins a statement that knows the place.
    pub(super) fn begin(self, text: &'static str) -> Select {
        match self {
            Self::Anywhere | Self::On(_) => select(text),
            Self::Above(id) | Self::Tree(id) | Self::Branch(id) => {
                select(PLACES).bind(id).bind(id).text(text)
            }
        }
    }

    /// Narrows the assignments `a` to those in the place.
    pub(super) fn narrow(self, select: Select) -> Select {
        match self {
            Self::Anywhere => select,
            Self::On(id) => select.filter("a.target_id = ?", Some(id)),
            Self::Above(_) => select.and("a.target_id IN (SELECT id FROM up)"),
            Self::Tree(_) => select.and("a.target_id IN (SELECT id FROM tree)"),
            Self::Branch(_) => select.and("a.target_id IN (SELECT id FROM branch)"),
        }
    }
}
