//! The answer about tokens for what guards a service in the same process.

use chrono::Duration;
use keystone_auth::TokenError;
use keystone_types::{NotValidated, TokenBody, Validate, Wanted};

use crate::Keystone;

/// Validates tokens by the services of a [`Keystone`] in this process: each answer reflects every write that was
/// finished before it was asked for.
#[derive(Clone, Debug)]
pub struct Validator(Keystone);

impl Keystone {
    /// What the guard of a service in the same process asks about tokens.
    pub fn validator(&self) -> Validator {
        Validator(self.clone())
    }
}

impl Validate for Validator {
    async fn validate(&self, token: &str, wanted: Wanted) -> Result<TokenBody, NotValidated> {
        let auth = self.0.auth();
        let window = if wanted.expired {
            auth.settings().allow_expired_window
        } else {
            Duration::zero()
        };
        let pass = auth.pass().await.map_err(NotValidated::unreachable)?;
        let token = auth
            .validate_with(pass, token, window)
            .await
            .map_err(reason)?;
        let shared = if wanted.catalog {
            auth.shared_parts(pass, &token).await
        } else {
            auth.shared_parts_without_catalog(pass).await
        };
        let shared = shared.map_err(NotValidated::unreachable)?;
        Ok(token.render(auth.settings(), shared))
    }
}

/// What Keystone would answer with 404 is an invalid token; everything else is a failure.
fn reason(error: TokenError) -> NotValidated {
    let error = error.into_error();
    if error.status() == 404 {
        NotValidated::Invalid
    } else {
        NotValidated::unreachable(error)
    }
}
