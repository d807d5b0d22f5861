#![doc = include_str!("../README.md")]

mod answer;
mod cloud;
mod database;
mod log;
mod mapping;
mod oauth1;
mod passcode;
mod placeholders;
mod proxy;
mod session;
mod signer;
mod signing;
mod statements;

pub use answer::Answer;
pub use cloud::{ADMIN_PASSWORD, Cloud};
pub use log::Log;
pub use mapping::StoredMapping;
pub use oauth1::{Consumer, OAuthToken};
pub use passcode::passcode;
pub use placeholders::{Ids, fill, fill_text};
pub use proxy::trusted_proxy;
pub use session::Session;
pub use signer::Signer;
pub use signing::sign_tokens;
