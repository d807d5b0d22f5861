//! The headers of proxies in front of this server, and the base URL of links that follows from them.
//!
//! As in Keystone, the nearest proxy's `X-Forwarded-Proto` and `X-Forwarded-For` always count
//! (werkzeug's `ProxyFix` in `keystone/server/flask/core.py`). The host, the prefix and the header
//! `Forwarded` count with `[oslo_middleware] enable_proxy_headers_parsing` only, and then the first
//! proxy's word goes before the nearest one's (oslo.middleware's `http_proxy_to_wsgi`).

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::uri::Authority;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::App;
use crate::middleware::{BaseUrl, Connection, Scheme, header_text};
use crate::path::Mounted;

/// The client as the headers of a request describe it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Forwarded {
    scheme: Option<&'static str>,
    host: Option<String>,
    client: Option<String>,
    prefix: String,
}

impl Forwarded {
    /// `parsing` is `[oslo_middleware] enable_proxy_headers_parsing`.
    pub(crate) fn read(headers: &HeaderMap, parsing: bool) -> Self {
        let mut found = Self::default();
        found.take_scheme(last(headers, "x-forwarded-proto"));
        found.take_client(last(headers, "x-forwarded-for"));
        if !parsing {
            return found;
        }
        if let Some(forwarded) = joined(headers, "forwarded") {
            for pair in first_of(&forwarded).split(';') {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let value = unquoted(value.trim());
                match name.trim().to_ascii_lowercase().as_str() {
                    "proto" => found.take_scheme(value),
                    "host" => found.take_host(value),
                    "for" => found.take_client(value),
                    _ => {}
                }
            }
        } else {
            found.take_scheme(first(headers, "x-forwarded-proto"));
            found.take_host(first(headers, "x-forwarded-host"));
            found.take_client(first(headers, "x-forwarded-for"));
        }
        found.prefix = joined(headers, "x-forwarded-prefix").unwrap_or_default();
        found
    }

    /// Other schemes than these two are not served, and would lead clients astray.
    fn take_scheme(&mut self, scheme: Option<String>) {
        let scheme = scheme.unwrap_or_default().to_ascii_lowercase();
        let known = ["http", "https"].into_iter().find(|known| *known == scheme);
        self.scheme = known.or(self.scheme);
    }

    fn take_host(&mut self, host: Option<String>) {
        self.host = host.or(self.host.take());
    }

    fn take_client(&mut self, client: Option<String>) {
        self.client = client.or(self.client.take());
    }

    /// The client's address: the one that a proxy tells, else the connection's; none where a proxy
    /// tells what is no address.
    pub(crate) fn client(&self, connection: Option<IpAddr>) -> Option<IpAddr> {
        match &self.client {
            Some(text) => text.parse().ok(),
            None => connection,
        }
    }
}

/// `[DEFAULT] public_endpoint`, or what the request was sent to, with the prefix it is mounted at; and the latter.
pub(crate) fn base_url(app: &App, request: &Request) -> BaseUrl {
    let sent_to = sent_to(app, request);
    let public = app.settings.public_endpoint.as_deref();
    let public = public.map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    BaseUrl {
        public: public.unwrap_or_else(|| sent_to.clone()),
        sent_to,
    }
}

fn sent_to(app: &App, request: &Request) -> String {
    let headers = request.headers();
    let forwarded = Forwarded::read(headers, app.settings.proxy_headers);
    let connection = request.extensions().get::<Connection>();
    let scheme = forwarded.scheme.unwrap_or(match connection {
        Some(Connection {
            scheme: Scheme::Https,
            ..
        }) => "https",
        _ => "http",
    });
    let own = || header_text(headers, "host").map(str::to_owned);
    let host = forwarded.host.or_else(own);
    let host = host.or_else(|| request.uri().authority().map(Authority::to_string));
    let host = host.as_deref().unwrap_or("localhost");
    let standard = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(standard).unwrap_or(host);
    let mounted = request.extensions().get::<Mounted>();
    let mounted = mounted
        .map(|Mounted(path)| path.as_str())
        .unwrap_or_default();
    format!("{scheme}://{host}{}", above(&forwarded.prefix, mounted))
}

/// The path above `/v3`: a proxy's prefix, without the version at its end, and the path below which the router is nested.
fn above(prefix: &str, mounted: &str) -> String {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'_')
        .remove(b'-')
        .remove(b'.')
        .remove(b'~');
    let prefix = utf8_percent_encode(prefix, ESCAPED).to_string();
    let prefix = prefix.trim_end_matches('/');
    let mut versions = ["/v3", "/v2.0"].iter();
    let above = versions.find_map(|version| prefix.strip_suffix(version));
    let above = above.unwrap_or(prefix).trim_end_matches('/');
    let above = format!("{above}{}", mounted.trim_end_matches('/'));
    if above.is_empty() || above.starts_with('/') {
        above
    } else {
        format!("/{above}")
    }
}

/// The value of a header, of several lines together; none where it is empty or no text.
pub(crate) fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(name).iter();
    let lines: Result<Vec<&str>, _> = lines.map(|line| line.to_str()).collect();
    let joined = lines.ok()?.join(",");
    (!joined.is_empty()).then_some(joined)
}

/// The last element of a list, which the nearest proxy has added.
fn last(headers: &HeaderMap, name: &str) -> Option<String> {
    let list = joined(headers, name)?;
    let mut items = list.split(',').filter_map(|item| unquoted(item.trim()));
    items.next_back()
}

/// The first element of a list, from the proxy nearest to the client.
fn first(headers: &HeaderMap, name: &str) -> Option<String> {
    unquoted(first_of(&joined(headers, name)?))
}

fn first_of(list: &str) -> &str {
    list.split(',').next().unwrap_or_default().trim()
}

fn unquoted(text: &str) -> Option<String> {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let text = inner.unwrap_or(text);
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = name.parse().unwrap();
            (name, axum::http::HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    /// Scheme, host, client and prefix, as text.
    fn read(pairs: &[(&'static str, &'static str)], parsing: bool) -> [String; 4] {
        let found = Forwarded::read(&headers(pairs), parsing);
        let scheme = found.scheme.unwrap_or_default().to_owned();
        [
            scheme,
            found.host.unwrap_or_default(),
            found.client.unwrap_or_default(),
            found.prefix,
        ]
    }

    #[test]
    fn the_nearest_proxy_s_scheme_and_client_always_count() {
        let sent = [
            ("x-forwarded-proto", "http, https"),
            ("x-forwarded-for", "10.0.0.1, 10.0.0.2"),
            ("x-forwarded-host", "public"),
            ("x-forwarded-prefix", "/identity"),
            ("forwarded", "proto=http;host=other"),
        ];
        assert_eq!(read(&sent, false), ["https", "", "10.0.0.2", ""]);
    }

    #[test]
    fn with_header_parsing_the_first_proxy_wins() {
        let sent = [
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-for", "10.0.0.1, 10.0.0.2"),
            ("x-forwarded-host", "public"),
            ("x-forwarded-prefix", "/identity"),
        ];
        let expected = ["https", "public", "10.0.0.1", "/identity"];
        assert_eq!(read(&sent, true), expected);
    }

    #[test]
    fn with_parsing_forwarded_goes_before_the_older_headers() {
        let sent = [
            (
                "forwarded",
                "For=\"10.0.0.3\"; Proto=https, for=10.0.0.4;host=second",
            ),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "public"),
        ];
        assert_eq!(read(&sent, true), ["https", "", "10.0.0.3", ""]);
        let sent = [
            ("forwarded", "host=\"public:5000\""),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(read(&sent, true), ["https", "public:5000", "", ""]);
    }

    #[test]
    fn a_scheme_that_is_not_served_is_passed_over() {
        for scheme in ["javascript", "", "https://evil.test/", "\"\""] {
            assert_eq!(read(&[("x-forwarded-proto", scheme)], false)[0], "");
        }
        assert_eq!(read(&[("x-forwarded-proto", "HTTPS")], false)[0], "https");
    }

    #[test]
    fn a_prefix_stands_above_the_version() {
        for (prefix, mounted, expected) in [
            ("", "", ""),
            ("/", "", ""),
            ("/identity", "", "/identity"),
            ("/identity/", "", "/identity"),
            ("/identity/v3", "", "/identity"),
            ("/identity/v3//", "", "/identity"),
            ("/v2.0", "", ""),
            ("identity", "", "/identity"),
            ("/a b", "", "/a%20b"),
            ("/proxy", "/identity", "/proxy/identity"),
            ("", "/identity", "/identity"),
            ("/v3", "/v3", "/v3"),
        ] {
            assert_eq!(above(prefix, mounted), expected, "{prefix} {mounted}");
        }
    }
}
