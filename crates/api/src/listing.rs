//! Filters and pages of a request for a collection, and the operator's limits for them.

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

/// How Keystone limits a collection: each manager has a `list_limit` of its own or none
/// (`keystone/common/driver_hints.py`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListLimit {
    /// No page: the schema of the query has no limit and no marker.
    Unpaged,
    /// By the client alone.
    Client,
    /// By `[catalog] list_limit` where the client does not ask.
    Catalog,
    /// By `[identity] list_limit`, whatever the client asks.
    Identity,
    /// By `[policy] list_limit` where the client does not ask.
    Policy,
    /// By `[resource] list_limit` where the client does not ask; `limit=0` asks for everything.
    Resource,
    /// By `[role] list_limit` where the client does not ask.
    Role,
}

impl Context {
    /// Parses the query of a collection that can be filtered by these attributes.
    pub(crate) fn listing(&self, limited: ListLimit, attributes: &[&str]) -> Result<Listing> {
        let pairs = self.query_pairs().iter();
        let filters = pairs
            .filter_map(|(key, value)| query::filter(attributes, key, value).transpose())
            .collect::<Result<_>>()?;
        let asked = self.query("limit").filter(|limit| !limit.is_empty());
        let asked = asked.map(query::page_size).transpose()?;
        let limit = self.limit(limited, asked);
        let marker = self.query("marker").filter(|marker| !marker.is_empty());
        Ok(Listing {
            filters,
            limit,
            marker: marker.map(str::to_owned),
            resumed: false,
            in_pieces: false,
        })
    }

    fn limit(&self, limited: ListLimit, asked: Option<u32>) -> Option<u32> {
        let settings = self.settings();
        let sections = &settings.list_limits;
        let configured = |section: Option<u32>| section.or(settings.list_limit);
        let limit = match limited {
            ListLimit::Unpaged => return asked,
            ListLimit::Client => asked,
            ListLimit::Catalog => asked.or(configured(sections.catalog)),
            ListLimit::Identity => configured(sections.identity).or(asked),
            ListLimit::Policy => asked.or(configured(sections.policy)),
            ListLimit::Resource if asked == Some(0) => None,
            ListLimit::Resource => asked.or(configured(sections.resource)),
            ListLimit::Role => asked.or(configured(sections.role)),
        };
        self.capped(limit)
    }

    fn capped(&self, limit: Option<u32>) -> Option<u32> {
        match self.settings().max_db_limit {
            Some(most) => Some(limit.map_or(most, |limit| limit.min(most))),
            None => limit,
        }
    }

    /// The listing of users or groups with the `list_limit` of their backend, if it has one of its own: that comes before all
    /// others (`_set_list_limit_in_hints` in `keystone/identity/core.py`).
    pub(crate) fn limited_by_backend(&self, listing: Listing, own: Option<u32>) -> Listing {
        match own {
            Some(_) => Listing {
                limit: self.capped(own),
                ..listing
            },
            None => listing,
        }
    }

    /// The listing within the domain that Keystone narrows users and groups to: the scope's, and with
    /// `[identity] domain_specific_drivers_enabled` the one of the project in scope
    /// (`_get_domain_id_for_list_request` in `keystone/server/flask/common.py`).
    pub(crate) fn within_domain(&self, listing: &Listing) -> Result<Listing> {
        let named = self.query("domain_id").is_some_and(|id| !id.is_empty());
        let narrow = self.settings().domain_specific_drivers && !named;
        let scope = self.caller().scope();
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
        Ok(listing.within("domain_id", domain.map(String::as_str)))
    }

    /// Whether the query says `limit=0`.
    pub(crate) fn limit_is_zero(&self) -> bool {
        let limit = self.query("limit");
        limit.is_some_and(|limit| query::page_size(limit).is_ok_and(|limit| limit == 0))
    }
}
