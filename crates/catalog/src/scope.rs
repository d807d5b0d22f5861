//! The catalog in a token.
//!
//! It is made from all services and endpoints, which are read in one statement, and rendered once for all who see the same
//! of them. What a project sees is read only where there are endpoint filters at all.

use std::borrow::Cow;

use keystone_storage::sql;
use keystone_types::{Extra, Result, new_id, same_id, to_python_json};
use serde::{Serialize, Serializer};

use crate::{
    Catalog,
    attributes::{Attribute, serialize},
    endpoint_group::Filters,
    service,
    url::{self, FillError, Substitutions},
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
#[derive(Clone, Debug, sqlx::FromRow)]
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
    is_narrowed: bool,
}

/// Disabled rows are read too: filters that choose only disabled endpoints still apply.
const ROWS: &str = "\
    SELECT service.id AS service_id, service.type AS service_type, \
           service.extra AS service_extra, service.enabled AS service_enabled, \
           endpoint.id AS endpoint_id, endpoint.interface, endpoint.region_id, endpoint.url, \
           endpoint.extra AS endpoint_extra, endpoint.enabled AS endpoint_enabled, \
           (EXISTS(SELECT 1 FROM project_endpoint) OR EXISTS(SELECT 1 FROM project_endpoint_group)) AS is_narrowed \
    FROM service \
    LEFT JOIN endpoint ON endpoint.service_id = service.id \
    ORDER BY service.id, endpoint.id";

/// All services and endpoints, from which the catalog of each token is made.
#[derive(Clone, Debug)]
pub struct Sources(Vec<Row>);

impl Sources {
    /// Whether there are projects whose catalogs endpoint filters narrow.
    pub fn are_narrowed(&self) -> bool {
        self.0.first().is_some_and(|row| row.is_narrowed)
    }
}

/// The endpoints that the filters of a project choose.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    endpoint_ids: Vec<String>,
    groups: Vec<Filters>,
}

impl Choice {
    /// Whether it names an endpoint, enabled or not.
    fn has(&self, row: &Row) -> bool {
        let (Some(id), Some(interface)) = (&row.endpoint_id, &row.interface) else {
            return false;
        };
        let region = row.region_id.as_deref();
        let group = |group: &Filters| group.matches(&row.service_id, region, interface);
        self.endpoint_ids.iter().any(|chosen| same_id(chosen, id)) || self.groups.iter().any(group)
    }
}

impl Catalog {
    /// The catalog for a token of `user_id`; without a project for domain and system scope.
    pub async fn for_scope(
        &self,
        user_id: &str,
        project_id: Option<&str>,
    ) -> Result<Vec<CatalogService>> {
        let sources = self.sources().await?;
        let choice = match project_id.filter(|_| sources.are_narrowed()) {
            Some(project_id) => self.choice(project_id).await?,
            None => Choice::default(),
        };
        Ok(self.catalog(&sources, &choice, user_id, project_id))
    }

    /// Loads what catalogs are made from.
    pub async fn sources(&self) -> Result<Sources> {
        Ok(Sources(sql(ROWS).fetch_all(&self.db).await?))
    }

    /// The endpoints that the filters of a project choose.
    pub async fn choice(&self, project_id: &str) -> Result<Choice> {
        let associated = sql("SELECT endpoint_id FROM project_endpoint WHERE project_id = ?");
        Ok(Choice {
            endpoint_ids: associated.bind(project_id).fetch_texts(&self.db).await?,
            groups: self.filters_of_project(project_id).await?,
        })
    }

    /// The catalog of a user and a project.
    pub fn catalog(
        &self,
        sources: &Sources,
        choice: &Choice,
        user_id: &str,
        project_id: Option<&str>,
    ) -> Vec<CatalogService> {
        let filtered = sources.0.iter().any(|row| choice.has(row));
        if !filtered && !self.settings.return_all_endpoints_if_no_filter {
            return Vec::new();
        }
        let substitutions = Substitutions {
            user_id,
            project_id,
            public_endpoint: self.settings.public_endpoint.as_deref(),
        };
        let mut services: Vec<CatalogService> = Vec::new();
        for row in sources.0.iter().filter(|row| row.service_enabled) {
            if services.last().is_none_or(|last| last.id != row.service_id) {
                services.push(row.service());
            }
            let visible = !filtered || choice.has(row);
            if let (true, Some(service)) = (visible, services.last_mut()) {
                service.endpoints.extend(row.endpoint(&substitutions));
            }
        }
        if filtered {
            services.retain(|service| !service.endpoints.is_empty());
        }
        services
    }

    /// The catalog of any user and project with this choice, or of any user without a project, rendered as JSON with
    /// places for their ids; `None` if a URL treats an id in another way than to insert it.
    pub fn template(
        &self,
        sources: &Sources,
        choice: &Choice,
        has_project: bool,
    ) -> Option<Template> {
        let urls = sources.0.iter().filter_map(|row| row.url.as_deref());
        if !urls.into_iter().all(url::inserts_only) {
            return None;
        }
        let (user_id, project_id) = (new_id(), new_id());
        let project = has_project.then_some(project_id.as_str());
        let services = self.catalog(sources, choice, &user_id, project);
        let rendered = to_python_json(&serde_json::to_value(services).ok()?);
        Some(Template::split(&rendered, &user_id, &project_id))
    }
}

/// A catalog as JSON, with places for ids.
#[derive(Clone, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    UserId,
    ProjectId,
}

impl Template {
    /// The template of a text in which these ids stand in the places of others. They are random, so that they are nowhere
    /// else.
    fn split(text: &str, user_id: &str, project_id: &str) -> Self {
        let mut pieces = Vec::new();
        for (n, part) in text.split(user_id).enumerate() {
            if n > 0 {
                pieces.push(Piece::UserId);
            }
            for (n, part) in part.split(project_id).enumerate() {
                if n > 0 {
                    pieces.push(Piece::ProjectId);
                }
                if !part.is_empty() {
                    pieces.push(Piece::Text(part.into()));
                }
            }
        }
        Self {
            pieces,
            len: text.len(),
        }
    }

    /// How many bytes it fills.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Whether the catalogs of two users of a project differ.
    pub fn names_users(&self) -> bool {
        let is_of_user = |piece: &Piece| matches!(piece, Piece::UserId);
        self.pieces.iter().any(is_of_user)
    }

    /// Writes the catalog of a user and a project.
    pub fn fill(&self, user_id: &str, project_id: Option<&str>, out: &mut String) {
        let (user_id, project_id) = (escaped(user_id), escaped(project_id.unwrap_or_default()));
        out.reserve(self.len);
        for piece in &self.pieces {
            out.push_str(match piece {
                Piece::Text(text) => text,
                Piece::UserId => &user_id,
                Piece::ProjectId => &project_id,
            });
        }
    }
}

/// An id as it stands inside of a JSON string.
fn escaped(id: &str) -> Cow<'_, str> {
    if id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Cow::Borrowed(id);
    }
    let quoted = to_python_json(&id.into());
    Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
}

impl Row {
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
    fn endpoint(&self, substitutions: &Substitutions<'_>) -> Option<CatalogEndpoint> {
        let (id, interface) = (self.endpoint_id.clone()?, self.interface.clone()?);
        let url = self.url.as_deref()?;
        if self.endpoint_enabled != Some(true) {
            return None;
        }
        let url = match url::render(url, substitutions) {
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
            region_id: self.region_id.clone(),
            url,
            extra: self.endpoint_extra.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
