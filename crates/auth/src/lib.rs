#![doc = include_str!("../README.md")]

mod application_credential;
mod auth;
mod cascade;
mod choice;
mod credential;
mod delegation;
mod ec2;
mod error;
mod login;
mod methods;
mod mfa;
mod mint;
mod oauth1;
mod request;
mod revocation;
mod scope;
mod settings;
mod single_flight;
mod token;
mod trust;
mod validate;

pub use auth::{Auth, Keys};
pub use cascade::CASCADE;
pub use credential::{Credentials, OpenCredential};
pub use delegation::Delegation;
pub use error::TokenError;
pub use scope::Scope;
pub use settings::Settings;
pub use token::AuthToken;
