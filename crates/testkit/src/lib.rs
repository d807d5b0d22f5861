#![doc = include_str!("../README.md")]

mod answer;
mod cloud;
mod database;
mod placeholders;
mod session;
mod statements;

pub use answer::Answer;
pub use cloud::{ADMIN_PASSWORD, Cloud};
pub use placeholders::{Ids, fill, fill_text};
pub use session::Session;
