//! Request tokens: a consumer's wish for roles on a project, until a user grants it.

use std::collections::HashSet;

use keystone_identity::Holder;
use keystone_storage::{Query, select, sql, transaction};
use keystone_token::ScopeIds;
use keystone_types::{Error, Result, Secret, to_python_json};
use serde_json::json;

use super::access_token::Issued;
use super::signed_request::SignedRequest;
use super::{VERIFIER_CHARACTERS, VERIFIER_LENGTH, check_life, consumer};
use crate::auth::Auth;
use crate::choice::RoleChoice;
use crate::scope::ask_about;

/// A request token.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct RequestToken {
    pub(super) id: String,
    #[sqlx(try_from = "String")]
    pub(super) request_secret: Secret,
    pub(super) verifier: Option<String>,
    pub(super) authorizing_user_id: Option<String>,
    pub(super) requested_project_id: String,
    /// A JSON list, which becomes the access token's as it is.
    pub(super) role_ids: Option<String>,
    pub(super) consumer_id: String,
    pub(super) expires_at: Option<String>,
}

const REQUEST_TOKENS: &str = "\
    SELECT id, request_secret, verifier, authorizing_user_id, requested_project_id, role_ids, consumer_id, expires_at \
      FROM request_token";

impl Auth {
    /// Makes a request token for the consumer that has signed for it. Policies are not asked: the signature is what counts.
    pub async fn create_request_token(
        &self,
        request: &SignedRequest,
        project_id: Option<&str>,
    ) -> Result<Issued> {
        let header = request.header()?;
        let missing = |name| Error::expecting(name, "request");
        let key = header.raw("oauth_consumer_key");
        let key = key.ok_or_else(|| missing("oauth_consumer_key"))?;
        let project_id = project_id.filter(|id| !id.is_empty());
        let project_id = project_id.ok_or_else(|| missing("Requested-Project-Id"))?;
        let project = self.identity.project_ref(project_id).await?;
        let consumer = self.consumer_key(key).await?;
        let protocol = request.protocol(&header)?;
        protocol.check(self.clock.precise())?;
        protocol.check_callback()?;
        // oauthlib takes a token that has no business here for an access token.
        let token = match protocol.get("oauth_token") {
            Some(id) => Some(self.access_token(id).await?.secret),
            None => None,
        };
        if !protocol.is_signed_with(&consumer.secret, token.as_ref()) {
            return Err(Error::unauthorized("Invalid signature"));
        }
        let issued = Issued::new(&self.clock, self.settings.request_token_duration);
        let stored = transaction!(self.db, |tx| {
            let held = sql("SELECT id FROM consumer WHERE id = ?");
            let held: Option<(String,)> = held
                .bind(&consumer.id)
                .sharing()
                .fetch_optional(&mut *tx)
                .await?;
            let (consumer_id,) = held.ok_or_else(consumer::not_found)?;
            sql("INSERT INTO request_token (id, request_secret, requested_project_id, consumer_id, expires_at) \
                 VALUES (?, ?, ?, ?, ?)")
            .bind(&issued.id)
            .bind(issued.secret.reveal())
            .bind(&project.id)
            .bind(consumer_id)
            .bind(&issued.expires_at)
            .execute(tx)
            .await?;
            Ok(())
        });
        stored.await?;
        Ok(issued)
    }

    /// Grants a request token these roles of a user, and returns its verifier. The latest grant counts.
    pub async fn authorize_request_token(
        &self,
        id: &str,
        roles: &[RoleChoice],
        user_id: Option<&str>,
    ) -> Result<String> {
        let token = self.request_token(id).await?;
        check_life("Request token", token.expires_at.as_deref(), &self.clock)?;
        let mut role_ids = self.chosen_roles(roles).await?;
        let mut seen = HashSet::new();
        role_ids.retain(|id| seen.insert(id.clone()));
        let user_id = user_id.ok_or_else(|| Error::unauthorized("no user authorizes"))?;
        let project_id = &token.requested_project_id;
        let scope = ScopeIds::Project(project_id.clone());
        let facts = self.identity.facts(ask_about(user_id, &scope)).await?;
        let project = facts.project(project_id)?;
        let held = facts.roles_on_project(Holder::User(user_id), &project.id);
        let holds = |id: &String| held.iter().any(|role| role.id == *id);
        if !role_ids.iter().all(holds) {
            return Err(Error::unauthorized(
                "authorizing user does not have role required",
            ));
        }
        let verifier = new_verifier()?;
        let authorized = sql("UPDATE request_token SET authorizing_user_id = ?, verifier = ?, role_ids = ? WHERE id = ?")
            .bind(user_id)
            .bind(&verifier)
            .bind(to_python_json(&json!(role_ids)))
            .bind(&token.id)
            .execute(&self.db)
            .await?;
        // The consumer may have been deleted meanwhile.
        if authorized == 0 {
            return Err(not_found());
        }
        Ok(verifier)
    }

    pub(super) async fn request_token(&self, id: &str) -> Result<RequestToken> {
        let found = one(id).fetch_optional(&self.db).await?;
        found.ok_or_else(not_found)
    }
}

pub(super) fn one(id: &str) -> Query {
    select(REQUEST_TOKENS).filter("id = ?", Some(id)).then("")
}

pub(super) fn not_found() -> Error {
    Error::Missing("Request token not found".to_owned())
}

/// Different characters, that are easy to tell from each other and to type.
fn new_verifier() -> Result<String> {
    let mut pool = VERIFIER_CHARACTERS.to_vec();
    let mut verifier = String::new();
    while verifier.len() < VERIFIER_LENGTH {
        let random = getrandom::u32().map_err(Error::internal)?;
        let left = u32::try_from(pool.len()).map_err(Error::internal)?;
        // The rest of a division would come out uneven at the end of the range.
        if random < u32::MAX - u32::MAX % left {
            let at = usize::try_from(random % left).map_err(Error::internal)?;
            verifier.push(pool.swap_remove(at).into());
        }
    }
    Ok(verifier)
}
