//! Database URLs in `SQLAlchemy`'s dialect, as `[database] connection` holds them.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr, time::Duration};

use keystone_types::Secret;
use percent_encoding::percent_decode_str;
#[cfg(feature = "mysql")]
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use crate::{Error, Result};

/// Where the database is and how to log in; `Display` and `Debug` hide the password.
#[derive(Clone, Debug)]
pub struct DatabaseUrl {
    pub(crate) backend: Backend,
    ignored: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Backend {
    Server(Box<Server>),
    File(PathBuf),
    Memory,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    user: Option<String>,
    password: Option<Secret>,
    /// In the order in which they are tried.
    hosts: Vec<Host>,
    database: String,
    parameters: BTreeMap<String, String>,
}

/// A server's name or address, and its port unless it is the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    name: String,
    port: Option<u16>,
}

/// Parameters that this server uses.
const SUPPORTED: &[&str] = &[
    "charset",
    "connect_timeout",
    "read_timeout",
    "ssl_ca",
    "ssl_cert",
    "ssl_check_hostname",
    "ssl_disabled",
    "ssl_key",
    "ssl_mode",
    "ssl_verify_cert",
    "ssl_verify_identity",
    "unix_socket",
];

/// Parameters of Python's drivers that this server does not need.
const HARMLESS: &[&str] = &[
    "autocommit",
    "binary_prefix",
    "check_same_thread",
    "collation",
    "compress",
    "isolation_level",
    "local_infile",
    "plugin",
    "program_name",
    "timeout",
    "use_pure",
    "use_unicode",
    "write_timeout",
];

impl DatabaseUrl {
    /// Reads a URL; errors never repeat it, because it may hold a password.
    ///
    /// The nodes of a Galera cluster are separated by commas: `mysql+pymysql://user:password@one,two:3307,three/keystone`.
    /// `SQLAlchemy` does not know this.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text == "sqlite::memory:" {
            return Ok(Self::memory());
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            refused(
                "it has no `://`; write mysql+pymysql://user:password@host/name or sqlite:////path",
            )
        })?;
        let dialect = scheme.split('+').next().unwrap_or_default();
        let parts = Parts::of(rest);
        let parameters = parameters(parts.query)?;
        let backend = match dialect {
            "mysql" | "mariadb" => Backend::Server(Box::new(server(&parts, parameters.clone())?)),
            "sqlite" => file(&parts)?,
            other => {
                return Err(refused(&format!(
                    "`{other}` is no database of this server; it works on MariaDB (mysql+pymysql://) and SQLite (sqlite://)"
                )));
            }
        };
        let ignored = parameters
            .into_keys()
            .filter(|name| {
                !SUPPORTED.contains(&name.as_str()) && !HARMLESS.contains(&name.as_str())
            })
            .collect();
        Ok(Self { backend, ignored })
    }

    /// Whether it names a database in memory.
    pub fn is_memory(&self) -> bool {
        matches!(self.backend, Backend::Memory)
    }

    /// A `SQLite` database in memory, gone with its last connection.
    pub fn memory() -> Self {
        Self {
            backend: Backend::Memory,
            ignored: Vec::new(),
        }
    }

    /// The `SQLite` database in `path`.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            backend: Backend::File(path.into()),
            ignored: Vec::new(),
        }
    }

    /// Parameters of the URL that are not known, for a warning.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

impl FromStr for DatabaseUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.backend {
            Backend::Memory => f.write_str("sqlite://"),
            Backend::File(path) => write!(f, "sqlite:///{}", path.display()),
            Backend::Server(server) => {
                f.write_str("mysql://")?;
                if let Some(user) = &server.user {
                    write!(f, "{user}@")?;
                }
                for (i, host) in server.hosts.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{host}")?;
                }
                write!(f, "/{}", server.database)
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl Server {
    /// The driver's options for connecting to each host, with the host's name.
    #[cfg(feature = "mysql")]
    pub(crate) fn options(&self) -> Result<Vec<(String, MySqlConnectOptions)>> {
        let common = self.common_options()?;
        let options = |host: &Host| {
            let options = common.clone().host(&host.name);
            (host.to_string(), options.port(host.port.unwrap_or(3306)))
        };
        Ok(self.hosts.iter().map(options).collect())
    }

    #[cfg(feature = "mysql")]
    fn common_options(&self) -> Result<MySqlConnectOptions> {
        let mut options = MySqlConnectOptions::new()
            .database(&self.database)
            .statement_cache_capacity(512)
            // `connect` sets the whole mode itself.
            .pipes_as_concat(false)
            .no_engine_substitution(false);
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = &self.password {
            options = options.password(password.reveal());
        }
        if let Some(socket) = self.parameters.get("unix_socket") {
            options = options.socket(socket);
        }
        if let Some(file) = self.parameters.get("ssl_ca") {
            options = options.ssl_ca(file);
        }
        if let Some(file) = self.parameters.get("ssl_cert") {
            options = options.ssl_client_cert(file);
        }
        if let Some(file) = self.parameters.get("ssl_key") {
            options = options.ssl_client_key(file);
        }
        Ok(options.ssl_mode(self.tls()?))
    }

    /// How TLS is used, by the rules of `PyMySQL` and mysqlclient: an authority
    /// given means that the certificate and the host name are checked.
    #[cfg(feature = "mysql")]
    fn tls(&self) -> Result<MySqlSslMode> {
        if let Some(mode) = self.parameters.get("ssl_mode") {
            return mode.parse().map_err(|_| {
                refused("`ssl_mode` is one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY")
            });
        }
        let given = |name: &str| self.parameters.contains_key(name);
        if self.flag("ssl_disabled")? == Some(true) {
            return Ok(MySqlSslMode::Disabled);
        }
        if self.flag("ssl_verify_identity")? == Some(true) {
            return Ok(MySqlSslMode::VerifyIdentity);
        }
        let verify = self.flag("ssl_verify_cert")?;
        let hostname = self.flag("ssl_check_hostname")?.unwrap_or(given("ssl_ca"));
        Ok(match verify.unwrap_or(given("ssl_ca")) {
            true if hostname => MySqlSslMode::VerifyIdentity,
            true => MySqlSslMode::VerifyCa,
            false if given("ssl_ca") || given("ssl_cert") => MySqlSslMode::Required,
            false => MySqlSslMode::Preferred,
        })
    }

    /// How long a statement may take, if the URL says so.
    pub(crate) fn read_timeout(&self) -> Result<Option<Duration>> {
        self.seconds("read_timeout")
    }

    /// How long the first connection may take, if the URL says so.
    pub(crate) fn connect_timeout(&self) -> Result<Option<Duration>> {
        self.seconds("connect_timeout")
    }

    fn seconds(&self, name: &str) -> Result<Option<Duration>> {
        let Some(text) = self.parameters.get(name) else {
            return Ok(None);
        };
        match text.parse::<u32>() {
            Ok(seconds) if seconds > 0 => Ok(Some(Duration::from_secs(seconds.into()))),
            _ => Err(refused(&format!("`{name}` is a number of seconds"))),
        }
    }

    fn flag(&self, name: &str) -> Result<Option<bool>> {
        let Some(text) = self.parameters.get(name) else {
            return Ok(None);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => Err(refused(&format!("`{name}` is true or false"))),
        }
    }
}

/// A URL after its `://`, split as `SQLAlchemy` does it (`sqlalchemy.engine.url`).
struct Parts<'a> {
    user: Option<&'a str>,
    password: Option<&'a str>,
    address: &'a str,
    database: Option<&'a str>,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (user, password, rest) = split_login(text);
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (address, database) = match before.split_once('/') {
            Some((address, database)) => (address, Some(database)),
            None => (before, None),
        };
        Self {
            user,
            password,
            address,
            database,
            query,
        }
    }
}

/// Splits off `user[:password]@`. A user name ends at the first `:`, and a password, which may hold
/// anything else, at the first `@`; without a password the last `@` before any `/` counts.
fn split_login(text: &str) -> (Option<&str>, Option<&str>, &str) {
    let end = text.find([':', '/']).unwrap_or(text.len());
    let (user, rest) = text.split_at(end);
    let with_password = rest.strip_prefix(':').and_then(|rest| rest.split_once('@'));
    if let Some((password, rest)) = with_password {
        return (Some(user), Some(password), rest);
    }
    match user.rfind('@') {
        Some(at) => (Some(&user[..at]), None, &text[at + 1..]),
        None => (None, None, text),
    }
}

fn server(parts: &Parts<'_>, parameters: BTreeMap<String, String>) -> Result<Server> {
    if parts.address.contains('@') {
        return Err(refused("a password holds `@`; write %40 instead"));
    }
    let database = given(parts.database)?;
    let hosts: Vec<_> = parts.address.split(',').map(host).collect::<Result<_>>()?;
    if hosts.len() > 1
        && parts
            .address
            .split(',')
            .any(|host| host.is_empty() || host.starts_with(':'))
    {
        return Err(refused("a host in its list has no name"));
    }
    if hosts.len() > 1 && parameters.contains_key("unix_socket") {
        return Err(refused("it names several hosts and a socket"));
    }
    Ok(Server {
        user: given(parts.user)?,
        password: given(parts.password)?.map(Secret::from),
        hosts,
        database: database.ok_or_else(|| refused("it names no database"))?,
        parameters,
    })
}

/// A part without its escapes. `SQLAlchemy` does not pass an empty one to the driver.
fn given(part: Option<&str>) -> Result<Option<String>> {
    part.filter(|part| !part.is_empty())
        .map(decoded)
        .transpose()
}

fn host(place: &str) -> Result<Host> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest
                .split_once(']')
                .ok_or_else(|| refused("an IPv6 address lacks its `]`"))?;
            (host, after.strip_prefix(':'))
        }
        None => place
            .split_once(':')
            .map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        None => None,
        Some(port) => Some(
            port.parse()
                .map_err(|_| refused("the port is not a number below 65536"))?,
        ),
    };
    let name = if host.is_empty() { "localhost" } else { host };
    Ok(Host {
        name: name.to_owned(),
        port,
    })
}

fn file(parts: &Parts<'_>) -> Result<Backend> {
    if parts.user.is_some() || !parts.address.is_empty() {
        return Err(refused(
            "a SQLite path follows three slashes (sqlite:///relative/path) or four (sqlite:////absolute/path)",
        ));
    }
    Ok(match given(parts.database)? {
        None => Backend::Memory,
        Some(path) if path == ":memory:" => Backend::Memory,
        Some(path) => Backend::File(PathBuf::from(path)),
    })
}

fn parameters(query: &str) -> Result<BTreeMap<String, String>> {
    // A parameter without a value is dropped, as by Python's `urllib.parse.parse_qsl`.
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| {
            Ok((
                decoded(&name.replace('+', " "))?,
                decoded(&value.replace('+', " "))?,
            ))
        })
        .collect()
}

fn decoded(text: &str) -> Result<String> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(refused("a %-escape is not UTF-8")),
    }
}

fn refused(why: &str) -> Error {
    Error::Url(format!("the database URL cannot be used: {why}"))
}

#[cfg(test)]
mod tests;
