//! What goes wrong, for the operator and for the client.

/// Why there are no claims. The text is one line for the operator and says what to change; it holds no token and no secret,
/// and whatever came from outside is quoted and short.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the client brought is not valid: status 401.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The provider can't be asked at the moment: status 503.
    #[error("{url} can't be asked: {reason}")]
    Away {
        /// The address that was tried.
        url: String,
        /// The reason.
        reason: String,
    },
    /// The provider answers something else than it should, or does not know this server: status 503, until somebody changes
    /// the settings here or there.
    #[error("{url} is of no use: {reason}")]
    Unusable {
        /// The address that was asked.
        url: String,
        /// What to change.
        reason: String,
    },
    /// The system gave no random bytes: status 500.
    #[error("no random bytes: {0}")]
    Entropy(getrandom::Error),
}

/// Why something that a client brought is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is no signed JSON Web Token.
    #[error(
        "the token is no signed JSON Web Token: {0}; if the provider's access tokens are opaque, set access_token = introspection"
    )]
    Malformed(&'static str),
    /// It is encrypted.
    #[error("the token is encrypted; have the provider sign it only")]
    Encrypted,
    /// It is not signed, or by an algorithm that is not allowed.
    #[error("the token is signed with {0}, which is not among the algorithms of this provider")]
    Algorithm(String),
    /// The header demands something that is not known here.
    #[error("the token has critical headers, of which none is known here")]
    Critical,
    /// The provider publishes no key that may have signed it.
    #[error("the provider publishes no key {kid} for {algorithm}")]
    UnknownKey {
        /// The key's id.
        kid: String,
        /// The algorithm of the token.
        algorithm: &'static str,
    },
    /// The signature is none of the provider's.
    #[error("the signature of the token is not that of any key which the provider publishes")]
    Signature,
    /// It is a token for something else.
    #[error("the token is of the type {found}, expected {expected}")]
    Type {
        /// The type.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Another provider has issued it.
    #[error("the token is issued by {found}, and issuer is {expected}")]
    Issuer {
        /// The issuer.
        found: String,
        /// That of the settings.
        expected: String,
    },
    /// It is for somebody else.
    #[error(
        "the token is for {found}, and not for {expected}: set audience, or have the provider issue tokens for this server"
    )]
    Audience {
        /// For whom it is.
        found: String,
        /// For whom it should be.
        expected: String,
    },
    /// Nothing tells for whom it is, and it was issued to a client that is not expected.
    #[error(
        "the token names no audience and was issued to {found}, and not to {expected}: set audience to the clients whose tokens are for this server"
    )]
    Client {
        /// The client.
        found: String,
        /// For whom it should be.
        expected: String,
    },
    /// It was issued to another client.
    #[error("the token was issued to {found}, and client_id is {expected}")]
    AuthorizedParty {
        /// The client.
        found: String,
        /// That of the settings.
        expected: String,
    },
    /// It has ended.
    #[error("the token ended {by} s ago; if it is fresh, compare the clocks of both machines")]
    Expired {
        /// For how many seconds it has been over.
        by: i64,
    },
    /// It begins in the future.
    #[error("the token begins in {by} s; if it is fresh, compare the clocks of both machines")]
    NotYetValid {
        /// The seconds until then.
        by: i64,
    },
    /// A claim is missing, or is not what it should be.
    #[error("the token has no usable claim {0:?}")]
    Claim(&'static str),
    /// It may be used only together with a key of the client.
    #[error(
        "the token is bound to a key of its client, which is not supported: have the provider issue bearer tokens"
    )]
    Bound,
    /// The provider says that it is not valid (any more).
    #[error("the provider says that the token is not valid")]
    Inactive,
    /// Userinfo does not take it.
    #[error(
        "userinfo refuses the token, which is no access token then, or its scope lacks openid: ask for openid, or leave userinfo out of claims_from"
    )]
    Userinfo,
    /// Userinfo is about somebody else.
    #[error("userinfo is about another subject than the token")]
    Subject,
    /// The login did not begin in this browser, or not with these settings.
    #[error(
        "the login was not begun in this browser, or too long ago, or before the settings changed"
    )]
    State,
    /// The answer of the provider lacks something, or has it twice.
    #[error("the provider sent the browser back without one {0:?}")]
    Parameter(&'static str),
    /// The answer comes from another provider than the one that was asked (RFC 9207).
    #[error("the answer is that of {found}, and {expected} was asked")]
    MixedUp {
        /// Where the answer comes from.
        found: String,
        /// Who was asked.
        expected: String,
    },
    /// The ID token belongs to another login.
    #[error("the ID token belongs to another login")]
    Nonce,
    /// The access token is not the one that the ID token was issued with.
    #[error("the access token does not belong to the ID token")]
    AccessTokenHash,
    /// The provider did not log the user in.
    #[error("the provider answered {error} {description}")]
    Provider {
        /// The code of the error.
        error: String,
        /// What the provider says about it.
        description: String,
    },
}

impl Error {
    /// The status of the answer to the client.
    pub fn status(&self) -> u16 {
        match self {
            Self::Refused(_) => 401,
            Self::Away { .. } | Self::Unusable { .. } => 503,
            Self::Entropy(_) => 500,
        }
    }

    /// The header `WWW-Authenticate` of the answer, where the client brought a bearer token that is not valid (RFC 6750). It
    /// tells no reason: that is for the operator.
    pub fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Refused(_) => Some(r#"Bearer error="invalid_token""#),
            Self::Away { .. } | Self::Unusable { .. } | Self::Entropy(_) => None,
        }
    }
}

/// The longest text from outside in a line of the log, as it stands there.
const LONGEST: usize = 100;

/// The same of a reason with an address or an error in it.
const LONGEST_REASON: usize = 300;

/// A text from outside for the log: on one line, and not too long.
pub(crate) fn quoted(text: &str) -> String {
    let (short, is_whole) = escaped(text, LONGEST, |c| c == '\'');
    let more = if is_whole { "" } else { "…" };
    format!("\"{short}\"{more}")
}

/// An address or a reason for the log, in which something may come from outside: on one line, and not too long.
pub(crate) fn short(text: &str) -> String {
    let (mut short, is_whole) = escaped(text, LONGEST_REASON, |c| ['\'', '"', '\\'].contains(&c));
    if !is_whole {
        short.push('…');
    }
    short
}

/// As much of a text as fits when what can't stand in a line is escaped, and whether that is all of it.
fn escaped(text: &str, longest: usize, stays: impl Fn(char) -> bool) -> (String, bool) {
    let mut escaped = String::new();
    let mut room = longest;
    for c in text.chars() {
        let before = escaped.len();
        if stays(c) {
            escaped.push(c);
        } else {
            escaped.extend(c.escape_debug());
        }
        let length = escaped[before..].chars().count();
        if length > room {
            escaped.truncate(before);
            return (escaped, false);
        }
        room -= length;
    }
    (escaped, true)
}
