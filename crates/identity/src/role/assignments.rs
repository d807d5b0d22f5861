//! Role assignments: who holds which role on what, as granted or as they take effect.
//!
//! A listing takes the same few statements however many assignments there are, and no more memory than the grants behind
//! them: effective assignments are visited one by one and never collected.

mod expansion;
mod inheritance;
pub(crate) mod names;

use std::collections::HashSet;

use keystone_storage::{Select, select, sql};
use keystone_types::{Error, Result};

use crate::identity::Identity;
use crate::role::grant::{Actor, GrantTarget, Inheritance};

use expansion::Expansion;
use inheritance::TargetFilter;
use names::{MentionedIds, Names};

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
    /// Whether to list effective assignments: groups are replaced by their members, inherited grants by the projects that
    /// inherit them, and implied roles are added. Assignments on the system are not among them.
    pub effective: bool,
    /// Only those on this domain and on the projects in it.
    pub within_domain: Option<String>,
    /// Whether to look up names.
    pub names: bool,
}

impl AssignmentQuery {
    /// 400 for one that no assignment can fit.
    fn check(&self) -> Result<()> {
        let by_group = matches!(self.actor, Some(Actor::Group(_)));
        let by_domain = matches!(self.scope, Some(AssignmentScope::Domain(_)));
        let filters = if self.effective && by_group {
            "effective and group filter"
        } else if self.effective && by_domain && self.inherited == Some(true) {
            "effective, domain and inherited filters"
        } else {
            return Ok(());
        };
        Err(Error::Validation(format!(
            "Combining {filters} will always result in an empty list."
        )))
    }
}

/// The scope of the listed assignments.
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

/// A role that a user or group holds on a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Assignment {
    /// The role.
    pub role_id: String,
    /// Who holds it.
    pub actor: Actor,
    /// On what.
    pub target: GrantTarget,
    /// Where it comes from, if it was not granted as it is listed.
    pub source: IndirectSource,
}

/// How an effective assignment differs from the grant behind it: `indirect` in `keystone/assignment/core.py`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IndirectSource {
    /// The group that was granted the role.
    pub group_id: Option<String>,
    /// The project or domain that it is inherited from.
    pub target: Option<GrantTarget>,
    /// The role that implies it.
    pub prior_role_id: Option<String>,
}

/// Assignments, with the names of what they are about where those were asked for.
#[derive(Clone, Debug)]
pub struct Assignments {
    found: Found,
    within: Option<DomainProjects>,
    /// The names.
    pub names: Option<Names>,
}

#[derive(Clone, Debug)]
enum Found {
    Granted(Vec<Assignment>),
    Effective(Box<Expansion>),
}

/// A position in a list of assignments; the default is the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    grant: usize,
    /// In what the grant is expanded to.
    target: usize,
    user: usize,
}

/// A domain and the projects in it.
#[derive(Clone, Debug)]
struct DomainProjects {
    domain_id: String,
    projects: HashSet<String>,
}

impl Assignments {
    /// An upper bound on their number.
    pub fn at_most(&self) -> usize {
        match &self.found {
            Found::Granted(items) => items.len(),
            Found::Effective(expansion) => expansion.at_most,
        }
    }

    /// Calls `visit` with each assignment in turn from a position on, which is moved, and stops soon after so many. Returns
    /// whether there are no more.
    pub fn visit(
        &self,
        position: &mut Position,
        most: usize,
        mut visit: impl FnMut(&Assignment),
    ) -> bool {
        let visit = |item: &Assignment| {
            if self.within.as_ref().is_none_or(|within| within.holds(item)) {
                visit(item);
            }
        };
        match &self.found {
            Found::Granted(items) => {
                let rest = &items[position.grant.min(items.len())..];
                let now = &rest[..most.min(rest.len())];
                now.iter().for_each(visit);
                position.grant += now.len();
                position.grant == items.len()
            }
            Found::Effective(expansion) => expansion.visit(position, most, visit),
        }
    }
}

impl DomainProjects {
    fn holds(&self, item: &Assignment) -> bool {
        match &item.target {
            GrantTarget::Project(id, _) => self.projects.contains(id),
            GrantTarget::Domain(id, _) => *id == self.domain_id,
            GrantTarget::System => false,
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
        if let Some(AssignmentScope::Tree(id)) = &query.scope {
            self.project(id).await?;
        }
        query.check()?;
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
        let collect = move || (MentionedIds::of(&assignments), assignments);
        let (mentioned, mut assignments) = self.bulk.run(count, collect).await?;
        assignments.names = Some(self.names(mentioned, !query.effective).await?);
        Ok(assignments)
    }

    /// Assignments as they were granted.
    async fn granted_assignments(&self, query: &AssignmentQuery) -> Result<Vec<Assignment>> {
        let narrow = |select: Select| {
            select
                .filter("a.actor_id = ?", query.actor.as_ref().map(Actor::id))
                .filter("a.role_id = ?", query.role_id.as_ref())
        };
        let targets = TargetFilter::granted(query.scope.as_ref());
        let granted = |text| {
            let select = targets.narrow(narrow(targets.begin(text)));
            select.filter("a.inherited = ?", query.inherited)
        };
        let select = match &query.scope {
            Some(AssignmentScope::System) => on_system(narrow(select(SYSTEM))),
            Some(_) => granted(ASSIGNMENTS),
            None => on_system(narrow(granted(ASSIGNMENTS).union_all(SYSTEM))),
        };
        let rows: Vec<Row> = select.then("").fetch_all(&self.db).await?;
        let (count, query) = (rows.len(), query.clone());
        let read = move || {
            let items = rows.into_iter().filter_map(assignment);
            let mut items: Vec<Assignment> =
                items.filter(|item| matches_kind(&query, item)).collect();
            // Here, because both databases collect the rows of a union before they sort them.
            items.sort_by(|one, other| order(one).cmp(&order(other)));
            items
        };
        self.bulk.run(count, read).await
    }

    async fn within(&self, domain_id: &str) -> Result<DomainProjects> {
        let projects = sql("SELECT id FROM project WHERE domain_id = ? ORDER BY id");
        let projects = projects.bind(domain_id).fetch_texts(&self.db).await?;
        let (count, domain_id) = (projects.len(), domain_id.to_owned());
        let gather = move || DomainProjects {
            domain_id,
            projects: projects.into_iter().collect(),
        };
        self.bulk.run(count, gather).await
    }
}

/// Those on the system come last.
fn order(item: &Assignment) -> impl Ord {
    let (actor, target) = (&item.actor, &item.target);
    let kinds = (
        *target == GrantTarget::System,
        matches!(actor, Actor::User(_)),
        matches!(target, GrantTarget::Project(..)),
    );
    (
        kinds,
        actor.id(),
        target.id(),
        target.inherited(),
        &item.role_id,
    )
}

fn on_system(select: Select) -> Select {
    select.and("a.target_id = 'system'")
}

/// Whether an assignment is of the kind that was asked for: ids of users and groups share a column, as do those of
/// projects and domains.
fn matches_kind(query: &AssignmentQuery, item: &Assignment) -> bool {
    let scope = match &query.scope {
        Some(AssignmentScope::Project(_) | AssignmentScope::Tree(_)) => {
            matches!(item.target, GrantTarget::Project(..))
        }
        Some(AssignmentScope::Domain(_)) => matches!(item.target, GrantTarget::Domain(..)),
        Some(AssignmentScope::System) | None => true,
    };
    scope
        && query
            .actor
            .as_ref()
            .is_none_or(|actor| *actor == item.actor)
}

/// The assignment in a row; `None` for one of an unknown type, which grants nothing.
fn assignment((kind, actor, target, role_id, inherited): Row) -> Option<Assignment> {
    let inheritance = if inherited {
        Inheritance::Inherited
    } else {
        Inheritance::Direct
    };
    let (actor, target) = match kind.as_str() {
        "UserProject" => (
            Actor::User(actor),
            GrantTarget::Project(target, inheritance),
        ),
        "GroupProject" => (
            Actor::Group(actor),
            GrantTarget::Project(target, inheritance),
        ),
        "UserDomain" => (Actor::User(actor), GrantTarget::Domain(target, inheritance)),
        "GroupDomain" => (
            Actor::Group(actor),
            GrantTarget::Domain(target, inheritance),
        ),
        "UserSystem" => (Actor::User(actor), GrantTarget::System),
        "GroupSystem" => (Actor::Group(actor), GrantTarget::System),
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
        source: IndirectSource::default(),
    })
}
