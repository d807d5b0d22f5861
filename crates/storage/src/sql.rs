//! One SQL text, two drivers.
//!
//! Statements are written once, in the portable subset that
//! `migrations/README.md` lists. The pool decides at run time which driver
//! prepares them; nothing above this module knows which one it was.

use std::{
    borrow::Cow,
    pin::Pin,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Database, Executor, FromRow, IntoArguments, Row};
use tokio::time::sleep;

use keystone_types::{Error as ClientError, Listing, Page, Resource};

use crate::{
    Arg, Db, Dialect, Error, Exec, Result,
    arg::Encodes,
    db::{PATIENCE, Pools, RUNS, Session, given_up, pause},
    driver::{MySqlRow, SqliteRow},
    error::{is_lost, is_timeout, table_of},
    lock::Lock,
    pool::{Lease, Pool, Recover},
    row::{Sink, skip_unreadable},
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
/// What runs it is behind pointers, so that it is compiled once, here: the body of an `async fn` is compiled by each crate that
/// awaits it, and a generic one for each type of row.
#[derive(Clone, Debug)]
pub struct Query {
    text: Cow<'static, str>,
    args: Vec<Arg>,
    /// Whether the rows that it reads are kept to its transaction.
    lock: Option<Lock>,
}

/// A row that nothing is read from.
struct AnyRow;

impl<R: Row> FromRow<'_, R> for AnyRow {
    fn from_row(_: &R) -> sqlx::Result<Self> {
        Ok(Self)
    }
}

/// Work on the database that is under way.
pub(crate) type Running<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The rows that a statement read, each decoded or with its error.
struct Rows<T> {
    text: Cow<'static, str>,
    rows: Vec<sqlx::Result<T>>,
}

impl<T> Rows<T> {
    fn all(self) -> Result<Vec<T>> {
        let rows: sqlx::Result<_> = self.rows.into_iter().collect();
        rows.map_err(|e| Error::of(e, &self.text))
    }

    fn first(mut self) -> Result<Option<T>> {
        self.rows.truncate(1);
        Ok(self.all()?.pop())
    }

    fn readable(mut self) -> Result<Vec<T>> {
        let rows = self.rows.into_iter();
        self.rows = rows
            .filter_map(|row| skip_unreadable(row, &self.text))
            .collect();
        self.all()
    }
}

/// Starts a statement from literal SQL.
pub fn sql(text: &'static str) -> Query {
    Query::new(Cow::Borrowed(text), Vec::new())
}

impl Query {
    pub(crate) fn new(text: Cow<'static, str>, args: Vec<Arg>) -> Self {
        Self {
            text,
            args,
            lock: None,
        }
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

    /// Adds `UNION ALL` and another `SELECT`.
    #[must_use]
    pub fn union_all(mut self, text: &'static str) -> Self {
        let all = self.text.to_mut();
        all.push_str(" UNION ALL ");
        all.push_str(text);
        self
    }

    /// Keeps the rows that it reads to this transaction until it ends; the clause ends the text. On `SQLite` a
    /// transaction is the only writer anyway. On Galera the table that it reads first and its first argument tell what
    /// is kept, so that it is on every node: the argument has to be the same for all who lock the same.
    #[must_use]
    pub fn locking(mut self) -> Self {
        self.lock = Some(Lock::Exclusive);
        self
    }

    /// Keeps the rows that it reads as they are until the transaction ends, which several can do at a time.
    #[must_use]
    pub fn sharing(mut self) -> Self {
        self.lock = Some(Lock::Shared);
        self
    }

    /// Fetches every row.
    pub async fn fetch_all<T: Record>(self, exec: impl Into<Exec<'_>>) -> Result<Vec<T>> {
        self.rows(exec.into()).await?.all()
    }

    /// Fetches every row that can be read, for a list that people look at: each of the others is left out with a line in
    /// the log. Never for what a decision hangs on.
    pub async fn fetch_readable<T: Record>(self, exec: impl Into<Exec<'_>>) -> Result<Vec<T>> {
        self.rows(exec.into()).await?.readable()
    }

    /// Fetches a page of what [`Select::page`](crate::Select::page) selects, of rows that can be read: as many as there are
    /// left without the others.
    pub async fn fetch_page<T: Record>(self, listing: &Listing, db: &Db) -> Result<Page<T>> {
        let mut query = self;
        loop {
            let rows: Rows<T> = query.clone().rows(db.into()).await?;
            let found = rows.rows.len();
            let unreadable = rows.rows.iter().filter(|row| row.is_err()).count();
            if let (Some(limit), Some(Arg::Int(Some(asked)))) =
                (listing.limit, query.args.last_mut())
                && unreadable > 0
                && i64::try_from(found).is_ok_and(|found| found >= *asked)
                && found - unreadable <= limit as usize
            {
                // In few steps, should many be unreadable.
                *asked = asked.saturating_mul(2);
                continue;
            }
            return Ok(Page::cut(rows.readable()?, listing));
        }
    }

    /// Fetches the first row, if there is one.
    pub async fn fetch_optional<T: Record>(self, exec: impl Into<Exec<'_>>) -> Result<Option<T>> {
        self.rows(exec.into()).await?.first()
    }

    /// Fetches the first row; no row is an error.
    pub async fn fetch_one<T: Record>(self, exec: impl Into<Exec<'_>>) -> Result<T> {
        self.fetch_optional(exec)
            .await?
            .ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Fetches the resource that has this id; 404 where there is none.
    pub async fn fetch_resource<R: Record + Resource>(
        self,
        exec: impl Into<Exec<'_>>,
        id: &str,
    ) -> Result<R, ClientError> {
        self.fetch_or(exec, || ClientError::not_found::<R>(id))
            .await
    }

    /// Fetches the first row; where there is none, yields the error that a client gets for it.
    pub async fn fetch_or<T: Record>(
        self,
        exec: impl Into<Exec<'_>>,
        missing: impl FnOnce() -> ClientError,
    ) -> Result<T, ClientError> {
        self.fetch_optional(exec).await?.ok_or_else(missing)
    }

    /// Fetches the text that is the first column of every row, such as an id.
    pub async fn fetch_texts(self, exec: impl Into<Exec<'_>>) -> Result<Vec<String>> {
        let rows: Vec<(String,)> = self.fetch_all(exec).await?;
        Ok(rows.into_iter().map(|(text,)| text).collect())
    }

    /// Whether there is a row.
    pub async fn exists(self, exec: impl Into<Exec<'_>>) -> Result<bool> {
        let row: Option<AnyRow> = self.fetch_optional(exec).await?;
        Ok(row.is_some())
    }

    /// Runs a statement that changes one thing; where it matches none, yields the error that a client gets for it.
    pub async fn execute_or(
        self,
        exec: impl Into<Exec<'_>>,
        missing: impl FnOnce() -> ClientError,
    ) -> Result<(), ClientError> {
        match self.execute(exec).await? {
            0 => Err(missing()),
            _ => Ok(()),
        }
    }

    /// Runs a statement that returns no rows; yields the number of rows matched.
    ///
    /// Outside a transaction it is run again where another writer was in the way, as transactions are.
    pub async fn execute(self, exec: impl Into<Exec<'_>>) -> Result<u64> {
        self.run_patiently(exec.into()).await
    }

    fn run_patiently(self, mut exec: Exec<'_>) -> Running<'_, Result<u64>> {
        Box::pin(async move {
            let text = self.announce(&exec);
            let patience = Instant::now() + exec.limit().unwrap_or(PATIENCE);
            let mut runs = 0;
            loop {
                let alone = matches!(exec, Exec::Db(_));
                let done = self.clone().run(exec.reborrow()).await;
                let done = done.map_err(|e| Error::of(e, &text));
                runs += 1;
                match &done {
                    Err(error) if alone && error.is_retriable() => {
                        if runs >= RUNS || Instant::now() >= patience {
                            given_up(runs, error);
                            return done;
                        }
                        sleep(pause(runs)).await;
                    }
                    _ => return done,
                }
            }
        })
    }

    async fn run(self, exec: Exec<'_>) -> sqlx::Result<u64> {
        let limit = exec.limit();
        match exec {
            Exec::Db(db) => match &db.pools {
                Pools::MySql(pool) => self.affected(&mut pool.live().await?, limit).await,
                Pools::Sqlite(pool) => self.affected(&mut pool.lease().await?, limit).await,
            },
            Exec::Tx(tx) => match &mut tx.session {
                Session::MySql(lease) => self.affected(lease, limit).await,
                Session::Sqlite(lease) => self.affected(lease, limit).await,
            },
        }
    }

    async fn rows<T: Record>(self, exec: Exec<'_>) -> Result<Rows<T>> {
        let mut rows = Vec::new();
        let text = self.read_into(&mut rows, exec).await?;
        Ok(Rows { text, rows })
    }

    /// Gives every row to the sink; yields the text.
    fn read_into<'a>(
        self,
        sink: &'a mut (dyn Sink + 'a),
        exec: Exec<'a>,
    ) -> Running<'a, Result<Cow<'static, str>>> {
        Box::pin(async move {
            let text = self.announce(&exec);
            match self.read_on(sink, exec).await {
                Ok(()) => Ok(text),
                Err(error) => Err(Error::of(error, &text)),
            }
        })
    }

    async fn read_on(self, sink: &mut dyn Sink, exec: Exec<'_>) -> sqlx::Result<()> {
        let limit = exec.limit();
        match exec {
            Exec::Db(db) => match &db.pools {
                Pools::MySql(pool) => self.read(sink, pool, limit).await,
                Pools::Sqlite(pool) => self.read(sink, pool, limit).await,
            },
            Exec::Tx(tx) => match &mut tx.session {
                Session::MySql(lease) => {
                    if let Some(lock) = self.lock
                        && tx.galera
                    {
                        lock.write_marker_rows(&self.locked(), lease, limit).await?;
                    }
                    self.all(sink, lease, limit).await
                }
                Session::Sqlite(lease) => self.all(sink, lease, limit).await,
            },
        }
    }

    /// Reads on any connection. What found it dead is sent again on another.
    async fn read<C>(
        self,
        sink: &mut dyn Sink,
        pool: &Pool<C>,
        limit: Option<Duration>,
    ) -> sqlx::Result<()>
    where
        C: Recover,
        for<'c> &'c mut C: Executor<'c, Database = C::Database>,
        C::Database: Encodes,
        <C::Database as Database>::Arguments: IntoArguments<C::Database>,
    {
        if !self.reads() {
            return self.all(sink, &mut pool.live().await?, limit).await;
        }
        let again = self.clone();
        let done = {
            let mut lease = pool.lease().await?;
            self.all(sink, &mut lease, limit).await
        };
        match done {
            Err(error) if is_lost(&error) && !is_timeout(&error) => {
                sink.clear();
                again.all(sink, &mut pool.lease().await?, limit).await
            }
            done => done,
        }
    }

    async fn all<C>(
        self,
        sink: &mut dyn Sink,
        lease: &mut Lease<C>,
        limit: Option<Duration>,
    ) -> sqlx::Result<()>
    where
        C: Recover,
        for<'c> &'c mut C: Executor<'c, Database = C::Database>,
        C::Database: Encodes,
        <C::Database as Database>::Arguments: IntoArguments<C::Database>,
    {
        let query = self.prepared::<C::Database>()?;
        let read = async |on: &mut C| {
            let mut rows = query.fetch(on);
            while let Some(row) = rows.try_next().await? {
                sink.push(C::Database::row(&row));
            }
            Ok(())
        };
        lease.work(limit, read).await
    }

    pub(crate) async fn affected<C>(
        self,
        lease: &mut Lease<C>,
        limit: Option<Duration>,
    ) -> sqlx::Result<u64>
    where
        C: Recover,
        for<'c> &'c mut C: Executor<'c, Database = C::Database>,
        C::Database: Encodes,
        <C::Database as Database>::Arguments: IntoArguments<C::Database>,
    {
        let query = self.prepared::<C::Database>()?;
        let done = lease
            .work(limit, async |on| query.execute(on).await)
            .await?;
        Ok(C::Database::matched(&done))
    }

    /// Tells the observer, and keeps what is needed once the statement is gone.
    fn announce(&self, exec: &Exec<'_>) -> Cow<'static, str> {
        exec.observe(&self.text);
        self.text.clone()
    }

    /// The name of what it locks, in one spelling for all that the database takes for the same.
    fn locked(&self) -> String {
        let id = match self.args.first() {
            Some(Arg::Text(Some(id))) => id.trim_end().to_lowercase(),
            _ => String::new(),
        };
        format!("{}/{id}", table_of(&self.text))
    }

    /// Whether the statement can be sent twice without harm.
    fn reads(&self) -> bool {
        let verb = self.text.trim_start().get(..4);
        verb.is_some_and(|verb| ["SELE", "WITH"].contains(&verb))
    }

    /// The one place where a text assembled at run time is handed over; `sql` and
    /// every method of `Select` accept only `&'static str`.
    fn prepared<DB: Encodes>(
        mut self,
    ) -> sqlx::Result<sqlx::query::Query<'static, DB, DB::Arguments>>
    where
        DB::Arguments: IntoArguments<DB>,
    {
        if let Some(lock) = self.lock
            && DB::DIALECT == Dialect::MySql
        {
            self.text.to_mut().push_str(lock.clause());
        }
        // `SQLite` takes too many or too few without a word.
        debug_assert_eq!(
            self.text.matches('?').count(),
            self.args.len(),
            "{}",
            self.text
        );
        let args = DB::arguments(&self.text, self.args)?;
        Ok(sqlx::query_with(AssertSqlSafe(self.text), args))
    }
}
