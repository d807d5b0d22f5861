//! The caller of a request, and what the service's policy lets them do.

use std::ops::Deref;
use std::sync::Arc;

use keystone_policy::{Denied, Enforcer};
use serde_json::{Value, json};

use crate::token_info::TokenInfo;

/// The caller of a request, whose token the guard has validated: an extension of the request, and with the feature
/// `axum` an extractor.
///
/// It is what Keystone says about the token ([`TokenInfo`]), with the service that acts for the user where there is one.
#[derive(Clone, Debug)]
pub struct Token {
    user: Arc<TokenInfo>,
    service: Option<Arc<TokenInfo>>,
    policy: Option<Arc<Enforcer>>,
}

impl Token {
    pub(crate) fn new(
        user: Arc<TokenInfo>,
        service: Option<Arc<TokenInfo>>,
        policy: Option<Arc<Enforcer>>,
    ) -> Self {
        Self {
            user,
            service,
            policy,
        }
    }

    /// What Keystone says about the token of the service that acts for the user: the one in `X-Service-Token`.
    pub fn service(&self) -> Option<&TokenInfo> {
        self.service.as_deref()
    }

    /// Whether the caller may do on `target` what `rule` is about, by the policy that the guard was given.
    ///
    /// `target` has the attributes of what is to be changed or shown, as the rules name them, such as `project_id`. A
    /// rule with an `http:` check waits for another server, and its thread with it.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Denied`], to be answered with 403, and [`PolicyError::NoPolicy`] if the guard has none.
    pub fn enforce(&self, rule: &str, target: &Value) -> Result<(), PolicyError> {
        let policy = self.policy.as_ref().ok_or(PolicyError::NoPolicy)?;
        let denied = policy.enforce(rule, target, &self.policy_credentials());
        denied.map_err(PolicyError::Denied)
    }

    /// What rules know of the caller: the dictionary of `to_policy_values` in `oslo_context/context.py`.
    pub fn policy_credentials(&self) -> Arc<Value> {
        let Some(service) = &self.service else {
            let made = &self.user.policy_credentials;
            return Arc::clone(made.get_or_init(|| Arc::new(credentials(&self.user, None))));
        };
        Arc::new(credentials(&self.user, Some(service)))
    }
}

impl Deref for Token {
    type Target = TokenInfo;

    fn deref(&self) -> &TokenInfo {
        &self.user
    }
}

fn credentials(user: &TokenInfo, service: Option<&TokenInfo>) -> Value {
    let project = user.project.as_ref();
    let service_project = service.and_then(|service| service.project.as_ref());
    json!({
        "user_id": user.user.id,
        "user_domain_id": user.user.domain.id,
        "system_scope": user.system_scope(),
        "domain_id": user.domain.as_ref().map(|domain| &domain.id),
        "project_id": project.map(|project| &project.id),
        "project_domain_id": project.map(|project| &project.domain.id),
        "roles": role_names(user),
        "is_admin_project": user.is_admin_project,
        "service_user_id": service.map(|service| &service.user.id),
        "service_user_domain_id": service.map(|service| &service.user.domain.id),
        "service_project_id": service_project.map(|project| &project.id),
        "service_project_domain_id": service_project.map(|project| &project.domain.id),
        "service_roles": service.map_or_else(Vec::new, role_names),
    })
}

fn role_names(token: &TokenInfo) -> Vec<&str> {
    token.roles.iter().map(|role| role.name.as_str()).collect()
}

/// Why [`Token::enforce`] does not let a request pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The policy forbids it, or could not be asked.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The guard was given no policy.
    #[error("the guard has no policy")]
    NoPolicy,
}

#[cfg(test)]
mod tests;
