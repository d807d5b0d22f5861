//! Bound values: what a `?` may stand for.

use std::borrow::Cow;

use chrono::{NaiveDate, NaiveDateTime};
use keystone_types::{Extra, json};
#[cfg(feature = "mysql")]
use sqlx::MySql;
#[cfg(feature = "sqlite")]
use sqlx::Sqlite;
use sqlx::{Arguments, Database, Encode, Type, error::BoxDynError};

#[cfg(feature = "sqlite")]
use crate::times;
use crate::{Dialect, row::DriverRow};

/// A bound value; each variant carries its own `Option`, so that NULL keeps a type.
#[derive(Clone, Debug)]
pub enum Arg {
    /// A `BOOL` or `TINYINT(1)`.
    Bool(Option<bool>),
    /// Any integer column.
    Int(Option<i64>),
    /// Any character column.
    Text(Option<String>),
    /// A `DATE`.
    Date(Option<NaiveDate>),
    /// A `DATETIME`, in UTC.
    Time(Option<NaiveDateTime>),
    /// A `BLOB`.
    Bytes(Option<Vec<u8>>),
    /// Attributes (`extra`) that could not be read, and must not be overwritten.
    Unreadable,
}

/// A value that is refused before it is sent to a database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unstorable {
    /// A text with half of a surrogate pair.
    #[error("a value is not a text that can be stored")]
    InvalidText,
    /// Attributes (`extra`) whose stored text could not be read.
    #[error(
        "the attributes that are stored can't be read, and would be lost: correct the row first"
    )]
    Unreadable,
}

/// A driver that can encode every [`Arg`].
pub(crate) trait Encodes: Database {
    const DIALECT: Dialect;

    /// The arguments of a statement with this text.
    fn arguments(text: &str, args: Vec<Arg>) -> Result<Self::Arguments, sqlx::Error>;

    /// One of its rows.
    fn row(row: &Self::Row) -> DriverRow<'_>;

    /// How many rows a statement matched.
    fn matched(done: &Self::QueryResult) -> u64;
}

#[cfg(feature = "mysql")]
impl Encodes for MySql {
    const DIALECT: Dialect = Dialect::MySql;

    fn arguments(_: &str, args: Vec<Arg>) -> Result<Self::Arguments, sqlx::Error> {
        encoded::<Self>(args)
    }

    fn row(row: &Self::Row) -> DriverRow<'_> {
        DriverRow::MySql(row)
    }

    fn matched(done: &Self::QueryResult) -> u64 {
        done.rows_affected()
    }
}

#[cfg(feature = "sqlite")]
impl Encodes for Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;

    fn arguments(text: &str, args: Vec<Arg>) -> Result<Self::Arguments, sqlx::Error> {
        encoded::<Self>(times::format_times(text, args))
    }

    fn row(row: &Self::Row) -> DriverRow<'_> {
        DriverRow::Sqlite(row)
    }

    fn matched(done: &Self::QueryResult) -> u64 {
        done.rows_affected()
    }
}

fn encoded<DB: Database>(args: Vec<Arg>) -> Result<DB::Arguments, sqlx::Error>
where
    for<'q> Option<bool>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<i64>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<String>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<NaiveDate>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<NaiveDateTime>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<Vec<u8>>: Encode<'q, DB> + Type<DB>,
{
    let mut out = DB::Arguments::default();
    for arg in args {
        match arg {
            Arg::Bool(value) => out.add(value),
            Arg::Int(value) => out.add(value),
            Arg::Text(value) => value.map(plain).transpose().and_then(|text| out.add(text)),
            Arg::Date(value) => out.add(value),
            Arg::Time(value) => out.add(value),
            Arg::Bytes(value) => out.add(value),
            Arg::Unreadable => Err(Unstorable::Unreadable.into()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(out)
}

/// A text as columns hold it. A text that JSON could not tell from an escape when it is read back is refused.
fn plain(text: String) -> Result<String, BoxDynError> {
    match json::plain(&text) {
        Some(Cow::Borrowed(_)) => Ok(text),
        Some(Cow::Owned(_)) | None => Err(Unstorable::InvalidText.into()),
    }
}

impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<&String> for Arg {
    fn from(value: &String) -> Self {
        Self::Text(Some(value.clone()))
    }
}

impl From<String> for Arg {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<&str>> for Arg {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}

impl From<Option<&String>> for Arg {
    fn from(value: Option<&String>) -> Self {
        Self::Text(value.cloned())
    }
}

impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<&Option<String>> for Arg {
    fn from(value: &Option<String>) -> Self {
        Self::Text(value.clone())
    }
}

impl From<bool> for Arg {
    fn from(value: bool) -> Self {
        Self::Bool(Some(value))
    }
}

impl From<Option<bool>> for Arg {
    fn from(value: Option<bool>) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Arg {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Arg {
    fn from(value: i32) -> Self {
        Self::Int(Some(value.into()))
    }
}

impl From<Option<i32>> for Arg {
    fn from(value: Option<i32>) -> Self {
        Self::Int(value.map(Into::into))
    }
}

impl From<u32> for Arg {
    fn from(value: u32) -> Self {
        Self::Int(Some(value.into()))
    }
}

impl From<NaiveDate> for Arg {
    fn from(value: NaiveDate) -> Self {
        Self::Date(Some(value))
    }
}

impl From<Option<NaiveDate>> for Arg {
    fn from(value: Option<NaiveDate>) -> Self {
        Self::Date(value)
    }
}

impl From<NaiveDateTime> for Arg {
    fn from(value: NaiveDateTime) -> Self {
        Self::Time(Some(value))
    }
}

impl From<Option<NaiveDateTime>> for Arg {
    fn from(value: Option<NaiveDateTime>) -> Self {
        Self::Time(value)
    }
}

impl From<Vec<u8>> for Arg {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}

impl From<&Extra> for Arg {
    fn from(value: &Extra) -> Self {
        value.to_text().map_or(Self::Unreadable, Self::from)
    }
}
