#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(all(feature = "mysql", feature = "sqlite")),
    expect(dead_code, reason = "what is for the other database")
)]

mod arg;
mod bulk;
mod cascade;
mod connect;
mod db;
mod driver;
mod error;
mod listing;
mod lock;
mod pool;
mod row;
pub mod schema;
mod select;
mod sql;
#[cfg(feature = "sqlite")]
mod times;
mod update;
mod url;

pub use arg::Arg;
pub use bulk::Bulk;
pub use cascade::{Cascade, Cleanup, Deleted};
pub use connect::PoolOptions;
pub use db::{Attempts, Db, Dialect, Exec, Observer, Tx};
pub use error::{Error, OrConflict, Result};
pub use listing::{Column, ColumnKind};
pub use pool::PoolState;
pub use select::{Select, select};
pub use sql::{Query, Record, sql};
pub use update::{Update, update};
pub use url::DatabaseUrl;
