//! Enforcement models: how the limits of a domain and of its projects constrain each other.

use keystone_storage::{Tx, sql};
use keystone_types::{Error, Result};

use crate::identity::Identity;
use crate::limit::Limit;
use crate::settings::EnforcementModel;

impl Identity {
    /// Refuses a project tree that is deeper than the enforcement model allows; Keystone does not start with one
    /// (`keystone/server/backends.py`).
    pub async fn check_tree(&self) -> Result<()> {
        let model = self.settings.enforcement_model;
        match model {
            EnforcementModel::Flat => return Ok(()),
            EnforcementModel::StrictTwoLevel => {}
        }
        let mut ids = sql("\
            SELECT p.id FROM project p \
              JOIN project parent ON parent.id = p.parent_id \
              JOIN project top ON top.id = parent.parent_id \
             ORDER BY p.id LIMIT 11")
        .fetch_texts(&self.db)
        .await?;
        if ids.is_empty() {
            return Ok(());
        }
        if ids.len() > 10 {
            "…".clone_into(&mut ids[10]);
        }
        Err(Error::Refused(format!(
            "[unified_limit] enforcement_model = {} can't be used: projects stand more than two levels deep, the \
             domain being the first ({}); use another model, or delete them",
            model.name(),
            ids.join(", ")
        )))
    }
}

/// 403 if one of the limits, which are to be stored together, violates the model.
pub(crate) async fn check_limits(
    tx: &mut Tx,
    model: EnforcementModel,
    limits: &[Limit],
) -> Result<()> {
    match model {
        EnforcementModel::Flat => return Ok(()),
        EnforcementModel::StrictTwoLevel => {}
    }
    for limit in limits {
        let fits = match (&limit.project_id, &limit.domain_id) {
            (Some(project), _) => is_within_parent(tx, limit, project, limits).await?,
            (None, Some(domain)) => !has_greater_descendant(tx, limit, domain).await?,
            (None, None) => true,
        };
        if !fits {
            return Err(refusal(limit));
        }
    }
    Ok(())
}

/// Whether a project's limit is within the limit of its parent: of the same request, stored, or else registered. As in
/// `keystone/limit/models/strict_two_level.py`, a limit of 0 of the parent does not count, and -1 is the least.
async fn is_within_parent(
    tx: &mut Tx,
    limit: &Limit,
    project_id: &str,
    together: &[Limit],
) -> Result<bool> {
    let parent: Option<(Option<String>,)> = sql("SELECT parent_id FROM project WHERE id = ?")
        .bind(project_id)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(parent) = parent.and_then(|(id,)| id) else {
        return Ok(true);
    };
    let same = |other: &&Limit| {
        other.domain_id.as_deref() == Some(parent.as_str()) && other.resource == limit.resource
    };
    if let Some(above) = together.iter().find(same) {
        return Ok(limit.resource_limit <= above.resource_limit);
    }
    let Some(registered) = limit.resource.registered(tx).await? else {
        return Ok(true);
    };
    let stored: Option<(i64,)> = sql("\
        SELECT resource_limit FROM `limit` WHERE domain_id = ? AND registered_limit_id = ? \
         ORDER BY internal_id LIMIT 1")
    .bind(&parent)
    .bind(&registered.id)
    .fetch_optional(tx)
    .await?;
    let above = stored.map_or(registered.default_limit, |(value,)| value);
    Ok(above == 0 || limit.resource_limit <= above)
}

/// Whether a descendant of a domain has a greater limit than the domain.
async fn has_greater_descendant(tx: &mut Tx, limit: &Limit, domain_id: &str) -> Result<bool> {
    let Some(registered) = limit.resource.registered(tx).await? else {
        return Ok(false);
    };
    let greater = sql("\
        WITH RECURSIVE down (id) AS (\
            SELECT id FROM project WHERE parent_id = ? \
            UNION SELECT p.id FROM project p JOIN down ON p.parent_id = down.id) \
        SELECT l.id FROM `limit` l \
         WHERE l.project_id IN (SELECT id FROM down) AND l.registered_limit_id = ? \
           AND l.resource_limit <> 0 AND l.resource_limit > ? \
         LIMIT 1")
    .bind(domain_id)
    .bind(&registered.id)
    .bind(limit.resource_limit);
    Ok(greater.exists(tx).await?)
}

fn refusal(limit: &Limit) -> Error {
    // Python prints `None`.
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "None".to_owned());
    let (level, id) = match &limit.project_id {
        Some(id) => ("project_id", id.clone()),
        None => ("domain_id", text(&limit.domain_id)),
    };
    Error::Refused(format!(
        "Invalid resource limit: The resource limit ({level}: {id}, resource_name: {}, resource_limit: {}, \
         service_id: {}, region_id: {}) doesn't satisfy current hierarchy model..",
        text(&limit.resource.resource_name),
        limit.resource_limit,
        text(&limit.resource.service_id),
        text(&limit.resource.region_id),
    ))
}
