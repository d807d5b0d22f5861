//! `password`: a user with a password.

use keystone_types::{Error, Result, Secret};
use serde_json::Value;

use super::Verified;
use crate::announcement::announce_password;
use crate::auth::Auth;
use crate::choice::{UserChoice, text};
use crate::login::Login;

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

    pub(super) async fn verify(self, auth: &Auth, login: &Login<'_>) -> Result<Verified> {
        let claimant = login.client.clone().marked(&self.user);
        let announcer = login.announcer.as_ref();
        let identity = &auth.identity;
        let candidate = match auth.find_candidate(&self.user, announcer).await {
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
        let hashing = announcer.and(auth.settings.partial_hash.as_ref());
        let hash = hashing.map(|hashing| hashing.of(&self.password));
        let accepted = identity
            .authenticate(candidate, self.password, &claimant)
            .await;
        if let Some(announcer) = announcer {
            let user = &subject.user;
            let outcome = accepted.as_ref().map(drop);
            announce_password(announcer, &user.id, user.name.as_deref(), outcome, hash);
        }
        accepted?;
        Ok(Verified::by(NAME, subject))
    }
}
