//! An identity provider as this service provider knows it: from its metadata and from the configuration, and from nothing else.

use std::path::PathBuf;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Duration, NaiveDateTime};
use uppsala::NodeId;

use super::Refusal;
use super::document::Tree;
use crate::key::text_of;
use crate::names::{METADATA, PROTOCOL, SIGNATURE};
use crate::{Error, IdentityProviderSettings};

const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

/// An identity provider whose responses are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub struct Peer {
    /// Its entity id.
    pub entity_id: String,
    /// The certificates of the keys that it signs with, as bytes.
    pub certificates: Vec<Vec<u8>>,
    /// The time, in UTC, from which its metadata don't count any more.
    pub valid_until: Option<NaiveDateTime>,
    /// Where browsers are sent to log in; none for an identity provider that only begins by itself, such as a Keystone.
    pub sign_on_url: Option<String>,
    /// Whether responses are taken that answer no request.
    pub allow_unsolicited: bool,
    /// Whether the response must be signed, and not only the assertion in it.
    pub want_response_signed: bool,
    /// Whether signatures with SHA-1 are taken, which Python Keystone makes and nobody else should.
    pub allow_sha1: bool,
    /// Whether it is a Keystone, whose assertions have no conditions and so no audience.
    pub is_keystone: bool,
    /// How far its clock may be off.
    pub max_clock_skew: Duration,
}

/// Why an identity provider can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The file of its metadata can't be read.
    #[error(transparent)]
    File(#[from] Error),
    /// They say too little, or too much.
    #[error("the metadata in {} can't be used: {refusal}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: Refusal,
    },
}

impl Peer {
    /// An identity provider as it is configured, with the metadata that its file has now.
    pub fn configured(
        settings: &IdentityProviderSettings,
        now: NaiveDateTime,
    ) -> Result<Self, PeerError> {
        let path = &settings.metadata_file;
        let text = text_of(path)?;
        let known = Self::from_metadata(&text, settings.entity_id.as_deref(), now);
        let known = known.map_err(|refusal| PeerError::Metadata {
            path: path.clone(),
            refusal,
        })?;
        Ok(Self {
            allow_unsolicited: settings.allow_unsolicited || settings.is_keystone,
            want_response_signed: settings.want_response_signed,
            allow_sha1: settings.allow_sha1,
            is_keystone: settings.is_keystone,
            max_clock_skew: settings.max_clock_skew,
            ..known
        })
    }

    /// Reads metadata; of several entities in them, the one with this id. They may hold no time that has passed.
    ///
    /// What they say is trusted: the operator has put them there, or has verified them.
    pub fn from_metadata(
        text: &str,
        entity_id: Option<&str>,
        now: NaiveDateTime,
    ) -> Result<Self, Refusal> {
        let tree = Tree::parse_metadata(text)?;
        let mut entities = tree.everywhere(METADATA, "EntityDescriptor").into_iter();
        let mut entities = entities.by_ref().filter(|entity| {
            let found = tree.attribute(*entity, "entityID");
            entity_id.is_none_or(|expected| found == Some(expected))
                && tree
                    .named(*entity, METADATA, "IDPSSODescriptor")
                    .next()
                    .is_some()
        });
        let entity = entities.next();
        let entity = entity.ok_or(Refusal::Missing("EntityDescriptor of an identity provider"))?;
        if entities.next().is_some() {
            return Err(Refusal::Several("EntityDescriptor"));
        }
        let roles = tree.named(entity, METADATA, "IDPSSODescriptor");
        let mut roles = roles.filter(|role| {
            let protocols = tree.attribute(*role, "protocolSupportEnumeration");
            let protocols = protocols.unwrap_or_default();
            protocols.split_ascii_whitespace().any(|it| it == PROTOCOL)
        });
        let role = roles.next().ok_or(Refusal::Missing("IDPSSODescriptor"))?;
        let mut valid_until = None;
        // Those of the federation around the entity count for it, too.
        for node in [role].into_iter().chain(tree.document.ancestors(role)) {
            let Some(end) = end(&tree, node)? else {
                continue;
            };
            if end <= now {
                return Err(Refusal::Outdated(end));
            }
            valid_until = Some(valid_until.map_or(end, |earlier: NaiveDateTime| earlier.min(end)));
        }
        let certificates = certificates(&tree, role)?;
        if certificates.is_empty() {
            return Err(Refusal::Missing("X509Certificate for signatures"));
        }
        let services = tree.named(role, METADATA, "SingleSignOnService");
        let mut services =
            services.filter(|service| tree.attribute(*service, "Binding") == Some(REDIRECT));
        let service = services.next();
        let sign_on_url = service.and_then(|service| tree.attribute(service, "Location"));
        Ok(Self {
            entity_id: tree
                .attribute(entity, "entityID")
                .unwrap_or_default()
                .to_owned(),
            certificates,
            valid_until,
            sign_on_url: sign_on_url.map(str::to_owned),
            allow_unsolicited: false,
            want_response_signed: false,
            allow_sha1: false,
            is_keystone: false,
            max_clock_skew: Duration::seconds(60),
        })
    }
}

fn end(tree: &Tree<'_>, node: NodeId) -> Result<Option<NaiveDateTime>, Refusal> {
    let text = tree.attribute(node, "validUntil");
    let end = text.map(DateTime::parse_from_rfc3339).transpose();
    let end = end.map_err(|_| Refusal::Time("validUntil"))?;
    Ok(end.map(|end| end.naive_utc()))
}

/// The certificates of keys that are for signatures, or for all.
fn certificates(tree: &Tree<'_>, role: NodeId) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut certificates = Vec::new();
    for key in tree.named(role, METADATA, "KeyDescriptor") {
        if !matches!(tree.attribute(key, "use"), None | Some("signing")) {
            continue;
        }
        let infos = tree.named(key, SIGNATURE, "KeyInfo");
        let data = infos.flat_map(|info| tree.named(info, SIGNATURE, "X509Data"));
        let found = data.flat_map(|data| tree.named(data, SIGNATURE, "X509Certificate"));
        for certificate in found {
            let text: String = tree.text(certificate).split_ascii_whitespace().collect();
            let bytes = BASE64_STANDARD.decode(text);
            let bytes = bytes.map_err(|_| Refusal::Missing("readable X509Certificate"))?;
            certificates.push(bytes);
        }
    }
    Ok(certificates)
}
