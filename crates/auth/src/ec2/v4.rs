//! Version 4 of the signatures, with its parts in the `Authorization` header or in `X-Amz-…` parameters, as
//! `keystoneclient/contrib/ec2/utils.py` computes it.

use keystone_python::is_space;
use keystone_types::{Error, Result, Secret};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::claim::{Claim, Texts, missing, texts};
use super::signature::canonical_query;
use crate::mac;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Whether the request is signed like this; an `Authorization` header decides alone.
pub(super) fn is_meant(claim: &Claim) -> Result<bool> {
    let header = claim
        .headers()?
        .and_then(|headers| headers.get("Authorization"));
    Ok(match header {
        Some(header) => header
            .as_str()
            .is_some_and(|text| text.starts_with(ALGORITHM)),
        None => {
            claim
                .params()?
                .get("X-Amz-Algorithm")
                .and_then(Value::as_str)
                == Some(ALGORITHM)
        }
    })
}

/// The signature that the secret gives.
pub(super) fn signature(claim: &Claim, params: &Texts, secret: &Secret) -> Result<String> {
    // Not signed here, but Keystone insists on it.
    claim.require("host")?;
    let headers = claim.headers()?.ok_or_else(|| missing("headers"))?;
    if !headers.values().all(Value::is_string) {
        return Err(missing("headers"));
    }
    let headers = texts("headers", headers)?;
    let date = value(&headers, "X-Amz-Date").or_else(|| value(params, "X-Amz-Date"));
    let date = date.ok_or_else(|| missing("X-Amz-Date"))?;
    let credential = part("Credential", &headers, params)?;
    let scope = Scope::parse(credential)?;
    if !date.starts_with(scope.date) {
        return Err(Error::Validation("Request date mismatch error".to_owned()));
    }
    let request = canonical_request(claim, &headers, params)?;
    let digest = hex::encode(Sha256::digest(request));
    let signed = [ALGORITHM, date, scope.text, &digest].join("\n");
    let [date, region, service] = [scope.date, scope.region, scope.service].map(str::as_bytes);
    let key = signing_key(secret, date, region, service);
    Ok(hex::encode(mac::sha256(&key, signed.as_bytes())))
}

/// The key that signs requests of one day to one service of a region.
pub(super) fn signing_key(secret: &Secret, date: &[u8], region: &[u8], service: &[u8]) -> Vec<u8> {
    let start = format!("AWS4{}", secret.reveal()).into_bytes();
    [date, region, service, b"aws4_request"]
        .iter()
        .fold(start, |key, part| mac::sha256(&key, part))
}

/// What the signature holds for: a credential without its access key.
struct Scope<'a> {
    text: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

impl<'a> Scope<'a> {
    fn parse(credential: &'a str) -> Result<Self> {
        let scope = credential.split_once('/').map(|(_, scope)| scope);
        let scope = scope.and_then(|text| {
            let mut parts = text.split('/');
            Some(Self {
                text,
                date: parts.next()?,
                region: parts.next()?,
                service: parts.next()?,
            })
        });
        scope.ok_or_else(|| missing("Credential"))
    }
}

/// A part of the authorization: of the header where there is one, otherwise a parameter.
fn part<'a>(name: &str, headers: &'a Texts, params: &'a Texts) -> Result<&'a str> {
    let Some(header) = value(headers, "Authorization") else {
        let param = value(params, &format!("X-Amz-{name}"));
        return param.ok_or_else(|| missing(name));
    };
    let rest = header.split_once(&format!("{name}="));
    let rest = rest.map_or("", |(_, rest)| rest);
    Ok(rest.split(',').next().unwrap_or_default())
}

fn canonical_request(claim: &Claim, headers: &Texts, params: &Texts) -> Result<String> {
    let verb = claim.text("verb")?.to_uppercase();
    // `POST` has its parameters in the body.
    let query = if verb == "POST" {
        String::new()
    } else {
        canonical_query(params.clone())
    };
    let signed_headers = part("SignedHeaders", headers, params)?;
    let (path, body_hash) = (claim.text("path")?, claim.text("body_hash")?);
    let headers = canonical_headers(headers, signed_headers);
    Ok([&verb, &path, &query, &headers, signed_headers, &body_hash]
        .map(|text: &str| text)
        .join("\n"))
}

/// The signed headers that there are.
fn canonical_headers(headers: &Texts, signed_headers: &str) -> String {
    let strip = |text: &str| text.trim_matches(is_space).to_owned();
    let headers: Texts = headers
        .iter()
        .map(|(name, text)| (strip(&name.to_lowercase()), strip(text)))
        .collect();
    // Of two that differ in case the last one counts.
    let find = |name: &str| headers.iter().rev().find(|(known, _)| known == name);
    let old_boto = find("user-agent").is_some_and(|(_, agent)| signs_without_port(agent));
    let lines = signed_headers.split(';').filter_map(|name| {
        let (_, text) = find(name)?;
        Some(match text.split_once(':') {
            Some((host, _)) if name == "host" && old_boto => format!("{name}:{host}"),
            _ => format!("{name}:{text}"),
        })
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// Whether the client is a boto before 2.9.3: `Boto/2\.[0-9]\.[0-2]`.
fn signs_without_port(agent: &str) -> bool {
    let version = agent.strip_prefix("Boto/2.").map(str::as_bytes);
    matches!(version, Some([b'0'..=b'9', b'.', b'0'..=b'2', ..]))
}

fn value<'a>(texts: &'a Texts, name: &str) -> Option<&'a str> {
    let found = texts.iter().find(|(known, _)| known == name);
    found.map(|(_, text)| text.as_str())
}
