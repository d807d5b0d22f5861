//! The names that the specifications of SAML 2.0 and XML signatures give.

pub(crate) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub(crate) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub(crate) const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
pub(crate) const ECP: &str = "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp";
pub(crate) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(crate) const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(crate) const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";
pub(crate) const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

pub(crate) const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
pub(crate) const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
pub(crate) const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
pub(crate) const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
pub(crate) const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password";
pub(crate) const URI_NAMES: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
pub(crate) const URI_BINDING: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URI";
pub(crate) const NEXT_ACTOR: &str = "http://schemas.xmlsoap.org/soap/actor/next";

pub(crate) const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub(crate) const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
pub(crate) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
pub(crate) const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

#[cfg(feature = "sp")]
pub(crate) const PAOS_BINDING: &str = "urn:oasis:names:tc:SAML:2.0:bindings:PAOS";
#[cfg(feature = "sp")]
pub(crate) const POST_BINDING: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
#[cfg(feature = "sp")]
pub(crate) const PAOS: &str = "urn:liberty:paos:2003-08";
#[cfg(feature = "sp")]
pub(crate) const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
