//! Implied roles: a user with the prior role has the implied one too.

use std::collections::{BTreeMap, BTreeSet};

use keystone_storage::{OrConflict, sql, transaction};
use keystone_types::{Error, Result};

use crate::identity::Identity;
use crate::role::{self, GLOBAL, Role, RoleRef};

/// A role with the roles that it implies directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleInference {
    /// The role that implies others.
    pub prior: RoleRef,
    /// The implied roles.
    pub implies: Vec<RoleRef>,
}

/// Every role by id, with the roles that it implies directly. Roles are few, so that all of them are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoleGraph(BTreeMap<String, Node>);

#[derive(Clone, Debug)]
struct Node {
    name: String,
    global: bool,
    implies: Vec<String>,
}

impl RoleGraph {
    /// The graph of rows that have a role's id, name and domain, and a role that it implies.
    pub(crate) fn of(rows: Vec<(String, String, String, Option<String>)>) -> Self {
        let mut graph = BTreeMap::new();
        for (id, name, domain_id, implied) in rows {
            let global = domain_id == GLOBAL;
            let node = graph.entry(id).or_insert_with(|| Node {
                name,
                global,
                implies: Vec::new(),
            });
            node.implies.extend(implied);
        }
        Self(graph)
    }

    /// The roles with these ids and those that they imply, each once, without domain-specific ones, which only imply others.
    pub(crate) fn expand<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Vec<RoleRef> {
        let nodes = self.closure(ids).into_iter().map(|id| (id, &self.0[id]));
        nodes
            .filter(|(_, node)| node.global)
            .map(|(id, node)| RoleRef {
                id: id.clone(),
                name: node.name.clone(),
            })
            .collect()
    }

    /// The ids of these roles and of those that they imply; of ids without a role, nothing.
    pub(crate) fn closure<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> BTreeSet<&String> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = ids.into_iter().collect();
        while let Some(id) = open.pop() {
            if let Some((id, node)) = self.0.get_key_value(id)
                && seen.insert(id)
            {
                open.extend(node.implies.iter().map(String::as_str));
            }
        }
        seen
    }

    /// The roles that a role implies directly.
    pub(crate) fn implied(&self, id: &str) -> &[String] {
        self.0.get(id).map_or(&[], |node| &node.implies)
    }

    /// Whether a role exists.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Whether a role exists and belongs to no domain.
    pub(crate) fn is_global(&self, id: &str) -> bool {
        self.0.get(id).is_some_and(|node| node.global)
    }
}

impl Identity {
    /// Makes one role imply another; 409 if it does already.
    pub async fn create_implied_role(&self, prior_id: &str, implied_id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let prior = role::one(&mut *tx, prior_id).await?;
            let implied = role::one(&mut *tx, implied_id).await?;
            let prohibited = &self.settings.prohibited_implied_roles;
            if prohibited.contains(&implied.name)
                || (prior.domain_id.is_none() && implied.domain_id.is_some())
            {
                return Err(Error::Refused(format!(
                    "{implied_id} cannot be an implied roles."
                )));
            }
            sql("INSERT INTO implied_role (prior_role_id, implied_role_id) VALUES (?, ?)")
                .bind(&prior.id)
                .bind(&implied.id)
                .execute(tx)
                .await
                .or_conflict(|| Error::Conflict {
                    kind: "implied_role",
                    detail: "Duplicate entry".to_owned(),
                })?;
            Ok(())
        })
        .await
    }

    /// 404 unless one role implies another directly.
    pub async fn check_implied_role(&self, prior_id: &str, implied_id: &str) -> Result<()> {
        let found = sql(
            "SELECT implied_role_id FROM implied_role WHERE prior_role_id = ? AND implied_role_id = ?",
        );
        if found
            .bind(prior_id)
            .bind(implied_id)
            .exists(&self.db)
            .await?
        {
            return Ok(());
        }
        Err(self.no_implication(prior_id, implied_id).await)
    }

    /// Ends the implication of one role by another.
    pub async fn delete_implied_role(&self, prior_id: &str, implied_id: &str) -> Result<()> {
        let deleted =
            sql("DELETE FROM implied_role WHERE prior_role_id = ? AND implied_role_id = ?")
                .bind(prior_id)
                .bind(implied_id)
                .execute(&self.db)
                .await?;
        if deleted > 0 {
            return Ok(());
        }
        Err(self.no_implication(prior_id, implied_id).await)
    }

    /// The 404 where one role does not imply another, or one of them does not exist.
    async fn no_implication(&self, prior_id: &str, implied_id: &str) -> Error {
        for id in [prior_id, implied_id] {
            if let Err(error) = self.role(id).await {
                return error;
            }
        }
        not_implied(prior_id, implied_id)
    }

    /// The roles that a role implies directly.
    pub async fn implied_roles(&self, prior_id: &str) -> Result<Vec<Role>> {
        let implied = self.roles_where(|select| {
            select.filter(
                "r.id IN (SELECT i.implied_role_id FROM implied_role i WHERE i.prior_role_id = ?)",
                Some(prior_id),
            )
        });
        let implied = implied.await?;
        if implied.is_empty() {
            self.role(prior_id).await?;
        }
        Ok(implied)
    }

    /// Every role that implies others, with these, by id.
    pub async fn role_inferences(&self) -> Result<Vec<RoleInference>> {
        let rows: Vec<(String, String, String, String)> =
            sql("SELECT p.id, p.name, r.id, r.name FROM implied_role i \
               JOIN role p ON p.id = i.prior_role_id JOIN role r ON r.id = i.implied_role_id \
              ORDER BY p.id, r.id")
            .fetch_all(&self.db)
            .await?;
        let mut inferences: Vec<RoleInference> = Vec::new();
        for (prior_id, prior_name, id, name) in rows {
            let implied = RoleRef { id, name };
            match inferences
                .last_mut()
                .filter(|last| last.prior.id == prior_id)
            {
                Some(inference) => inference.implies.push(implied),
                None => inferences.push(RoleInference {
                    prior: RoleRef {
                        id: prior_id,
                        name: prior_name,
                    },
                    implies: vec![implied],
                }),
            }
        }
        Ok(inferences)
    }

    /// The roles with these ids and those that they imply, each once, without domain-specific ones.
    pub async fn roles_with_implied(&self, ids: &[String]) -> Result<Vec<RoleRef>> {
        let graph = self.role_graph().await?;
        Ok(graph.expand(ids.iter().map(String::as_str)))
    }

    /// What each role gives, by its id: itself and the roles that it implies, without domain-specific ones, which only imply
    /// others.
    pub async fn effective_roles(&self) -> Result<BTreeMap<String, Vec<RoleRef>>> {
        let graph = self.role_graph().await?;
        let expanded = graph
            .0
            .keys()
            .map(|id| (id.clone(), graph.expand([id.as_str()])));
        Ok(expanded.collect())
    }

    /// The implied roles of every role.
    pub(crate) async fn role_graph(&self) -> Result<RoleGraph> {
        let rows: Vec<(String, String, String, Option<String>)> = sql("\
            SELECT r.id, r.name, r.domain_id, i.implied_role_id \
              FROM role r LEFT JOIN implied_role i ON i.prior_role_id = r.id ORDER BY r.id")
        .fetch_all(&self.db)
        .await?;
        Ok(RoleGraph::of(rows))
    }
}

fn not_implied(prior_id: &str, implied_id: &str) -> Error {
    Error::Missing(format!("{prior_id} does not imply {implied_id}."))
}
