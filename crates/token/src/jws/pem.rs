//! Keys as text: PEM (RFC 7468).

use base64::{Engine, prelude::BASE64_STANDARD};

/// The length of a line of base64.
const LINE: usize = 64;

/// The bytes of the first block with this label; other blocks and text around them are no part of it.
pub(crate) fn decode(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    BASE64_STANDARD.decode(body).ok()
}

/// A block with these bytes.
pub(crate) fn encode(der: &[u8], label: &str) -> String {
    let body = BASE64_STANDARD.encode(der);
    let mut lines = vec![format!("-----BEGIN {label}-----")];
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE));
        lines.push(line.to_owned());
        rest = more;
    }
    lines.push(format!("-----END {label}-----\n"));
    lines.join("\n")
}

/// Whether there is the begin of a block, so that the text is meant to be a key.
pub(crate) fn begins(text: &str) -> bool {
    text.contains("-----BEGIN ")
}
