//! Keystone to Keystone: a token is exchanged for an assertion that another cloud takes (`keystone/api/_shared/saml.py`).

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use keystone_federation::ServiceProvider;
use keystone_saml::idp::{Group, Issue, Statement, envelope};
use keystone_saml::{Error as SamlError, SigningKey};
use keystone_types::{Error, Listing, Result, same_id};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::auth::Auth;
use crate::delegation::Delegation;
use crate::error::TokenError;
use crate::token::AuthToken;

/// An assertion, and where it goes.
#[derive(Clone, Debug)]
pub struct IssuedAssertion {
    /// The response, or the envelope around it.
    pub xml: String,
    /// The service provider.
    pub recipient: ServiceProvider,
}

/// How a client takes an assertion to a service provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionProfile {
    /// As a form in a browser would post it.
    Response,
    /// In an envelope of SOAP, for enhanced clients.
    Ecp,
}

impl Auth {
    /// Exchanges a token for an assertion, as the body of a request that its schema has checked names both.
    pub async fn issue_assertion(
        &self,
        request: &Value,
        profile: AssertionProfile,
    ) -> Result<IssuedAssertion> {
        let text = |pointer| {
            let value: Option<&Value> = request.pointer(pointer);
            value.and_then(Value::as_str).unwrap_or_default()
        };
        // Before the token, as Keystone does.
        let id = text("/scope/service_provider/id");
        let recipient = self.federation.service_provider(id).await?;
        if !recipient.enabled {
            let detail = format!("Service Provider {id} is disabled");
            return Err(Error::Forbidden { detail });
        }
        let pass = self.pass().await?;
        let token = self.validate_with(pass, text("/identity/token/id"), chrono::Duration::zero());
        let token = token.await.map_err(TokenError::into_error)?;
        token.check_reader(None)?;
        self.refuse_delegated(&token)?;
        let statement = self.statement(&token).await?;
        let response = self.signed(statement, &recipient.sp_url).await?;
        let xml = match profile {
            AssertionProfile::Response => response,
            AssertionProfile::Ecp => {
                envelope(&response, &recipient.relay_state_prefix).map_err(Error::internal)?
            }
        };
        Ok(IssuedAssertion { xml, recipient })
    }

    /// Another cloud is told of the user and all groups, and of no limit, so that a delegation would give more there than here.
    /// Keystone takes no notice of it.
    fn refuse_delegated(&self, token: &AuthToken) -> Result<()> {
        match token.delegation(&self.settings) {
            Delegation::None => Ok(()),
            Delegation::Trust(_)
            | Delegation::ApplicationCredential(_)
            | Delegation::AccessToken(_)
            | Delegation::Unnamed => Err(Error::forbidden_action(
                "Use a token that was not delegated when attempting to create a SAML assertion",
            )),
        }
    }

    /// The metadata of this identity provider, as their file has them.
    pub async fn identity_provider_metadata(&self) -> Result<Vec<u8>> {
        let path = self.settings.saml.metadata_path.clone();
        let read = spawn_blocking(move || fs::read(&path).map_err(|source| file(path, source)));
        read.await
            .map_err(Error::internal)?
            .map_err(Error::internal)
    }

    /// What another cloud is told: who the token is of, and where it holds.
    async fn statement(&self, token: &AuthToken) -> Result<Statement> {
        let project = token.project().ok_or_else(|| {
            Error::forbidden_action(
                "Use a project scoped token when attempting to create a SAML assertion",
            )
        })?;
        let user = &token.subject;
        let groups = self.groups_by_name(&user.user.id).await?;
        Ok(Statement {
            user: user.user.name.clone().unwrap_or_default(),
            user_domain: user.domain.name.clone(),
            roles: token.roles.iter().map(|role| role.name.clone()).collect(),
            project: project.name.clone(),
            project_domain: project.domain.name.clone(),
            groups,
        })
    }

    async fn groups_by_name(&self, user_id: &str) -> Result<Vec<Group>> {
        let all = Listing::default();
        let memberships = self.identity.groups_for_user(user_id, &all).await?;
        let groups: Vec<_> = memberships.items.into_iter().map(|it| it.group).collect();
        let ids: BTreeSet<&str> = groups
            .iter()
            .map(|group| group.domain_id.as_str())
            .collect();
        let domains = self.identity.domain_names(ids).await?;
        let named = groups.into_iter().filter_map(|group| {
            let mut domains = domains.iter();
            let (_, domain) = domains.find(|(id, _)| same_id(id, &group.domain_id))?;
            Some(Group {
                name: group.name,
                domain: domain.clone(),
            })
        });
        Ok(named.collect())
    }

    /// Signs on a thread that may wait: for the files of the key, which are read each time, and for the signature.
    async fn signed(&self, statement: Statement, recipient: &str) -> Result<String> {
        let (settings, recipient, now) = (
            self.settings.saml.clone(),
            recipient.to_owned(),
            self.clock.precise(),
        );
        let work = move || {
            let key = SigningKey::read(&settings.certificate, &settings.key)?;
            let issue = Issue {
                issuer: settings.metadata.entity_id.as_deref().unwrap_or_default(),
                recipient: &recipient,
                lifetime: settings.lifetime,
                now,
            };
            statement.response(&issue, &key)
        };
        let signed = spawn_blocking(work).await.map_err(Error::internal)?;
        signed.map_err(|error: SamlError| {
            Error::internal(format!("no SAML assertion was signed: {error}"))
        })
    }
}

fn file(path: PathBuf, source: std::io::Error) -> SamlError {
    SamlError::File { path, source }
}
