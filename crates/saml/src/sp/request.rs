//! The request that sends a client to an identity provider.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::NaiveDateTime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::key::SigningKey;
use crate::names::{
    ASSERTION, ECP, NEXT_ACTOR, PAOS, PAOS_BINDING, POST_BINDING, PROTOCOL, RSA_SHA256, SOAP,
    UNSPECIFIED,
};
use crate::writer::Writer;
use crate::{Error, id, instant};

/// What a value in a query keeps as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A request for a login. Its id must come back with the response, so it goes into the state that the client keeps.
#[derive(Clone, Debug)]
pub struct AuthnRequest<'a> {
    id: String,
    /// The entity id of this service provider.
    pub issuer: &'a str,
    /// The URL that takes the response.
    pub consumer: &'a str,
    /// The time, in UTC.
    pub now: NaiveDateTime,
}

impl<'a> AuthnRequest<'a> {
    /// A request with a new id.
    pub fn new(issuer: &'a str, consumer: &'a str, now: NaiveDateTime) -> Self {
        Self {
            id: id(),
            issuer,
            consumer,
            now,
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The URL to which a browser is sent, signed if there is a key.
    pub fn redirect(
        &self,
        sign_on_url: &str,
        relay_state: Option<&str>,
        key: Option<&SigningKey>,
    ) -> Result<String, Error> {
        let mut xml = Writer::new();
        self.write(&mut xml, Some(sign_on_url), POST_BINDING);
        let message = BASE64_STANDARD.encode(stored(xml.finish()?.as_bytes())?);
        let encoded = |text: &str| utf8_percent_encode(text, QUERY).to_string();
        let mut query = format!("SAMLRequest={}", encoded(&message));
        if let Some(state) = relay_state {
            query = format!("{query}&RelayState={}", encoded(state));
        }
        if let Some(key) = key {
            query = format!("{query}&SigAlg={}", encoded(RSA_SHA256));
            let signature = BASE64_STANDARD.encode(key.sign(query.as_bytes())?);
            query = format!("{query}&Signature={}", encoded(&signature));
        }
        let separator = if sign_on_url.contains('?') { '&' } else { '?' };
        Ok(format!("{sign_on_url}{separator}{query}"))
    }

    /// The envelope with which an enhanced client goes to its identity provider. It is not signed: common identity providers
    /// refuse those that are.
    pub fn envelope(&self, relay_state: &str) -> Result<String, Error> {
        let actor = [("s:actor", NEXT_ACTOR), ("s:mustUnderstand", "1")];
        let mut xml = Writer::new();
        xml.open("s:Envelope", &[("xmlns:s", SOAP)])
            .open("s:Header", &[])
            .leaf(
                "paos:Request",
                &[
                    ("xmlns:paos", PAOS),
                    ("messageID", &id()),
                    ("responseConsumerURL", self.consumer),
                    ("service", ECP),
                    actor[0],
                    actor[1],
                ],
                "",
            )
            .open(
                "ecp:Request",
                &[("xmlns:ecp", ECP), ("IsPassive", "0"), actor[0], actor[1]],
            )
            .leaf("saml:Issuer", &[("xmlns:saml", ASSERTION)], self.issuer)
            .close()
            .leaf(
                "ecp:RelayState",
                &[("xmlns:ecp", ECP), actor[0], actor[1]],
                relay_state,
            )
            .close()
            .open("s:Body", &[]);
        self.write(&mut xml, None, PAOS_BINDING);
        xml.finish()
    }

    fn write(&self, xml: &mut Writer, destination: Option<&str>, binding: &str) {
        let now = instant(self.now);
        let mut attributes = vec![
            ("xmlns:samlp", PROTOCOL),
            ("AssertionConsumerServiceURL", self.consumer),
        ];
        attributes.extend(destination.map(|destination| ("Destination", destination)));
        attributes.extend([
            ("ID", self.id.as_str()),
            ("IssueInstant", now.as_str()),
            ("ProtocolBinding", binding),
            ("Version", "2.0"),
        ]);
        xml.open("samlp:AuthnRequest", &attributes)
            .leaf("saml:Issuer", &[("xmlns:saml", ASSERTION)], self.issuer)
            .leaf(
                "samlp:NameIDPolicy",
                &[("AllowCreate", "true"), ("Format", UNSPECIFIED)],
                "",
            )
            .close();
    }
}

/// Bytes in DEFLATE's form without compression (RFC 1951, section 3.2.4): one block that stores them.
fn stored(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let length = u16::try_from(bytes.len()).map_err(|_| Error::TooLong)?;
    let mut block = vec![1];
    block.extend(length.to_le_bytes());
    block.extend((!length).to_le_bytes());
    block.extend(bytes);
    Ok(block)
}
