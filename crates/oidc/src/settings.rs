//! What an operator says about an identity provider.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use keystone_types::Secret;

/// An identity provider, and this server's registration there.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The provider.
    pub issuer: Issuer,
    /// The name under which this server is registered there.
    pub client_id: String,
    /// The secret of that registration; a public client has none.
    pub client_secret: Option<Secret>,
    /// What a browser login asks for; `openid` is added.
    pub scopes: Vec<String>,
    /// Where the claims of a browser login come from, and those of an opaque access token.
    pub claims_from: Vec<ClaimsFrom>,
    /// What the access tokens of this provider are.
    pub access_tokens: AccessTokens,
    /// The audiences of which an access token must have one; the client id if none is given.
    pub audience: Vec<String>,
    /// How tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// A PEM file with the certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How far the provider's clock may differ.
    pub max_clock_skew: Duration,
}

/// A source of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimsFrom {
    /// The ID token.
    IdToken,
    /// The provider's userinfo endpoint.
    Userinfo,
}

/// What the access tokens of a provider are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokens {
    /// JSON Web Tokens, which are verified here.
    Jwt,
    /// Texts that only the provider understands, which is asked about each.
    Introspection,
}

/// An algorithm of signatures with a public key. There are no others: a token that is not signed, or with a secret that both
/// sides know, is never valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

impl Settings {
    /// A provider with the defaults for everything else.
    pub fn new(issuer: Issuer, client_id: impl Into<String>) -> Self {
        Self {
            issuer,
            client_id: client_id.into(),
            client_secret: None,
            scopes: vec!["openid".into(), "email".into(), "profile".into()],
            claims_from: vec![ClaimsFrom::IdToken, ClaimsFrom::Userinfo],
            access_tokens: AccessTokens::Jwt,
            audience: Vec::new(),
            algorithms: Algorithm::ALL.to_vec(),
            ca_file: None,
            max_clock_skew: Duration::from_mins(1),
        }
    }
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The name in tokens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl FromStr for Algorithm {
    type Err = SettingsError;

    fn from_str(name: &str) -> Result<Self, SettingsError> {
        // The name of RFC 9864 for the same.
        let name = if name == "Ed25519" { "EdDSA" } else { name };
        let mut all = Self::ALL.into_iter();
        let found = all.find(|algorithm| algorithm.name() == name);
        found.ok_or_else(|| SettingsError::Algorithm { name: name.into() })
    }
}

impl FromStr for ClaimsFrom {
    type Err = SettingsError;

    fn from_str(name: &str) -> Result<Self, SettingsError> {
        match name {
            "id_token" => Ok(Self::IdToken),
            "userinfo" => Ok(Self::Userinfo),
            _ => Err(SettingsError::ClaimsFrom { name: name.into() }),
        }
    }
}

impl FromStr for AccessTokens {
    type Err = SettingsError;

    fn from_str(name: &str) -> Result<Self, SettingsError> {
        match name {
            "jwt" => Ok(Self::Jwt),
            "introspection" => Ok(Self::Introspection),
            _ => Err(SettingsError::AccessTokens { name: name.into() }),
        }
    }
}

/// The URL that names a provider; tokens and documents must spell it the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(String);

impl Issuer {
    /// The URL as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Issuer {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let uri = trusted(text).filter(|uri| uri.query().is_none());
        uri.map(|_| Self(text.to_owned()))
            .ok_or_else(|| SettingsError::Issuer { url: text.into() })
    }
}

impl Display for Issuer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why settings can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The issuer can't be asked safely.
    #[error(
        "expected the https: URL of the provider, without a query (http: for a loopback address only), found {url:?}"
    )]
    Issuer {
        /// What was given.
        url: String,
    },
    /// There is no such algorithm, or none that is safe.
    #[error(
        "expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA, found {name:?}; tokens without a signature, and those signed with a shared secret, are never accepted"
    )]
    Algorithm {
        /// What was given.
        name: String,
    },
    /// There is no such source of claims.
    #[error("expected id_token or userinfo, found {name:?}")]
    ClaimsFrom {
        /// What was given.
        name: String,
    },
    /// There are no such access tokens.
    #[error("expected jwt or introspection, found {name:?}")]
    AccessTokens {
        /// What was given.
        name: String,
    },
    /// Something is needed and not given.
    #[error("{name} is needed")]
    Missing {
        /// The setting.
        name: &'static str,
    },
    /// There are no certificates to trust, or they can't be used.
    #[error("{0}")]
    Certificates(String),
}

/// A URL that may be asked: by https, or on this machine.
pub(crate) fn trusted(url: &str) -> Option<Uri> {
    // The parser drops a fragment.
    if url.contains('#') {
        return None;
    }
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    // A password in a URL ends up in logs.
    let names_user = authority.as_str().contains('@');
    let safe = match uri.scheme_str()? {
        "https" => true,
        "http" => is_loopback(authority.host()),
        _ => false,
    };
    (safe && !names_user && !authority.host().is_empty()).then_some(uri)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let address: Result<IpAddr, _> = bare.unwrap_or(host).parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
