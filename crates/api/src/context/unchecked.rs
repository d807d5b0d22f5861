//! Reads that are allowed before a rule is asked.

use std::sync::Arc;

use chrono::Duration;
use keystone_auth::{ApplicationCredential, AuthToken, Pass, TokenError, Trust};
use keystone_identity::{Credential, Domain, Group, Limit, Project, Role, User};
use keystone_types::Result;

use crate::App;

/// Reads for the target of a rule. It hands out no service, so that nothing can be changed without a rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unchecked<'a>(pub(super) &'a App, pub(super) Option<Pass>);

impl<'a> Unchecked<'a> {
    pub(crate) async fn application_credential(self, id: &str) -> Result<ApplicationCredential> {
        self.0.auth.application_credential(id).await
    }

    pub(crate) async fn credential(self, id: &str) -> Result<Credential> {
        self.0.identity.credential(id).await
    }

    pub(crate) async fn domain(self, id: &str) -> Result<Domain> {
        self.0.identity.domain(id).await
    }

    pub(crate) async fn group(self, id: &str) -> Result<Group> {
        self.0.identity.group(id).await
    }

    pub(crate) async fn limit(self, id: &str) -> Result<Limit> {
        self.0.identity.limit(id).await
    }

    pub(crate) async fn project(self, id: &str) -> Result<Project> {
        self.0.identity.project(id).await
    }

    pub(crate) async fn role(self, id: &str) -> Result<Role> {
        self.0.identity.role(id).await
    }

    pub(crate) async fn trust(self, id: &str) -> Result<Trust> {
        self.0.auth.trust(id).await
    }

    pub(crate) async fn user(self, id: &str) -> Result<User> {
        self.0.identity.user(id).await
    }

    pub(crate) async fn token(
        self,
        id: &str,
        window: Duration,
    ) -> Result<Arc<AuthToken>, TokenError> {
        let pass = match self.1 {
            Some(pass) => pass,
            None => self.0.auth.pass().await?,
        };
        self.0.auth.validate_with(pass, id, window).await
    }

    pub(crate) fn auth_settings(self) -> &'a keystone_auth::Settings {
        self.0.auth.settings()
    }
}
