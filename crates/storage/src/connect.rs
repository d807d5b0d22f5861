//! Opening a pool, and what every connection of it is set to.
//!
//! `MariaDB`: the strict `TRADITIONAL` mode, as Keystone sets it; `READ COMMITTED`,
//! so that no transaction works on an older state than the statement before it
//! (not where the binary log is by statement, which `InnoDB` refuses); and on Galera
//! `wsrep_sync_wait = 7`, so that each statement sees every write of every node.
//!
//! A URL may name several nodes of a cluster. Every connection begins with the one that the last connection reached, and goes
//! through the list from there until one takes it: a cluster is written at one node, as certification likes it best, and
//! a node that is dead, or no longer in the cluster's majority, is left by the first connection that notices. So is one that
//! only swallows what is sent to it, even if nobody waits until the time limit has passed. A node that has no connections
//! left is not left: the pool waits for one of its own.
//!
//! `SQLite`: write-ahead log, every commit on disk, and foreign keys enforced.
//! Keystone does not enforce them on `SQLite`; here both databases do, so that
//! cascades and violations are the same on both.

#[cfg(feature = "sqlite")]
use std::fs::OpenOptions;
#[cfg(feature = "sqlite")]
use std::io::ErrorKind;
#[cfg(feature = "sqlite")]
use std::os::unix::fs::OpenOptionsExt as _;
#[cfg(feature = "sqlite")]
use std::path::Path;
#[cfg(feature = "mysql")]
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;
#[cfg(feature = "mysql")]
use std::time::Instant;

use sqlx::ConnectOptions as _;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
#[cfg(feature = "mysql")]
use sqlx::{AssertSqlSafe, Connection as _, Row as _, mysql::MySqlConnectOptions};
use tracing::warn;

#[cfg(not(all(feature = "mysql", feature = "sqlite")))]
use crate::driver::left_out;
use crate::{
    DatabaseUrl, Db, Error, Result,
    db::{Galera, Pools},
    pool::{Limits, Pool},
    url::Backend,
};
#[cfg(feature = "sqlite")]
use crate::{
    db::{RUNS, pause},
    driver::SqliteConnection,
    error::is_contention,
    pool::BoxFuture,
};
#[cfg(feature = "mysql")]
use crate::{driver::MySqlConnection, error::is_full, pool::with_timeout, url::Server};

/// How connections are kept, as `[database]` sets it.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// `max_pool_size`: connections kept.
    pub size: u32,
    /// `max_overflow`: connections beyond those, when all are in use.
    pub overflow: u32,
    /// `pool_timeout`: how long a request waits for a connection.
    pub timeout: Duration,
    /// `connection_recycle_time`: the age at which a connection is replaced.
    pub recycle: Duration,
    /// `mysql_sql_mode`: empty leaves the server's.
    pub sql_mode: String,
    /// `mysql_wsrep_sync_wait`: on Galera, which statements wait for the other nodes' writes.
    pub wsrep_sync_wait: u8,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            size: 5,
            overflow: 50,
            timeout: Duration::from_secs(5),
            recycle: Duration::from_hours(1),
            sql_mode: "TRADITIONAL".to_owned(),
            wsrep_sync_wait: 7,
        }
    }
}

/// How long the first connection and each statement may take, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for each of several hosts: a dead one must not keep requests from the others.
#[cfg(feature = "mysql")]
const CONNECT_TIMEOUT_OF_MANY: Duration = Duration::from_secs(2);

const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// The most connections of a pool, whatever the options say.
const MAX_CONNECTIONS: usize = 10_000;

/// How many bytes `GROUP_CONCAT` may return.
const GROUP_CONCAT_MAX_LEN: u32 = 16_000_000;

/// Bytes that an internal temporary table of `MariaDB` may take in memory, at least.
///
/// A recursive query whose rows need more moves to a file, and `MariaDB` (10.11.19) then loses one of the rows that it
/// still had to follow: with the server's 16 MB that affects trees of some 40,000 projects, with this limit trees of some
/// 600,000. Memory is allocated as rows arrive.
const TMP_TABLE_SIZE: u32 = 256 * 1024 * 1024;

/// After how long without use a connection is pinged before it is used.
const PING_AFTER_IDLE: Duration = Duration::from_secs(5);

/// Idle connections are closed long before a server's `wait_timeout` closes them.
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);

impl Db {
    /// Opens a pool and makes the first connection, so that a wrong URL fails now.
    pub async fn connect(url: &DatabaseUrl, options: &PoolOptions) -> Result<Self> {
        for name in url.ignored() {
            warn!(
                parameter = name,
                "unknown parameter of the database URL ignored"
            );
        }
        match &url.backend {
            #[cfg(feature = "mysql")]
            Backend::Server(server) => Self::server(server, url, options).await,
            #[cfg(not(feature = "mysql"))]
            Backend::Server(_) => left_out("MariaDB", "mysql"),
            #[cfg(feature = "sqlite")]
            Backend::File(path) => Self::file(path, url, options).await,
            #[cfg(feature = "sqlite")]
            Backend::Memory => Self::memory().await,
            #[cfg(not(feature = "sqlite"))]
            Backend::File(_) | Backend::Memory => left_out("SQLite", "sqlite"),
        }
    }

    /// The same for who does not make databases: in place of a `SQLite` file that is missing it is an empty database in memory.
    pub async fn connect_existing(url: &DatabaseUrl, options: &PoolOptions) -> Result<Self> {
        #[cfg(feature = "sqlite")]
        if let Backend::File(path) = &url.backend
            && matches!(path.try_exists(), Ok(false))
        {
            return Self::memory().await;
        }
        Self::connect(url, options).await
    }

    #[cfg(feature = "mysql")]
    async fn server(server: &Server, url: &DatabaseUrl, options: &PoolOptions) -> Result<Self> {
        let hosts = Arc::new(Hosts::of(server, options)?);
        // Not from the pool, which would report a refused connection as a timeout.
        let (first, galera) = hosts.connect().await.map_err(failed(url))?;
        first.close().await.map_err(failed(url))?;
        let read = server.read_timeout()?.unwrap_or(READ_TIMEOUT);
        let galera = Galera::new(galera.into());
        let pool = server_pool(hosts, options, Arc::clone(&galera));
        Ok(Self::new(Pools::MySql(pool), Some(read), galera))
    }

    #[cfg(feature = "sqlite")]
    async fn file(path: &Path, url: &DatabaseUrl, options: &PoolOptions) -> Result<Self> {
        make_private(path).map_err(|error| failed(url)(error.into()))?;
        let connect = sqlite().filename(path).create_if_missing(true);
        let connect = connect.journal_mode(SqliteJournalMode::Wal);
        let pool = Pool::new(
            Limits {
                size: 8,
                acquire_timeout: options.timeout,
                connect_timeout: CONNECT_TIMEOUT,
                ping_after_idle: None,
                idle_timeout: None,
                max_lifetime: None,
            },
            opener(connect),
        );
        first(&pool).await.map_err(failed(url))?;
        Ok(Self::new(Pools::Sqlite(pool), None, Galera::default()))
    }

    /// An empty `SQLite` database in memory.
    ///
    /// It has one connection: a statement that runs outside of an open transaction by mistake
    /// waits for the connection and fails after two seconds.
    #[cfg(feature = "sqlite")]
    pub async fn memory() -> Result<Self> {
        let pool = Pool::new(
            Limits {
                size: 1,
                acquire_timeout: Duration::from_secs(2),
                connect_timeout: CONNECT_TIMEOUT,
                ping_after_idle: None,
                idle_timeout: None,
                max_lifetime: None,
            },
            opener(sqlite().in_memory(true)),
        );
        drop(pool.lease().await?);
        Ok(Self::new(Pools::Sqlite(pool), None, Galera::default()))
    }
}

fn failed(url: &DatabaseUrl) -> impl Fn(sqlx::Error) -> Error {
    |source| Error::Connect {
        target: url.to_string(),
        source,
    }
}

/// Makes the first connection to a file. It switches to the write-ahead log, for which `SQLite` does not wait while another
/// process does the same.
#[cfg(feature = "sqlite")]
async fn first(pool: &Pool<SqliteConnection>) -> sqlx::Result<()> {
    let mut runs = 0;
    loop {
        match pool.lease().await {
            Err(error) if is_contention(&error) && runs < RUNS => runs += 1,
            lease => return lease.map(drop),
        }
        tokio::time::sleep(pause(runs)).await;
    }
}

#[cfg(feature = "sqlite")]
fn opener(connect: SqliteConnectOptions) -> impl Fn() -> BoxFuture<sqlx::Result<SqliteConnection>> {
    move || {
        let connect = connect.clone();
        Box::pin(async move { connect.connect().await })
    }
}

/// Creates the file of a new database, readable by its owner only: it will hold password hashes.
/// `SQLite` gives the files beside it the same permissions.
#[cfg(feature = "sqlite")]
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(feature = "sqlite")]
fn sqlite() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .statement_cache_capacity(512)
}

/// The servers of a URL.
#[cfg(feature = "mysql")]
struct Hosts {
    /// With the name of each.
    options: Vec<(String, MySqlConnectOptions)>,
    /// The one that the last connection reached.
    last: AtomicUsize,
    /// How long each may take.
    limit: Duration,
    mode: String,
    sync_wait: u8,
}

#[cfg(feature = "mysql")]
impl Hosts {
    fn of(server: &Server, options: &PoolOptions) -> Result<Self> {
        let hosts = server.options()?;
        let limit = match hosts.len() {
            1 => CONNECT_TIMEOUT,
            _ => CONNECT_TIMEOUT_OF_MANY,
        };
        Ok(Self {
            options: hosts,
            last: AtomicUsize::new(0),
            limit: server.connect_timeout()?.unwrap_or(limit),
            mode: options.sql_mode.clone(),
            sync_wait: options.wsrep_sync_wait,
        })
    }

    /// How long connecting may take where no host answers.
    fn longest(&self) -> Duration {
        let count = u32::try_from(self.options.len()).unwrap_or(u32::MAX);
        self.limit.saturating_mul(count)
    }

    /// A connection that is set up, and whether it is to a node of a Galera cluster.
    async fn connect(&self) -> sqlx::Result<(MySqlConnection, bool)> {
        let count = self.options.len();
        let first = self.last.load(Ordering::Relaxed);
        let mut next = first;
        loop {
            let (host, options) = &self.options[next];
            let attempt = Attempt {
                hosts: self,
                host: next,
                begun: Instant::now(),
            };
            let connected = with_timeout(Some(self.limit), self.connect_to(options)).await;
            std::mem::forget(attempt);
            match connected {
                Ok(connected) => {
                    if self.last.swap(next, Ordering::Relaxed) != next {
                        warn!("the database is used at {host} from now on");
                    }
                    return Ok(connected);
                }
                Err(error) if count > 1 && !is_full(&error) => {
                    warn!("the database at {host} takes no connection: {error}");
                    next = (next + 1) % count;
                    if next == first {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn connect_to(
        &self,
        options: &MySqlConnectOptions,
    ) -> sqlx::Result<(MySqlConnection, bool)> {
        let mut connection = options.connect().await?;
        let cluster = prepare(&mut connection, &self.mode, self.sync_wait).await?;
        if cluster && self.options.len() > 1 {
            // A node that has lost the others takes connections, and refuses every statement.
            let ready = sqlx::raw_sql("SHOW STATUS LIKE 'wsrep_ready'");
            let row = ready.fetch_one(&mut connection).await?;
            if row.try_get::<String, _>(1)? != "ON" {
                return Err(sqlx::Error::Io(std::io::Error::other(
                    "the node is not ready: it is not in the majority of its cluster, or still joins it",
                )));
            }
        }
        Ok((connection, cluster))
    }
}

/// An attempt to connect. Callers may give up before it ends, such as probes, which have a time limit of their own: if they
/// have waited for long, the next connection begins behind this host, where it would begin with it for ever.
#[cfg(feature = "mysql")]
struct Attempt<'h> {
    hosts: &'h Hosts,
    host: usize,
    begun: Instant,
}

/// For how long a host that works never keeps a caller waiting.
#[cfg(feature = "mysql")]
const LONG: Duration = Duration::from_secs(1);

#[cfg(feature = "mysql")]
impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let count = self.hosts.options.len();
        if count > 1 && self.begun.elapsed() >= LONG {
            let next = (self.host + 1) % count;
            warn!(
                "the database at {} does not answer: {} is tried first from now on",
                self.hosts.options[self.host].0, self.hosts.options[next].0
            );
            self.hosts.last.store(next, Ordering::Relaxed);
        }
    }
}

#[cfg(feature = "mysql")]
fn server_pool(hosts: Arc<Hosts>, options: &PoolOptions, galera: Galera) -> Pool<MySqlConnection> {
    let size = options.size.saturating_add(options.overflow).max(1);
    let limits = Limits {
        size: usize::try_from(size).map_or(MAX_CONNECTIONS, |size| size.min(MAX_CONNECTIONS)),
        acquire_timeout: options.timeout,
        connect_timeout: hosts.longest(),
        ping_after_idle: Some(PING_AFTER_IDLE),
        idle_timeout: Some(IDLE_TIMEOUT),
        max_lifetime: Some(options.recycle),
    };
    Pool::new(limits, move || {
        let (hosts, galera) = (Arc::clone(&hosts), Arc::clone(&galera));
        Box::pin(async move {
            let (connection, cluster) = hosts.connect().await?;
            galera.store(cluster, Ordering::Relaxed);
            Ok(connection)
        })
    })
}

/// Sets up a new connection; returns whether it is to a node of a Galera cluster.
#[cfg(feature = "mysql")]
async fn prepare(
    connection: &mut MySqlConnection,
    mode: &str,
    sync_wait: u8,
) -> sqlx::Result<bool> {
    // A mode is a list of names; other characters must not reach the statement.
    let mode: String = mode
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ','))
        .collect();
    let base = match mode.as_str() {
        "" => "@@sql_mode".to_owned(),
        mode => format!("'{mode}'"),
    };
    let rows = sqlx::raw_sql(
        "SHOW SESSION VARIABLES WHERE variable_name IN ('wsrep_on', 'log_bin', 'binlog_format')",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut variables = Vec::new();
    for row in &rows {
        variables.push((row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?));
    }
    let is = |name: &str, value: &str| variables.iter().any(|(n, v)| n == name && v == value);
    let cluster = is("wsrep_on", "ON");
    let waiting = if cluster {
        format!(", SESSION wsrep_sync_wait = {sync_wait}")
    } else {
        String::new()
    };
    // Whatever the server's own limit is: a truncated value would be taken for a complete one.
    let text = format!(
        "SET sql_mode = CONCAT({base}, ',PIPES_AS_CONCAT'), SESSION group_concat_max_len = {GROUP_CONCAT_MAX_LEN}, \
             SESSION tmp_table_size = GREATEST(@@tmp_table_size, {TMP_TABLE_SIZE}), \
             SESSION max_heap_table_size = GREATEST(@@max_heap_table_size, {TMP_TABLE_SIZE}){waiting}"
    );
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(&mut *connection)
        .await?;
    if !(is("log_bin", "ON") && is("binlog_format", "STATEMENT")) {
        sqlx::raw_sql("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .execute(connection)
            .await?;
    }
    Ok(cluster)
}
