//! Role assignments: who holds which role where, as granted or as it takes effect.
//!
//! However many there are, listing them takes the same few statements.

mod effective;
mod names;
mod reach;

use std::collections::BTreeSet;

use keystone_storage::{Select, select, sql};
use keystone_types::Result;

use crate::{Actor, Identity, Reach, Target};

pub use names::{Named, Names};

use reach::Below;

/// Which assignments to list; the default asks for all, as granted.
#[derive(Clone, Debug, Default)]
pub struct AssignmentQuery {
    /// Those of a user or a group.
    pub actor: Option<Actor>,
    /// Those of a role.
    pub role_id: Option<String>,
    /// Those on a target.
    pub scope: Option<AssignmentScope>,
    /// Whether they are inherited: one or the other.
    pub inherited: Option<bool>,
    /// What holds in the end: groups become their members, inherited grants the projects that they
    /// reach, and roles imply others. Nothing on the system is among it.
    pub effective: bool,
    /// Only what is on a domain and on the projects in it.
    pub within_domain: Option<String>,
    /// Whether to look up names.
    pub names: bool,
}

/// A target to list assignments on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssignmentScope {
    /// A project.
    Project(String),
    /// A project and all below it.
    Tree(String),
    /// A domain.
    Domain(String),
    /// The deployment as a whole.
    System,
}

/// A role that somebody holds on something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Assignment {
    /// The role.
    pub role_id: String,
    /// Who holds it.
    pub actor: Actor,
    /// On what.
    pub target: Target,
    /// What it comes from, where it is not granted like this.
    pub source: Source,
}

/// How an assignment in effect differs from the grant behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source {
    /// The group that was granted the role.
    pub group_id: Option<String>,
    /// The project or domain that it is inherited from.
    pub target: Option<Target>,
    /// The role that implies it.
    pub prior_role_id: Option<String>,
}

/// Assignments, with the names of what they are about where those were asked for.
#[derive(Clone, Debug, Default)]
pub struct Assignments {
    /// The assignments.
    pub items: Vec<Assignment>,
    /// The names.
    pub names: Option<Names>,
}

/// A row: type, actor, target, role, whether inherited.
type Row = (String, String, String, String, bool);

const ASSIGNMENTS: &str =
    "SELECT a.type, a.actor_id, a.target_id, a.role_id, a.inherited FROM assignment a";

const SYSTEM: &str =
    "SELECT a.type, a.actor_id, a.target_id, a.role_id, a.inherited FROM system_assignment a";

/// Longer lists are left out of a statement, and what it finds is sifted here.
const LONG: usize = 1000;

impl Identity {
    /// The assignments that a query asks for.
    pub async fn role_assignments(&self, query: &AssignmentQuery) -> Result<Assignments> {
        let mut items = if query.effective {
            self.effective_assignments(query).await?
        } else {
            self.granted_assignments(query).await?
        };
        if let Some(domain) = &query.within_domain {
            let projects = self.project_ids_in(domain).await?;
            items.retain(|item| match &item.target {
                Target::Project(id, _) => projects.contains(id),
                Target::Domain(id, _) => id == domain,
                Target::System => false,
            });
        }
        let names = if query.names {
            Some(self.names(&items).await?)
        } else {
            None
        };
        Ok(Assignments { items, names })
    }

    /// What was granted, as it was granted.
    async fn granted_assignments(&self, query: &AssignmentQuery) -> Result<Vec<Assignment>> {
        let narrow = |select: Select| {
            select
                .filter("a.actor_id = ?", query.actor.as_ref().map(Actor::id))
                .filter("a.role_id = ?", query.role_id.as_ref())
        };
        let targets = match &query.scope {
            Some(AssignmentScope::Project(id) | AssignmentScope::Domain(id)) => {
                Some(BTreeSet::from([id.clone()]))
            }
            Some(AssignmentScope::Tree(id)) => Some(Below::tree(&self.db, id).await?.projects),
            Some(AssignmentScope::System) | None => None,
        };
        let select = match &query.scope {
            Some(AssignmentScope::System) => on_system(narrow(select(SYSTEM))),
            Some(_) => narrow(select(ASSIGNMENTS)).filter("a.inherited = ?", query.inherited),
            None => {
                let select = narrow(select(ASSIGNMENTS)).filter("a.inherited = ?", query.inherited);
                on_system(narrow(select.union_all(SYSTEM)))
            }
        };
        let mut items = self.assignments_on(select, targets.as_ref()).await?;
        items.retain(|item| fits(query, item));
        items.sort_by_key(|item| item.target == Target::System);
        Ok(items)
    }

    /// The assignments that a statement finds, as far as they are on these targets.
    async fn assignments_on(
        &self,
        mut select: Select,
        targets: Option<&BTreeSet<String>>,
    ) -> Result<Vec<Assignment>> {
        if let Some(targets) = targets.filter(|targets| targets.len() <= LONG) {
            select = select.within("a.target_id", targets);
        }
        let tail = " ORDER BY `type`, actor_id, target_id, role_id, inherited";
        let rows: Vec<Row> = select.then(tail).fetch_all(&self.db).await?;
        let rows = rows
            .into_iter()
            .filter(|(_, _, target, ..)| targets.is_none_or(|targets| targets.contains(target)));
        Ok(rows.filter_map(granted).collect())
    }

    async fn project_ids_in(&self, domain_id: &str) -> Result<BTreeSet<String>> {
        let rows: Vec<(String,)> = sql("SELECT id FROM project WHERE domain_id = ?")
            .bind(domain_id)
            .fetch_all(&self.db)
            .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

fn on_system(select: Select) -> Select {
    select.and("a.target_id = 'system'")
}

/// Users and groups, projects and domains share columns: an id must be of the kind asked for.
fn fits(query: &AssignmentQuery, item: &Assignment) -> bool {
    let scope = match &query.scope {
        Some(AssignmentScope::Project(_) | AssignmentScope::Tree(_)) => {
            matches!(item.target, Target::Project(..))
        }
        Some(AssignmentScope::Domain(_)) => matches!(item.target, Target::Domain(..)),
        Some(AssignmentScope::System) | None => true,
    };
    scope
        && query
            .actor
            .as_ref()
            .is_none_or(|actor| *actor == item.actor)
}

/// The assignment in a row; none for one of a type that nobody knows, which gives nobody anything.
fn granted((kind, actor, target, role_id, inherited): Row) -> Option<Assignment> {
    let reach = if inherited {
        Reach::Inherited
    } else {
        Reach::Direct
    };
    let (actor, target) = match kind.as_str() {
        "UserProject" => (Actor::User(actor), Target::Project(target, reach)),
        "GroupProject" => (Actor::Group(actor), Target::Project(target, reach)),
        "UserDomain" => (Actor::User(actor), Target::Domain(target, reach)),
        "GroupDomain" => (Actor::Group(actor), Target::Domain(target, reach)),
        "UserSystem" => (Actor::User(actor), Target::System),
        "GroupSystem" => (Actor::Group(actor), Target::System),
        _ => {
            let row = format!("{actor}/{target}/{role_id}");
            let error = format!("corrupt row: table assignment, row {row}, column type: {kind}");
            tracing::error!(
                error,
                "an assignment was left out: correct it in the database"
            );
            return None;
        }
    };
    Some(Assignment {
        role_id,
        actor,
        target,
        source: Source::default(),
    })
}
