#![doc = include_str!("../README.md")]

mod application_credential;
mod auth;
mod basis;
mod cascade;
mod certificate;
mod choice;
mod credential;
mod delegation;
mod ec2;
mod environment;
mod error;
mod federated;
mod login;
mod mac;
mod methods;
mod mfa;
mod mint;
pub mod oauth1;
mod oauth2;
mod remembered;
mod request;
mod revocation;
mod scope;
mod settings;
mod shared;
mod single_flight;
mod token;
mod tokenless;
mod trust;
mod validate;
mod verified_secrets;

pub use application_credential::access_rule::AccessRule;
pub use application_credential::{
    ApplicationCredential, DetailedApplicationCredential, NewApplicationCredential,
};
pub use auth::{Auth, Keys, TokenKeys};
pub use cascade::CASCADE;
pub use certificate::NoCertificate;
pub use choice::{DomainChoice, RoleChoice, UserChoice};
pub use credential::{Credentials, OpenCredential};
pub use delegation::Delegation;
pub use ec2::{Ec2Keys, SigningProtocol, ec2_credential_id};
pub use environment::Environment;
pub use error::TokenError;
pub use federated::{FederationSettings, ProviderAssertion};
pub use keystone_cache::Pass;
pub use keystone_federation::{Assertion, header_key};
pub use login::Login;
pub use oauth2::ClientRefused;
pub use request::TokenRequest;
pub use scope::{RequestedScope, Scope};
pub use settings::{ExternalDomain, Settings};
pub use shared::SharedParts;
pub use token::AuthToken;
pub use tokenless::{Bearer, Tokenless, TokenlessSettings};
pub use trust::{NewTrust, Trust, TrustFilter, flush_trusts};
