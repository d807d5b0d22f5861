//! Logout tokens: the provider tells that a session has ended (OpenID Connect Back-Channel Logout 1.0).

use serde_json::Value;

use crate::checks::{Checked, End};
use crate::error::{Error, Refusal, quoted};
use crate::provider::Provider;

/// The event that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Whose session has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logout {
    /// The user at the provider, if the token names one.
    pub subject: Option<String>,
    /// The session at the provider, if the token names one.
    pub session: Option<String>,
    /// The id of the token.
    pub id: String,
    /// Until when the token is taken, in seconds since 1970: for so long the caller has to know its id, so that one which comes
    /// twice ends nothing that began after it.
    pub until: i64,
}

impl Provider {
    /// Verifies a logout token.
    ///
    /// # Errors
    ///
    /// It is not valid, or not for this server, or the provider can't be asked.
    pub async fn logout_token(&self, token: &str) -> Result<Logout, Error> {
        let verified = self.verified(token).await?;
        if let Some(typ) = verified.typ.as_deref()
            && !["logout+jwt", "jwt"].contains(&typ)
        {
            return Err(Refusal::Type {
                found: quoted(typ),
                expected: "logout+jwt",
            }
            .into());
        }
        let settings = self.settings();
        let checked = Checked(&verified.claims);
        checked.issuer(settings.issuer.as_str())?;
        checked.audience(&[&settings.client_id])?;
        checked.times(self.now(), settings.max_clock_skew, End::Needed)?;
        let event = verified.claims.get("events").and_then(|it| it.get(EVENT));
        if !event.is_some_and(Value::is_object) {
            return Err(Refusal::Claim("events").into());
        }
        // An ID token has one, and must not pass for a logout.
        if verified.claims.contains_key("nonce") {
            return Err(Refusal::Claim("nonce").into());
        }
        let (subject, session) = (checked.text("sub"), checked.text("sid"));
        if subject.is_none() && session.is_none() {
            return Err(Refusal::Claim("sub").into());
        }
        if checked.time("iat")?.is_none() {
            return Err(Refusal::Claim("iat").into());
        }
        let end = checked.time("exp")?.ok_or(Refusal::Claim("exp"))?;
        let skew = i64::try_from(settings.max_clock_skew.as_secs()).unwrap_or(i64::MAX);
        Ok(Logout {
            subject: subject.map(str::to_owned),
            session: session.map(str::to_owned),
            id: checked.needed("jti")?.to_owned(),
            until: end.saturating_add(skew),
        })
    }
}
