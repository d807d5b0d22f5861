//! The names in a client's certificate. Whether it is valid, and whose it is, its TLS connection has shown: this server's
//! or that of a trusted proxy.

mod der;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use crate::environment::Environment;
use der::Attribute;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// A certificate, as far as it tells names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pem: String,
    subject: Vec<Attribute>,
    issuer: Vec<Attribute>,
}

/// Not a certificate, or one with a name that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate")]
pub struct NoCertificate;

impl Certificate {
    fn from_der(der: &[u8]) -> Option<Self> {
        let (issuer, subject) = der::names(der)?;
        Some(Self {
            pem: pem(der),
            subject,
            issuer,
        })
    }

    /// Reads `SSL_CLIENT_CERT`: PEM, whose line ends a header may have turned to blanks (Apache httpd) or percent-encoded
    /// (nginx).
    pub(crate) fn from_variable(text: &str) -> Option<Self> {
        let decoded = if text.contains('%') {
            percent_decode_str(text).decode_utf8().ok()?
        } else {
            text.into()
        };
        let (_, rest) = decoded.split_once(BEGIN)?;
        let (body, _) = rest.split_once(END)?;
        let body: String = body.split_whitespace().collect();
        Self::from_der(&STANDARD.decode(body).ok()?)
    }

    /// `x5t#S256` as `keystone/common/utils.py` makes it: of the PEM text, and with padding.
    pub(crate) fn thumbprint(&self) -> String {
        URL_SAFE.encode(Sha256::digest(&self.pem))
    }

    /// The attributes of both names under the names that mappings of `OAuth2` clients have for them; none where
    /// `keystone/common/utils.py` can't read one.
    pub(crate) fn oauth2_attributes(&self) -> Option<Vec<(String, String)>> {
        let of = |kind: &str, name: &[Attribute]| {
            let attributes = name.iter().map(|attribute| {
                let value = attribute.escaped();
                // It splits `CN=value` at each `=`.
                let is_readable = !value.contains('=');
                let name = attribute.cryptography_name().to_uppercase();
                is_readable.then(|| (format!("SSL_CLIENT_{kind}_DN_{name}"), value))
            });
            attributes.collect::<Option<Vec<_>>>()
        };
        let mut attributes = of("SUBJECT", &self.subject)?;
        attributes.extend(of("ISSUER", &self.issuer)?);
        Some(attributes)
    }
}

impl Environment {
    /// The variables that Apache httpd's `mod_ssl` sets for a client's certificate, which was verified: in DER.
    pub fn of_certificate(der: &[u8]) -> Result<Self, NoCertificate> {
        let certificate = Certificate::from_der(der).ok_or(NoCertificate)?;
        let mut variables = vec![
            ("SSL_CLIENT_VERIFY".to_owned(), "SUCCESS".to_owned()),
            ("SSL_CLIENT_CERT".to_owned(), certificate.pem),
        ];
        for (kind, name) in [("S", &certificate.subject), ("I", &certificate.issuer)] {
            variables.push((format!("SSL_CLIENT_{kind}_DN"), distinguished(name)));
            for (at, attribute) in name.iter().enumerate() {
                let Some(short) = attribute.mod_ssl_name() else {
                    continue;
                };
                let earlier = name[..at].iter();
                let index = earlier
                    .filter(|it| it.mod_ssl_name() == Some(short))
                    .count();
                let variable = format!("SSL_CLIENT_{kind}_DN_{short}");
                if index == 0 {
                    variables.push((variable.clone(), attribute.value.clone()));
                }
                variables.push((format!("{variable}_{index}"), attribute.value.clone()));
            }
        }
        Ok(variables.into_iter().collect())
    }
}

/// A name in the order of RFC 4514: the last attribute first.
fn distinguished(name: &[Attribute]) -> String {
    let attributes = name.iter().rev();
    let texts = attributes.map(|it| format!("{}={}", it.openssl_name(), it.escaped()));
    texts.collect::<Vec<_>>().join(",")
}

/// PEM as OpenSSL and Python write it.
fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut pem = format!("{BEGIN}\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str(END);
    pem.push('\n');
    pem
}

#[cfg(test)]
mod tests;
