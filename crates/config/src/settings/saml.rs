//! `[saml]`: this cloud as the identity provider of others; `[saml_sp]` and `[saml_idp:<id>]`, which Keystone does not have: as
//! the service provider of others.

use chrono::Duration;
use keystone::saml::{IdentityProviderSettings, ServiceProviderSettings, idp};

use super::{Reader, text};

const GROUP: &str = "saml";
const SP: &str = "saml_sp";
const FAMILY: &str = "saml_idp";

/// The protocol that guides for Keystone to Keystone have.
const PROTOCOL: &str = "saml2";

/// How far clocks may be off where nothing is configured, and at most.
const SKEW: i64 = 60;
const LONGEST_SKEW: i64 = 600;

impl Reader<'_> {
    pub(super) fn saml(&mut self) -> idp::Settings {
        let config = self.config;
        let string = |name| config.string(GROUP, name).to_owned();
        let optional = |name| config.optional_string(GROUP, name).map(str::to_owned);
        idp::Settings {
            metadata: idp::Metadata {
                entity_id: optional("idp_entity_id"),
                sso_endpoint: optional("idp_sso_endpoint"),
                organization: idp::Organization {
                    language: string("idp_lang"),
                    name: string("idp_organization_name"),
                    display_name: string("idp_organization_display_name"),
                    url: string("idp_organization_url"),
                },
                contact: idp::Contact {
                    kind: string("idp_contact_type"),
                    company: string("idp_contact_company"),
                    given_name: string("idp_contact_name"),
                    surname: string("idp_contact_surname"),
                    email: string("idp_contact_email"),
                    telephone: string("idp_contact_telephone"),
                },
            },
            lifetime: self.seconds(GROUP, "assertion_expiration_time"),
            certificate: string("certfile").into(),
            key: string("keyfile").into(),
            metadata_path: string("idp_metadata_path").into(),
            relay_state_prefix: string("relay_state_prefix"),
        }
    }

    /// The service provider, where one is configured: in full, or the server does not start. Only a server needs the files.
    pub(super) fn saml_sp(&mut self) -> Option<ServiceProviderSettings> {
        let config = self.config;
        let entity_id = text(config.optional_string(SP, "entity_id"));
        let certificate = text(config.optional_string(SP, "certfile"));
        let key = text(config.optional_string(SP, "keyfile"));
        let members = config.members(FAMILY);
        let unused = entity_id.is_none() && certificate.is_none() && key.is_none();
        if unused && members.is_empty() {
            return None;
        }
        if entity_id.is_none() {
            let problem = "expected the entity id by which identity providers know this server";
            self.problem(SP, "entity_id", problem);
        }
        if certificate.is_some() != key.is_some() {
            let missing = if key.is_some() { "certfile" } else { "keyfile" };
            let problem = "requests are signed only with both, certfile and keyfile";
            self.problem(SP, missing, problem);
        }
        if config
            .optional_string("DEFAULT", "public_endpoint")
            .is_none()
        {
            let problem = "needed with [saml_sp]: the URL of this server that responses of identity providers have to name";
            self.problem("DEFAULT", "public_endpoint", problem);
        }
        let providers = members.into_iter().map(|member| {
            (
                member.to_owned(),
                self.saml_idp(&format!("{FAMILY}:{member}")),
            )
        });
        Some(ServiceProviderSettings {
            entity_id: entity_id.unwrap_or_default(),
            providers: providers.collect(),
            key: certificate
                .zip(key)
                .map(|(certificate, key)| (certificate.into(), key.into())),
        })
    }

    fn saml_idp(&mut self, group: &str) -> IdentityProviderSettings {
        let option = |name| text(self.config.plugin_option(group, name));
        let (file, entity_id) = (option("metadata_file"), option("entity_id"));
        if file.is_none() {
            let problem = "expected the file with the metadata of the identity provider";
            self.member_problem(group, "metadata_file", problem);
        }
        let id = group.split_once(':').map_or(group, |(_, id)| id);
        if self.config.members("oidc").contains(&id) {
            let problem = format!(
                "this server asks an identity provider in one way, and there is [oidc:{id}] too"
            );
            self.member_problem(group, "metadata_file", problem);
        }
        IdentityProviderSettings {
            metadata_file: file.unwrap_or_default().into(),
            entity_id,
            protocol: option("protocol").unwrap_or_else(|| PROTOCOL.to_owned()),
            is_keystone: self.member_bool(group, "keystone"),
            allow_unsolicited: self.member_bool(group, "allow_unsolicited"),
            want_response_signed: self.member_bool(group, "want_response_signed"),
            allow_sha1: self.member_bool(group, "allow_sha1"),
            max_clock_skew: self.skew(group),
        }
    }

    fn skew(&mut self, group: &str) -> Duration {
        let name = "max_clock_skew";
        let seconds = match text(self.config.plugin_option(group, name)) {
            None => Some(SKEW),
            Some(text) => text.trim().parse().ok(),
        };
        let seconds = seconds.filter(|seconds| (0..=LONGEST_SKEW).contains(seconds));
        if seconds.is_none() {
            let problem = format!("expected a number of seconds from 0 to {LONGEST_SKEW}");
            self.member_problem(group, name, problem);
        }
        Duration::seconds(seconds.unwrap_or(SKEW))
    }

    fn member_bool(&mut self, group: &str, name: &str) -> bool {
        self.config
            .member_bool(group, name)
            .unwrap_or_else(|problem| {
                self.member_problem(group, name, problem);
                false
            })
    }

    fn member_problem(&mut self, group: &str, name: &str, problem: impl Into<String>) {
        let problem = self.config.member_diagnostic(group, name, problem);
        self.problems.push(problem);
    }
}
