//! Role assignments: who holds which role where, as granted or as it takes effect.
//!
//! However many there are, listing them takes the same few statements, and no more memory than what
//! they follow from: what holds in the end is gone through, not gathered.

mod effective;
mod names;
mod reach;

use std::collections::HashSet;

use keystone_storage::{Select, select, sql};
use keystone_types::Result;

use crate::{Actor, Identity, Reach, Target};

pub use names::{Named, Names};

use effective::Effective;
use names::Mentioned;
use reach::Place;

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
#[derive(Clone, Debug)]
pub struct Assignments {
    found: Found,
    within: Option<Within>,
    /// The names.
    pub names: Option<Names>,
}

#[derive(Clone, Debug)]
enum Found {
    Granted(Vec<Assignment>),
    Effective(Box<Effective>),
}

/// A domain and the projects in it.
#[derive(Clone, Debug)]
struct Within {
    domain_id: String,
    projects: HashSet<String>,
}

impl Assignments {
    /// How many there are at most.
    pub fn at_most(&self) -> usize {
        match &self.found {
            Found::Granted(items) => items.len(),
            Found::Effective(effective) => effective.at_most,
        }
    }

    /// Shows each assignment in turn.
    pub fn each(&self, mut visit: impl FnMut(&Assignment)) {
        let visit = |item: &Assignment| {
            if self.within.as_ref().is_none_or(|within| within.holds(item)) {
                visit(item);
            }
        };
        match &self.found {
            Found::Granted(items) => items.iter().for_each(visit),
            Found::Effective(effective) => effective.each(visit),
        }
    }
}

impl Within {
    fn holds(&self, item: &Assignment) -> bool {
        match &item.target {
            Target::Project(id, _) => self.projects.contains(id),
            Target::Domain(id, _) => *id == self.domain_id,
            Target::System => false,
        }
    }
}

/// A row: type, actor, target, role, whether inherited.
type Row = (String, String, String, String, bool);

const ASSIGNMENTS: &str =
    "SELECT a.type, a.actor_id, a.target_id, a.role_id, a.inherited FROM assignment a";

const SYSTEM: &str =
    "SELECT a.type, a.actor_id, a.target_id, a.role_id, a.inherited FROM system_assignment a";

const IN_ORDER: &str = " ORDER BY `type`, actor_id, target_id, inherited, role_id";

impl Identity {
    /// The assignments that a query asks for.
    pub async fn role_assignments(&self, query: &AssignmentQuery) -> Result<Assignments> {
        let found = if query.effective {
            Found::Effective(Box::new(self.effective_assignments(query).await?))
        } else {
            Found::Granted(self.granted_assignments(query).await?)
        };
        let within = match &query.within_domain {
            Some(id) => Some(self.within(id).await?),
            None => None,
        };
        let assignments = Assignments {
            found,
            within,
            names: None,
        };
        if !query.names {
            return Ok(assignments);
        }
        let count = assignments.at_most();
        let mention = move || (Mentioned::by(&assignments), assignments);
        let (mentioned, mut assignments) = self.bulk.run(count, mention).await?;
        assignments.names = Some(self.names(mentioned).await?);
        Ok(assignments)
    }

    /// What was granted, as it was granted.
    async fn granted_assignments(&self, query: &AssignmentQuery) -> Result<Vec<Assignment>> {
        if let Some(AssignmentScope::Tree(id)) = &query.scope {
            self.project(id).await?;
        }
        let narrow = |select: Select| {
            select
                .filter("a.actor_id = ?", query.actor.as_ref().map(Actor::id))
                .filter("a.role_id = ?", query.role_id.as_ref())
        };
        let place = Place::granted(query.scope.as_ref());
        let granted = |text| {
            let select = place.narrow(narrow(place.begin(text)));
            select.filter("a.inherited = ?", query.inherited)
        };
        let select = match &query.scope {
            Some(AssignmentScope::System) => on_system(narrow(select(SYSTEM))),
            Some(_) => granted(ASSIGNMENTS),
            None => on_system(narrow(granted(ASSIGNMENTS).union_all(SYSTEM))),
        };
        let rows: Vec<Row> = select.then(IN_ORDER).fetch_all(&self.db).await?;
        let (count, query) = (rows.len(), query.clone());
        let read = move || {
            let items = rows.into_iter().filter_map(assignment);
            let mut items: Vec<Assignment> = items.filter(|item| fits(&query, item)).collect();
            items.sort_by_key(|item| item.target == Target::System);
            items
        };
        self.bulk.run(count, read).await
    }

    async fn within(&self, domain_id: &str) -> Result<Within> {
        let rows: Vec<(String,)> = sql("SELECT id FROM project WHERE domain_id = ? ORDER BY id")
            .bind(domain_id)
            .fetch_all(&self.db)
            .await?;
        let (count, domain_id) = (rows.len(), domain_id.to_owned());
        let gather = move || Within {
            domain_id,
            projects: rows.into_iter().map(|(id,)| id).collect(),
        };
        self.bulk.run(count, gather).await
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
fn assignment((kind, actor, target, role_id, inherited): Row) -> Option<Assignment> {
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
