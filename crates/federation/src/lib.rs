#![doc = include_str!("../README.md")]

mod assertion;
mod error;
mod federation;
mod login;
mod mapped;
mod mapping;
mod rule;

pub use assertion::{Assertion, header_key};
pub use error::MappingError;
pub use federation::Federation;
pub use login::{LoginProtocol, LoginProvider};
pub use mapped::{DomainName, GroupName, Mapped, MappedProject, MappedUser, UserType};
pub use mapping::Mapping;
