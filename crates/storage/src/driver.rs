//! The drivers of the two databases.
//!
//! One that is left out is stood in for by the other one, so that all code is the same: what is for a database without a
//! driver is never reached, because no URL leads to it.

#[cfg(not(any(feature = "mysql", feature = "sqlite")))]
compile_error!("there is no database: choose a feature of keystone-storage, `mysql` or `sqlite`");

#[cfg(feature = "mysql")]
pub(crate) use sqlx::{MySqlConnection, mysql::MySqlRow};
#[cfg(not(feature = "mysql"))]
pub(crate) use sqlx::{SqliteConnection as MySqlConnection, sqlite::SqliteRow as MySqlRow};

#[cfg(not(feature = "sqlite"))]
pub(crate) use sqlx::{MySqlConnection as SqliteConnection, mysql::MySqlRow as SqliteRow};
#[cfg(feature = "sqlite")]
pub(crate) use sqlx::{SqliteConnection, sqlite::SqliteRow};

#[cfg(not(all(feature = "mysql", feature = "sqlite")))]
use crate::{Error, Result};

/// Fails for the URL of a database whose driver is left out.
#[cfg(not(all(feature = "mysql", feature = "sqlite")))]
pub(crate) fn left_out<T>(database: &str, feature: &str) -> Result<T> {
    Err(Error::Url(format!(
        "the database URL cannot be used: this program is built without {database}; build it with the feature `{feature}`"
    )))
}
