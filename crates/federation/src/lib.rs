#![doc = include_str!("../README.md")]

mod assertion;
mod error;
mod federation;
mod identity_provider;
mod login;
mod mapped;
mod mapping;
mod protocol;
mod rule;
mod service_provider;
mod stored_mapping;
mod structure;

pub use assertion::{Assertion, header_key};
pub use error::MappingError;
pub use federation::Federation;
pub use identity_provider::{IdentityProvider, NewIdentityProvider};
pub use mapped::{DomainName, GroupName, Mapped, MappedProject, MappedUser, UserType};
pub use mapping::Mapping;
pub use protocol::{NewProtocol, Protocol};
pub use service_provider::{NamedServiceProvider, NewServiceProvider, ServiceProvider};
pub use stored_mapping::{Rules, StoredMapping};
pub use structure::check_structure;
