//! The identity provider of Keystone to Keystone: a token becomes an assertion for another cloud
//! (`keystone/federation/idp.py`).

mod metadata;

use std::path::{Path, PathBuf};

use chrono::{Duration, NaiveDateTime};
use serde_json::json;

use crate::key::SigningKey;
use crate::names::{
    ASSERTION, BEARER, ECP, ENTITY, INSTANCE, NEXT_ACTOR, PASSWORD, PROTOCOL, SCHEMA, SOAP,
    SUCCESS, URI_NAMES,
};
use crate::writer::Writer;
use crate::{Error, id, instant};

pub use metadata::{Contact, Metadata, Organization};

/// `[saml]`; the defaults are Keystone's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What the metadata tell; the entity id is that of assertions, too.
    pub metadata: Metadata,
    /// `assertion_expiration_time`
    pub lifetime: Duration,
    /// `certfile`
    pub certificate: PathBuf,
    /// `keyfile`
    pub key: PathBuf,
    /// `idp_metadata_path`
    pub metadata_path: PathBuf,
    /// `relay_state_prefix`, of service providers that are made without one
    pub relay_state_prefix: String,
}

impl Default for Settings {
    fn default() -> Self {
        let below = |name| Path::new("/etc/keystone").join(name);
        Self {
            metadata: Metadata::default(),
            lifetime: Duration::hours(1),
            certificate: below("ssl/certs/signing_cert.pem"),
            key: below("ssl/private/signing_key.pem"),
            metadata_path: below("saml2_idp_metadata.xml"),
            relay_state_prefix: "ss:mem:".to_owned(),
        }
    }
}

/// What an assertion tells: whom a token is of, and where it holds.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// The user's name.
    pub user: String,
    /// The name of the user's domain.
    pub user_domain: String,
    /// The names of the roles that the token has.
    pub roles: Vec<String>,
    /// The project's name.
    pub project: String,
    /// The name of the project's domain.
    pub project_domain: String,
    /// The user's groups.
    pub groups: Vec<Group>,
}

/// A group, by names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group's name.
    pub name: String,
    /// The name of its domain.
    pub domain: String,
}

/// Who tells whom, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Issue<'a> {
    /// `[saml] idp_entity_id`
    pub issuer: &'a str,
    /// The `sp_url` of the service provider.
    pub recipient: &'a str,
    /// `[saml] assertion_expiration_time`
    pub lifetime: Duration,
    /// The time, in UTC.
    pub now: NaiveDateTime,
}

impl Statement {
    /// The response that the other cloud's consumer takes, with a signed assertion in it.
    ///
    /// As in Keystone the response itself is not signed, and the assertion has no audience, because the row of a service
    /// provider does not tell its entity id. Different on purpose: the signature is RSA-SHA256 where Keystone's is RSA-SHA1,
    /// ids begin with `_`, as those of XML must not begin with a digit, and attributes of elements are in canonical order.
    pub fn response(&self, issue: &Issue<'_>, key: &SigningKey) -> Result<String, Error> {
        let assertion = self.signed_assertion(issue, key)?;
        let mut xml = Writer::new();
        xml.open(
            "ns0:Response",
            &[
                ("xmlns:ns0", PROTOCOL),
                ("xmlns:saml", ASSERTION),
                // Around the signed part: only values of attributes name it, so that canonical forms are without it.
                ("xmlns:xs", SCHEMA),
                ("Destination", issue.recipient),
                ("ID", &id()),
                ("IssueInstant", &instant(issue.now)),
                ("Version", "2.0"),
            ],
        )
        .leaf("saml:Issuer", &[("Format", ENTITY)], issue.issuer)
        .open("ns0:Status", &[])
        .leaf("ns0:StatusCode", &[("Value", SUCCESS)], "")
        .close()
        .raw(&assertion);
        xml.finish()
    }

    fn signed_assertion(&self, issue: &Issue<'_>, key: &SigningKey) -> Result<String, Error> {
        let id = id();
        let (head, tail) = self.assertion(issue, &id)?;
        let signature = key.enveloped(&id, &format!("{head}{tail}"))?;
        Ok(format!("{head}{signature}{tail}"))
    }

    /// The assertion in canonical form, in the two parts between which its signature stands.
    fn assertion(&self, issue: &Issue<'_>, id: &str) -> Result<(String, String), Error> {
        let now = instant(issue.now);
        let end = issue.now + issue.lifetime;
        let end = end.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let mut head = Writer::new();
        head.leaf("saml:Issuer", &[("Format", ENTITY)], issue.issuer);
        let mut opening = Writer::new();
        opening.open(
            "saml:Assertion",
            &[
                ("xmlns:saml", ASSERTION),
                ("ID", id),
                ("IssueInstant", &now),
                ("Version", "2.0"),
            ],
        );
        let whole = opening.finish()?;
        let opening = whole.strip_suffix("</saml:Assertion>").unwrap_or(&whole);
        let head = format!("{opening}{}", head.finish()?);

        let mut tail = Writer::new();
        tail.open("saml:Subject", &[])
            .leaf("saml:NameID", &[], &self.user)
            .open("saml:SubjectConfirmation", &[("Method", BEARER)])
            .leaf(
                "saml:SubjectConfirmationData",
                &[("NotOnOrAfter", &end), ("Recipient", issue.recipient)],
                "",
            )
            .close()
            .close()
            .open(
                "saml:AuthnStatement",
                &[
                    ("AuthnInstant", &now),
                    ("SessionIndex", &crate::id()),
                    ("SessionNotOnOrAfter", &end),
                ],
            )
            .open("saml:AuthnContext", &[])
            .leaf("saml:AuthnContextClassRef", &[], PASSWORD)
            .leaf("saml:AuthenticatingAuthority", &[], issue.issuer)
            .close()
            .close();
        self.attributes(&mut tail);
        Ok((head, format!("{}</saml:Assertion>", tail.finish()?)))
    }

    fn attributes(&self, xml: &mut Writer) {
        let one = std::slice::from_ref;
        let groups: Vec<String> = self.groups.iter().map(Group::text).collect();
        let attributes = [
            ("openstack_user", one(&self.user)),
            ("openstack_roles", &self.roles),
            ("openstack_project", one(&self.project)),
            ("openstack_project_domain", one(&self.project_domain)),
            ("openstack_user_domain", one(&self.user_domain)),
            ("openstack_groups", &groups),
        ];
        xml.open("saml:AttributeStatement", &[]);
        for (name, values) in attributes {
            // Only groups may be none.
            if name == "openstack_groups" && values.is_empty() {
                continue;
            }
            xml.open(
                "saml:Attribute",
                &[("Name", name), ("NameFormat", URI_NAMES)],
            );
            for value in values {
                xml.leaf(
                    "saml:AttributeValue",
                    &[("xmlns:xsi", INSTANCE), ("xsi:type", "xs:string")],
                    value,
                );
            }
            xml.close();
        }
        xml.close();
    }
}

impl Group {
    /// As `openstack_groups` has it, with the spaces of Python's `json`.
    fn text(&self) -> String {
        let group = json!({ "name": self.name, "domain": { "name": self.domain } });
        format!("JSON:{}", keystone_python::json::write(&group))
    }
}

/// The answer for clients of the profile ECP: a response in an envelope of SOAP.
pub fn envelope(response: &str, relay_state_prefix: &str) -> Result<String, Error> {
    let relay_state = format!("{relay_state_prefix}{}", uuid::Uuid::new_v4().simple());
    let mut xml = Writer::new();
    xml.open("ns0:Envelope", &[("xmlns:ns0", SOAP)])
        .open("ns0:Header", &[])
        .leaf(
            "ns1:RelayState",
            &[
                ("xmlns:ns1", ECP),
                ("ns0:actor", NEXT_ACTOR),
                ("ns0:mustUnderstand", "1"),
            ],
            &relay_state,
        )
        .close()
        .open("ns0:Body", &[])
        .raw(response);
    xml.finish()
}
