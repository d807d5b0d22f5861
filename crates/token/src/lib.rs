#![doc = include_str!("../README.md")]

mod container;
mod credentials;
mod error;
mod fernet;
mod fingerprint;
mod jws;
mod keys;
mod methods;
mod msgpack;
mod payload;
mod receipts;
mod replacement;
mod repository;
mod ring;
mod seal;
mod state_cookies;
mod token;
mod tokens;
mod watch;

pub use credentials::{Credentials, Encrypted};
pub use error::{Error, Result};
pub use fernet::Fernet;
pub use jws::{Algorithm, Jws, JwsKeys, PairFiles};
pub use keys::{KeySet, KeyState};
pub use receipts::{Receipt, Receipts};
pub use replacement::Replacement;
pub use repository::{KeyRepository, Owner};
pub use ring::KeyRing;
pub use seal::Seal;
pub use state_cookies::{Return, StateCookies};
pub use token::{Federation, Origin, ScopeIds, Token, new_audit_id};
pub use tokens::{OpeningKeys, Tokens};
