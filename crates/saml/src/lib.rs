#![doc = include_str!("../README.md")]

mod error;
pub mod idp;
mod key;
mod names;
mod settings;
#[cfg(feature = "sp")]
pub mod sp;
mod writer;

use chrono::NaiveDateTime;

pub use error::Error;
pub use key::SigningKey;
pub use settings::{IdentityProviderSettings, ServiceProviderSettings};

/// A new id of an element, which must not begin with a digit.
fn id() -> String {
    format!("_{}", uuid::Uuid::new_v4().simple())
}

/// A time as XML writes it, in whole seconds.
fn instant(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
