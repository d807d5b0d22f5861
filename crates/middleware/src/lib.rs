#![doc = include_str!("../README.md")]

mod access_rules;
mod cache;
#[cfg(feature = "axum")]
mod extract;
mod guard;
mod headers;
mod layer;
mod readings;
#[cfg(feature = "remote")]
mod remote;
mod token;
mod token_info;
mod tokens;

pub use access_rules::AccessRule;
#[cfg(feature = "axum")]
pub use extract::Unauthenticated;
pub use keystone_policy as policy;
pub use keystone_types::{Clock, NotValidated, TokenBody, Validate, Wanted};
pub use layer::{TokenLayer, TokenService};
#[cfg(feature = "remote")]
pub use remote::{Remote, RemoteBuilder, RemoteError, ServiceUser};
pub use token::{PolicyError, Token};
pub use token_info::{
    ApplicationCredential, Endpoint, Id, Malformed, OAuth1, Project, Reference, Role, Service,
    TokenInfo, Trust, User,
};
pub use tokens::Tokens;
