//! The servers of a directory: their URLs, and which of them is asked.

use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use keystone_types::Secret;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError};
use rustls::ClientConfig;
use tokio::time::{sleep, timeout, timeout_at};

use crate::Error;
use crate::settings::{Settings, SettingsError};
use crate::tls;

/// How long a server that failed is asked after the others.
const SHUNNED: Duration = Duration::from_secs(30);

/// The socket that `ldapi:///` means, as Debian has it.
const SOCKET: &str = "%2Fvar%2Frun%2Fslapd%2Fldapi";

/// One URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    scheme: &'static str,
    /// A host with its port, or the path of a socket.
    place: String,
}

impl Server {
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or("begins with none of ldap://, ldaps:// and ldapi://")?;
        let place = rest.split(['/', '?']).next().unwrap_or_default();
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "ldap" => "ldap",
            "ldaps" => "ldaps",
            "ldapi" => {
                let place = if place.is_empty() { SOCKET } else { place }.to_owned();
                return Ok(Self {
                    scheme: "ldapi",
                    place,
                });
            }
            _ => return Err("begins with none of ldap://, ldaps:// and ldapi://".into()),
        };
        let (host, port) = match place.rfind(':').filter(|at| !place[*at..].contains(']')) {
            Some(at) => (&place[..at], Some(&place[at + 1..])),
            None => (place, None),
        };
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err("has no port from 0 to 65535".into());
        }
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        let address = |host: &str| host.parse::<std::net::Ipv6Addr>().is_ok();
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match bracketed {
            Some(host) if !address(host) => {
                return Err("has no IPv6 address between the brackets".into());
            }
            None if !host.chars().all(letter) => return Err("has no name of a host".into()),
            _ => {}
        }
        let place = if host.is_empty() {
            format!("localhost{place}")
        } else {
            place.to_owned()
        };
        Ok(Self { scheme, place })
    }

    /// Whether certificates can be checked against the host. `ldap3` takes the brackets of an IPv6 address for part of a name.
    pub(crate) fn may_have_tls(&self) -> bool {
        !self.place.starts_with('[')
    }

    /// Whether the connection has TLS from its start.
    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == "ldaps"
    }
}

impl Display for Server {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.place)
    }
}

/// All servers of a directory, which have the same entries.
pub(crate) struct Servers {
    /// Each with the time at which it failed last.
    all: Vec<(Server, Mutex<Option<Instant>>)>,
    tls: Option<Arc<ClientConfig>>,
    start_tls: bool,
    rounds: u32,
    pause: Duration,
}

/// The name and the password that searches are made with.
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Secret,
}

impl Servers {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let mut servers = settings.servers()?;
        if settings.randomize_urls {
            shuffle(&mut servers);
        }
        let needs_tls = settings.use_tls || servers.iter().any(Server::is_tls);
        Ok(Self {
            all: servers
                .into_iter()
                .map(|server| (server, Mutex::new(None)))
                .collect(),
            tls: needs_tls.then(|| tls::config(settings)).transpose()?,
            start_tls: settings.use_tls,
            rounds: settings.pool_retry_max.max(1),
            pause: settings.pool_retry_delay,
        })
    }

    /// All URLs, as text for errors.
    pub(crate) fn urls(&self) -> String {
        self.all
            .iter()
            .map(|(server, _)| server.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Connects to the first server that lets it, and logs in there. It tries all of them in each of its rounds, and each
    /// server has its share of the time.
    pub(crate) async fn connect(
        &self,
        login: Option<&Login>,
        limit: Duration,
    ) -> Result<(Ldap, String), Error> {
        let end = tokio::time::Instant::now() + limit;
        let share = limit / u32::try_from(self.all.len()).unwrap_or(1).max(1);
        let mut reasons = Vec::new();
        for round in 0..self.rounds {
            if round > 0 && timeout_at(end, sleep(self.pause)).await.is_err() {
                break;
            }
            reasons.clear();
            for (server, failed) in self.in_order() {
                let attempt = self.attempt(server, login);
                let reason = match timeout(share, attempt).await {
                    Ok(Ok(ldap)) => return Ok((ldap, server.to_string())),
                    Ok(Err(Refusal::Login(error))) => return Err(error),
                    Ok(Err(Refusal::Other(reason))) => reason,
                    Err(_) => format!("no connection within {share:?}"),
                };
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                reasons.push(if self.all.len() > 1 {
                    format!("{server}: {reason}")
                } else {
                    reason
                });
            }
            if tokio::time::Instant::now() >= end {
                break;
            }
        }
        Err(Error::Unavailable {
            url: self.urls(),
            reason: reasons.join("; "),
        })
    }

    /// Remembers that a server did not answer.
    pub(crate) fn shun(&self, url: &str) {
        for (server, failed) in &self.all {
            if server.to_string() == url {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
        }
    }

    /// Those that failed a short while ago are the last.
    fn in_order(&self) -> Vec<&(Server, Mutex<Option<Instant>>)> {
        let mut servers: Vec<_> = self.all.iter().collect();
        servers.sort_by_cached_key(|(_, failed)| {
            let failed = *failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.is_some_and(|at| at.elapsed() < SHUNNED)
        });
        servers
    }

    async fn attempt(&self, server: &Server, login: Option<&Login>) -> Result<Ldap, Refusal> {
        let mut settings = LdapConnSettings::new().set_starttls(self.start_tls);
        if let Some(config) = &self.tls {
            settings = settings.set_config(config.clone());
        }
        let url = server.to_string();
        let opened = LdapConnAsync::with_settings(settings, &url).await;
        let (connection, mut ldap) = opened.map_err(|error| match error {
            // No other operation has been tried by now.
            LdapError::LdapResult { result } => Refusal::Other(format!("StartTLS: {result}")),
            error => Refusal::Other(describe(&error)),
        })?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!("a connection ended: {}", describe(&error));
            }
        });
        let Some(Login { user, password }) = login else {
            return Ok(ldap);
        };
        let bound = ldap.simple_bind(user, password.reveal()).await;
        let bound = bound.map_err(|error| Refusal::Other(describe(&error)))?;
        match bound.rc {
            0 => Ok(ldap),
            49 => Err(Refusal::Login(Error::InvalidCredentials {
                url: server.to_string(),
                user: user.clone(),
            })),
            _ => Err(Refusal::Other(format!("the bind of {user:?}: {bound}"))),
        }
    }
}

/// Why there is no connection.
enum Refusal {
    /// No other server would take the login either.
    Login(Error),
    Other(String),
}

/// An error of a connection as a text that may be logged.
pub(crate) fn describe(error: &LdapError) -> String {
    match error {
        LdapError::Io { source } => source.to_string(),
        LdapError::OpSend { .. }
        | LdapError::ResultRecv { .. }
        | LdapError::IdScrubSend { .. }
        | LdapError::EndOfStream => "the connection broke".into(),
        other => other.to_string(),
    }
}

fn shuffle(servers: &mut [Server]) {
    for last in (1..servers.len()).rev() {
        // Without random bytes the order stays: any is right.
        let random = getrandom::u32().map_or(last, |random| random as usize % (last + 1));
        servers.swap(last, random);
    }
}
