//! The metadata of this identity provider, as `keystone-manage saml_idp_metadata` prints them.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::Error;
use crate::key::first_certificate;
use crate::names::{METADATA, PROTOCOL, SIGNATURE, TRANSIENT, URI_BINDING};
use crate::writer::Writer;

/// What the metadata tell, from `[saml]`; the defaults are Keystone's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `idp_entity_id`
    pub entity_id: Option<String>,
    /// `idp_sso_endpoint`
    pub sso_endpoint: Option<String>,
    /// Who runs the identity provider.
    pub organization: Organization,
    /// Who answers for it.
    pub contact: Contact,
}

/// `[saml] idp_organization_*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// `idp_lang`, the language of the three texts.
    pub language: String,
    /// `idp_organization_name`
    pub name: String,
    /// `idp_organization_display_name`
    pub display_name: String,
    /// `idp_organization_url`
    pub url: String,
}

/// `[saml] idp_contact_*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// `idp_contact_type`
    pub kind: String,
    /// `idp_contact_company`
    pub company: String,
    /// `idp_contact_name`
    pub given_name: String,
    /// `idp_contact_surname`
    pub surname: String,
    /// `idp_contact_email`
    pub email: String,
    /// `idp_contact_telephone`
    pub telephone: String,
}

impl Default for Organization {
    fn default() -> Self {
        Self {
            language: "en".to_owned(),
            name: "SAML Identity Provider".to_owned(),
            display_name: "OpenStack SAML Identity Provider".to_owned(),
            url: "https://example.com/".to_owned(),
        }
    }
}

impl Default for Contact {
    fn default() -> Self {
        Self {
            kind: "other".to_owned(),
            company: "Example, Inc.".to_owned(),
            given_name: "SAML Identity Provider Support".to_owned(),
            surname: "Support".to_owned(),
            email: "support@example.com".to_owned(),
            telephone: "+1 800 555 0100".to_owned(),
        }
    }
}

impl Metadata {
    /// The document, as Keystone's `pysaml2` writes it; `certificate` is in PEM.
    pub fn document(&self, certificate: &str) -> Result<String, Error> {
        let entity_id = self.entity_id.as_deref();
        let entity_id = entity_id.ok_or(Error::Unset("idp_entity_id"))?;
        let endpoint = self.sso_endpoint.as_deref();
        let endpoint = endpoint.ok_or(Error::Unset("idp_sso_endpoint"))?;
        let certificate = BASE64_STANDARD.encode(first_certificate(certificate)?);
        let mut xml = Writer::new();
        xml.open(
            "ns0:EntityDescriptor",
            &[
                ("xmlns:ns0", METADATA),
                ("xmlns:ns1", SIGNATURE),
                ("entityID", entity_id),
            ],
        )
        .open(
            "ns0:IDPSSODescriptor",
            &[("protocolSupportEnumeration", PROTOCOL)],
        )
        .open("ns0:KeyDescriptor", &[("use", "signing")])
        .open("ns1:KeyInfo", &[])
        .open("ns1:X509Data", &[])
        .leaf("ns1:X509Certificate", &[], &certificate)
        .close()
        .close()
        .close();
        self.organization.write(&mut xml);
        self.contact.write(&mut xml);
        xml.leaf("ns0:NameIDFormat", &[], TRANSIENT).short(
            "ns0:SingleSignOnService",
            &[("Binding", URI_BINDING), ("Location", endpoint)],
        );
        xml.finish()
    }
}

impl Organization {
    fn write(&self, xml: &mut Writer) {
        let language = [("xml:lang", self.language.as_str())];
        xml.open("ns0:Organization", &[])
            .leaf("ns0:OrganizationName", &language, &self.name)
            .leaf("ns0:OrganizationDisplayName", &language, &self.display_name)
            .leaf("ns0:OrganizationURL", &language, &self.url)
            .close();
    }
}

impl Contact {
    fn write(&self, xml: &mut Writer) {
        xml.open("ns0:ContactPerson", &[("contactType", &self.kind)])
            .leaf("ns0:Company", &[], &self.company)
            .leaf("ns0:GivenName", &[], &self.given_name)
            .leaf("ns0:SurName", &[], &self.surname)
            .leaf("ns0:EmailAddress", &[], &self.email)
            .leaf("ns0:TelephoneNumber", &[], &self.telephone)
            .close();
    }
}
