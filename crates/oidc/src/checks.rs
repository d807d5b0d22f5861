//! What a token must say about itself.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::{Refusal, quoted};

/// The claims of a token, read where they decide.
pub(crate) struct Checked<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Checked<'a> {
    /// A text, if there is one.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    /// A text that must be there and not be empty.
    pub(crate) fn needed(&self, name: &'static str) -> Result<&'a str, Refusal> {
        let text = self.text(name).filter(|text| !text.is_empty());
        text.ok_or(Refusal::Claim(name))
    }

    pub(crate) fn issuer(&self, expected: &str) -> Result<(), Refusal> {
        let found = self.needed("iss")?;
        if found == expected {
            Ok(())
        } else {
            Err(Refusal::Issuer {
                found: quoted(found),
                expected: expected.to_owned(),
            })
        }
    }

    /// All audiences: one text, or a list of texts. Anything else is none.
    pub(crate) fn audiences(&self) -> Vec<&'a str> {
        match self.0.get("aud") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(list)) => {
                let texts: Option<Vec<_>> = list.iter().map(Value::as_str).collect();
                texts.unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// One of the expected audiences is among those of the token.
    pub(crate) fn audience(&self, expected: &[&str]) -> Result<(), Refusal> {
        let found = self.audiences();
        if found.iter().any(|one| expected.contains(one)) {
            return Ok(());
        }
        Err(Refusal::Audience {
            found: quoted(&found.join(" ")),
            expected: expected.join(" or "),
        })
    }

    /// The client that a token was issued to is among those expected.
    pub(crate) fn client(&self, expected: &[&str]) -> Result<(), Refusal> {
        let found = self.text("client_id").unwrap_or_default();
        if expected.contains(&found) {
            return Ok(());
        }
        Err(Refusal::Client {
            found: quoted(found),
            expected: expected.join(" or "),
        })
    }

    /// The token has begun and not ended, by a clock that may differ. An end is needed, except where the provider answers
    /// for the token itself.
    pub(crate) fn times(&self, now: i64, skew: Duration, end: End) -> Result<(), Refusal> {
        let skew = i64::try_from(skew.as_secs()).unwrap_or(i64::MAX);
        match self.time("exp")? {
            Some(until) if now.saturating_sub(skew) >= until => {
                let by = now.saturating_sub(until);
                return Err(Refusal::Expired { by });
            }
            None if end == End::Needed => return Err(Refusal::Claim("exp")),
            _ => {}
        }
        for name in ["nbf", "iat"] {
            if let Some(begin) = self.time(name)?
                && now.saturating_add(skew) < begin
            {
                let by = begin.saturating_sub(now);
                return Err(Refusal::NotYetValid { by });
            }
        }
        Ok(())
    }

    /// Seconds since 1970, perhaps with a fraction, which is dropped.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        if let Some(seconds) = value.as_i64() {
            return Ok(Some(seconds));
        }
        let seconds = value.as_f64().filter(|it| it.abs() < 1e15);
        let seconds = seconds.ok_or(Refusal::Claim(name))?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the fraction is to be dropped, and the range is checked"
        )]
        Ok(Some(seconds as i64))
    }

    /// A token that only the holder of a key may use says so here (RFC 7800).
    pub(crate) fn is_for_the_bearer(&self) -> Result<(), Refusal> {
        match self.0.get("cnf") {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(Refusal::Bound),
        }
    }
}

/// Whether a token must say when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Needed,
    Optional,
}
