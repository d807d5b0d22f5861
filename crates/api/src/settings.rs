//! What an operator decides about HTTP.

use keystone_types::Secret;

use crate::Health;
use crate::ListLimits;

/// Options of `[DEFAULT]`, `[oslo_middleware]` and `[eventlet_server]`'s successors.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[DEFAULT] public_endpoint`
    pub public_endpoint: Option<String>,
    /// `[oslo_middleware] max_request_body_size`
    pub max_request_body_size: usize,
    /// `[oslo_middleware] enable_proxy_headers_parsing`
    pub proxy_headers: bool,
    /// `[DEFAULT] list_limit`
    pub list_limit: Option<u32>,
    /// `list_limit` of other sections
    pub list_limits: ListLimits,
    /// `[DEFAULT] max_db_limit`
    pub max_db_limit: u32,
    /// `[DEFAULT] insecure_debug`
    pub insecure_debug: bool,
    /// `[DEFAULT] admin_token`
    pub admin_token: Option<Secret>,
    /// `[identity] default_domain_id`
    pub default_domain_id: String,
    /// `[token] revoke_by_id`
    pub revoke_by_id: bool,
    /// `[healthcheck]`
    pub health: Health,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_endpoint: None,
            max_request_body_size: 114_688,
            proxy_headers: false,
            list_limit: None,
            list_limits: ListLimits::default(),
            max_db_limit: 1000,
            insecure_debug: false,
            admin_token: None,
            default_domain_id: "default".to_owned(),
            revoke_by_id: true,
            health: Health::default(),
        }
    }
}
