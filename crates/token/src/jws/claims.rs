//! The claims of a signed token, as in `keystone/token/providers/jws/core.py`.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::msgpack::from_timestamp;
use crate::token::{Federation, Origin, ScopeIds, Token};

const SYSTEM: &str = "all";

/// All claims in Keystone's order; an absent one says nothing.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    sub: String,
    iat: i64,
    exp: i64,
    openstack_methods: Vec<String>,
    openstack_audit_ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openstack_system: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openstack_domain_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openstack_project_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openstack_trust_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openstack_group_ids: Option<Vec<Group>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openstack_idp_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openstack_protocol_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openstack_access_token_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openstack_app_cred_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openstack_thumbprint: Option<String>,
}

/// A group that an identity provider vouched for.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    id: String,
}

impl Claims {
    /// The claims of a token. Each scope has room beside each origin.
    pub(super) fn of(token: &Token) -> Self {
        let mut claims = Self {
            sub: token.user_id.clone(),
            iat: token.issued_at.and_utc().timestamp(),
            exp: token.expires_at.and_utc().timestamp(),
            openstack_methods: token.methods.clone(),
            openstack_audit_ids: token.audit_ids.clone(),
            ..Self::default()
        };
        match &token.scope {
            ScopeIds::Unscoped => {}
            ScopeIds::System => claims.openstack_system = Some(SYSTEM.to_owned()),
            ScopeIds::Domain(id) => claims.openstack_domain_id = Some(id.clone()),
            ScopeIds::Project(id) => claims.openstack_project_id = Some(id.clone()),
        }
        match &token.origin {
            Origin::User => {}
            Origin::Federated(federation) => {
                let groups = federation.group_ids.iter().cloned();
                claims.openstack_group_ids = Some(groups.map(|id| Group { id }).collect());
                claims.openstack_idp_id = Some(federation.identity_provider_id.clone());
                claims.openstack_protocol_id = Some(federation.protocol_id.clone());
            }
            Origin::Trust { trust_id } => claims.openstack_trust_id = Some(trust_id.clone()),
            Origin::ApplicationCredential { app_cred_id } => {
                claims.openstack_app_cred_id = Some(app_cred_id.clone());
            }
            Origin::OAuth1 { access_token_id } => {
                claims.openstack_access_token_id = Some(access_token_id.clone());
            }
            Origin::OAuth2Mtls {
                thumbprint,
                domain_id,
            } => {
                claims.openstack_thumbprint = Some(thumbprint.clone());
                if let Some(domain_id) = domain_id {
                    claims.openstack_domain_id = Some(domain_id.clone());
                }
            }
        }
        claims
    }

    /// The token with these claims.
    pub(super) fn token(mut self) -> Result<Token> {
        let origin = self.origin()?;
        Ok(Token {
            scope: self.scope()?,
            origin,
            user_id: self.sub,
            methods: self.openstack_methods,
            issued_at: from_timestamp(self.iat)?,
            expires_at: from_timestamp(self.exp)?,
            audit_ids: self.openstack_audit_ids,
        })
    }

    /// The one delegation or federation that is claimed.
    fn origin(&mut self) -> Result<Origin> {
        let federation = (
            self.openstack_idp_id.take(),
            self.openstack_protocol_id.take(),
            self.openstack_group_ids.take(),
        );
        let federation = match federation {
            (None, None, None) => None,
            (Some(identity_provider_id), Some(protocol_id), groups) => Some(Federation {
                group_ids: groups
                    .unwrap_or_default()
                    .into_iter()
                    .map(|group| group.id)
                    .collect(),
                identity_provider_id,
                protocol_id,
            }),
            _ => return Err(Error::Malformed("federation")),
        };
        let access_token = self.openstack_access_token_id.take();
        let (trust, credential) = (
            self.openstack_trust_id.take(),
            self.openstack_app_cred_id.take(),
        );
        let certificate = self.openstack_thumbprint.take().map(|thumbprint| {
            let has_project = self.openstack_project_id.is_some();
            Origin::OAuth2Mtls {
                thumbprint,
                domain_id: self.openstack_domain_id.take_if(|_| has_project),
            }
        });
        let delegations = [
            access_token.map(|access_token_id| Origin::OAuth1 { access_token_id }),
            trust.map(|trust_id| Origin::Trust { trust_id }),
            credential.map(|app_cred_id| Origin::ApplicationCredential { app_cred_id }),
            certificate,
        ];
        let mut delegations = delegations.into_iter().flatten();
        match (delegations.next(), delegations.next()) {
            (Some(_), Some(_)) => Err(Error::Malformed("delegation")),
            // A trust of a federated user holds what the trust delegates, as in Fernet's payload.
            (Some(delegation), None) => Ok(delegation),
            (None, _) => Ok(federation.map_or(Origin::User, Origin::Federated)),
        }
    }

    fn scope(&mut self) -> Result<ScopeIds> {
        let claimed = (
            self.openstack_system.take(),
            self.openstack_domain_id.take(),
            self.openstack_project_id.take(),
        );
        match claimed {
            (None, None, None) => Ok(ScopeIds::Unscoped),
            (Some(system), None, None) if system == SYSTEM => Ok(ScopeIds::System),
            (None, Some(id), None) => Ok(ScopeIds::Domain(id)),
            (None, None, Some(id)) => Ok(ScopeIds::Project(id)),
            _ => Err(Error::Malformed("scope")),
        }
    }
}
