//! Connections that are kept, and what is done with one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ldap3::asn1::parse_tag;
use ldap3::controls::{MakeCritical, PagedResults};
use ldap3::{DerefAliases, Ldap, LdapError, LdapResult, ResultEntry, Scope, SearchOptions};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::Error;
use crate::entry::Entry;
use crate::server::{Login, Servers, describe};

/// Paged results (RFC 2696).
const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

/// Connections of one kind. A connection for binds carries whatever login it saw last, or none: it is never in the pool for
/// searches.
pub(crate) struct Pool {
    /// As whom its connections log in.
    login: Option<Login>,
    size: usize,
    /// How old a connection may be that is kept; `None` keeps none.
    lifetime: Option<Duration>,
    limit: Duration,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

struct Connection {
    ldap: Ldap,
    url: String,
    born: Instant,
}

/// A connection that one caller has.
pub(crate) struct Lease<'a> {
    connection: Connection,
    pool: &'a Pool,
    _permit: SemaphorePermit<'a>,
}

/// Why an operation has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection is of no use any more, but another one may be.
    Broken(String),
    /// There was no answer in time.
    Late(Duration),
    /// The directory's answer.
    Refused(LdapResult),
}

/// What a search has found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    /// The URLs of other directories that have a part of what was searched (RFC 4511, 4.5.3).
    pub(crate) elsewhere: Vec<String>,
}

/// A search.
pub(crate) struct Search<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: &'a str,
    pub(crate) attributes: &'a [String],
    pub(crate) aliases: DerefAliases,
    pub(crate) page_size: u32,
}

impl Pool {
    pub(crate) fn new(
        login: Option<Login>,
        size: usize,
        lifetime: Option<Duration>,
        limit: Duration,
    ) -> Self {
        let permits = Semaphore::new(size.min(Semaphore::MAX_PERMITS));
        Self {
            login,
            size,
            lifetime,
            limit,
            permits,
            idle: Mutex::default(),
        }
    }

    /// Waits for its turn, and takes a connection that is kept or makes one.
    pub(crate) async fn lease(&self, servers: &Servers) -> Result<Lease<'_>, Error> {
        let Ok(Ok(permit)) = timeout(self.limit, self.permits.acquire()).await else {
            let reason = format!(
                "all {} connections were in use for {:?}",
                self.size, self.limit
            );
            return Err(Error::Unavailable {
                url: servers.urls(),
                reason,
            });
        };
        let connection = if let Some(connection) = self.kept() {
            connection
        } else {
            let (ldap, url) = servers.connect(self.login.as_ref(), self.limit).await?;
            Connection {
                ldap,
                url,
                born: Instant::now(),
            }
        };
        Ok(Lease {
            connection,
            pool: self,
            _permit: permit,
        })
    }

    fn kept(&self) -> Option<Connection> {
        let lifetime = self.lifetime?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut connection) = idle.pop() {
            if !connection.ldap.is_closed() && connection.born.elapsed() < lifetime {
                return Some(connection);
            }
        }
        None
    }

    /// Gives up the connections to a server, of which one has failed.
    pub(crate) fn forget(&self, url: &str) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|connection| connection.url != url);
    }
}

impl Lease<'_> {
    pub(crate) fn url(&self) -> &str {
        &self.connection.url
    }

    /// Gives the connection back to the pool. One that is not given back is closed.
    pub(crate) fn keep(self) {
        if self.pool.lifetime.is_some() {
            self.pool
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(self.connection);
        }
    }

    /// The answer of the directory to a name with a password.
    pub(crate) async fn bind(&mut self, dn: &str, password: &str) -> Result<LdapResult, Failure> {
        let limit = self.pool.limit;
        let answer = self
            .connection
            .ldap
            .with_timeout(limit)
            .simple_bind(dn, password)
            .await;
        let answer = answer.map_err(|error| failure(error, limit))?;
        if is_away(answer.rc) {
            Err(Failure::Broken(answer.to_string()))
        } else {
            Ok(answer)
        }
    }

    /// All of a search.
    pub(crate) async fn search(&mut self, search: &Search<'_>) -> Result<Found, Failure> {
        let (mut found, mut cookie) = (Found::default(), Vec::new());
        loop {
            let result = self.page(search, cookie, &mut found).await?;
            cookie = match result.rc {
                0 => next_page(&result),
                rc if is_away(rc) => return Err(Failure::Broken(result.to_string())),
                _ => return Err(Failure::Refused(result)),
            };
            if cookie.is_empty() {
                return Ok(found);
            }
        }
    }

    async fn page(
        &mut self,
        search: &Search<'_>,
        cookie: Vec<u8>,
        found: &mut Found,
    ) -> Result<LdapResult, Failure> {
        let limit = self.pool.limit;
        let failed = |error| failure(error, limit);
        let ldap = &mut self.connection.ldap;
        ldap.with_timeout(limit)
            .with_search_options(SearchOptions::new().deref(search.aliases));
        if search.page_size > 0 {
            let size = i32::try_from(search.page_size).unwrap_or(i32::MAX);
            ldap.with_controls(PagedResults { size, cookie }.critical());
        }
        let Search {
            base,
            scope,
            filter,
            attributes,
            ..
        } = search;
        let mut stream = ldap
            .streaming_search(base, *scope, filter, attributes.to_vec())
            .await
            .map_err(failed)?;
        while let Some(part) = stream.next().await.map_err(failed)? {
            if part.is_ref() {
                found.elsewhere.extend(urls(part));
            } else if !part.is_intermediate() {
                found.entries.push(
                    Entry::parse(part)
                        .ok_or_else(|| Failure::Broken("an entry can't be read".into()))?,
                );
            }
        }
        Ok(stream.finish().await)
    }
}

/// The URLs of a reference to other directories.
fn urls(reference: ResultEntry) -> Vec<String> {
    let urls = reference.0.expect_constructed().unwrap_or_default();
    urls.into_iter()
        .filter_map(|url| String::from_utf8(url.expect_primitive()?).ok())
        .collect()
}

/// Whether a server says that it can't answer at the moment: busy, unavailable.
fn is_away(rc: u32) -> bool {
    matches!(rc, 51 | 52)
}

fn failure(error: LdapError, limit: Duration) -> Failure {
    match error {
        LdapError::Timeout { .. } => Failure::Late(limit),
        error => Failure::Broken(describe(&error)),
    }
}

/// What the server wants to see for the next page; empty after the last one.
fn next_page(result: &LdapResult) -> Vec<u8> {
    let control = result
        .ctrls
        .iter()
        .find(|control| control.1.ctype == PAGED_RESULTS);
    let cookie = || {
        let (_, value) = parse_tag(control?.1.val.as_ref()?).ok()?;
        value
            .expect_constructed()?
            .into_iter()
            .nth(1)?
            .expect_primitive()
    };
    cookie().unwrap_or_default()
}
