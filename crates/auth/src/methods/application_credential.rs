//! `application_credential`: a program with the secret that a user gave it.

use keystone_identity::password::Claimant;
use keystone_python::is_true;
use keystone_types::{Error, Result, Secret};
use serde_json::{Map, Value};

use super::Verified;
use crate::application_credential::ApplicationCredential;
use crate::auth::Auth;
use crate::choice::{DomainChoice, UserChoice, text};
use crate::delegation::Backing;
use crate::error::TokenError;

pub(super) const NAME: &str = "application_credential";

/// An application credential and its secret.
#[derive(Debug)]
pub(crate) struct PresentedCredential {
    choice: Choice,
    secret: PresentedSecret,
    found: Option<Box<ApplicationCredential>>,
}

/// An application credential, by id or by name.
#[derive(Debug)]
enum Choice {
    Id(String),
    Name(String, Owner),
}

/// The user whose it is.
#[derive(Debug)]
enum Owner {
    Id(String),
    Name(String, DomainChoice),
}

#[derive(Debug)]
enum PresentedSecret {
    Missing,
    Text(Secret),
    NoText,
}

impl PresentedCredential {
    pub(super) fn by_id(id: String, secret: Secret) -> Self {
        Self {
            choice: Choice::Id(id),
            secret: PresentedSecret::Text(secret),
            found: None,
        }
    }

    pub(super) fn parse(data: &Value) -> Result<Self> {
        let nothing = Map::new();
        let data = data.as_object().unwrap_or(&nothing);
        Ok(Self {
            choice: Choice::parse(data)?,
            secret: match data.get("secret") {
                None | Some(Value::Null) => PresentedSecret::Missing,
                Some(Value::String(secret)) => PresentedSecret::Text(secret.as_str().into()),
                Some(_) => PresentedSecret::NoText,
            },
            found: None,
        })
    }

    /// Finds the credential; an unknown id is a 404 here, whatever the secret is.
    pub(super) async fn look_up(&mut self, auth: &Auth) -> Result<()> {
        let found = match &self.choice {
            Choice::Id(id) => auth.application_credential(id).await?,
            Choice::Name(name, owner) => {
                let user_id = auth.owner(owner).await?;
                let found = auth.application_credential_named(&user_id, name).await?;
                found.ok_or_else(|| {
                    Error::unauthorized(format!(
                        "user {user_id} has no application credential of this name"
                    ))
                })?
            }
        };
        self.found = Some(Box::new(found));
        Ok(())
    }

    pub(super) async fn verify(self, auth: &Auth, client: &Claimant) -> Result<Verified> {
        let credential = self
            .found
            .ok_or_else(|| Error::internal("the application credential was not looked up"))?;
        let refused = |reason: &str| {
            Error::unauthorized(format!(
                "application credential {}: {reason}",
                credential.id
            ))
        };
        // Whose it is: the request can't name somebody else.
        let owner = UserChoice::Id(credential.user_id.clone());
        let subject = auth.find_user(&owner, None).await?;
        let secret = match self.secret {
            PresentedSecret::Text(secret) => secret,
            PresentedSecret::Missing => return Err(refused("no secret was presented")),
            PresentedSecret::NoText => return Err(Error::expecting("string", "password")),
        };
        let claimant = client.clone().marked(&credential.id);
        if !auth.verify_secret(secret, &credential, &claimant).await? {
            return Err(refused("the secret is wrong"));
        }
        if credential.has_expired(auth.clock.precise()) {
            return Err(refused("it has expired"));
        }
        let Some(project_id) = &credential.project_id else {
            return Err(refused("it is for no project"));
        };
        let scope = auth.current_project(project_id).await;
        let scope = scope.map_err(TokenError::into_error)?;
        let mut verified = Verified::by(NAME, subject);
        verified.fixed_scope = Some(scope);
        verified.backing = Backing::ApplicationCredential(credential);
        Ok(verified)
    }
}

impl Choice {
    fn parse(data: &Map<String, Value>) -> Result<Self> {
        const WHERE: &str = "application credential";
        if let Some(id) = given(data, "id") {
            return Ok(Self::Id(id));
        }
        let name = given(data, "name").ok_or_else(|| Error::expecting("name or ID", WHERE))?;
        let user = data.get("user").filter(|user| is_true(user));
        let user = user.and_then(Value::as_object);
        let user = user.ok_or_else(|| Error::expecting("user", WHERE))?;
        Ok(Self::Name(name, Owner::parse(user)?))
    }
}

/// A value that says something, as text: Keystone compares a number with the texts in the database.
fn given(data: &Map<String, Value>, name: &str) -> Option<String> {
    let value = data.get(name).filter(|value| is_true(value))?;
    Some(match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

impl Owner {
    fn parse(user: &Map<String, Value>) -> Result<Self> {
        if let Some(id) = given(user, "id") {
            return Ok(Self::Id(id));
        }
        let domain = user
            .get("domain")
            .ok_or_else(|| Error::expecting("domain", "user"))?;
        let name = text(user, "name").ok_or_else(|| Error::expecting("name", "user"))?;
        Ok(Self::Name(name.to_owned(), DomainChoice::parse(domain)))
    }
}

impl Auth {
    /// Whether this is the credential's secret, which was read for this login; hashes it unless that was done a short time
    /// ago.
    async fn verify_secret(
        &self,
        secret: Secret,
        credential: &ApplicationCredential,
        claimant: &Claimant,
    ) -> Result<bool> {
        let hash = credential.secret_hash.reveal();
        if self.verified_secrets.contains(&secret, hash) {
            return Ok(true);
        }
        let hasher = self.identity.hasher();
        let verified = hasher.verify_secret(secret.clone(), hash.to_owned(), claimant);
        let verified = verified.await?;
        if verified {
            self.verified_secrets.insert(&secret, hash);
        }
        Ok(verified)
    }

    /// The id of the user who is named as the owner; an unknown name is a 404, as in `keystone/auth/core.py`.
    async fn owner(&self, owner: &Owner) -> Result<String> {
        Ok(match owner {
            Owner::Id(id) => id.clone(),
            Owner::Name(name, domain) => {
                let domain = self.find_domain(domain).await?;
                let domain = keystone_identity::DomainChoice::Id(&domain.id);
                let found = self.identity.subject_by_name(name, domain).await?;
                found.user.id
            }
        })
    }
}
