//! The catalog in a token.
//!
//! Every token that is validated carries one, so it is read in one statement; a second one runs
//! only where endpoint groups are associated with the project.

use keystone_storage::sql;
use keystone_types::{Extra, Result};
use serde::{Serialize, Serializer};

use crate::{
    Catalog,
    attributes::{Attribute, serialize},
    endpoint_group::Filters,
    service,
    url::{FillError, Substitutions, render},
};

/// A service in a token's catalog.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CatalogService {
    /// Its endpoints that the token may see.
    pub endpoints: Vec<CatalogEndpoint>,
    /// The service's id.
    pub id: String,
    /// `compute`, `identity` …
    #[serde(rename = "type")]
    pub service_type: Option<String>,
    /// Empty where it has none.
    pub name: String,
}

/// An endpoint in a token's catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogEndpoint {
    /// The endpoint's id.
    pub id: String,
    /// `public`, `internal` or `admin`.
    pub interface: String,
    /// Its region; also served as `region`.
    pub region_id: Option<String>,
    /// The URL for this user and project.
    pub url: String,
    /// Attributes that no column holds.
    pub extra: Extra,
}

impl Serialize for CatalogEndpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let region = Attribute::Nullable(self.region_id.as_deref());
        let columns = [
            ("id", Attribute::Text(&self.id)),
            ("interface", Attribute::Text(&self.interface)),
            ("region_id", region),
            ("url", Attribute::Text(&self.url)),
            ("region", region),
        ];
        serialize(&self.extra, &columns, serializer)
    }
}

/// A service with one of its endpoints, or with none.
#[derive(sqlx::FromRow)]
struct Row {
    service_id: String,
    service_type: Option<String>,
    service_extra: Option<String>,
    service_enabled: bool,
    endpoint_id: Option<String>,
    interface: Option<String>,
    region_id: Option<String>,
    url: Option<String>,
    #[sqlx(try_from = "Option<String>")]
    endpoint_extra: Extra,
    endpoint_enabled: Option<bool>,
    associated_with: Option<String>,
    has_groups: bool,
}

/// Disabled rows are read too: filters that choose only disabled endpoints still apply.
const ROWS: &str = "\
    SELECT service.id AS service_id, service.type AS service_type, \
           service.extra AS service_extra, service.enabled AS service_enabled, \
           endpoint.id AS endpoint_id, endpoint.interface, endpoint.region_id, endpoint.url, \
           endpoint.extra AS endpoint_extra, endpoint.enabled AS endpoint_enabled, \
           project_endpoint.project_id AS associated_with, \
           EXISTS(SELECT 1 FROM project_endpoint_group WHERE project_id = ?) AS has_groups \
    FROM service \
    LEFT JOIN endpoint ON endpoint.service_id = service.id \
    LEFT JOIN project_endpoint \
           ON project_endpoint.endpoint_id = endpoint.id AND project_endpoint.project_id = ? \
    ORDER BY service.id, endpoint.id";

impl Catalog {
    /// The catalog for a token of `user_id`; without a project for domain and system scope.
    pub async fn for_scope(
        &self,
        user_id: &str,
        project_id: Option<&str>,
    ) -> Result<Vec<CatalogService>> {
        let query = sql(ROWS).bind(project_id).bind(project_id);
        let rows: Vec<Row> = query.fetch_all(&self.db).await?;
        let groups = match (project_id, rows.first()) {
            (Some(project_id), Some(row)) if row.has_groups => {
                self.filters_of_project(project_id).await?
            }
            _ => Vec::new(),
        };
        let chosen = |row: &Row| row.is_chosen(&groups);
        let filtered = rows.iter().any(chosen);
        if !filtered && !self.settings.return_all_endpoints_if_no_filter {
            return Ok(Vec::new());
        }
        let substitutions = Substitutions {
            user_id,
            project_id,
            public_endpoint: self.settings.public_endpoint.as_deref(),
        };
        let mut services: Vec<CatalogService> = Vec::new();
        for row in rows.into_iter().filter(|row| row.service_enabled) {
            let visible = !filtered || row.is_chosen(&groups);
            if services.last().is_none_or(|last| last.id != row.service_id) {
                services.push(row.service());
            }
            if let (true, Some(service)) = (visible, services.last_mut()) {
                service.endpoints.extend(row.endpoint(&substitutions));
            }
        }
        if filtered {
            services.retain(|service| !service.endpoints.is_empty());
        }
        Ok(services)
    }
}

impl Row {
    /// Whether an endpoint filter of the project names this endpoint, enabled or not.
    fn is_chosen(&self, groups: &[Filters]) -> bool {
        let (Some(_), Some(interface)) = (&self.endpoint_id, &self.interface) else {
            return false;
        };
        let region = self.region_id.as_deref();
        self.associated_with.is_some()
            || groups
                .iter()
                .any(|group| group.matches(&self.service_id, region, interface))
    }

    fn service(&self) -> CatalogService {
        let extra = Extra::from(self.service_extra.clone());
        CatalogService {
            endpoints: Vec::new(),
            id: self.service_id.clone(),
            service_type: self.service_type.clone(),
            name: service::name(&extra).to_owned(),
        }
    }

    /// The endpoint, if it is enabled and its URL can be filled.
    fn endpoint(self, substitutions: &Substitutions<'_>) -> Option<CatalogEndpoint> {
        let (id, interface, url) = (self.endpoint_id?, self.interface?, self.url?);
        if self.endpoint_enabled != Some(true) {
            return None;
        }
        let url = match render(&url, substitutions) {
            Ok(url) if url.is_empty() => return None,
            Ok(url) => url.into_owned(),
            Err(FillError::Project) => return None,
            Err(FillError::Malformed) => {
                tracing::debug!(
                    endpoint.id = id,
                    "left out of a catalog: the URL cannot be filled"
                );
                return None;
            }
        };
        Some(CatalogEndpoint {
            id,
            interface,
            region_id: self.region_id,
            url,
            extra: self.endpoint_extra,
        })
    }
}

#[cfg(test)]
mod tests;
