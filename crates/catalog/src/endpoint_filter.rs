//! Endpoint filters: which endpoints and endpoint groups are associated with which projects.
//!
//! `scope` applies them to the catalog of a token.

use keystone_storage::{Cascade, Cleanup, OrConflict, Tx, sql, transaction};
use keystone_types::{Error, Result};

use crate::{
    Catalog, Endpoint, EndpointGroup,
    catalog::lock_id,
    endpoint,
    endpoint_group::{self, Filters},
};

const ENDPOINTS: &str = "\
    SELECT endpoint.id, interface, region_id, service_id, url, enabled, extra FROM endpoint \
    JOIN project_endpoint ON project_endpoint.endpoint_id = endpoint.id \
    WHERE project_endpoint.project_id = ? ORDER BY endpoint.id";

const GROUPS: &str = "\
    SELECT endpoint_group.id, name, description, filters FROM endpoint_group \
    JOIN project_endpoint_group ON project_endpoint_group.endpoint_group_id = endpoint_group.id \
    WHERE project_endpoint_group.project_id = ? ORDER BY endpoint_group.id";

/// All but the hidden root of all domains.
const PROJECT: &str = "SELECT id FROM project WHERE id = ? AND id <> '<<keystone.domain.root>>'";

/// The associations of deleted projects.
pub const CASCADE: Cascade = Cascade {
    projects: &[
        Cleanup::new("DELETE FROM project_endpoint WHERE project_id IN (?)"),
        Cleanup::new("DELETE FROM project_endpoint_group WHERE project_id IN (?)"),
    ],
    ..Cascade::NONE
};

impl Catalog {
    /// Associates an endpoint with a project.
    pub async fn add_endpoint_to_project(&self, endpoint_id: &str, project_id: &str) -> Result<()> {
        let added = transaction!(self.db, |tx| {
            let endpoint = endpoint::lock(endpoint_id, tx).await?;
            let project = lock_project(project_id, tx).await?;
            sql("INSERT INTO project_endpoint (endpoint_id, project_id) VALUES (?, ?)")
                .bind(endpoint)
                .bind(project)
                .execute(tx)
                .await
                .or_conflict(|| already_associated("project_endpoint"))?;
            Ok(())
        });
        added.await
    }

    /// 404 unless an endpoint itself, and not only a group with it, is associated with a project.
    pub async fn check_endpoint_in_project(&self, endpoint: &str, project: &str) -> Result<()> {
        self.endpoint(endpoint).await?;
        self.project_id(project).await?;
        let query = sql("SELECT endpoint_id FROM project_endpoint \
             WHERE endpoint_id = ? AND project_id = ?");
        let query = query.bind(endpoint).bind(project);
        if query.exists(&self.db).await? {
            return Ok(());
        }
        Err(no_endpoint(endpoint, project))
    }

    /// Ends the association of an endpoint with a project. Whether the two exist does not matter: without an association it
    /// is 404 either way.
    pub async fn remove_endpoint_from_project(&self, endpoint: &str, project: &str) -> Result<()> {
        let query = sql("DELETE FROM project_endpoint WHERE endpoint_id = ? AND project_id = ?");
        let missing = || no_endpoint(endpoint, project);
        let query = query.bind(endpoint).bind(project);
        query.execute_or(&self.db, missing).await
    }

    /// The endpoints of a project: those associated with it, and those in its endpoint groups.
    pub async fn endpoints_of_project(&self, project_id: &str) -> Result<Vec<Endpoint>> {
        let project_id = &self.project_id(project_id).await?;
        let query = sql(ENDPOINTS).bind(project_id);
        let mut found: Vec<Endpoint> = query.fetch_readable(&self.db).await?;
        let groups = self.filters_of_project(project_id).await?;
        if groups.is_empty() {
            return Ok(found);
        }
        let chosen = |endpoint: &Endpoint| {
            groups.iter().any(|group| group.matches_endpoint(endpoint))
                || found.iter().any(|found| found.id == endpoint.id)
        };
        let every = self.every_endpoint().await?;
        found = every.into_iter().filter(chosen).collect();
        Ok(found)
    }

    /// Associates an endpoint group with a project.
    pub async fn add_endpoint_group_to_project(
        &self,
        group_id: &str,
        project_id: &str,
    ) -> Result<()> {
        let added = transaction!(self.db, |tx| {
            let project = lock_project(project_id, tx).await?;
            let group = endpoint_group::lock(group_id, tx).await?;
            sql("INSERT INTO project_endpoint_group (endpoint_group_id, project_id) VALUES (?, ?)")
                .bind(group)
                .bind(project)
                .execute(tx)
                .await
                .or_conflict(|| already_associated("project_endpoint_group"))?;
            Ok(())
        });
        added.await
    }

    /// The ids of an endpoint group and of a project, as they are associated; 404 unless they are.
    pub async fn endpoint_group_in_project(
        &self,
        group_id: &str,
        project_id: &str,
    ) -> Result<(String, String)> {
        self.project_id(project_id).await?;
        self.endpoint_group(group_id).await?;
        let query = sql(
            "SELECT endpoint_group_id, project_id FROM project_endpoint_group \
             WHERE endpoint_group_id = ? AND project_id = ?",
        );
        let query = query.bind(group_id).bind(project_id);
        query.fetch_or(&self.db, no_group).await
    }

    /// Ends the association of an endpoint group with a project.
    pub async fn remove_endpoint_group_from_project(
        &self,
        group: &str,
        project: &str,
    ) -> Result<()> {
        self.project_id(project).await?;
        self.endpoint_group(group).await?;
        let query = sql("DELETE FROM project_endpoint_group \
             WHERE endpoint_group_id = ? AND project_id = ?");
        let query = query.bind(group).bind(project);
        query.execute_or(&self.db, no_group).await
    }

    /// The endpoint groups that are associated with a project.
    pub async fn endpoint_groups_of_project(&self, project_id: &str) -> Result<Vec<EndpointGroup>> {
        let query = sql(GROUPS).bind(self.project_id(project_id).await?);
        Ok(query.fetch_readable(&self.db).await?)
    }

    /// The id of a project as it is stored.
    async fn project_id(&self, id: &str) -> Result<String> {
        let query = sql(PROJECT).bind(id);
        let (id,): (String,) = query.fetch_or(&self.db, || no_project(id)).await?;
        Ok(id)
    }

    /// The filters of a project's endpoint groups.
    pub(crate) async fn filters_of_project(&self, project_id: &str) -> Result<Vec<Filters>> {
        // Without one of its filters a project would see too little, and without any it would see everything: each must be
        // readable.
        let query = sql(GROUPS).bind(project_id);
        let groups: Vec<EndpointGroup> = query.fetch_all(&self.db).await?;
        Ok(groups.into_iter().map(|group| group.filters).collect())
    }
}

/// Locks a project until the transaction ends; returns its id.
async fn lock_project(id: &str, tx: &mut Tx) -> Result<String> {
    let locked = lock_id(PROJECT, id, tx).await?;
    locked.ok_or_else(|| no_project(id))
}

fn no_project(id: &str) -> Error {
    Error::NotFound {
        kind: "project",
        id: id.to_owned(),
    }
}

fn already_associated(kind: &'static str) -> Error {
    Error::Conflict {
        kind,
        detail: "Duplicate entry".to_owned(),
    }
}

fn no_endpoint(endpoint_id: &str, project_id: &str) -> Error {
    Error::Missing(format!(
        "Endpoint {endpoint_id} not found in project {project_id}"
    ))
}

fn no_group() -> Error {
    Error::Missing("Endpoint Group Project Association not found".to_owned())
}

#[cfg(test)]
mod tests;
