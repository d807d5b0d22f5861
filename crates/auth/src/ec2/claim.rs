//! A signed request as the service that received it describes it.

use chrono::{Duration, NaiveDateTime};
use keystone_python::{is_true, parse_isotime};
use keystone_types::{Error, Result, json};
use serde_json::{Map, Value};

/// The `credentials` of `POST /v3/ec2tokens` and `/v3/s3tokens`. What is missing or malformed in them is found where it
/// is needed, after the lookup of the access key, as in `keystone/api/_shared/EC2_S3_Resource.py`.
pub(super) struct Claim {
    pub(super) access: String,
    described: Map<String, Value>,
}

/// Names with their texts, in the order of the request.
pub(super) type Texts = Vec<(String, String)>;

impl Claim {
    /// Reads the body of a request.
    pub(super) fn parse(body: &Map<String, Value>) -> Result<Self> {
        if body.is_empty() {
            let text = "request must include a request body".to_owned();
            return Err(Error::Validation(text));
        }
        let names = ["credentials", "credential", "ec2Credentials"];
        let mut values = names.iter().filter_map(|name| body.get(*name));
        let described = values.find(|value| is_true(value));
        let described = described.and_then(Value::as_object);
        match described.and_then(|described| described.get("access")) {
            None => Err(Error::unauthorized("the request names no access key")),
            Some(access) => Ok(Self {
                access: text_of(access).ok_or_else(|| missing("access"))?,
                described: described.cloned().unwrap_or_default(),
            }),
        }
    }

    /// The claimed signature.
    pub(super) fn signature(&self) -> Result<String> {
        let signature = self.described.get("signature").and_then(text_of);
        signature
            .filter(|signature| !signature.is_empty())
            .ok_or_else(|| Error::unauthorized("the request has no signature"))
    }

    /// A text that the signature can't be computed without.
    pub(super) fn text(&self, name: &str) -> Result<String> {
        let text = self.described.get(name).and_then(text_of);
        text.ok_or_else(|| missing(name))
    }

    /// The value of a name as Python writes it, which is what some signatures are over.
    pub(super) fn shown(&self, name: &str) -> Result<String> {
        let value = self.described.get(name).map(keystone_python::str);
        let shown = value.and_then(|shown| Some(json::plain(&shown)?.into_owned()));
        shown.ok_or_else(|| missing(name))
    }

    /// 400 without a value of this name.
    pub(super) fn require(&self, name: &str) -> Result<()> {
        let value = self.described.get(name);
        value.map(drop).ok_or_else(|| missing(name))
    }

    /// The parameters of the signed request.
    pub(super) fn params(&self) -> Result<&Map<String, Value>> {
        self.object("params")?.ok_or_else(|| missing("params"))
    }

    /// The headers of the signed request; none where the service does not tell.
    pub(super) fn headers(&self) -> Result<Option<&Map<String, Value>>> {
        self.object("headers")
    }

    fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>> {
        match self.described.get(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => Err(missing(name)),
        }
    }

    /// Checks that the request was signed no longer than `most` ago. One without a time never expires, and one of the
    /// future is as good as new.
    ///
    /// Keystone looks at the first of these times only, which a signature of version 4 need not cover.
    pub(super) fn check_age(&self, now: NaiveDateTime, most: Duration) -> Result<()> {
        let (params, headers) = (self.object("params")?, self.headers()?);
        let times = [
            params.and_then(|params| params.get("Timestamp")),
            headers.and_then(|headers| headers.get("X-Amz-Date")),
            params.and_then(|params| params.get("X-Amz-Date")),
        ];
        for time in times.into_iter().flatten().filter(|time| is_true(time)) {
            let signed_at = time.as_str().and_then(parse_isotime).ok_or_else(|| {
                Error::unauthorized("the time of the signed request is not one of ISO 8601")
            })?;
            if now - signed_at > most {
                return Err(Error::unauthorized(format!(
                    "the request was signed at {signed_at}, longer ago than [credential] auth_ttl"
                )));
            }
        }
        Ok(())
    }
}

/// 400 for a request without something, or with something else in its place.
pub(super) fn missing(name: &str) -> Error {
    Error::expecting(name, "credentials")
}

/// The texts of an object. Keystone signs what is no text as Python writes it.
pub(super) fn texts(of: &str, object: &Map<String, Value>) -> Result<Texts> {
    let texts = object.iter().map(|(name, value)| {
        let value = keystone_python::str(value);
        Some((
            json::plain(name)?.into_owned(),
            json::plain(&value)?.into_owned(),
        ))
    });
    texts.collect::<Option<_>>().ok_or_else(|| missing(of))
}

/// A text that UTF-8 can encode.
fn text_of(value: &Value) -> Option<String> {
    Some(json::plain(value.as_str()?)?.into_owned())
}
