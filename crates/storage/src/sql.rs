//! One SQL text, two drivers.
//!
//! Statements are written once, in the portable subset that
//! `migrations/README.md` lists. The pool decides at run time which driver
//! prepares them; nothing above this module knows which one it was.

use std::{borrow::Cow, time::Duration};

use sqlx::{
    AssertSqlSafe, Database, Executor, FromRow, IntoArguments, MySql, Sqlite, mysql::MySqlRow,
    sqlite::SqliteRow,
};

use crate::{
    Arg, Error, Exec, Result,
    arg::Encodes,
    db::{Line, Pools, bounded},
};

/// A row type that both drivers can read: `#[derive(sqlx::FromRow)]` is enough.
pub trait Record:
    for<'r> FromRow<'r, MySqlRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}

impl<T> Record for T where
    T: for<'r> FromRow<'r, MySqlRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}

/// A statement and its arguments, not yet tied to a driver.
///
/// What runs it is boxed: callers put many of these into one future.
#[derive(Clone, Debug)]
pub struct Query {
    text: Cow<'static, str>,
    args: Vec<Arg>,
}

/// Starts a statement from literal SQL.
pub fn sql(text: &'static str) -> Query {
    Query::new(Cow::Borrowed(text), Vec::new())
}

impl Query {
    pub(crate) fn new(text: Cow<'static, str>, args: Vec<Arg>) -> Self {
        Self { text, args }
    }

    /// Binds the next `?`.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Arg>) -> Self {
        self.args.push(value.into());
        self
    }

    /// Binds the next `(?)` to a list, for `IN`: an empty one matches nothing.
    #[must_use]
    pub fn bind_all<T: Into<Arg>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        let before = self.args.len();
        self.args.extend(values.into_iter().map(Into::into));
        let places = match self.args.len() - before {
            0 => "(NULL)".to_owned(),
            n => format!("(?{})", ", ?".repeat(n - 1)),
        };
        self.text = self.text.replacen("(?)", &places, 1).into();
        self
    }

    /// Fetches every row.
    pub async fn fetch_all<T: Record>(self, exec: impl Into<Exec<'_>>) -> Result<Vec<T>> {
        let exec = exec.into();
        let (text, limit) = self.announce(&exec);
        let work = Box::pin(async {
            match exec {
                Exec::Db(db) => match &db.pools {
                    Pools::MySql(pool) if self.reads() => {
                        let mut reader = pool.reader().await?;
                        let rows = self.clone().all(&mut *reader.connection).await;
                        match rows {
                            Err(e) if pool.lost(&e) => {
                                drop(reader);
                                Box::pin(self.all(&pool.pool)).await
                            }
                            rows => rows.inspect(|_| pool.keep(reader)),
                        }
                    }
                    Pools::MySql(pool) => self.all(&mut *pool.live().await?).await,
                    Pools::Sqlite(pool) => self.all(pool).await,
                },
                Exec::Tx(tx) => match tx.session.line() {
                    Line::MySql(connection) => self.all(connection).await,
                    Line::Sqlite(connection) => self.all(connection).await,
                },
            }
        });
        bounded(limit, work).await.map_err(|e| Error::of(e, &text))
    }

    /// Fetches the first row, if there is one.
    pub async fn fetch_optional<T: Record>(self, exec: impl Into<Exec<'_>>) -> Result<Option<T>> {
        let exec = exec.into();
        let (text, limit) = self.announce(&exec);
        let work = Box::pin(async {
            match exec {
                Exec::Db(db) => match &db.pools {
                    Pools::MySql(pool) if self.reads() => {
                        let mut reader = pool.reader().await?;
                        let row = self.clone().first(&mut *reader.connection).await;
                        match row {
                            Err(e) if pool.lost(&e) => {
                                drop(reader);
                                Box::pin(self.first(&pool.pool)).await
                            }
                            row => row.inspect(|_| pool.keep(reader)),
                        }
                    }
                    Pools::MySql(pool) => self.first(&mut *pool.live().await?).await,
                    Pools::Sqlite(pool) => self.first(pool).await,
                },
                Exec::Tx(tx) => match tx.session.line() {
                    Line::MySql(connection) => self.first(connection).await,
                    Line::Sqlite(connection) => self.first(connection).await,
                },
            }
        });
        bounded(limit, work).await.map_err(|e| Error::of(e, &text))
    }

    /// Fetches the first row; no row is an error.
    pub async fn fetch_one<T: Record>(self, exec: impl Into<Exec<'_>>) -> Result<T> {
        self.fetch_optional(exec)
            .await?
            .ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Runs a statement that returns no rows; yields the number of rows matched.
    pub async fn execute(self, exec: impl Into<Exec<'_>>) -> Result<u64> {
        let exec = exec.into();
        let (text, limit) = self.announce(&exec);
        let work = Box::pin(async {
            Ok(match exec {
                Exec::Db(db) => match &db.pools {
                    Pools::MySql(pool) => {
                        let mut connection = pool.live().await?;
                        let done = self.run::<MySql>()?.execute(&mut *connection).await;
                        pool.heed(done)?.rows_affected()
                    }
                    Pools::Sqlite(pool) => {
                        self.run::<Sqlite>()?.execute(pool).await?.rows_affected()
                    }
                },
                Exec::Tx(tx) => match tx.session.line() {
                    Line::MySql(on) => self.run::<MySql>()?.execute(on).await?.rows_affected(),
                    Line::Sqlite(on) => self.run::<Sqlite>()?.execute(on).await?.rows_affected(),
                },
            })
        });
        bounded(limit, work).await.map_err(|e| Error::of(e, &text))
    }

    /// Tells the observer, and keeps what is needed once the statement is gone.
    fn announce(&self, exec: &Exec<'_>) -> (Cow<'static, str>, Option<Duration>) {
        exec.observe(&self.text);
        (self.text.clone(), exec.limit())
    }

    /// Whether the statement can be sent twice without harm.
    fn reads(&self) -> bool {
        self.text
            .trim_start()
            .get(..6)
            .is_some_and(|verb| verb.eq_ignore_ascii_case("SELECT"))
    }

    async fn all<'c, DB, T>(self, on: impl Executor<'c, Database = DB>) -> sqlx::Result<Vec<T>>
    where
        DB: Encodes,
        DB::Arguments: IntoArguments<DB>,
        T: for<'r> FromRow<'r, <DB as Database>::Row> + Send + Unpin,
    {
        let args = DB::arguments(self.args)?;
        as_rows(self.text, args).fetch_all(on).await
    }

    async fn first<'c, DB, T>(self, on: impl Executor<'c, Database = DB>) -> sqlx::Result<Option<T>>
    where
        DB: Encodes,
        DB::Arguments: IntoArguments<DB>,
        T: for<'r> FromRow<'r, <DB as Database>::Row> + Send + Unpin,
    {
        let args = DB::arguments(self.args)?;
        as_rows(self.text, args).fetch_optional(on).await
    }

    fn run<DB: Encodes>(self) -> sqlx::Result<sqlx::query::Query<'static, DB, DB::Arguments>>
    where
        DB::Arguments: IntoArguments<DB>,
    {
        let args = DB::arguments(self.args)?;
        Ok(sqlx::query_with(AssertSqlSafe(self.text), args))
    }
}

/// The one place where a text assembled at run time is handed over; `sql` and
/// every method of `Select` accept only `&'static str`.
fn as_rows<DB, T>(
    text: Cow<'static, str>,
    args: DB::Arguments,
) -> sqlx::query::QueryAs<'static, DB, T, DB::Arguments>
where
    DB: Encodes,
    DB::Arguments: IntoArguments<DB>,
    T: for<'r> FromRow<'r, <DB as Database>::Row>,
{
    sqlx::query_as_with(AssertSqlSafe(text), args)
}
