//! Why a message of an identity provider is not taken.

use chrono::NaiveDateTime;

/// One reason, for the log of the operator; the client is told no more than that it was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is no base64, no UTF-8 or no XML.
    #[error("it can't be read: {0:?}")]
    Unreadable(String),
    /// It is past a limit: of its length, its depth, its elements or their attributes.
    #[error("it is too large")]
    TooLarge,
    /// It has a document type, which could define entities.
    #[error("it has a document type, which SAML does without")]
    DocumentType,
    /// It has a processing instruction.
    #[error("it has a processing instruction, which SAML does without")]
    Instruction,
    /// It declares another encoding.
    #[error("it declares another encoding than UTF-8")]
    Encoding,
    /// Two elements have one id.
    #[error("two of its elements have the same id")]
    DuplicateId,
    /// An element that there may be once is there several times.
    #[error("it has several elements {0} where one is allowed")]
    Several(&'static str),
    /// An element or an attribute is missing.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// It is another message than a response.
    #[error("it is no response of SAML 2.0")]
    NoResponse,
    /// The identity provider tells that it failed.
    #[error("the identity provider refused the login: {0:?}")]
    Status(String),
    /// Assertions are encrypted.
    #[error(
        "the assertion is encrypted, which this server can't read: switch the encryption of assertions off at the identity provider"
    )]
    Encrypted,
    /// There is not exactly one assertion, where a response has it.
    #[error("the response must have one assertion, and has {0}")]
    Assertions(usize),
    /// Nothing signed it.
    #[error("the {0} is not signed: let the identity provider sign it")]
    Unsigned(&'static str),
    /// The signature is not one of SAML's profile.
    #[error("the signature has a form that SAML does not allow: {0}")]
    SignatureForm(&'static str),
    /// The algorithm is not allowed.
    #[error("the algorithm {0:?} is not allowed")]
    Algorithm(String),
    /// No certificate of the metadata verifies the signature.
    #[error(
        "no certificate in the metadata of the identity provider verifies the signature ({0:?}): update the metadata if its key has changed"
    )]
    Signature(String),
    /// Somebody else issued it.
    #[error("it was issued by {found:?}, and not by the configured {expected:?}")]
    Issuer {
        /// Who is configured.
        expected: String,
        /// Who it was.
        found: String,
    },
    /// It was meant for another place.
    #[error("{what} is {found:?}, and not {expected:?}")]
    Place {
        /// What names the place.
        what: &'static str,
        /// What is expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// It is for another audience.
    #[error("its audience is {found:?}, and not this service provider, {expected:?}")]
    Audience {
        /// The entity id of this service provider.
        expected: String,
        /// Who it is for.
        found: Vec<String>,
    },
    /// It answers another request.
    #[error("it answers another request than the one that this browser was sent with")]
    OtherRequest,
    /// It answers none, and the identity provider may not begin.
    #[error(
        "it answers no request, and [saml_idp] allow_unsolicited is off for this identity provider"
    )]
    Unsolicited,
    /// It is no longer valid.
    #[error("{0} has passed: compare the clocks of this host and of the identity provider")]
    Expired(&'static str),
    /// The metadata of its issuer don't count any more.
    #[error("the metadata of the identity provider were valid until {0}: update them, and reload")]
    Outdated(NaiveDateTime),
    /// It is not valid yet.
    #[error("{0} has not come yet: compare the clocks of this host and of the identity provider")]
    NotYet(&'static str),
    /// A time can't be read.
    #[error("{0} is no time in UTC")]
    Time(&'static str),
    /// It has a condition that this server does not know, and so can't hold it to.
    #[error("the assertion has a condition that this server does not know")]
    Condition,
}
