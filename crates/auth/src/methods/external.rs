//! `external` and `kerberos`: a web server in front of this one vouches for the user.

use keystone_types::{Error, Result};

use super::Verified;
use crate::auth::Auth;
use crate::choice::masked;
use crate::environment::Environment;
use crate::settings::ExternalDomain;

pub(crate) const NAME: &str = "external";
pub(super) const KERBEROS: &str = "kerberos";

impl Auth {
    /// The user in `REMOTE_USER`; 401 without one.
    ///
    /// As in `keystone/auth/plugins/external.py`, nobody asks here whether the user is enabled: the token of a disabled one
    /// fails at its first validation.
    pub(crate) async fn external(&self, environment: &Environment) -> Result<Verified> {
        self.remote_user(NAME, environment, self.settings.external)
            .await
    }

    /// The same for a user that Kerberos has authenticated.
    pub(super) async fn kerberos(&self, environment: &Environment) -> Result<Verified> {
        if environment.get("AUTH_TYPE") != Some("Negotiate") {
            return Err(Error::unauthorized("AUTH_TYPE is not Negotiate"));
        }
        self.remote_user(KERBEROS, environment, ExternalDomain::Remote)
            .await
    }

    async fn remote_user(
        &self,
        method: &str,
        environment: &Environment,
        domain: ExternalDomain,
    ) -> Result<Verified> {
        let name = environment
            .get("REMOTE_USER")
            .ok_or_else(|| Error::unauthorized("nobody is authenticated externally"))?;
        let domain_id = match (domain, environment.get("REMOTE_DOMAIN")) {
            (ExternalDomain::Remote, Some(name)) => {
                masked(self.identity.domain_by_name(name).await)?.id
            }
            (ExternalDomain::Remote, None) | (ExternalDomain::Default, _) => {
                self.settings.default_domain_id.clone()
            }
        };
        let subject = masked(
            self.identity
                .subject_by_name(name, keystone_identity::DomainChoice::Id(&domain_id))
                .await,
        )?;
        Ok(Verified::by(method, subject))
    }
}
