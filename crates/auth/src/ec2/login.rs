//! From a signed request to a token, as in `keystone/api/_shared/EC2_S3_Resource.py`.

use keystone_identity::{Project, ProjectRef, Subject};
use keystone_types::{Error, Result, same_id};
use serde_json::{Map, Value};

use super::blob::{Ec2Blob, Tie};
use super::claim::Claim;
use super::{ec2_credential_id, s3, signature};
use crate::auth::Auth;
use crate::credential::OpenCredential;
use crate::delegation::{Backing, EC2};
use crate::methods::Verified;
use crate::oauth1::check_life;
use crate::outcomes::{Outcome, Outcomes};
use crate::scope::Scope;
use crate::token::AuthToken;

/// The protocol of a signature.
#[derive(Clone, Copy, Debug)]
pub enum SigningProtocol {
    /// EC2's: the request itself is described.
    Ec2,
    /// S3's: the text that was signed is given.
    S3,
}

impl Auth {
    /// Issues a token for whoever signed a request, which `body` describes.
    pub async fn issue_for_signature(
        &self,
        protocol: SigningProtocol,
        body: &Map<String, Value>,
    ) -> Result<AuthToken> {
        let done = self.answer_signature(protocol, body).await;
        let outcome = Outcome::of(done.as_ref().err());
        self.outcomes.count(Outcomes::bit(EC2), outcome);
        done
    }

    async fn answer_signature(
        &self,
        protocol: SigningProtocol,
        body: &Map<String, Value>,
    ) -> Result<AuthToken> {
        if !self.settings.methods.iter().any(|method| method == EC2) {
            // The token would not tell that it is a delegated one.
            return Err(Error::SwitchedOff(
                "Cannot mint a token from an EC2 or S3 credential: the ec2credential auth method is not enabled. Add \
                 ec2credential to the [auth] methods configuration option."
                    .to_owned(),
            ));
        }
        let claim = Claim::parse(body)?;
        let OpenCredential { credential, blob } = self.ec2_credential(&claim.access).await?;
        let blob = Ec2Blob::stored(&credential.id, &blob)?;
        let secret = blob
            .secret()
            .ok_or_else(|| Error::unauthorized("the credential has no secret"))?;
        match protocol {
            SigningProtocol::Ec2 => signature::check(&claim, &secret)?,
            SigningProtocol::S3 => s3::check(&claim, &secret)?,
        }
        let project_id = credential.project_id.as_deref();
        let (project, subject) = self.enabled(project_id, &credential.user_id).await?;
        claim.check_age(self.clock.precise(), self.settings.signature_life)?;
        let backing = self.tied(&credential.user_id, &blob).await?;
        check_owner(&backing, &credential.user_id)?;
        check_project(&backing, &project)?;
        // A credential that was made while impersonating is the trustor's, and tokens are the trustee's.
        let bearer = backing.impersonator().cloned().unwrap_or(subject);
        if !bearer.user.enabled {
            return Err(Error::unauthorized(
                "the trustee of the EC2 credential is disabled",
            ));
        }
        let verified = Verified {
            backing,
            ..Verified::by(EC2, bearer)
        };
        self.mint(verified, Scope::Project(project)).await
    }

    /// The credential with an access key.
    async fn ec2_credential(&self, access: &str) -> Result<OpenCredential> {
        let unknown = || Error::Missing("EC2 access key not found.".to_owned());
        match self.credentials().open(&ec2_credential_id(access)).await {
            Ok(open) if open.credential.credential_type == "ec2" => Ok(open),
            Ok(_) => Err(unknown()),
            Err(error) if error.is_not_found() => Err(unknown()),
            Err(error) => Err(error),
        }
    }

    /// The record that a credential of a user is tied to; one that the user made directly is tied to none.
    async fn tied(&self, user_id: &str, blob: &Ec2Blob) -> Result<Backing> {
        Ok(match blob.tie() {
            Tie::None => Backing::User,
            Tie::Trust(id) => Backing::Trust(self.trust(&id).await?.into()),
            Tie::ApplicationCredential(id) => {
                let credential = self.application_credential_of(user_id, &id).await?;
                Backing::ApplicationCredential(credential.into())
            }
            Tie::AccessToken(id) => {
                let access = self.access_token(&id).await?;
                check_life("Access token", access.expires_at.as_deref(), &self.clock)?;
                Backing::AccessToken(access.into())
            }
        })
    }

    /// A project and a user that are enabled, with their domains.
    async fn enabled(
        &self,
        project_id: Option<&str>,
        user_id: &str,
    ) -> Result<(ProjectRef, Subject)> {
        let project_id = project_id.ok_or_else(|| Error::not_found::<Project>("None"))?;
        let (project, subject) = tokio::join!(
            self.identity.project_ref(project_id),
            self.identity.subject(user_id),
        );
        let (project, subject) = (project?, subject?);
        let kinds = [
            ("user", subject.user.enabled),
            ("user's domain", subject.domain.enabled),
            ("project", project.enabled),
            ("project's domain", project.domain.enabled),
        ];
        match kinds.iter().find(|(_, enabled)| !enabled) {
            Some((kind, _)) => Err(Error::unauthorized(format!(
                "the {kind} of the EC2 credential is disabled"
            ))),
            None => Ok((project, subject)),
        }
    }
}

/// 401 where the keys are tied to what somebody else has delegated: anybody can write the id of a trust or of an access token
/// into a credential.
fn check_owner(backing: &Backing, user_id: &str) -> Result<()> {
    let owner = match backing {
        Backing::Trust(trust) if trust.impersonation => &trust.trustor_user_id,
        // Without impersonation the owner gets the token, and has to be the trustee for it. An application credential is
        // looked up by its owner.
        Backing::User
        | Backing::Federated(_)
        | Backing::Trust(_)
        | Backing::ApplicationCredential(_)
        | Backing::Certificate { .. } => return Ok(()),
        Backing::AccessToken(access) => &access.authorizing_user_id,
    };
    if same_id(owner, user_id) {
        return Ok(());
    }
    Err(Error::unauthorized(
        "the EC2 credential is tied to what was delegated to somebody else",
    ))
}

/// 401 where the record that the keys are tied to is for another project, which must not become reachable by them.
/// Keystone does not ask for the project of a trust.
fn check_project(backing: &Backing, project: &ProjectRef) -> Result<()> {
    let project_id = match backing {
        Backing::User | Backing::Federated(_) | Backing::Certificate { .. } => return Ok(()),
        Backing::Trust(trust) => trust.project_id.as_deref(),
        Backing::ApplicationCredential(credential) => credential.project_id.as_deref(),
        Backing::AccessToken(access) => Some(access.project_id.as_str()),
    };
    if project_id.is_some_and(|id| same_id(id, &project.id)) {
        return Ok(());
    }
    Err(Error::unauthorized(
        "the EC2 credential is for another project than what it is tied to",
    ))
}
