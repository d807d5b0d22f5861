//! `password`: a user with a password.

use keystone_identity::password::Claimant;
use keystone_types::{Error, Result, Secret};
use serde_json::Value;

use super::Verified;
use crate::auth::Auth;
use crate::choice::{UserChoice, text};

pub(super) const NAME: &str = "password";

/// A user and the password.
#[derive(Debug)]
pub(crate) struct Password {
    pub(super) user: UserChoice,
    pub(super) password: Secret,
}

impl Password {
    pub(super) fn parse(data: &Value) -> Result<Self> {
        let user = data.get("user").and_then(Value::as_object);
        let user = user.ok_or_else(|| Error::expecting("user", "None"))?;
        let password = Secret::from(text(user, "password").unwrap_or_default());
        Ok(Self {
            user: UserChoice::parse(user)?,
            password,
        })
    }

    pub(super) async fn verify(self, auth: &Auth, client: &Claimant) -> Result<Verified> {
        let claimant = client.clone().marked(&self.user);
        let identity = &auth.identity;
        let candidate = match auth.find_candidate(&self.user).await {
            Err(error @ Error::Unauthorized { .. }) => {
                // As long as a wrong password takes.
                identity
                    .authenticate_nobody(self.password, &claimant)
                    .await?;
                return Err(error);
            }
            other => other?,
        };
        let subject = candidate.subject.clone();
        identity
            .authenticate(candidate, self.password, &claimant)
            .await?;
        Ok(Verified::by(NAME, subject))
    }
}
