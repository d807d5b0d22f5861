//! Validates URIs as `oslo_config.types.URI` does: RFC 3986 with a scheme and a host.

/// Whether `text` is a URI with a scheme (one of `schemes`, if any are named) and a host.
pub(crate) fn is_valid(text: &str, schemes: &[String]) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let mut letters = scheme.chars();
    let scheme_ok = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && (schemes.is_empty() || schemes.iter().any(|s| s == scheme));
    let Some(rest) = rest.strip_prefix("//") else {
        return false;
    };
    // Anything may follow the authority: oslo.config's library (`rfc3986`) encodes it first.
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    scheme_ok && is_authority(authority)
}

fn is_authority(text: &str) -> bool {
    let (user, place) = text.split_once('@').unwrap_or(("", text));
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let Some((host, port)) = bracketed.split_once(']') else {
                return false;
            };
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (
                host,
                port.strip_prefix(':').or(port.is_empty().then_some("")),
            )
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, Some("")),
        },
    };
    let port_ok = port.is_some_and(|port| port.chars().all(|c| c.is_ascii_digit()));
    let host_ok = place.starts_with('[') || (encoded(host, "") && !is_wrong_ipv4(host));
    encoded(user, ":") && !host.is_empty() && host_ok && port_ok
}

/// Whether `host` has the form of an IPv4 address, with a number that is too large.
fn is_wrong_ipv4(host: &str) -> bool {
    let parts: Vec<&str> = host.split('.').collect();
    let number =
        |part: &&str| (1..=3).contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit());
    parts.len() == 4
        && parts.iter().all(number)
        && parts.iter().any(|part| part.parse::<u8>().is_err())
}

/// Whether `text` holds only unreserved characters, sub-delimiters, `%XX` and those of `more`.
fn encoded(text: &str, more: &str) -> bool {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let ok = if c == '%' {
            let digits = (rest.next(), rest.next());
            matches!(digits, (Some(a), Some(b)) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
        } else {
            c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(c) || more.contains(c)
        };
        if !ok {
            return false;
        }
    }
    true
}
