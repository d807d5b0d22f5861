//! Access tokens: what a user has granted a consumer.

use chrono::Duration;
use keystone_identity::Role;
use keystone_storage::{Query, select, sql, transaction};
use keystone_types::{Clock, Error, Result, Secret, json, new_id, render_time};
use subtle::ConstantTimeEq;

use super::signed_request::SignedRequest;
use super::{check_life, request_token};
use crate::auth::Auth;

/// An access token.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AccessToken {
    /// The id, which a client calls its key.
    pub id: String,
    #[sqlx(rename = "access_secret", try_from = "String")]
    pub(crate) secret: Secret,
    /// The user who granted it.
    pub authorizing_user_id: String,
    /// The project on which the roles are.
    pub project_id: String,
    /// The roles that were granted.
    #[sqlx(try_from = "String")]
    pub role_ids: RoleIds,
    /// The consumer that it was granted to.
    pub consumer_id: String,
    /// When it ends, as stored and as served; never without it.
    pub expires_at: Option<String>,
}

/// The ids of roles, stored as a JSON list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleIds(pub Vec<String>);

impl TryFrom<String> for RoleIds {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let list = json::read(&text).map_err(|_| "not JSON")?;
        let ids = serde_json::from_value(list).map_err(|_| "not a list of ids")?;
        Ok(Self(ids))
    }
}

/// A token that a consumer gets, with its secret.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The id.
    pub id: String,
    /// The secret.
    pub secret: Secret,
    /// When it ends.
    pub expires_at: Option<String>,
}

impl Issued {
    /// A new one; a duration of zero never ends.
    pub(super) fn new(clock: &Clock, duration: Duration) -> Self {
        let expires_at = clock.now().checked_add_signed(duration);
        Self {
            id: new_id(),
            secret: new_id().into(),
            expires_at: expires_at
                .filter(|_| duration > Duration::zero())
                .map(render_time),
        }
    }
}

const ACCESS_TOKENS: &str = "\
    SELECT id, access_secret, authorizing_user_id, project_id, role_ids, consumer_id, expires_at FROM access_token";

impl Auth {
    /// Makes an access token of the request token that a user has authorized: the consumer proves it with the verifier and
    /// its signature.
    pub async fn create_access_token(&self, request: &SignedRequest) -> Result<Issued> {
        let header = request.header()?;
        let needed = |name| {
            let found = header.raw(name);
            found.ok_or_else(|| Error::expecting(name, "request"))
        };
        needed("oauth_consumer_key")?;
        let id = needed("oauth_token")?;
        needed("oauth_verifier")?;
        let token = self.request_token(id).await?;
        check_life("Request token", token.expires_at.as_deref(), &self.clock)?;
        let protocol = request.protocol(&header)?;
        protocol.check(self.clock.precise())?;
        protocol.check_verifier()?;
        let key = protocol.get("oauth_consumer_key").unwrap_or_default();
        let consumer = self.consumer_key(key).await.map_err(as_unauthorized)?;
        let verifier = protocol.get("oauth_verifier").unwrap_or_default();
        let stored = token.verifier.as_deref().unwrap_or_default();
        let is_signed = protocol.is_signed_with(&consumer.secret, Some(&token.request_secret));
        let refused = if token.consumer_id != consumer.id {
            "Provided consumer key does not match stored consumer key."
        } else if !bool::from(stored.as_bytes().ct_eq(verifier.as_bytes())) {
            "Provided verifier does not match stored verifier"
        } else if !is_signed {
            "Invalid signature"
        } else {
            return self.exchange_request_token(&token.id, verifier).await;
        };
        Err(Error::unauthorized(refused))
    }

    /// Replaces a request token by an access token: of several that try, one succeeds.
    async fn exchange_request_token(&self, id: &str, verifier: &str) -> Result<Issued> {
        let issued = Issued::new(&self.clock, self.settings.access_token_duration);
        let stored = transaction!(self.db, |tx| {
            let token: Option<request_token::RequestToken> = request_token::one(id)
                .locking()
                .fetch_optional(&mut *tx)
                .await?;
            let token = token.ok_or_else(request_token::not_found)?;
            // Another authorization since may have had other roles.
            if token.verifier.as_deref() != Some(verifier) {
                return Err(Error::unauthorized(
                    "the request token was authorized again",
                ));
            }
            sql("INSERT INTO access_token \
                   (id, access_secret, authorizing_user_id, project_id, role_ids, consumer_id, expires_at) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(&issued.id)
            .bind(issued.secret.reveal())
            .bind(token.authorizing_user_id)
            .bind(token.requested_project_id)
            .bind(token.role_ids)
            .bind(token.consumer_id)
            .bind(&issued.expires_at)
            .execute(&mut *tx)
            .await?;
            let used = sql("DELETE FROM request_token WHERE id = ?");
            used.bind(token.id).execute(tx).await?;
            Ok(())
        });
        stored.await?;
        Ok(issued)
    }

    /// One access token.
    pub async fn access_token(&self, id: &str) -> Result<AccessToken> {
        let found = one(id).fetch_optional(&self.db).await?;
        found.ok_or_else(not_found)
    }

    /// One access token that a user has granted.
    pub async fn access_token_of(&self, user_id: &str, id: &str) -> Result<AccessToken> {
        let token = self.access_token(id).await?;
        if token.authorizing_user_id == user_id {
            return Ok(token);
        }
        // Keystone does not fill in the placeholder (`keystone/api/users.py`).
        Err(Error::Missing("Could not find: %(target)s.".to_owned()))
    }

    /// The roles of an access token that a user has granted.
    pub async fn roles_of_access_token(&self, user_id: &str, id: &str) -> Result<Vec<Role>> {
        let token = self.access_token_of(user_id, id).await?;
        self.identity.roles_by_id(&token.role_ids.0).await
    }

    /// One of these roles; 404 for any other.
    pub async fn role_of_access_token(
        &self,
        user_id: &str,
        id: &str,
        role_id: &str,
    ) -> Result<Role> {
        let token = self.access_token(id).await?;
        check_granter(&token, user_id)?;
        if token.role_ids.0.iter().any(|granted| granted == role_id) {
            self.identity.role(role_id).await
        } else {
            Err(Error::not_found::<Role>(role_id))
        }
    }

    /// The access tokens that a user has granted.
    pub async fn access_tokens(&self, user_id: &str) -> Result<Vec<AccessToken>> {
        let query = select(ACCESS_TOKENS).filter("authorizing_user_id = ?", Some(user_id));
        let query = query.then(" ORDER BY id");
        Ok(query.fetch_readable(&self.db).await?)
    }

    /// Deletes an access token of a user: tokens that were made with it end, for their lookup fails.
    pub async fn delete_access_token(&self, user_id: &str, id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let token: Option<AccessToken> = one(id).locking().fetch_optional(&mut *tx).await?;
            let token = token.ok_or_else(not_found)?;
            check_granter(&token, user_id)?;
            let deleted = sql("DELETE FROM access_token WHERE id = ?");
            deleted.bind(token.id).execute(tx).await?;
            Ok(())
        })
        .await
    }
}

fn check_granter(token: &AccessToken, user_id: &str) -> Result<()> {
    if token.authorizing_user_id == user_id {
        return Ok(());
    }
    Err(Error::unauthorized("User IDs do not match"))
}

fn one(id: &str) -> Query {
    select(ACCESS_TOKENS).filter("id = ?", Some(id)).then("")
}

fn not_found() -> Error {
    Error::Missing("Access token not found".to_owned())
}

pub(crate) fn as_unauthorized(error: Error) -> Error {
    if error.is_not_found() {
        return Error::unauthorized(error.to_string());
    }
    error
}
