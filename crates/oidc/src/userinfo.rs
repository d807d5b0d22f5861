//! The userinfo endpoint.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use keystone_http::Answer;
use serde_json::{Map, Value};

use crate::checks::{Checked, End};
use crate::error::{Error, Refusal};
use crate::known::Known;
use crate::provider::{Provider, ok, unusable};
use crate::settings::ClaimsFrom;

impl Provider {
    /// What the provider says about the subject of an access token, which is nothing if its word is not wanted; `None` if it
    /// refuses the token.
    pub(crate) async fn userinfo(
        &self,
        known: &Known,
        access_token: &str,
        subject: &str,
    ) -> Result<Option<Map<String, Value>>, Error> {
        let is_wanted = self.settings().claims_from.contains(&ClaimsFrom::Userinfo);
        let Some(url) = known.document.userinfo_endpoint()?.filter(|_| is_wanted) else {
            return Ok(Some(Map::new()));
        };
        let answer = self.get(url, access_token).await?;
        if matches!(
            answer.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            return Ok(None);
        }
        let answer = ok(url, answer)?;
        let claims = if is_signed(&answer) {
            self.signed(&answer).await?
        } else {
            serde_json::from_slice(&answer.body)
                .map_err(|_| unusable(url, "userinfo is no JSON object"))?
        };
        // Else the provider could be made to tell about somebody else.
        if Checked(&claims).text("sub") != Some(subject) {
            return Err(Refusal::Subject.into());
        }
        Ok(Some(claims))
    }

    async fn signed(&self, answer: &Answer) -> Result<Map<String, Value>, Error> {
        let text = str::from_utf8(&answer.body).map_err(|_| Refusal::Malformed("it is no text"))?;
        let claims = self.verified(text.trim()).await?.claims;
        let settings = self.settings();
        let checked = Checked(&claims);
        checked.issuer(settings.issuer.as_str())?;
        checked.audience(&[&settings.client_id])?;
        checked.times(self.now(), settings.max_clock_skew, End::Optional)?;
        Ok(claims)
    }
}

fn is_signed(answer: &Answer) -> bool {
    let media_type = answer.headers.get(CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    media_type.is_some_and(|it| it.to_ascii_lowercase().starts_with("application/jwt"))
}

/// Both, of which the first one counts where they differ.
pub(crate) fn merged(
    mut claims: Map<String, Value>,
    more: Map<String, Value>,
) -> Map<String, Value> {
    for (name, value) in more {
        claims.entry(name).or_insert(value);
    }
    claims
}
