//! What a request asks of a collection, and the most that the operator lets it have.

use keystone_auth::Scope;
use keystone_types::{Error, Listing, Result};

use crate::context::Context;
use crate::query;

/// `list_limit` of the sections that have one; where it is not set, the one of `[DEFAULT]` counts.
#[derive(Clone, Debug, Default)]
pub struct ListLimits {
    /// `[catalog]`: services and endpoints.
    pub catalog: Option<u32>,
    /// `[identity]`: users and groups.
    pub identity: Option<u32>,
    /// `[policy]`
    pub policy: Option<u32>,
    /// `[resource]`: projects and domains.
    pub resource: Option<u32>,
    /// `[role]`
    pub role: Option<u32>,
}

/// How the reference limits a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limited {
    /// Not unless the client asks.
    OnRequest,
    /// By the operator where the client does not ask.
    ByDefault(Option<u32>),
    /// By the operator, whatever the client asks.
    Always(Option<u32>),
}

/// Collections without pages: the schemas of their queries have no limit and no marker.
const WHOLE: [&str; 2] = ["/v3/OS-EP-FILTER/endpoint_groups", "/v3/regions"];

impl Context {
    /// What the query asks of a collection that can be filtered by these attributes.
    pub(crate) fn listing(&self, attributes: &[&str]) -> Result<Listing> {
        let pairs = self.query_pairs().iter();
        let filters = pairs
            .filter_map(|(key, value)| query::filter(attributes, key, value).transpose())
            .collect::<Result<_>>()?;
        let asked = self.query("limit").filter(|limit| !limit.is_empty());
        let asked = asked.map(query::page_size).transpose()?;
        let limit = match self.limited() {
            Limited::OnRequest => asked,
            Limited::ByDefault(default) => asked.or(default),
            Limited::Always(limit) => limit.or(asked),
        };
        let limit = limit.filter(|_| !self.pages_of_zero());
        let limit = match self.settings().max_db_limit {
            Some(most) if !WHOLE.contains(&self.route()) => {
                Some(limit.map_or(most, |limit| limit.min(most)))
            }
            _ => limit,
        };
        let marker = self.query("marker").filter(|marker| !marker.is_empty());
        Ok(Listing {
            filters,
            limit,
            marker: marker.map(str::to_owned),
        })
    }

    /// The listing within the domain that the reference narrows users and groups to: the scope's,
    /// and with `[identity] domain_specific_drivers_enabled` the one of the project in scope
    /// (`_get_domain_id_for_list_request` in `keystone/server/flask/common.py`).
    pub(crate) fn within_domain(&self, listing: &Listing) -> Result<Listing> {
        let named = self.query("domain_id").is_some_and(|id| !id.is_empty());
        let narrow = self.settings().domain_specific_drivers && !named;
        let scope = self.token().map(|token| &token.scope);
        let domain = match scope {
            Some(Scope::Domain(domain)) => Some(&domain.id),
            Some(Scope::Project(project)) if narrow => Some(&project.domain.id),
            Some(Scope::Unscoped) | None if narrow => {
                return Err(Error::unauthorized(
                    "a list of users or groups needs a domain: none is in the query or the scope",
                ));
            }
            Some(Scope::Project(_) | Scope::System | Scope::Unscoped) | None => None,
        };
        Ok(match domain {
            Some(id) => listing.clone().with("domain_id", id),
            None => listing.clone(),
        })
    }

    /// Whether a page of no members is asked of a collection where that means all of them, and yet more to come.
    pub(crate) fn pages_of_zero(&self) -> bool {
        let pages = ["/v3/domains", "/v3/projects"].contains(&self.route());
        let asked = self
            .query("limit")
            .and_then(|limit| query::page_size(limit).ok());
        pages && asked == Some(0)
    }

    fn limited(&self) -> Limited {
        let settings = self.settings();
        let sections = &settings.list_limits;
        let or_default = |limit: Option<u32>| limit.or(settings.list_limit);
        match self.route() {
            "/v3/domains" | "/v3/projects" => Limited::ByDefault(or_default(sections.resource)),
            "/v3/endpoints" | "/v3/services" => Limited::ByDefault(or_default(sections.catalog)),
            "/v3/policies" => Limited::ByDefault(or_default(sections.policy)),
            "/v3/roles" => Limited::ByDefault(or_default(sections.role)),
            "/v3/groups"
            | "/v3/users"
            | "/v3/groups/{group_id}/users"
            | "/v3/users/{user_id}/groups" => Limited::Always(or_default(sections.identity)),
            _ => Limited::OnRequest,
        }
    }
}
