//! The errors of statements, in classes that callers act on.

use keystone_types::Error as KeystoneError;
use sqlx::error::ErrorKind;
#[cfg(feature = "mysql")]
use sqlx::mysql::MySqlDatabaseError;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::SqliteError;

use crate::{arg::Unstorable, row::Undecodable};

/// The result of a statement.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The errors of a statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A primary key or unique constraint already holds the value.
    #[error("a row with the same key exists")]
    Duplicate(#[source] sqlx::Error),
    /// A row refers to nothing, or is still referred to.
    #[error("a reference to another row is broken")]
    ForeignKey(#[source] sqlx::Error),
    /// The database cannot be asked now: down, lost, overloaded or deadlocked.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// A stored value does not decode.
    #[error("corrupt row: table {table}, row {row}, column {column}")]
    Corrupt {
        /// The table the statement reads first.
        table: String,
        /// The row's id, where it has one.
        row: String,
        /// The column, as the driver names it.
        column: String,
        /// The message of the driver.
        source: sqlx::Error,
    },
    /// The first connection could not be made.
    #[error("cannot connect to {target}: {source}")]
    Connect {
        /// The database, without its password.
        target: String,
        /// The message of the driver.
        source: sqlx::Error,
    },
    /// A database URL or a connection option that cannot be used.
    #[error("{0}")]
    Url(String),
    /// The schema is not what an operation needs.
    #[error("{0}")]
    Schema(String),
    /// Anything else: a bug in this program, or a statement that the server refuses.
    #[error("the database refused a statement")]
    Other(#[source] sqlx::Error),
}

impl Error {
    /// Classifies `source`, naming the table that `text` reads where a value does not decode.
    pub(crate) fn of(source: sqlx::Error, text: &str) -> Self {
        match &source {
            sqlx::Error::ColumnDecode {
                index,
                source: cause,
            } => Self::Corrupt {
                table: table_of(text).to_owned(),
                row: cause
                    .downcast_ref()
                    .and_then(|cause: &Undecodable| cause.id.clone())
                    .unwrap_or_else(|| "unknown".to_owned()),
                column: index.trim_matches('"').to_owned(),
                source,
            },
            sqlx::Error::Decode(_) => Self::Corrupt {
                table: table_of(text).to_owned(),
                row: "unknown".to_owned(),
                column: "unknown".to_owned(),
                source,
            },
            sqlx::Error::Database(e) => match e.kind() {
                ErrorKind::UniqueViolation => Self::Duplicate(source),
                ErrorKind::ForeignKeyViolation => Self::ForeignKey(source),
                _ if is_unavailable(&source) => Self::Unavailable(source),
                _ => Self::Other(source),
            },
            _ if is_unavailable(&source) => Self::Unavailable(source),
            _ => Self::Other(source),
        }
    }

    /// Whether the same transaction, run again from its start, may succeed:
    /// deadlocks, lock timeouts, Galera certification failures, a busy `SQLite` file.
    pub fn is_retriable(&self) -> bool {
        self.driver().is_some_and(is_contention)
    }

    /// Whether a unique constraint refused the row.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Duplicate(_))
    }

    pub(crate) fn driver(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Duplicate(source)
            | Self::ForeignKey(source)
            | Self::Unavailable(source)
            | Self::Connect { source, .. }
            | Self::Corrupt { source, .. }
            | Self::Other(source) => Some(source),
            Self::Url(_) | Self::Schema(_) => None,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        Self::of(source, "")
    }
}

impl From<Error> for KeystoneError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(_) | Error::Connect { .. } => Self::unavailable(error),
            Error::Other(source) if is_unstorable(&source) => Self::Validation(
                "A value is too long, or holds characters that the database cannot store. The server could not comply \
                 with the request since it is either malformed or otherwise incorrect. The client is assumed to be in \
                 error."
                    .to_owned(),
            ),
            _ => Self::internal(error),
        }
    }
}

/// Why a transaction may succeed when it is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It conflicted with another writer.
    Contention,
    /// A constraint was violated after the checks had passed: another writer committed in between.
    Constraint,
    /// The connection was lost before the commit: the server has rolled back.
    Lost,
}

impl Retry {
    pub(crate) fn of(error: &KeystoneError) -> Option<Self> {
        let (KeystoneError::Unavailable { source, .. } | KeystoneError::Internal(source)) = error
        else {
            return None;
        };
        match source.downcast_ref()? {
            Error::Duplicate(_) | Error::ForeignKey(_) => Some(Self::Constraint),
            error if error.is_retriable() => Some(Self::Contention),
            error if error.driver().is_some_and(|e| is_lost(e) && !is_timeout(e)) => {
                Some(Self::Lost)
            }
            _ => None,
        }
    }

    /// The error that the client gets when the retries are used up.
    pub(crate) fn given_up(self, error: KeystoneError) -> KeystoneError {
        match self {
            Self::Contention | Self::Lost => error,
            Self::Constraint => KeystoneError::Conflict {
                kind: "resource",
                detail: "another request changed what it depends on".to_owned(),
            },
        }
    }
}

/// Turns a duplicate into the conflict that the caller's resource reports.
pub trait OrConflict<T> {
    /// Replaces [`Error::Duplicate`] by `conflict`; other errors convert as usual.
    fn or_conflict(self, conflict: impl FnOnce() -> KeystoneError) -> Result<T, KeystoneError>;
}

impl<T> OrConflict<T> for Result<T> {
    fn or_conflict(self, conflict: impl FnOnce() -> KeystoneError) -> Result<T, KeystoneError> {
        self.map_err(|error| match error {
            Error::Duplicate(_) => conflict(),
            other => other.into(),
        })
    }
}

/// Whether the server has answered, so that the connection stays usable.
pub(crate) fn is_answer(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(_)) && !is_lost(error)
}

/// Whether the server did not answer in time.
pub(crate) fn is_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}

/// Whether the server accepts no more connections, of anybody or of this user.
pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    matches!(mysql_number(error), Some(1040 | 1203 | 1226))
}

/// Whether the transaction was rolled back because of another one.
pub(crate) fn is_contention(error: &sqlx::Error) -> bool {
    // WSREP not ready, failed during COMMIT, lock waits, deadlocks and lost certifications, a row that changed under a
    // snapshot, a prepared statement whose tables changed.
    matches!(
        mysql_number(error),
        Some(1020 | 1047 | 1180 | 1205 | 1213 | 1615)
    )
        // Busy, locked.
        || matches!(sqlite_code(error), Some(5 | 6))
}

/// Whether `error` means that its connection is no longer usable.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_))
        // A node of a cluster that has lost the others, shutdown in progress, connection killed, server gone, lost during query.
        || matches!(mysql_number(error), Some(1047 | 1053 | 1927 | 2006 | 2013 | 4031))
}

/// The server's error number, where a `MariaDB` or `MySQL` server answered with one.
#[cfg(feature = "mysql")]
pub(crate) fn mysql_number(error: &sqlx::Error) -> Option<u16> {
    let database = error.as_database_error()?;
    Some(database.try_downcast_ref::<MySqlDatabaseError>()?.number())
}

#[cfg(not(feature = "mysql"))]
pub(crate) fn mysql_number(_: &sqlx::Error) -> Option<u16> {
    None
}

/// The primary result code of `SQLite`.
#[cfg(feature = "sqlite")]
fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let database = error.as_database_error()?;
    database.try_downcast_ref::<SqliteError>()?;
    let code: i32 = database.code()?.parse().ok()?;
    Some(code & 0xff)
}

#[cfg(not(feature = "sqlite"))]
fn sqlite_code(_: &sqlx::Error) -> Option<i32> {
    None
}

/// Whether the server refused a value: characters outside of its character set (in comparisons
/// too), or more than a column holds.
fn is_unstorable(error: &sqlx::Error) -> bool {
    let refused = match error {
        sqlx::Error::Encode(source) => source.downcast_ref(),
        _ => None,
    };
    matches!(refused, Some(Unstorable::InvalidText))
        || matches!(mysql_number(error), Some(1267 | 1366 | 1406 | 3988))
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(_) => {
            is_lost(error)
                || is_full(error)
                || is_contention(error)
                // Network trouble, query killed, a read-only replica, host blocked.
                || matches!(
                    mysql_number(error),
                    Some(1129 | 1152 | 1158..=1161 | 1184 | 1290 | 1317 | 1792 | 1836)
                )
                // Read-only, I/O error, disk full, cannot open.
                || matches!(sqlite_code(error), Some(8 | 10 | 13 | 14))
        }
        _ => false,
    }
}

/// The first table that `text` names outside of parentheses.
pub(crate) fn table_of(text: &str) -> &str {
    let mut words = text.split_whitespace();
    let mut open = 0;
    words.by_ref().find(|word| {
        open += word.matches('(').count();
        open -= word.matches(')').count().min(open);
        open == 0 && ["FROM", "INTO", "UPDATE"].contains(word)
    });
    words
        .next()
        .map_or("unknown", |word| word.trim_matches(['`', '(', ')', ',']))
}
