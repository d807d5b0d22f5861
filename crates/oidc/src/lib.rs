#![doc = include_str!("../README.md")]

mod bearer;
mod checks;
mod claims;
mod code;
mod error;
mod jws;
mod keys;
mod known;
mod logout;
mod provider;
mod settings;
mod userinfo;

pub use bearer::bearer_token;
pub use claims::{Claims, remote_user};
pub use code::{Login, Start};
pub use error::{Error, Refusal};
pub use logout::Logout;
pub use provider::Provider;
pub use settings::{AccessTokens, Algorithm, ClaimsFrom, Issuer, Settings, SettingsError};

#[cfg(test)]
mod tests;
