//! What a request asks of a collection, and the most that the operator lets it have.

use keystone_types::{Listing, Result};

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
        let most = self.settings().max_db_limit;
        let limit = if self.pages_of_zero() {
            Some(most)
        } else {
            limit
        };
        let marker = self.query("marker").filter(|marker| !marker.is_empty());
        Ok(Listing {
            filters,
            limit: limit.map(|limit| limit.min(most)),
            marker: marker.map(str::to_owned),
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
