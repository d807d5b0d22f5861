//! Access tokens that clients bring (RFC 6750): the API's side of OpenID Connect.

use serde_json::{Map, Value};

use crate::checks::{Checked, End};
use crate::claims::Claims;
use crate::error::{Error, Refusal, quoted};
use crate::provider::{Provider, ok, unusable};
use crate::settings::AccessTokens;
use crate::userinfo::merged;

/// The access token in the value of an `Authorization` header, if it is of that kind and no more than a token.
pub fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim_matches(' ');
    // `b64token` of RFC 6750.
    let body = token.trim_end_matches('=');
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let is_token = !body.is_empty() && body.chars().all(fits);
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}

impl Provider {
    /// The claims of an access token, which is verified here or by the provider.
    ///
    /// # Errors
    ///
    /// The token is not valid, or not for this server, or the provider can't be asked.
    pub async fn bearer(&self, token: &str) -> Result<Claims, Error> {
        let claims = match self.settings().access_tokens {
            AccessTokens::Jwt => self.access_token(token).await?,
            AccessTokens::Introspection => self.introspected(token).await?,
        };
        Ok(Claims::new(self.settings().issuer.as_str(), claims))
    }

    /// The audiences of which an access token must have one.
    fn audience(&self) -> Vec<&str> {
        let settings = self.settings();
        if settings.audience.is_empty() {
            vec![settings.client_id.as_str()]
        } else {
            settings.audience.iter().map(String::as_str).collect()
        }
    }

    /// Verifies a JSON Web Token (RFC 9068, or an older kind if an audience tells what it is for).
    async fn access_token(&self, token: &str) -> Result<Map<String, Value>, Error> {
        let verified = self.verified(token).await?;
        let settings = self.settings();
        let checked = Checked(&verified.claims);
        let says_so = match verified.typ.as_deref() {
            Some("at+jwt") => true,
            None | Some("jwt") => false,
            Some(other) => return Err(wrong_type(other)),
        };
        if !says_so && settings.audience.is_empty() {
            return Err(wrong_type(verified.typ.as_deref().unwrap_or("none")));
        }
        if !says_so && let Some(kind) = other_kind(&checked, &settings.client_id) {
            return Err(wrong_type(kind));
        }
        checked.issuer(settings.issuer.as_str())?;
        checked.audience(&self.audience())?;
        checked.times(self.now(), settings.max_clock_skew, End::Needed)?;
        checked.is_for_the_bearer()?;
        Ok(verified.claims)
    }

    /// Asks the provider about a token (RFC 7662), and about its user.
    async fn introspected(&self, token: &str) -> Result<Map<String, Value>, Error> {
        let known = self.known().await?;
        let _turn = self.turn_of_token()?;
        let document = &known.document;
        let url = document.introspection_endpoint()?;
        let fields = [("token", token), ("token_type_hint", "access_token")];
        let methods = document
            .introspection_endpoint_auth_methods_supported
            .as_deref();
        let answer = self.post(url, &fields, methods).await?;
        if matches!(answer.status.as_u16(), 400 | 401 | 403) {
            let reason = "it does not let this client ask about tokens: check client_id, the client's secret and its rights";
            return Err(unusable(url, reason));
        }
        let answer = ok(url, answer)?;
        let claims: Map<String, Value> = serde_json::from_slice(&answer.body)
            .map_err(|_| unusable(url, "its answer is no JSON object"))?;
        if claims.get("active") != Some(&Value::Bool(true)) {
            return Err(Refusal::Inactive.into());
        }
        let checked = Checked(&claims);
        self.check_introspected(&checked)?;
        let Some(subject) = checked.text("sub") else {
            return Ok(claims);
        };
        // Introspection calls refresh tokens active too; userinfo takes access tokens only.
        let more = self.userinfo(&known, token, subject).await?;
        Ok(merged(claims, more.ok_or(Refusal::Userinfo)?))
    }

    fn check_introspected(&self, checked: &Checked<'_>) -> Result<(), Refusal> {
        let settings = self.settings();
        if checked.0.contains_key("iss") {
            checked.issuer(settings.issuer.as_str())?;
        }
        if checked.0.contains_key("aud") {
            checked.audience(&self.audience())?;
        } else {
            checked.client(&self.audience())?;
        }
        let kind = checked.text("token_type");
        let other = kind.filter(|kind| !is_access_token(kind));
        if let Some(kind) = other.or_else(|| other_kind(checked, &settings.client_id)) {
            return Err(Refusal::Type {
                found: quoted(kind),
                expected: "Bearer",
            });
        }
        checked.times(self.now(), settings.max_clock_skew, End::Optional)?;
        checked.is_for_the_bearer()
    }
}

fn is_access_token(kind: &str) -> bool {
    ["bearer", "access_token"].contains(&kind.to_ascii_lowercase().as_str())
}

fn wrong_type(found: &str) -> Error {
    let expected = "at+jwt, or an access token with one of the audiences in audience";
    let found = quoted(found);
    Refusal::Type { found, expected }.into()
}

/// What a token is that is no access token, where its header does not tell. Each ID token that this server gets has a nonce.
fn other_kind(checked: &Checked<'_>, client_id: &str) -> Option<&'static str> {
    let has = |name| checked.0.contains_key(name);
    if has("events") {
        return Some("a logout token");
    }
    let is_own = checked.audiences().contains(&client_id);
    if has("at_hash") || has("c_hash") || (has("nonce") && is_own) {
        return Some("an ID token");
    }
    // Keycloak's.
    match checked.text("typ") {
        Some("ID") => Some("an ID token"),
        Some("Refresh" | "Offline") => Some("a refresh token"),
        Some("Logout") => Some("a logout token"),
        _ => None,
    }
}
