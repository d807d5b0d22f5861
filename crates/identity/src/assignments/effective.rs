//! Assignments in effect: each grant is followed to the users, the projects and the roles that it
//! comes to.

use std::collections::{HashMap, HashSet};

use keystone_storage::{Select, select};
use keystone_types::{Error, Result};

use super::reach::{self, Below, Edge, Place};
use super::{ASSIGNMENTS, Assignment, AssignmentQuery, AssignmentScope, IN_ORDER, Row};
use crate::role::RoleGraph;
use crate::{Actor, Identity, Project, Reach, Target};

/// Grants, and all that is needed to follow them.
#[derive(Clone, Debug)]
pub(super) struct Effective {
    /// Those of one actor on one target next to each other.
    grants: Vec<Assignment>,
    members: Members,
    below: Below,
    graph: RoleGraph,
    scope: Option<AssignmentScope>,
    role_id: Option<String>,
    /// How many assignments these are at most.
    pub(super) at_most: usize,
}

/// Whom grants to a group come to.
#[derive(Clone, Debug)]
enum Members {
    /// A user, all of whose groups these are.
    User(String),
    /// Those of each group.
    Groups(HashMap<String, Vec<String>>),
}

/// A role that holds, and the one that implies it.
type Held = (String, Option<String>);

const MEMBERS: &str =
    "SELECT m.group_id, m.user_id FROM user_group_membership m JOIN `group` g ON g.id = m.group_id";

impl Identity {
    /// What the grants come to, without roles that only lead to others.
    pub(super) async fn effective_assignments(&self, query: &AssignmentQuery) -> Result<Effective> {
        let on_domain = matches!(query.scope, Some(AssignmentScope::Domain(_)));
        // Nothing is a group's in the end, and nothing is inherited to a domain.
        if matches!(query.actor, Some(Actor::Group(_)))
            || (on_domain && query.inherited == Some(true))
        {
            return Ok(Effective::none());
        }
        let inherited = if on_domain {
            Some(false)
        } else {
            query.inherited
        };
        let user = match &query.actor {
            Some(actor) => Some(self.user_row(actor.id()).await?.id),
            None => None,
        };
        let (place, mut edges) = self.branch(query.scope.as_ref(), inherited).await?;
        let narrow = |select: Select| place.narrow(select).filter("a.inherited = ?", inherited);
        let first = place.begin(ASSIGNMENTS);
        let select = match &user {
            Some(id) => {
                let actors = self.actors(id).await?;
                actors.hold(first, ASSIGNMENTS, crate::effective::Place::Any, narrow)
            }
            None => narrow(first),
        };
        let rows: Vec<Row> = select.then(IN_ORDER).fetch_all(&self.db).await?;
        if edges.is_none() && rows.iter().any(|(.., inherited)| *inherited) {
            edges = Some(reach::inherited(&self.db).await?);
        }
        let edges = edges.unwrap_or_default();
        let to_groups = |(kind, ..): &Row| kind.starts_with("Group");
        let members = if user.is_none() && rows.iter().any(to_groups) {
            self.members(place, narrow).await?
        } else {
            Vec::new()
        };
        let graph = self.role_graph().await?;
        let (scope, role_id) = (query.scope.clone(), query.role_id.clone());
        let count = rows.len() + edges.len() + members.len();
        let follow = move || {
            let mut effective = Effective {
                grants: rows.into_iter().filter_map(super::assignment).collect(),
                members: Members::of(user, members),
                below: edges.into(),
                graph,
                scope,
                role_id,
                at_most: 0,
            };
            effective.at_most = effective.count_at_most();
            effective
        };
        self.bulk.run(count, follow).await
    }

    /// Where the grants are that matter, and what lies below what there; without that, what lies
    /// below inherited grants is still to be asked.
    async fn branch<'a>(
        &self,
        scope: Option<&'a AssignmentScope>,
        inherited: Option<bool>,
    ) -> Result<(Place<'a>, Option<Vec<Edge>>)> {
        let (place, edges, id) = match scope {
            Some(AssignmentScope::Tree(id)) => (
                Place::Branch(id),
                reach::above_tree(&self.db, id).await?,
                id,
            ),
            Some(AssignmentScope::Project(id)) if inherited != Some(false) => {
                (Place::Above(id), reach::above(&self.db, id).await?, id)
            }
            scope => return Ok((Place::granted(scope), None)),
        };
        if edges.is_empty() {
            return Err(Error::not_found::<Project>(id));
        }
        Ok((place, Some(edges)))
    }

    /// The members of every group that is granted something in a place, federated ones apart.
    async fn members(
        &self,
        place: Place<'_>,
        narrow: impl Fn(Select) -> Select,
    ) -> Result<Vec<(String, String)>> {
        let groups = select("SELECT a.actor_id FROM assignment a");
        let query = place
            .begin(MEMBERS)
            .within_query("m.group_id", narrow(groups));
        let query = query.then(" ORDER BY m.group_id, m.user_id");
        Ok(query.fetch_all(&self.db).await?)
    }
}

impl Members {
    fn of(user: Option<String>, rows: Vec<(String, String)>) -> Self {
        if let Some(id) = user {
            return Self::User(id);
        }
        let mut groups: HashMap<String, Vec<String>> = HashMap::new();
        for (group, user) in rows {
            groups.entry(group).or_default().push(user);
        }
        Self::Groups(groups)
    }

    /// The users to whom a grant comes.
    fn to_whom<'a>(&'a self, actor: &'a Actor) -> &'a [String] {
        match (actor, self) {
            (Actor::User(id), _) | (Actor::Group(_), Self::User(id)) => std::slice::from_ref(id),
            (Actor::Group(id), Self::Groups(members)) => members.get(id).map_or(&[], Vec::as_slice),
        }
    }
}

impl Effective {
    fn none() -> Self {
        Self {
            grants: Vec::new(),
            members: Members::Groups(HashMap::new()),
            below: Below::default(),
            graph: RoleGraph::default(),
            scope: None,
            role_id: None,
            at_most: 0,
        }
    }

    fn count_at_most(&self) -> usize {
        let counts = self.by_target().map(|grants| {
            let users = self.members.to_whom(&grants[0].actor).len();
            let targets = if grants[0].target.inherited() {
                self.reached(&grants[0].target).len()
            } else {
                1
            };
            users * targets * self.roles(grants).len()
        });
        counts.sum()
    }

    /// Shows each assignment in turn.
    pub(super) fn each(&self, mut visit: impl FnMut(&Assignment)) {
        for grants in self.by_target() {
            let roles = self.roles(grants);
            let granted = &grants[0].target;
            let users = self.members.to_whom(&grants[0].actor);
            if roles.is_empty() || users.is_empty() {
                continue;
            }
            let mut item = grants[0].clone();
            if let Actor::Group(id) = &grants[0].actor {
                item.source.group_id = Some(id.clone());
            }
            if granted.inherited() {
                item.source.target = Some(granted.clone());
                for project in self.reached(granted) {
                    item.target = Target::Project(project.clone(), Reach::Direct);
                    show(&mut item, users, &roles, &mut visit);
                }
            } else if self.asks_for(granted) {
                show(&mut item, users, &roles, &mut visit);
            }
        }
    }

    fn by_target(&self) -> impl Iterator<Item = &[Assignment]> {
        self.grants
            .chunk_by(|one, other| one.actor == other.actor && one.target == other.target)
    }

    /// The projects below a target, among those asked for.
    fn reached(&self, target: &Target) -> &[String] {
        let roots = &self.below.roots;
        roots.get(target.id()).map_or(&[], Vec::as_slice)
    }

    /// Whether a target itself is among those asked for.
    fn asks_for(&self, target: &Target) -> bool {
        match (&self.scope, target) {
            (Some(AssignmentScope::Project(asked)), Target::Project(id, _))
            | (Some(AssignmentScope::Domain(asked)), Target::Domain(id, _)) => asked == id,
            (Some(AssignmentScope::Tree(_)), Target::Project(id, _)) => {
                self.below.projects.contains(id)
            }
            (Some(AssignmentScope::System) | None, _) => true,
            (Some(_), _) => false,
        }
    }

    /// The roles of one actor's grants on one target and what they imply, each step once, as far
    /// as they have an effect and are asked for.
    fn roles(&self, grants: &[Assignment]) -> Vec<Held> {
        let mut roles: Vec<Held> = grants
            .iter()
            .map(|grant| (grant.role_id.clone(), None))
            .collect();
        let mut open: Vec<&str> = grants.iter().map(|grant| grant.role_id.as_str()).collect();
        let mut seen = HashSet::new();
        while let Some(prior) = open.pop() {
            for implied in self.graph.implied(prior) {
                if seen.insert((implied, prior)) {
                    roles.push((implied.clone(), Some(prior.to_owned())));
                    open.push(implied);
                }
            }
        }
        let asked_for = |id: &String| self.role_id.as_ref().is_none_or(|asked| asked == id);
        roles.retain(|(id, _)| self.graph.is_global(id) && asked_for(id));
        roles
    }
}

/// Shows what these users hold of these roles on the item's target.
fn show(
    item: &mut Assignment,
    users: &[String],
    roles: &[Held],
    visit: &mut impl FnMut(&Assignment),
) {
    for user in users {
        item.actor = Actor::User(user.clone());
        for (role_id, prior) in roles {
            item.role_id.clone_from(role_id);
            item.source.prior_role_id.clone_from(prior);
            visit(item);
        }
    }
}
