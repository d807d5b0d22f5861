//! Decoding rows; the error of a row that can't be decoded names its id.

use sqlx::{ColumnIndex, Database, Decode, FromRow, Row, Type, error::BoxDynError};

use crate::{
    Error, Record,
    driver::{MySqlRow, SqliteRow},
};

/// A row as its driver has it.
#[derive(Clone, Copy)]
pub(crate) enum DriverRow<'r> {
    MySql(&'r MySqlRow),
    Sqlite(&'r SqliteRow),
}

/// Takes the rows of a statement while they arrive.
pub(crate) trait Sink: Send {
    fn push(&mut self, row: DriverRow<'_>);

    /// Forgets them, because the statement is sent again.
    fn clear(&mut self);
}

impl<T: Record> Sink for Vec<sqlx::Result<T>> {
    fn push(&mut self, row: DriverRow<'_>) {
        Vec::push(
            self,
            match row {
                DriverRow::MySql(row) => decoded(row),
                DriverRow::Sqlite(row) => decoded(row),
            },
        );
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }
}

/// Why a column of a row can't be decoded.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub(crate) struct Undecodable {
    /// The row, where it has an id.
    pub(crate) id: Option<String>,
    source: BoxDynError,
}

/// Decodes a row.
fn decoded<R, T>(row: &R) -> sqlx::Result<T>
where
    R: Row,
    T: for<'r> FromRow<'r, R>,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> String: Decode<'r, <R as Row>::Database> + Type<<R as Row>::Database>,
    R::Database: Database<Row = R>,
{
    T::from_row(row).map_err(|error| match error {
        sqlx::Error::ColumnDecode { index, source } => sqlx::Error::ColumnDecode {
            index,
            source: Box::new(Undecodable {
                id: row.try_get("id").ok(),
                source,
            }),
        },
        other => other,
    })
}

/// Skips a row of a list that can't be decoded, and logs which one it is.
pub(crate) fn skip_unreadable<T>(row: sqlx::Result<T>, text: &str) -> Option<sqlx::Result<T>> {
    match row {
        Err(error @ (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))) => {
            let cause = error.to_string();
            let error = Error::of(error, text);
            tracing::error!(%error, cause, "a row was left out of a list: correct it in the database");
            None
        }
        row => Some(row),
    }
}
