//! The metadata of this service provider, for those who run the identity provider.

use crate::Error;
use crate::key::SigningKey;
use crate::names::{METADATA, PAOS_BINDING, POST_BINDING, PROTOCOL, SIGNATURE};
use crate::writer::Writer;

/// What the metadata tell.
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'a> {
    /// The entity id.
    pub entity_id: &'a str,
    /// The URLs that take the responses of browsers.
    pub consumers: &'a [String],
    /// The URLs that take those of enhanced clients.
    pub enhanced_consumers: &'a [String],
    /// The key that requests are signed with.
    pub key: Option<&'a SigningKey>,
}

impl Metadata<'_> {
    /// The document.
    pub fn document(&self) -> Result<String, Error> {
        let signs = if self.key.is_some() { "true" } else { "false" };
        let mut xml = Writer::new();
        xml.open(
            "md:EntityDescriptor",
            &[("xmlns:md", METADATA), ("entityID", self.entity_id)],
        )
        .open(
            "md:SPSSODescriptor",
            &[
                ("AuthnRequestsSigned", signs),
                ("WantAssertionsSigned", "true"),
                ("protocolSupportEnumeration", PROTOCOL),
            ],
        );
        if let Some(key) = self.key {
            xml.open("md:KeyDescriptor", &[("use", "signing")])
                .open("ds:KeyInfo", &[("xmlns:ds", SIGNATURE)])
                .open("ds:X509Data", &[])
                .leaf("ds:X509Certificate", &[], &key.certificate())
                .close()
                .close()
                .close();
        }
        let posted = self.consumers.iter().map(|url| (POST_BINDING, url));
        let enhanced = self
            .enhanced_consumers
            .iter()
            .map(|url| (PAOS_BINDING, url));
        for (place, (binding, url)) in posted.chain(enhanced).enumerate() {
            let place = place.to_string();
            let default = if place == "0" { "true" } else { "false" };
            xml.leaf(
                "md:AssertionConsumerService",
                &[
                    ("Binding", binding),
                    ("Location", url),
                    ("index", &place),
                    ("isDefault", default),
                ],
                "",
            );
        }
        xml.finish()
    }
}
