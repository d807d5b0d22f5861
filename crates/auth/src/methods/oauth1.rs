//! `oauth1`: a consumer's signature with an access token, in the header of the login.

use keystone_types::{Error, Result};

use super::Verified;
use crate::auth::Auth;
use crate::delegation::Backing;
use crate::error::TokenError;
use crate::oauth1::{Breach, SignedRequest, as_unauthorized, check_life};

pub(super) const NAME: &str = "oauth1";

/// As `keystone/auth/plugins/oauth1.py`. That takes any consumer whose signature holds, and so does this: the signature
/// takes the access token's secret, which only its own consumer was given.
pub(super) async fn verify(auth: &Auth, request: &SignedRequest) -> Result<Verified> {
    let header = request.header()?;
    let id = header.raw("oauth_token");
    let id = id.ok_or_else(|| Error::expecting("oauth_token", "request"))?;
    let access = auth.access_token(id).await?;
    check_life("Access token", access.expires_at.as_deref(), &auth.clock)?;
    let protocol = request.protocol(&header);
    let protocol = protocol.map_err(Breach::unauthorized)?;
    let checked = protocol
        .check(auth.clock.precise())
        .and_then(|()| protocol.check_token());
    checked.map_err(Breach::unauthorized)?;
    let consumer = protocol.get("oauth_consumer_key").unwrap_or_default();
    let consumer = auth.consumer_key(consumer).await.map_err(as_unauthorized)?;
    if !protocol.is_signed_with(&consumer.secret, Some(&access.secret)) {
        return Err(Error::unauthorized("Could not validate the access token"));
    }
    let subject = auth.identity.subject(&access.authorizing_user_id).await?;
    let scope = auth.current_project(&access.project_id).await;
    let mut verified = Verified::by(NAME, subject);
    verified.fixed_scope = Some(scope.map_err(TokenError::into_error)?);
    verified.backing = Backing::AccessToken(access.into());
    Ok(verified)
}
