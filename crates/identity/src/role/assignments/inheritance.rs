//! The project tree as inherited grants need it: which projects are below which targets.

use std::collections::{HashMap, HashSet};

use keystone_storage::{Db, Query, Select, select, sql};
use keystone_types::Result;

use super::AssignmentScope;
use crate::project::ROOT;

/// The id of a project with that of one of its ancestors; `None` above the topmost.
pub(super) type AncestorRow = (String, Option<String>);

/// Projects by their ancestors.
#[derive(Clone, Debug, Default)]
pub(super) struct Descendants {
    /// All of the projects.
    pub(super) projects: HashSet<String>,
    /// Each ancestor with all of its descendants.
    pub(super) of_ancestor: HashMap<String, Vec<String>>,
}

impl From<Vec<AncestorRow>> for Descendants {
    fn from(rows: Vec<AncestorRow>) -> Self {
        let mut descendants = Self::default();
        for (id, ancestor) in rows {
            if !descendants.projects.contains(&id) {
                descendants.projects.insert(id.clone());
            }
            if let Some(ancestor) = ancestor {
                descendants
                    .of_ancestor
                    .entry(ancestor)
                    .or_default()
                    .push(id);
            }
        }
        descendants
    }
}

/// A project with each of its ancestors; empty if the project does not exist.
pub(super) async fn ancestors(db: &Db, id: &str) -> Result<Vec<AncestorRow>> {
    const ANCESTORS: &str = "\
        WITH RECURSIVE up (id, root) AS (\
            SELECT id, parent_id FROM project WHERE id = ? AND id <> ? \
            UNION SELECT up.id, p.parent_id FROM project p JOIN up ON p.id = up.root) \
        SELECT id, root FROM up ORDER BY id, root";
    fetch(db, sql(ANCESTORS).bind(id).bind(ROOT)).await
}

/// A project and its descendants, each with each of its ancestors; empty if the project does not exist.
pub(super) async fn subtree_ancestors(db: &Db, id: &str) -> Result<Vec<AncestorRow>> {
    const SUBTREE: &str = "\
        WITH RECURSIVE tree (id) AS (\
            SELECT id FROM project WHERE id = ? AND id <> ? \
            UNION SELECT p.id FROM project p JOIN tree ON p.parent_id = tree.id), \
        up (id, root) AS (\
            SELECT p.id, p.parent_id FROM project p JOIN tree ON tree.id = p.id \
            UNION SELECT up.id, p.parent_id FROM project p JOIN up ON p.id = up.root) \
        SELECT id, root FROM up ORDER BY id, root";
    fetch(db, sql(SUBTREE).bind(id).bind(ROOT)).await
}

/// Every project that inherits a grant, with the targets that it inherits from.
pub(super) async fn inheriting_projects(db: &Db) -> Result<Vec<AncestorRow>> {
    const INHERITING: &str = "\
        WITH RECURSIVE down (id, root) AS (\
            SELECT p.id, p.parent_id FROM project p \
             WHERE p.parent_id IN (SELECT a.target_id FROM assignment a WHERE a.inherited = 1) \
            UNION SELECT p.id, down.root FROM project p JOIN down ON p.parent_id = down.id) \
        SELECT id, root FROM down ORDER BY id, root";
    fetch(db, sql(INHERITING)).await
}

async fn fetch(db: &Db, query: Query) -> Result<Vec<AncestorRow>> {
    Ok(query.fetch_all(db).await?)
}

/// Narrows assignments to the targets that a query is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum TargetFilter<'a> {
    Any,
    Only(&'a str),
    /// A project and its ancestors.
    WithAncestors(&'a str),
    /// A project and its descendants.
    Subtree(&'a str),
    /// A project, its ancestors and its descendants.
    Branch(&'a str),
}

const TREE: &str = "\
    WITH RECURSIVE up (id) AS (\
        SELECT id FROM project WHERE id = ? \
        UNION SELECT p.parent_id FROM project p JOIN up ON p.id = up.id WHERE p.parent_id IS NOT NULL), \
    tree (id) AS (\
        SELECT id FROM project WHERE id = ? \
        UNION SELECT p.id FROM project p JOIN tree ON p.parent_id = tree.id), \
    branch (id) AS (SELECT id FROM up UNION SELECT id FROM tree) ";

impl<'a> TargetFilter<'a> {
    /// The targets of assignments that are listed as they were granted.
    pub(super) fn granted(scope: Option<&'a AssignmentScope>) -> Self {
        match scope {
            Some(AssignmentScope::Project(id) | AssignmentScope::Domain(id)) => Self::Only(id),
            Some(AssignmentScope::Tree(id)) => Self::Subtree(id),
            Some(AssignmentScope::System) | None => Self::Any,
        }
    }

    /// Begins a statement with the common table expressions that [`Self::narrow`] refers to.
    pub(super) fn begin(self, text: &'static str) -> Select {
        match self {
            Self::Any | Self::Only(_) => select(text),
            Self::WithAncestors(id) | Self::Subtree(id) | Self::Branch(id) => {
                select(TREE).bind(id).bind(id).text(text)
            }
        }
    }

    /// Narrows the assignments `a` to those on the targets.
    pub(super) fn narrow(self, select: Select) -> Select {
        match self {
            Self::Any => select,
            Self::Only(id) => select.filter("a.target_id = ?", Some(id)),
            Self::WithAncestors(_) => select.and("a.target_id IN (SELECT id FROM up)"),
            Self::Subtree(_) => select.and("a.target_id IN (SELECT id FROM tree)"),
            Self::Branch(_) => select.and("a.target_id IN (SELECT id FROM branch)"),
        }
    }
}
