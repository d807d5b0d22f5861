//! What the bodies of tokens share, which is rendered once for all of them: the catalog and the service providers.

use std::sync::Arc;

use keystone_cache::{Pass, Source};
use keystone_federation::NamedServiceProvider;
use keystone_types::{Error, Result, to_python_json};
use serde_json::Value;

use crate::auth::Auth;
use crate::remembered::catalog_dependencies;
use crate::token::AuthToken;

/// What stands between a token's own parts in its body.
#[derive(Clone, Debug)]
pub struct SharedParts {
    /// The member of the body as it stands there; none for an unscoped token, or where it is not wanted.
    pub(crate) catalog: Option<Arc<[u8]>>,
    pub(crate) service_providers: Arc<ServiceProviders>,
}

/// The service providers that every token names.
#[derive(Debug)]
pub(crate) struct ServiceProviders {
    pub(crate) list: Value,
    /// The member of a token's body as it stands there; empty where there are none.
    pub(crate) text: Arc<[u8]>,
}

impl ServiceProviders {
    fn new(named: &[NamedServiceProvider]) -> Result<Self> {
        let list = serde_json::to_value(named).map_err(Error::internal)?;
        let text = if named.is_empty() {
            String::new()
        } else {
            format!(", \"service_providers\": {}", to_python_json(&list))
        };
        let text = text.into_bytes().into();
        Ok(Self { list, text })
    }
}

impl Auth {
    /// What the body of a token shares with those of others.
    pub async fn shared_parts(&self, pass: Pass, token: &AuthToken) -> Result<SharedParts> {
        Ok(SharedParts {
            catalog: self.rendered_catalog(pass, token).await?,
            service_providers: self.known_service_providers(pass).await?,
        })
    }

    /// The same without the catalog.
    pub async fn shared_parts_without_catalog(&self, pass: Pass) -> Result<SharedParts> {
        Ok(SharedParts {
            catalog: None,
            service_providers: self.known_service_providers(pass).await?,
        })
    }

    /// `service_providers` of every token; absent where there are none.
    pub async fn service_providers(&self, pass: Pass) -> Result<Option<Value>> {
        let known = self.known_service_providers(pass).await?;
        Ok((!known.text.is_empty()).then(|| known.list.clone()))
    }

    /// The credentials that rules see of a token. They have the catalog and the service providers, which the database is asked
    /// for, only where `may_read` says that the rule can see them.
    pub async fn policy_credentials(
        &self,
        pass: Pass,
        token: &AuthToken,
        may_read: impl Fn(&[&str]) -> bool,
    ) -> Result<Arc<Value>> {
        let credentials = token.policy_credentials(&self.settings);
        let mut parts = Vec::new();
        if may_read(&["token", "catalog"]) {
            parts.push(("catalog", self.catalog_of(pass, token).await?));
        }
        if may_read(&["token", "service_providers"]) {
            parts.push(("service_providers", self.service_providers(pass).await?));
        }
        parts.retain(|(_, part)| part.is_some());
        if parts.is_empty() {
            return Ok(credentials);
        }
        let mut credentials = Value::clone(&credentials);
        for (name, part) in parts {
            credentials["token"][name] = part.into();
        }
        Ok(Arc::new(credentials))
    }

    async fn known_service_providers(&self, pass: Pass) -> Result<Arc<ServiceProviders>> {
        let remembered = &self.remembered.service_providers;
        let from_memory = pass.source == Source::Memory;
        if let Some(known) = from_memory.then(|| remembered.get("")).flatten() {
            return Ok(known);
        }
        let as_of = remembered.now();
        let named = self.federation.named_service_providers().await?;
        let known = Arc::new(ServiceProviders::new(&named)?);
        let bytes = 4 * known.text.len();
        let on = catalog_dependencies();
        remembered.put("", as_of, Arc::clone(&known), bytes, on);
        Ok(known)
    }
}
