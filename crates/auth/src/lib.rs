//! From credentials to a scope to a token, and back.
//!
//! A login ([`Auth::issue`]) reads the request, resolves the scope, lets each method verify its part, and mints. A
//! validation ([`Auth::validate`]) opens a token and looks up what it names as it is now. What a token's origin decides
//! (exchange, roles, revocation, body) is in one module for both: `delegation`.

mod auth;
mod choice;
mod credential;
mod delegation;
mod ec2;
mod login;
mod methods;
mod mfa;
mod mint;
mod request;
mod revocation;
mod scope;
mod settings;
mod single_flight;
mod token;
mod validate;

pub use auth::{Auth, Keys};
pub use credential::{Credentials, OpenCredential};
pub use delegation::Delegation;
pub use scope::Scope;
pub use settings::Settings;
pub use token::AuthToken;
pub use validate::TokenError;
