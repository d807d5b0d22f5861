//! Logins of users whom an identity provider vouches for, and the exchange of their tokens
//! (`keystone/auth/plugins/mapped.py`).

use std::collections::{BTreeMap, BTreeSet};

use keystone_federation::{
    Assertion, DomainName, IdentityProvider, Mapped, MappedUser, Mapping, MappingError, Protocol,
    UserType,
};
use keystone_identity::{ShadowLogin, ShadowProject, Subject};
use keystone_token::Federation;
use keystone_types::{Error, Result};
use serde_json::{Value, json};

use crate::announcement::{announce_federated, announce_shadow};
use crate::auth::Auth;
use crate::choice::{UserChoice, enabled};
use crate::delegation::Backing;
use crate::environment::Environment;
use crate::error::disabled;
use crate::login::Login;
use crate::methods::{Method, Verified, unsupported};
use crate::token::AuthToken;

/// `remote_id_attribute` and `assertion_prefix` of `[federation]` and of the sections of protocols.
#[derive(Clone, Debug, Default)]
pub struct FederationSettings {
    /// `[federation] assertion_prefix`
    pub assertion_prefix: String,
    /// `[federation] remote_id_attribute`
    pub remote_id_attribute: Option<String>,
    /// `remote_id_attribute` of the sections that are named like protocols, by protocol
    pub remote_id_attributes: BTreeMap<String, String>,
    /// The identity providers that this server asks itself, by id; `keystone` takes them from its own settings.
    pub asked_itself: BTreeSet<String>,
}

/// What an identity provider says of a user, as this server itself has verified it.
#[derive(Clone, Debug)]
pub struct ProviderAssertion {
    /// The name that the provider gives itself. It has to be among the `remote_ids` of the identity provider.
    pub remote_id: String,
    /// The name of a user whom the mapping does not name.
    pub remote_user: Option<String>,
    /// The attributes.
    pub assertion: Assertion,
}

impl ProviderAssertion {
    /// What the provider of a name says, by attributes of which `REMOTE_USER` is one.
    pub fn new(remote_id: &str, attributes: Vec<(String, Vec<String>)>) -> Self {
        let remote_user = attributes.iter().find(|(name, _)| name == "REMOTE_USER");
        Self {
            remote_id: remote_id.to_owned(),
            remote_user: remote_user.and_then(|(_, values)| values.first().cloned()),
            assertion: Assertion::of_lists(attributes),
        }
    }
}

/// The id of a user at an identity provider as it is stored: `urllib.parse.quote`, which leaves slashes.
pub fn unique_id(id: &str) -> String {
    keystone_python::percent_encode(id).replace("%2F", "/")
}

impl Auth {
    /// Issues an unscoped token for a user whom an identity provider vouches for. The method is named like the protocol.
    pub async fn log_in_federated(
        &self,
        identity_provider: &str,
        protocol: &str,
        login: &Login<'_>,
    ) -> Result<AuthToken> {
        let identity = json!({
            "methods": [protocol],
            (protocol): { "identity_provider": identity_provider, "protocol": protocol },
        });
        self.issue(&json!({ "identity": identity }), login).await
    }

    /// Checks what a login at an identity provider needs here, before that is asked: the method, the enabled provider, the
    /// protocol and its mapping.
    pub async fn check_federated(&self, identity_provider: &str, protocol: &str) -> Result<()> {
        let configured = &self.settings.methods;
        if !Method::is_known(protocol) || !configured.iter().any(|name| name == protocol) {
            return Err(unsupported(configured));
        }
        let federation = &self.federation;
        federation.check_protocol(identity_provider, protocol).await
    }

    /// The name that an identity provider gives itself in the attribute that one of those with this protocol has for it; 401
    /// where there is none.
    pub async fn remote_id(&self, protocol: &str, environment: &Environment) -> Result<String> {
        let protocols = self.federation.protocols_named(protocol).await?;
        let names = protocols
            .iter()
            .filter_map(|it| self.remote_id_attribute(it));
        let mut found = names.filter_map(|name| environment.attribute(name, true));
        let found = found.find(|text| !text.is_empty());
        let missing = || Error::unauthorized("Missing entity ID from environment");
        found.map(str::to_owned).ok_or_else(missing)
    }

    /// The identity provider that gives itself this name, by id.
    pub async fn provider_named(&self, remote_id: &str) -> Result<String> {
        self.federation.provider_named(remote_id).await
    }

    /// Verifies what an identity provider says of a user, by a mapping.
    pub(crate) async fn federated(
        &self,
        method: &str,
        (identity_provider, protocol): (&str, &str),
        login: &Login<'_>,
    ) -> Result<Verified> {
        let provider = self.federation.enabled_provider(identity_provider).await?;
        let vouched = self.vouched(method, &provider, protocol, login).await;
        let found = vouched.as_ref().map(|verified| match &verified.backing {
            Backing::Federated(federation) => Some((&*verified.subject.user.id, federation)),
            _ => None,
        });
        let announcer = login.announcer.as_ref();
        announce_federated(announcer, &provider.id, None, found);
        vouched
    }

    /// The same at an enabled provider.
    async fn vouched(
        &self,
        method: &str,
        provider: &IdentityProvider,
        protocol: &str,
        login: &Login<'_>,
    ) -> Result<Verified> {
        let protocol = self.federation.protocol(&provider.id, protocol).await?;
        self.check_remote_id(provider, &protocol, login)?;
        let mapping = self.federation.mapping(&protocol.mapping_id).await?;
        let assertion = match login.assertion {
            Some(verified) => verified.assertion.clone(),
            None => login.environment.assertion(login.is_at_provider),
        };
        let prefix = &self.settings.federation.assertion_prefix;
        let mapped = mapping.apply(&assertion.starting_with(prefix));
        let mapped = mapped.map_err(|error| refused(&mapping, &error))?;
        match mapped.user.kind {
            UserType::Local => {
                let subject = self.mapped_local(&mapped.user, login).await?;
                Ok(Verified::by(method, subject))
            }
            UserType::Ephemeral => {
                let remote_user = match login.assertion {
                    Some(verified) => verified.remote_user.as_deref(),
                    None => login.environment.get("REMOTE_USER"),
                };
                let shadow = self
                    .shadow_login(provider, &protocol, &mapping, mapped, remote_user)
                    .await?;
                let (subject, changes) = self.identity.shadow_user(&shadow, admit).await?;
                announce_shadow(login.announcer.as_ref(), &subject.user.id, &changes);
                Ok(Verified {
                    backing: Backing::Federated(Federation {
                        group_ids: shadow.groups,
                        identity_provider_id: provider.id.clone(),
                        protocol_id: protocol.id,
                    }),
                    ..Verified::by(method, subject)
                })
            }
        }
    }

    /// Checks that a token of a user whom an identity provider vouches for may be exchanged: as at a login, though nobody
    /// vouches again.
    pub(crate) async fn check_exchange(&self, federation: &Federation) -> Result<()> {
        self.federation
            .check_protocol(&federation.identity_provider_id, &federation.protocol_id)
            .await?;
        let groups = federation.group_ids.iter().cloned().collect();
        self.all_groups(&groups).await.map(drop)
    }

    /// The attribute in which the provider of a protocol names itself.
    fn remote_id_attribute<'a>(&'a self, protocol: &'a Protocol) -> Option<&'a str> {
        let settings = &self.settings.federation;
        let names = [
            protocol.remote_id_attribute.as_ref(),
            // The names of sections are without case.
            settings
                .remote_id_attributes
                .get(&protocol.id.to_lowercase()),
            settings.remote_id_attribute.as_ref(),
        ];
        let mut names = names.into_iter().flatten();
        names.find(|name| !name.is_empty()).map(String::as_str)
    }

    /// Checks that the assertion is of this identity provider. As in Keystone, a web server in front is taken at its word
    /// where nothing tells how the provider names itself, unless this server asks the provider itself.
    fn check_remote_id(
        &self,
        provider: &IdentityProvider,
        protocol: &Protocol,
        login: &Login<'_>,
    ) -> Result<()> {
        let named = if let Some(verified) = login.assertion {
            verified.remote_id.as_str()
        } else {
            let attribute = self.remote_id_attribute(protocol);
            let Some(attribute) = attribute.filter(|_| !provider.remote_ids.is_empty()) else {
                return self.check_word_alone(provider);
            };
            let counts = attribute.starts_with(&self.settings.federation.assertion_prefix);
            let named = login.environment.attribute(attribute, login.is_at_provider);
            named.filter(|_| counts).ok_or_else(|| {
                Error::unauthorized(format!(
                    "{attribute}, in which the identity provider {} names itself, is not among the attributes",
                    provider.id
                ))
            })?
        };
        if provider.remote_ids.iter().any(|known| known == named) {
            return Ok(());
        }
        Err(Error::Forbidden {
            detail: format!(
                "{named:?} is not among the remote ids of the identity provider {}",
                provider.id
            ),
        })
    }

    /// Whether a web server in front may say who the provider is.
    fn check_word_alone(&self, provider: &IdentityProvider) -> Result<()> {
        if !self.settings.federation.asked_itself.contains(&provider.id) {
            return Ok(());
        }
        Err(Error::unauthorized(format!(
            "this server asks the identity provider {} itself: a web server in front vouches for its users only with \
             remote_id_attribute and remote_ids",
            provider.id
        )))
    }

    /// The enabled user of the database that a mapping names.
    async fn mapped_local(&self, user: &MappedUser, login: &Login<'_>) -> Result<Subject> {
        let Value::Object(user) = serde_json::to_value(user).map_err(Error::internal)? else {
            return Err(Error::internal("a mapped user is no object"));
        };
        let choice = UserChoice::parse(&user)?;
        self.find_user(&choice, login.announcer.as_ref()).await
    }

    /// What a login is to make of the user that a mapping names, with its ids looked up.
    async fn shadow_login(
        &self,
        provider: &IdentityProvider,
        protocol: &Protocol,
        mapping: &Mapping,
        mapped: Mapped,
        remote_user: Option<&str>,
    ) -> Result<ShadowLogin> {
        let mut groups = self.mapped_groups(&mapped).await?;
        groups.sort_unstable();
        groups.dedup();
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let user = mapped.user;
        let name = some(user.name).or_else(|| remote_user.map(str::to_owned));
        let (id, name) = match (some(user.id), name) {
            (Some(id), Some(name)) => (id, name),
            (Some(id), None) => (id.clone(), id),
            (None, Some(name)) => (name.clone(), name),
            (None, None) => {
                return Err(Error::unauthorized(format!(
                    "the mapping {} gives neither id nor name of the user, and there is no REMOTE_USER",
                    mapping.id()
                )));
            }
        };
        let mut projects = Vec::new();
        for project in mapped.projects {
            projects.push(ShadowProject {
                domain_id: self.domain_or(project.domain, provider).await?,
                name: project.name,
                roles: project.roles.into_iter().map(|role| role.name).collect(),
            });
        }
        Ok(ShadowLogin {
            idp_id: provider.id.clone(),
            protocol_id: protocol.id.clone(),
            unique_id: unique_id(&id),
            name,
            email: some(user.email),
            domain_id: self.domain_or(user.domain, provider).await?,
            groups,
            projects,
            only_these_projects: mapping.owns_projects(),
        })
    }

    /// The domain that a mapping names, or else that of the identity provider.
    async fn domain_or(
        &self,
        named: Option<DomainName>,
        provider: &IdentityProvider,
    ) -> Result<String> {
        match named.filter(DomainName::is_named) {
            Some(domain) => self.domain_id(&domain).await,
            None => Ok(provider.domain_id.clone()),
        }
    }
}

/// Whether a user gets in. Keystone gives a disabled one a token that is never valid.
fn admit(subject: &Subject) -> Result<()> {
    if !subject.domain.enabled {
        return Err(disabled("domain", &subject.domain.id).into_error());
    }
    enabled(subject)
}

/// 401 where the user is not the mapping's, 500 where the mapping is wrong.
fn refused(mapping: &Mapping, error: &MappingError) -> Error {
    let text = format!("mapping {}: {error}", mapping.id());
    match error {
        MappingError::Unmapped | MappingError::Refused(_) => Error::unauthorized(text),
        MappingError::OutOfRange { .. } | MappingError::Broken(_) => Error::internal(text),
    }
}
