//! The service provider: sends logins to an identity provider, and reads the responses that come back.

mod attributes;
mod document;
mod message;
mod metadata;
mod peer;
mod refusal;
mod request;
mod verify;

pub use attributes::{Attributes, Once};
pub use message::{Expected, Login, Message};
pub use metadata::Metadata;
pub use peer::{Peer, PeerError};
pub use refusal::Refusal;
pub use request::AuthnRequest;
