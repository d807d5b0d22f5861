//! Assignments in effect: each grant is followed to the users, the projects and the roles that it
//! comes to.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use keystone_storage::select;
use keystone_types::Result;

use super::reach::Below;
use super::{ASSIGNMENTS, Assignment, AssignmentQuery, AssignmentScope, Source};
use crate::role::RoleGraph;
use crate::{Actor, Identity, Reach, Target};

/// Whom grants to a group come to.
enum Members {
    /// A user whose groups were looked up.
    User(String),
    /// Those of each group.
    Groups(BTreeMap<String, Vec<String>>),
}

impl Identity {
    /// What the grants come to, without roles that only lead to others.
    pub(super) async fn effective_assignments(
        &self,
        query: &AssignmentQuery,
    ) -> Result<Vec<Assignment>> {
        let on_domain = matches!(query.scope, Some(AssignmentScope::Domain(_)));
        let inherited = if on_domain {
            Some(false)
        } else {
            query.inherited
        };
        let user = match &query.actor {
            Some(Actor::User(id)) => Some(id),
            // Nothing is a group's in the end, and nothing is inherited to a domain.
            Some(Actor::Group(_)) => return Ok(Vec::new()),
            None => None,
        };
        if on_domain && query.inherited == Some(true) {
            return Ok(Vec::new());
        }
        let groups = match user {
            Some(id) => {
                self.user_row(id).await?;
                self.group_ids(id).await?
            }
            None => Vec::new(),
        };
        let mut below = match &query.scope {
            Some(AssignmentScope::Tree(id)) => Some(Below::tree(&self.db, id).await?),
            Some(AssignmentScope::Project(id)) if inherited != Some(false) => {
                Some(Below::project(&self.db, id).await?)
            }
            _ => None,
        };
        let targets = targets(query, below.as_ref());
        let mut select = select(ASSIGNMENTS).filter("a.inherited = ?", inherited);
        if let Some(id) = user {
            select = select.within("a.actor_id", groups.iter().chain([id]));
        }
        let mut grants = self.assignments_on(select, targets.as_ref()).await?;
        grants.retain(|grant| match (&grant.actor, user) {
            (Actor::User(id), Some(user)) => id == user,
            (Actor::Group(id), Some(_)) => groups.contains(id),
            (_, None) => true,
        });
        if below.is_none() && grants.iter().any(|grant| grant.target.inherited()) {
            below = Some(Below::inherited(&self.db).await?);
        }
        let members = match user {
            Some(id) => Members::User(id.clone()),
            None => Members::Groups(self.members(&grants).await?),
        };
        let reached = grants
            .iter()
            .flat_map(|grant| reach(query, grant, below.as_ref()));
        let held = reached.flat_map(|grant| members.hold(grant)).collect();
        let graph = self.role_graph().await?;
        let mut items = imply(held, &graph);
        items.retain(|item| {
            graph.is_global(&item.role_id)
                && query.role_id.as_ref().is_none_or(|id| *id == item.role_id)
        });
        Ok(items)
    }

    /// The members of every group that is granted something, federated ones apart.
    async fn members(&self, grants: &[Assignment]) -> Result<BTreeMap<String, Vec<String>>> {
        let groups: BTreeSet<&str> = grants
            .iter()
            .filter(|grant| matches!(grant.actor, Actor::Group(_)))
            .map(|grant| grant.actor.id())
            .collect();
        let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
        if groups.is_empty() {
            return Ok(members);
        }
        let mut select = select(
            "SELECT m.group_id, m.user_id FROM user_group_membership m JOIN `group` g ON g.id = m.group_id",
        );
        if groups.len() <= super::LONG {
            select = select.within("m.group_id", groups);
        }
        let query = select.then(" ORDER BY m.group_id, m.user_id");
        let rows: Vec<(String, String)> = query.fetch_all(&self.db).await?;
        for (group, user) in rows {
            members.entry(group).or_default().push(user);
        }
        Ok(members)
    }
}

/// Where the grants are that matter; `None` is everywhere.
fn targets(query: &AssignmentQuery, below: Option<&Below>) -> Option<BTreeSet<String>> {
    match (&query.scope, below) {
        (Some(AssignmentScope::Project(_) | AssignmentScope::Tree(_)), Some(below)) => {
            let roots = below.roots.keys().cloned();
            Some(roots.chain(below.projects.iter().cloned()).collect())
        }
        (Some(AssignmentScope::Project(id) | AssignmentScope::Domain(id)), _) => {
            Some(BTreeSet::from([id.clone()]))
        }
        _ => None,
    }
}

/// A grant on each target, among those asked for, on which it holds.
fn reach(query: &AssignmentQuery, grant: &Assignment, below: Option<&Below>) -> Vec<Assignment> {
    if !grant.target.inherited() {
        let asked_for = match (&query.scope, &grant.target) {
            (Some(AssignmentScope::Project(asked)), Target::Project(id, _))
            | (Some(AssignmentScope::Domain(asked)), Target::Domain(id, _)) => asked == id,
            (Some(AssignmentScope::Tree(_)), Target::Project(id, _)) => {
                below.is_some_and(|below| below.projects.contains(id))
            }
            (Some(AssignmentScope::System) | None, _) => true,
            (Some(_), _) => false,
        };
        return if asked_for {
            vec![grant.clone()]
        } else {
            Vec::new()
        };
    }
    let projects = below.and_then(|below| below.roots.get(grant.target.id()));
    let on = |project: &String| Assignment {
        target: Target::Project(project.clone(), Reach::Direct),
        source: Source {
            target: Some(grant.target.clone()),
            ..Source::default()
        },
        ..grant.clone()
    };
    projects.into_iter().flatten().map(on).collect()
}

impl Members {
    /// A grant as each user holds it to whom it comes.
    fn hold(&self, grant: Assignment) -> Vec<Assignment> {
        let Actor::Group(group) = &grant.actor else {
            return vec![grant];
        };
        let users = match self {
            Self::User(id) => std::slice::from_ref(id),
            Self::Groups(members) => members.get(group).map_or(&[][..], Vec::as_slice),
        };
        let by = |user: &String| Assignment {
            actor: Actor::User(user.clone()),
            source: Source {
                group_id: Some(group.clone()),
                ..grant.source.clone()
            },
            ..grant.clone()
        };
        users.iter().map(by).collect()
    }
}

/// Adds what the roles imply, each step once.
fn imply(held: Vec<Assignment>, graph: &RoleGraph) -> Vec<Assignment> {
    let mut open = held.clone();
    open.reverse();
    let mut items = held;
    let mut seen = HashSet::new();
    while let Some(prior) = open.pop() {
        for role_id in graph.implied(&prior.role_id) {
            let implied = Assignment {
                role_id: role_id.clone(),
                source: Source {
                    prior_role_id: Some(prior.role_id.clone()),
                    ..prior.source.clone()
                },
                ..prior.clone()
            };
            if seen.insert(implied.clone()) {
                items.push(implied.clone());
                open.push(implied);
            }
        }
    }
    items
}
