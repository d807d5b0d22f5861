#![doc = include_str!("../README.md")]

mod cache;
mod changes;
mod log;
mod tags;

pub use cache::{Cache, CacheState};
pub use changes::{Answering, Changes, Counts, Mode, Pass, Settings, Source};
pub use keystone_storage::schema::changes::Kind;
pub use tags::{AsOf, Dependency};
