//! `OAuth2` clients that authenticate by a certificate: `tls_client_auth` of RFC 8705, as `keystone/api/os_oauth2.py` has
//! it. The client is a user, and a mapping tells whose the certificate is.

use std::collections::BTreeSet;

use keystone_federation::{MappedUser, Mapping, MappingError};
use keystone_identity::Subject;
use keystone_types::Error;

use crate::auth::Auth;
use crate::certificate::Certificate;
use crate::delegation::Backing;
use crate::environment::Environment;
use crate::error::TokenError;
use crate::methods::Verified;
use crate::outcomes::{Outcome, Outcomes};
use crate::token::AuthToken;

/// The method of the tokens, which nobody can ask for and which leaves no bit in one.
const METHOD: &str = "oauth2_credential";

/// Why a client gets no token for its certificate.
#[derive(Debug)]
pub enum ClientRefused {
    /// The client did not authenticate; the reason is for the log.
    Unauthenticated(String),
    /// It did, or this server failed.
    Failed(Error),
}

impl From<Error> for ClientRefused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Auth {
    /// Issues a token of a user on its default project, bound to the client's certificate. As in Keystone nobody asks
    /// whether the user is enabled: the token of a disabled one fails at its first validation.
    pub async fn issue_for_certificate(
        &self,
        client_id: &str,
        environment: &Environment,
    ) -> Result<AuthToken, ClientRefused> {
        let done = self.certified(client_id, environment).await;
        let outcome = match &done {
            Ok(_) => Outcome::Success,
            Err(ClientRefused::Unauthenticated(_)) => Outcome::Refused,
            Err(ClientRefused::Failed(error)) => Outcome::of(Some(error)),
        };
        self.outcomes.count(Outcomes::bit(METHOD), outcome);
        done
    }

    async fn certified(
        &self,
        client_id: &str,
        environment: &Environment,
    ) -> Result<AuthToken, ClientRefused> {
        let unauthenticated = |reason: &str| ClientRefused::Unauthenticated(reason.to_owned());
        let variable = environment.get("SSL_CLIENT_CERT").unwrap_or_default();
        let certificate = Certificate::from_variable(variable);
        let certificate =
            certificate.ok_or_else(|| unauthenticated("SSL_CLIENT_CERT is no certificate"))?;
        let attributes = certificate
            .oauth2_attributes()
            .ok_or_else(|| unauthenticated("a name in the certificate can't be read"))?;
        let subject = match self.identity.subject(client_id).await {
            Err(Error::NotFound { .. }) => return Err(unauthenticated("there is no such user")),
            other => other?,
        };
        let project_id = subject.user.default_project_id.clone();
        let project_id = project_id
            .filter(|id| !id.is_empty())
            .ok_or_else(|| unauthenticated("the user has no default project"))?;
        let mapping = self.certificate_mapping().await?;
        let mapped = mapping.apply(&attributes.into_iter().collect());
        let mapped = mapped.map_err(|error| unmapped(&mapping, &error))?;
        check_user(&mapped.user, &subject).map_err(ClientRefused::Unauthenticated)?;
        let scope = self.current_project(&project_id).await;
        let scope = scope.map_err(TokenError::into_error)?;
        if !subject.domain.enabled {
            let error = crate::error::disabled("domain", &subject.domain.id);
            return Err(error.into_error().into());
        }
        let verified = Verified {
            subject,
            methods: BTreeSet::from([METHOD.to_owned()]),
            backing: Backing::Certificate {
                thumbprint: certificate.thumbprint(),
                domain_id: None,
            },
            fixed_scope: None,
            expires_at: None,
            chain: None,
            roles: None,
        };
        Ok(self.mint(verified, scope).await?)
    }

    /// The mapping of `[oauth2] oauth2_cert_dn_mapping_id`, whose rules are always those of version 1.0.
    async fn certificate_mapping(&self) -> Result<Mapping, ClientRefused> {
        let id = &self.settings.oauth2_mapping;
        match self.federation.mapping(id).await {
            Err(Error::NotFound { .. }) => Err(ClientRefused::Unauthenticated(format!(
                "there is no mapping {id}, which [oauth2] oauth2_cert_dn_mapping_id names"
            ))),
            found => Ok(found?.as_version_1()),
        }
    }
}

fn unmapped(mapping: &Mapping, error: &MappingError) -> ClientRefused {
    let text = format!("mapping {}: {error}", mapping.id());
    match error {
        MappingError::Unmapped | MappingError::Refused(_) | MappingError::OutOfRange { .. } => {
            ClientRefused::Unauthenticated(text)
        }
        MappingError::Broken(_) => ClientRefused::Failed(Error::internal(text)),
    }
}

/// Holds everything that the mapping says of a user against the one that the client names. In Keystone a mapping that says
/// nothing lets every certificate be every user; here it lets none be one.
fn check_user(mapped: &MappedUser, subject: &Subject) -> Result<(), String> {
    let user = &subject.user;
    if [&mapped.name, &mapped.id, &mapped.email]
        .iter()
        .all(|said| said.as_deref().is_none_or(str::is_empty))
    {
        return Err("the mapping says nothing of the certificate's user".to_owned());
    }
    let domain = mapped.domain.clone().unwrap_or_default();
    let email = user.extra.0.get("email").and_then(|email| email.as_str());
    for (what, said, known) in [
        ("name", &mapped.name, Some(user.name())),
        ("id", &mapped.id, Some(user.id.as_str())),
        ("email", &mapped.email, email),
        ("domain id", &domain.id, Some(subject.domain.id.as_str())),
        (
            "domain name",
            &domain.name,
            Some(subject.domain.name.as_str()),
        ),
    ] {
        let said = said.as_deref().filter(|said| !said.is_empty());
        if said.is_some() && said != known {
            return Err(format!(
                "the certificate is of another {what} than user {}",
                user.id
            ));
        }
    }
    Ok(())
}
