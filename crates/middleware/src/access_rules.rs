//! The requests that an application credential is limited to.

use serde::Deserialize;

/// A request that the bearer of an application credential may make.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AccessRule {
    /// The type of the service in the catalog.
    pub service: String,
    /// The HTTP method.
    pub method: String,
    /// A pattern of paths: `*` and `{name}` stand for one segment or a part of it, `**` for anything.
    pub path: String,
}

impl AccessRule {
    /// Whether it is about this request; `path` as [`plain_path`] writes it.
    pub(crate) fn permits(&self, service: &str, method: &str, path: &str) -> bool {
        self.service == service && self.method == method && matches(&self.path, path)
    }
}

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    /// At least one byte, but no slash.
    InSegment,
    /// Any bytes, or none.
    Anything,
}

/// Splits a pattern as `_path_matches` of `keystonemiddleware/auth_token/__init__.py` does, which passes over braces
/// without a partner. Unlike there, all other characters stand for themselves.
fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(pattern.len());
    let mut rest = pattern.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'*' if after.first() == Some(&b'*') => {
                pieces.push(Piece::Anything);
                rest = &after[1..];
            }
            b'*' => pieces.push(Piece::InSegment),
            b'{' => {
                if let Some(end) = after.iter().position(|byte| *byte == b'}') {
                    pieces.push(Piece::InSegment);
                    rest = &after[end + 1..];
                }
            }
            b'}' => {}
            byte => pieces.push(Piece::Byte(byte)),
        }
    }
    pieces
}

/// Whether the whole path fits the pattern, in time proportional to the product of their lengths.
fn matches(pattern: &str, path: &str) -> bool {
    let path = path.as_bytes();
    // Where in the path the pieces so far may end.
    let mut ends = vec![false; path.len() + 1];
    ends[0] = true;
    for piece in pieces(pattern) {
        let mut next = vec![false; path.len() + 1];
        for (at, byte) in path.iter().enumerate() {
            next[at + 1] = match piece {
                Piece::Byte(wanted) => ends[at] && *byte == wanted,
                Piece::InSegment => (ends[at] || next[at]) && *byte != b'/',
                Piece::Anything => ends[at] || next[at] || ends[at + 1],
            };
        }
        next[0] = piece == Piece::Anything && ends[0];
        ends = next;
    }
    ends[path.len()]
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// A path in the one spelling that rules are compared with: what needs no escape has none, as in webob's `path`.
pub(crate) fn plain_path(path: &str) -> String {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let value = escaped.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
        });
        rest = if value.is_some() { &after[2..] } else { after };
        plain.push(value.unwrap_or(first));
    }
    let mut text = String::with_capacity(plain.len());
    for byte in plain {
        if is_plain(byte) {
            text.push(char::from(byte));
        } else {
            for part in [
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ] {
                text.push(char::from(part));
            }
        }
    }
    text
}

/// `PATH_SAFE` of `webob/request.py`, and what Python's `quote` never escapes.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-~/!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests;
