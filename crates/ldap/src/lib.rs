#![doc = include_str!("../README.md")]

mod directory;
mod dn;
mod entry;
mod error;
mod filter;
mod kind;
mod pool;
mod server;
mod settings;
mod tls;

pub use directory::Directory;
pub use error::Error;
pub use filter::Filter;
pub use kind::{Group, User};
pub use settings::{AliasDereferencing, QueryScope, Settings, SettingsError, TlsReqCert};
