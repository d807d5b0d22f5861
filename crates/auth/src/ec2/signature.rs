//! The signatures of EC2's protocol, versions 0 to 2, as `keystoneclient/contrib/ec2/utils.py` computes them.
//!
//! Requests that fail there without an answer of their own, because something is missing or of an unknown version, are
//! 400 here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystone_python::percent_encode;
use keystone_types::{Error, Result, Secret};

use super::claim::{Claim, Texts, missing, texts};
use super::v4;
use crate::mac;

/// 401 unless the claim's signature is the one of the holder of the secret.
pub(super) fn check(claim: &Claim, secret: &Secret) -> Result<()> {
    let given = claim.signature()?;
    let host = claim.shown("host").ok();
    if mac::same(&given, &expected(claim, host.as_deref(), secret)?) {
        return Ok(());
    }
    // Some clients sign the host without its port (`keystone/api/ec2tokens.py`).
    if let Some(bare) = host.as_deref().and_then(without_port)
        && mac::same(&given, &expected(claim, Some(&bare), secret)?)
    {
        return Ok(());
    }
    Err(Error::unauthorized("the EC2 signature is wrong"))
}

/// The signature that the secret gives; `host` is the one to sign.
fn expected(claim: &Claim, host: Option<&str>, secret: &Secret) -> Result<String> {
    let named = claim.params()?;
    let params = || texts("params", named);
    let version = named.get("SignatureVersion");
    match version.and_then(|version| version.as_str()) {
        Some("0") => version_0(&params()?, secret),
        Some("1") => Ok(version_1(params()?, secret)),
        Some("2") => {
            let host = host.ok_or_else(|| missing("host"))?;
            let (verb, path) = (claim.shown("verb")?, claim.shown("path")?);
            let start = format!("{verb}\n{host}\n{path}\n");
            let mut named = named.clone();
            // Whatever the client wrote, as in keystoneclient.
            named.insert("SignatureMethod".to_owned(), "HmacSHA256".into());
            Ok(version_2(&start, texts("params", &named)?, secret))
        }
        _ if v4::is_meant(claim)? => v4::signature(claim, &params()?, secret),
        _ => Err(Error::Validation(match version {
            Some(version) => {
                format!(
                    "Unknown signature version: {}",
                    keystone_python::str(version)
                )
            }
            None => "Unexpected signature format".to_owned(),
        })),
    }
}

/// Of the action and the time alone.
fn version_0(params: &Texts, secret: &Secret) -> Result<String> {
    let param = |name| {
        let found = params.iter().find(|(known, _)| known == name);
        found
            .map(|(_, text)| text.as_str())
            .ok_or_else(|| missing(name))
    };
    let signed = [param("Action")?, param("Timestamp")?].concat();
    let code = mac::sha1(secret.reveal().as_bytes(), signed.as_bytes());
    Ok(STANDARD.encode(code))
}

/// Of the parameters without a separator, by their names in lower case.
fn version_1(mut params: Texts, secret: &Secret) -> String {
    params.sort_by_cached_key(|(name, _)| name.to_lowercase());
    let signed: String = params
        .into_iter()
        .flat_map(|(name, text)| [name, text])
        .collect();
    STANDARD.encode(mac::sha1(secret.reveal().as_bytes(), signed.as_bytes()))
}

/// Of the whole request but for its body; `start` is its beginning.
fn version_2(start: &str, params: Texts, secret: &Secret) -> String {
    let signed = start.to_owned() + &canonical_query(params);
    STANDARD.encode(mac::sha256(secret.reveal().as_bytes(), signed.as_bytes()))
}

/// Parameters, sorted and encoded.
pub(super) fn canonical_query(mut params: Texts) -> String {
    params.sort();
    let pairs = params.iter();
    let pairs =
        pairs.map(|(name, text)| format!("{}={}", percent_encode(name), percent_encode(text)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The host's name without its port: `urllib.parse.urlsplit("//" + host).hostname`.
fn without_port(host: &str) -> Option<String> {
    if !host.contains(':') {
        return None;
    }
    let authority = host.split(['/', '?', '#']).next()?;
    let address = authority.rsplit('@').next()?;
    let name = match address.split_once('[') {
        Some((_, address)) => address.split(']').next()?,
        None => address.split(':').next()?,
    };
    (!name.is_empty()).then(|| name.to_lowercase())
}
