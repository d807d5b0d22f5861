//! `transport_url` of oslo.messaging: `rabbit://user:password@host1:5672,user:password@host2/vhost?ssl=1`.

use std::fmt::{self, Display};

use keystone_types::Secret;

const UNESCAPED: &str = "expected rabbit://user:password@host:port/virtual_host, with a number as port, each user before its host, \
                         and % and the code for / ? , @ in a user or a password";

/// The brokers that a `transport_url` names.
#[derive(Clone, Debug)]
pub struct TransportUrl {
    /// One or more, of which one is used at a time.
    pub hosts: Vec<Host>,
    /// The virtual host: `/`, unless the URL has another.
    pub virtual_host: String,
    /// Options in the query, which go before those of `[oslo_messaging_rabbit]`.
    pub options: Vec<(String, String)>,
}

/// A broker.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name or address.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// Who logs in there.
    pub user: String,
    /// The password of that user.
    pub password: Secret,
}

impl Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

impl TransportUrl {
    /// Reads a URL as oslo.messaging does. What follows a `/`, `?` or `,` of a password would look like hosts and be logged, so
    /// such URLs are refused.
    ///
    /// # Errors
    ///
    /// It is of another kind than `rabbit`, or no URL. The text repeats no part of it, which may be one of a secret.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("expected rabbit://…")?;
        if !["rabbit", "kombu"].contains(&scheme) {
            return Err("messages are sent to RabbitMQ only: expected rabbit://…".to_owned());
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let logins: Vec<bool> = hosts.split(',').map(|host| host.contains('@')).collect();
        if (!logins.contains(&true) && (path.contains('@') || query.contains('@')))
            || !logins.is_sorted_by(|before, after| before >= after)
        {
            return Err(UNESCAPED.to_owned());
        }
        let hosts = hosts.split(',').map(Host::parse);
        let path = decode(path)?;
        let options = query.split('&').filter_map(|pair| pair.split_once('='));
        let options = options.map(|(name, value)| Ok((decode(name)?, decode(value)?)));
        Ok(Self {
            hosts: hosts.collect::<Result<_, String>>()?,
            virtual_host: if path.is_empty() {
                "/".to_owned()
            } else {
                path
            },
            options: options.collect::<Result<_, String>>()?,
        })
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, String> {
        let (login, place) = text.rsplit_once('@').unwrap_or(("", text));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (user, password) = match (decode(user)?, decode(password)?) {
            (user, password) if user.is_empty() && password.is_empty() => {
                ("guest".to_owned(), "guest".to_owned())
            }
            named => named,
        };
        let bracket = place.rfind(']').map_or(0, |end| end + 1);
        let (name, port) = match place[bracket..].rfind(':') {
            Some(colon) => (&place[..bracket + colon], &place[bracket + colon + 1..]),
            None => (place, ""),
        };
        let port = if port.is_empty() {
            5672
        } else {
            port.parse().map_err(|_| UNESCAPED.to_owned())?
        };
        let name = name.trim_matches(['[', ']']);
        Ok(Self {
            name: if name.is_empty() { "localhost" } else { name }.to_owned(),
            port,
            user,
            password: password.into(),
        })
    }
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| "it is not UTF-8 once it is decoded".to_owned())?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hosts with logins, virtual host and options, as text.
    fn read(url: &str) -> String {
        let url = TransportUrl::parse(url).unwrap();
        let hosts = url.hosts.iter().map(|host| {
            let password = host.password.reveal();
            format!("{}:{password}@{host}", host.user)
        });
        let hosts: Vec<_> = hosts.collect();
        let options = url.options.iter();
        let options: Vec<_> = options
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!(
            "{} {} {}",
            hosts.join(","),
            url.virtual_host,
            options.join("&")
        )
    }

    #[test]
    fn urls_are_read_as_by_oslo_messaging() {
        for (url, expected) in [
            ("rabbit://", "guest:guest@localhost:5672 / "),
            ("rabbit://mq", "guest:guest@mq:5672 / "),
            ("rabbit://mq:5671/", "guest:guest@mq:5671 / "),
            ("kombu://u:p@mq/v", "u:p@mq:5672 v "),
            ("rabbit://u:p@mq//", "u:p@mq:5672 / "),
            ("rabbit://u:p@mq/%2Fa%20b", "u:p@mq:5672 /a b "),
            (
                "rabbit://u:p%40%3A@one:1,v:q@x@two/c?ssl=1&ssl_ca_file=%2Fca",
                "u:p@:@one:1,v:q@x@two:5672 c ssl=1&ssl_ca_file=/ca",
            ),
            (
                "rabbit://u:p:q@[::1]:7,[fe80::1]",
                "u:p:q@::1:7,guest:guest@fe80::1:5672 / ",
            ),
            ("rabbit://u@mq", "u:@mq:5672 / "),
        ] {
            assert_eq!(read(url), expected, "{url}");
        }
    }

    #[test]
    fn errors_name_no_secret() {
        for url in [
            "kafka://u:secret@mq",
            "u:secret@mq",
            "secret://u:p@mq",
            "rabbit://u:secret@mq:port",
            "rabbit://u:secret/ss@mq",
            "rabbit://u:secret?ss@mq",
            "rabbit://u:secret,ss@mq",
            "rabbit://u:12/secret@mq",
            "rabbit://u:12?secret@mq",
            "rabbit://u:12,secret@mq",
            "rabbit://mq,u:12,secret:x@mq",
        ] {
            let error = TransportUrl::parse(url).unwrap_err();
            for secret in ["secret", "u:", "12"] {
                assert!(
                    !error.replace("user:", "").contains(secret),
                    "{url}: {error}"
                );
            }
        }
    }
}
