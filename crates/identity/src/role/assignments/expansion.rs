//! Effective assignments: each grant is expanded to users, projects and roles.

use std::collections::{BTreeSet, HashMap, HashSet};

use keystone_storage::{Select, select};
use keystone_types::{Error, Result};

use super::inheritance::{self, AncestorRow, Descendants, TargetFilter};
use super::{ASSIGNMENTS, Assignment, AssignmentQuery, AssignmentScope, IN_ORDER, Position, Row};
use crate::directory::EntityBackend;
use crate::directory::id_mapping::Entity;
use crate::identity::Identity;
use crate::project::Project;
use crate::role::grant::{Actor, GrantTarget, Inheritance};
use crate::role::implied::RoleGraph;

/// Grants, with all that is needed to expand them.
#[derive(Clone, Debug)]
pub(super) struct Expansion {
    /// Sorted, so that those of one actor on one target are adjacent.
    grants: Vec<Assignment>,
    members: Members,
    descendants: Descendants,
    graph: RoleGraph,
    scope: Option<AssignmentScope>,
    role_id: Option<String>,
    /// An upper bound on the number of effective assignments.
    pub(super) at_most: usize,
}

/// The users to whom grants to groups are expanded.
#[derive(Clone, Debug)]
enum Members {
    /// One user, who is a member of every group that the grants name.
    User(String),
    /// The members of each group.
    Groups(HashMap<String, Vec<String>>),
}

/// The id of a role, and of the prior role that implies it.
type ExpandedRole = (String, Option<String>);

const MEMBERS: &str =
    "SELECT m.group_id, m.user_id FROM user_group_membership m JOIN `group` g ON g.id = m.group_id";

impl Identity {
    /// Expands the grants that a query is about. Domain-specific roles are left out: they only imply others.
    pub(super) async fn effective_assignments(&self, query: &AssignmentQuery) -> Result<Expansion> {
        let on_domain = matches!(query.scope, Some(AssignmentScope::Domain(_)));
        // A group has no effective assignments, and a domain inherits none.
        if matches!(query.actor, Some(Actor::Group(_)))
            || (on_domain && query.inherited == Some(true))
        {
            return Ok(Expansion::empty());
        }
        let inherited = if on_domain {
            Some(false)
        } else {
            query.inherited
        };
        let user = match &query.actor {
            Some(actor) => Some(self.subject(actor.id()).await?.user.id),
            None => None,
        };
        let (targets, mut ancestors) = self.targets(query.scope.as_ref(), inherited).await?;
        let narrow = |select: Select| targets.narrow(select).filter("a.inherited = ?", inherited);
        let first = targets.begin(ASSIGNMENTS);
        let select = match &user {
            Some(id) => {
                let actors = self.actors(id).await?;
                actors.assignments(first, ASSIGNMENTS, narrow)
            }
            None => narrow(first),
        };
        let rows: Vec<Row> = select.then(IN_ORDER).fetch_all(&self.db).await?;
        if ancestors.is_none() && rows.iter().any(|(.., inherited)| *inherited) {
            ancestors = Some(inheritance::inheriting_projects(&self.db).await?);
        }
        let ancestors = ancestors.unwrap_or_default();
        let to_groups = |(kind, ..): &Row| kind.starts_with("Group");
        let members = if user.is_none() && rows.iter().any(to_groups) {
            let groups = rows.iter().filter(|row| to_groups(row));
            let groups = groups.map(|(_, actor, ..)| actor.as_str()).collect();
            let mut members = self.members(targets, narrow).await?;
            members.extend(self.members_in_directories(groups).await?);
            members
        } else {
            Vec::new()
        };
        let graph = self.role_graph().await?;
        let (scope, role_id) = (query.scope.clone(), query.role_id.clone());
        let count = rows.len() + ancestors.len() + members.len();
        let expand = move || {
            let mut expansion = Expansion {
                grants: rows.into_iter().filter_map(super::assignment).collect(),
                members: Members::of(user, members),
                descendants: ancestors.into(),
                graph,
                scope,
                role_id,
                at_most: 0,
            };
            expansion.at_most = expansion.count_at_most();
            expansion
        };
        self.bulk.run(count, expand).await
    }

    /// The targets whose grants matter, and the ancestors of the projects there; `None` for ancestors that are needed
    /// only if a grant turns out to be inherited.
    async fn targets<'a>(
        &self,
        scope: Option<&'a AssignmentScope>,
        inherited: Option<bool>,
    ) -> Result<(TargetFilter<'a>, Option<Vec<AncestorRow>>)> {
        let (targets, ancestors, id) = match scope {
            Some(AssignmentScope::Tree(id)) => (
                TargetFilter::Branch(id),
                inheritance::subtree_ancestors(&self.db, id).await?,
                id,
            ),
            Some(AssignmentScope::Project(id)) if inherited != Some(false) => (
                TargetFilter::WithAncestors(id),
                inheritance::ancestors(&self.db, id).await?,
                id,
            ),
            scope => return Ok((TargetFilter::granted(scope), None)),
        };
        if ancestors.is_empty() {
            return Err(Error::not_found::<Project>(id));
        }
        Ok((targets, Some(ancestors)))
    }

    /// The members of every group that has a grant on one of the targets. Expiring memberships do not count, as in
    /// Keystone.
    async fn members(
        &self,
        targets: TargetFilter<'_>,
        narrow: impl Fn(Select) -> Select,
    ) -> Result<Vec<(String, String)>> {
        let groups = select("SELECT a.actor_id FROM assignment a");
        let query = targets
            .begin(MEMBERS)
            .within_query("m.group_id", narrow(groups));
        let query = query.then(" ORDER BY m.group_id, m.user_id");
        Ok(query.fetch_all(&self.db).await?)
    }
}

impl Identity {
    /// The members of those groups that are in directories.
    async fn members_in_directories(
        &self,
        groups: BTreeSet<&str>,
    ) -> Result<Vec<(String, String)>> {
        let ids: Vec<&str> = groups.into_iter().collect();
        let mut members = Vec::new();
        for backend in self.entity_backends(Entity::Group, &ids).await? {
            if let EntityBackend::Directory(group) = backend {
                let users = self.directory_member_ids(&group).await?;
                members.extend(users.into_iter().map(|user| (group.id.clone(), user)));
            }
        }
        Ok(members)
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

    /// The users to whom a grant to this actor is expanded.
    fn users_of<'a>(&'a self, actor: &'a Actor) -> &'a [String] {
        match (actor, self) {
            (Actor::User(id), _) | (Actor::Group(_), Self::User(id)) => std::slice::from_ref(id),
            (Actor::Group(id), Self::Groups(members)) => members.get(id).map_or(&[], Vec::as_slice),
        }
    }
}

impl Expansion {
    fn empty() -> Self {
        Self {
            grants: Vec::new(),
            members: Members::Groups(HashMap::new()),
            descendants: Descendants::default(),
            graph: RoleGraph::default(),
            scope: None,
            role_id: None,
            at_most: 0,
        }
    }

    fn count_at_most(&self) -> usize {
        let counts = self.by_target().map(|grants| {
            let users = self.members.users_of(&grants[0].actor).len();
            let targets = if grants[0].target.inherited() {
                self.inheriting(&grants[0].target).len()
            } else {
                1
            };
            users * targets * self.roles(grants).len()
        });
        counts.sum()
    }

    /// See [`Assignments::visit`](super::Assignments::visit).
    pub(super) fn visit(
        &self,
        position: &mut Position,
        most: usize,
        mut visit: impl FnMut(&Assignment),
    ) -> bool {
        let mut visited = 0;
        while let Some(grants) = self.of_target(position.grant) {
            let (roles, granted) = (self.roles(grants), &grants[0].target);
            let users = self.members.users_of(&grants[0].actor);
            let mut item = grants[0].clone();
            if let Actor::Group(id) = &grants[0].actor {
                item.source.group_id = Some(id.clone());
            }
            let projects = self.inheriting(granted);
            let targets = if granted.inherited() {
                item.source.target = Some(granted.clone());
                projects.len()
            } else {
                usize::from(self.asks_for(granted))
            };
            while position.target < targets && !roles.is_empty() {
                if granted.inherited() {
                    let project = projects[position.target].clone();
                    item.target = GrantTarget::Project(project, Inheritance::Direct);
                }
                while let Some(user) = users.get(position.user) {
                    if visited >= most {
                        return false;
                    }
                    visit_each(&mut item, user, &roles, &mut visit);
                    visited += roles.len();
                    position.user += 1;
                }
                position.user = 0;
                position.target += 1;
            }
            position.target = 0;
            position.grant += grants.len();
        }
        true
    }

    /// The grants of one actor on one target, from the one in this place on.
    fn of_target(&self, first: usize) -> Option<&[Assignment]> {
        self.grants.get(first..)?.chunk_by(same_target).next()
    }

    fn by_target(&self) -> impl Iterator<Item = &[Assignment]> {
        self.grants.chunk_by(same_target)
    }

    /// The projects that inherit from a target, among those asked for.
    fn inheriting(&self, target: &GrantTarget) -> &[String] {
        let of_ancestor = &self.descendants.of_ancestor;
        of_ancestor.get(target.id()).map_or(&[], Vec::as_slice)
    }

    /// Whether a target itself is among those asked for.
    fn asks_for(&self, target: &GrantTarget) -> bool {
        match (&self.scope, target) {
            (Some(AssignmentScope::Project(asked)), GrantTarget::Project(id, _))
            | (Some(AssignmentScope::Domain(asked)), GrantTarget::Domain(id, _)) => asked == id,
            (Some(AssignmentScope::Tree(_)), GrantTarget::Project(id, _)) => {
                self.descendants.projects.contains(id)
            }
            (Some(AssignmentScope::System) | None, _) => true,
            (Some(_), _) => false,
        }
    }

    /// The roles of one actor's grants on one target with those that they imply, one for each implication, as far as
    /// they are global and asked for.
    fn roles(&self, grants: &[Assignment]) -> Vec<ExpandedRole> {
        let mut roles: Vec<ExpandedRole> = grants
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

fn same_target(one: &Assignment, other: &Assignment) -> bool {
    one.actor == other.actor && one.target == other.target
}

/// Visits the assignments of these roles to a user on the item's target.
fn visit_each(
    item: &mut Assignment,
    user: &str,
    roles: &[ExpandedRole],
    visit: &mut impl FnMut(&Assignment),
) {
    item.actor = Actor::User(user.to_owned());
    for (role_id, prior) in roles {
        item.role_id.clone_from(role_id);
        item.source.prior_role_id.clone_from(prior);
        visit(item);
    }
}
