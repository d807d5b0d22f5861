//! Which role implies which.

use keystone_storage::{OrConflict, sql, transaction};
use keystone_types::{Error, Result};

use crate::role::{self, RoleRef};
use crate::{Identity, Role};

/// A role with those that it implies directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inference {
    /// The role that is held.
    pub prior: RoleRef,
    /// The roles that follow from it.
    pub implies: Vec<RoleRef>,
}

impl Identity {
    /// Lets one role imply another; doing so twice is a conflict.
    pub async fn create_implied_role(&self, prior_id: &str, implied_id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let implied = role::one(&mut *tx, implied_id).await?;
            let prior = role::one(&mut *tx, prior_id).await?;
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

    /// Whether one role implies another directly; not doing so is a 404.
    pub async fn check_implied_role(&self, prior_id: &str, implied_id: &str) -> Result<()> {
        let found: Option<(String,)> = sql(
            "SELECT implied_role_id FROM implied_role WHERE prior_role_id = ? AND implied_role_id = ?",
        )
        .bind(prior_id)
        .bind(implied_id)
        .fetch_optional(&self.db)
        .await?;
        found
            .map(drop)
            .ok_or_else(|| not_implied(prior_id, implied_id))
    }

    /// Ends that one role implies another.
    pub async fn delete_implied_role(&self, prior_id: &str, implied_id: &str) -> Result<()> {
        let removed =
            sql("DELETE FROM implied_role WHERE prior_role_id = ? AND implied_role_id = ?")
                .bind(prior_id)
                .bind(implied_id)
                .execute(&self.db)
                .await?;
        if removed == 0 {
            return Err(not_implied(prior_id, implied_id));
        }
        Ok(())
    }

    /// The roles that one implies directly.
    pub async fn implied_roles(&self, prior_id: &str) -> Result<Vec<Role>> {
        self.roles_where(|select| {
            select.filter(
                "r.id IN (SELECT i.implied_role_id FROM implied_role i WHERE i.prior_role_id = ?)",
                Some(prior_id),
            )
        })
        .await
    }

    /// Every role that implies others, by id.
    pub async fn role_inferences(&self) -> Result<Vec<Inference>> {
        let rows: Vec<(String, String, String, String)> =
            sql("SELECT p.id, p.name, r.id, r.name FROM implied_role i \
               JOIN role p ON p.id = i.prior_role_id JOIN role r ON r.id = i.implied_role_id \
              ORDER BY p.id, r.id")
            .fetch_all(&self.db)
            .await?;
        let mut inferences: Vec<Inference> = Vec::new();
        for (prior_id, prior_name, id, name) in rows {
            let implied = RoleRef { id, name };
            match inferences
                .last_mut()
                .filter(|last| last.prior.id == prior_id)
            {
                Some(inference) => inference.implies.push(implied),
                None => inferences.push(Inference {
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
}

fn not_implied(prior_id: &str, implied_id: &str) -> Error {
    Error::Missing(format!("{prior_id} does not imply {implied_id}."))
}
