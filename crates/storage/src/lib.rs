#![doc = include_str!("../README.md")]

mod arg;
mod db;
mod error;
mod listing;
mod select;
mod sql;

pub use arg::Arg;
pub use db::{Db, Dialect, Exec, Observer, Tx};
pub use error::{Error, OrConflict, Result};
pub use listing::{Column, ColumnKind};
pub use select::{Select, select};
pub use sql::{Query, Record, sql};
