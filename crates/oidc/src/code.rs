//! The login of a browser: authorization code flow with PKCE (RFC 7636), state, nonce, and the issuer in the callback
//! (RFC 9207).

use std::fmt;

use aws_lc_rs::{constant_time, digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::checks::{Checked, End};
use crate::claims::Claims;
use crate::error::{Error, Refusal, quoted};
use crate::known::Known;
use crate::provider::{Provider, Verified, away, unusable};
use crate::settings::{Algorithm, ClaimsFrom};
use crate::userinfo::merged;

/// A login that has begun: what this server needs to know when the browser comes back. It must be kept where only that browser
/// brings it back, and nobody reads or changes it: sealed in a cookie, for example.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    issuer: String,
    state: String,
    nonce: String,
    verifier: String,
    redirect_uri: String,
}

/// The beginning of a login.
#[derive(Clone)]
pub struct Start {
    /// Where to send the browser.
    pub url: String,
    /// What to keep until it comes back.
    pub login: Login,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

#[derive(Default, Deserialize)]
struct Refused {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Login {
    /// The text that comes back with the browser, by which the login is found.
    pub fn state(&self) -> &str {
        &self.state
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut login = f.debug_struct("Login");
        login.field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl fmt::Debug for Start {
    /// The query has the state and the nonce.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (endpoint, _) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let mut start = f.debug_struct("Start");
        start.field("url", &endpoint).field("login", &self.login);
        start.finish()
    }
}

impl Provider {
    /// Begins a login that comes back to `redirect_uri`, which must be registered at the provider.
    ///
    /// # Errors
    ///
    /// The provider can't be asked what its addresses are.
    pub async fn start(&self, redirect_uri: &str) -> Result<Start, Error> {
        let known = self.known().await?;
        let endpoint = known.document.authorization_endpoint()?;
        let login = Login {
            issuer: self.settings().issuer.as_str().to_owned(),
            state: random()?,
            nonce: random()?,
            verifier: random()?,
            redirect_uri: redirect_uri.to_owned(),
        };
        Ok(Start {
            url: self.authorization_url(endpoint, &login),
            login,
        })
    }

    fn authorization_url(&self, endpoint: &str, login: &Login) -> String {
        let settings = self.settings();
        let challenge = digest::digest(&digest::SHA256, login.verifier.as_bytes());
        let mut scopes = vec!["openid"];
        let more = settings.scopes.iter().map(String::as_str);
        scopes.extend(more.filter(|scope| *scope != "openid"));
        let query = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", &login.redirect_uri)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &login.state)
            .append_pair("nonce", &login.nonce)
            .append_pair("code_challenge", &BASE64_URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256")
            .finish();
        let mark = if endpoint.contains('?') { '&' } else { '?' };
        format!("{endpoint}{mark}{query}")
    }

    /// Finishes a login with the query that the browser has come back with.
    ///
    /// # Errors
    ///
    /// It is not the answer to this login, the provider has refused it, or what it vouches for is not for this server.
    pub async fn finish(&self, login: &Login, query: &str) -> Result<Claims, Error> {
        let answer = Callback::parse(query)?;
        let issuer = self.settings().issuer.as_str();
        let is_of_login = answer.state.as_deref().is_some_and(|state| {
            let (sent, kept) = (state.as_bytes(), login.state.as_bytes());
            constant_time::verify_slices_are_equal(sent, kept).is_ok()
        });
        if !is_of_login || login.issuer != issuer {
            return Err(Refusal::State.into());
        }
        // One for all of it, so that no code is used in vain.
        let _turn = self.turn_of_login().await?;
        let known = self.known().await?;
        answer.check_issuer(&known, issuer)?;
        if let Some(error) = answer.error {
            return Err(refused(
                &error,
                &answer.error_description.unwrap_or_default(),
            ));
        }
        let code = answer.code.ok_or(Refusal::Parameter("code"))?;
        let tokens = self.exchange(&known, login, &code).await?;
        let id_token = tokens.id_token.ok_or(Refusal::Claim("id_token"))?;
        let verified = self.id_token(&id_token, &login.nonce).await?;
        let subject = Checked(&verified.claims).needed("sub")?.to_owned();
        let mut more = Map::new();
        if let Some(access_token) = &tokens.access_token {
            check_access_token(&verified, access_token)?;
            let told = self.userinfo(&known, access_token, &subject).await?;
            more = told.ok_or(Refusal::Userinfo)?;
        }
        let from = &self.settings().claims_from;
        let claims = if from.contains(&ClaimsFrom::IdToken) {
            merged(verified.claims, more)
        } else {
            merged(
                Map::from_iter([("sub".to_owned(), Value::from(subject))]),
                more,
            )
        };
        Ok(Claims::new(issuer, claims))
    }

    /// Exchanges the code for tokens, once: the provider takes it no second time.
    async fn exchange(&self, known: &Known, login: &Login, code: &str) -> Result<Tokens, Error> {
        let url = known.document.token_endpoint()?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", login.redirect_uri.as_str()),
            ("code_verifier", login.verifier.as_str()),
        ];
        let methods = known
            .document
            .token_endpoint_auth_methods_supported
            .as_deref();
        let answer = self.post(url, &fields, methods).await?;
        let status = answer.status;
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(away(url, &format!("it answers {status}")));
        }
        if !status.is_success() {
            let told: Refused = serde_json::from_slice(&answer.body).unwrap_or_default();
            if told.error == "invalid_grant" {
                return Err(refused(&told.error, &told.error_description));
            }
            let reason = format!(
                "it answers {status} {} {}: check client_id, the client's secret and its redirect URI",
                quoted(&told.error),
                quoted(&told.error_description)
            );
            return Err(unusable(url, &reason));
        }
        serde_json::from_slice(&answer.body).map_err(|_| unusable(url, "it answers no tokens"))
    }

    /// Verifies an ID token (OpenID Connect Core, section 3.1.3.7).
    async fn id_token(&self, token: &str, nonce: &str) -> Result<Verified, Error> {
        let verified = self.verified(token).await?;
        if let Some(typ) = verified.typ.as_deref().filter(|typ| *typ != "jwt") {
            return Err(Refusal::Type {
                found: quoted(typ),
                expected: "JWT",
            }
            .into());
        }
        let settings = self.settings();
        let client_id = settings.client_id.as_str();
        let checked = Checked(&verified.claims);
        checked.issuer(settings.issuer.as_str())?;
        checked.audience(&[client_id])?;
        let party = match checked.text("azp") {
            Some(party) => party,
            None if checked.audiences().len() > 1 => return Err(Refusal::Claim("azp").into()),
            None => client_id,
        };
        if party != client_id {
            return Err(Refusal::AuthorizedParty {
                found: quoted(party),
                expected: client_id.to_owned(),
            }
            .into());
        }
        checked.times(self.now(), settings.max_clock_skew, End::Needed)?;
        if checked.time("iat")?.is_none() {
            return Err(Refusal::Claim("iat").into());
        }
        if checked.text("nonce") != Some(nonce) {
            return Err(Refusal::Nonce.into());
        }
        Ok(verified)
    }
}

/// The access token is the one that the ID token was issued with, if that tells.
fn check_access_token(id_token: &Verified, access_token: &str) -> Result<(), Refusal> {
    let Some(expected) = id_token.claims.get("at_hash") else {
        return Ok(());
    };
    let algorithm = match id_token.algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => &digest::SHA256,
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => &digest::SHA384,
        // Ed25519 hashes with SHA-512.
        Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::Es512 | Algorithm::EdDsa => {
            &digest::SHA512
        }
    };
    let hash = digest::digest(algorithm, access_token.as_bytes());
    let left_half = &hash.as_ref()[..hash.as_ref().len() / 2];
    if expected.as_str() == Some(&BASE64_URL_SAFE_NO_PAD.encode(left_half)) {
        Ok(())
    } else {
        Err(Refusal::AccessTokenHash)
    }
}

fn refused(error: &str, description: &str) -> Error {
    Refusal::Provider {
        error: quoted(error),
        description: quoted(description),
    }
    .into()
}

/// The query with which the browser comes back.
#[derive(Default)]
struct Callback {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Callback {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let mut callback = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (name, field) = match name.as_ref() {
                "code" => ("code", &mut callback.code),
                "state" => ("state", &mut callback.state),
                "iss" => ("iss", &mut callback.iss),
                "error" => ("error", &mut callback.error),
                "error_description" => ("error_description", &mut callback.error_description),
                _ => continue,
            };
            if field.replace(value.into_owned()).is_some() {
                return Err(Refusal::Parameter(name));
            }
        }
        Ok(callback)
    }

    /// The provider that was asked has answered, and no other one that shares the address of the callback.
    fn check_issuer(&self, known: &Known, issuer: &str) -> Result<(), Refusal> {
        match &self.iss {
            Some(found) if found == issuer => Ok(()),
            Some(found) => Err(Refusal::MixedUp {
                found: quoted(found),
                expected: issuer.to_owned(),
            }),
            None if known
                .document
                .authorization_response_iss_parameter_supported =>
            {
                Err(Refusal::Parameter("iss"))
            }
            None => Ok(()),
        }
    }
}

/// 32 random bytes as text.
fn random() -> Result<String, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Error::Entropy)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
