//! Consumers: programs that users delegate roles to.

use keystone_identity::{RevocationEvent, revoke};
use keystone_storage::{Query, select, sql, transaction, update};
use keystone_types::{
    Error, Extra, Listing, Page, Resource, Result, Secret, check_length, new_id, overlay,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth::Auth;

/// A consumer, as stored and as served: its secret is apart.
#[derive(Clone, Debug, Serialize, Deserialize, sqlx::FromRow)]
pub struct Consumer {
    /// The attributes without a column.
    #[serde(flatten)]
    #[sqlx(try_from = "Option<String>")]
    pub extra: Extra,
    /// The id, which a client calls its key.
    #[serde(default = "new_id")]
    pub id: String,
    /// A description for people.
    #[serde(default)]
    pub description: Option<String>,
}

/// A new consumer, the only one that is shown with its secret.
#[derive(Clone, Debug)]
pub struct NewConsumer {
    /// All but the secret.
    pub consumer: Consumer,
    /// The secret.
    pub secret: Secret,
}

/// What verifies a consumer's signatures.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct ConsumerKey {
    pub(crate) id: String,
    #[sqlx(try_from = "String")]
    pub(crate) secret: Secret,
}

impl Resource for Consumer {
    const MEMBER: &'static str = "consumer";
    const COLLECTION: &'static str = "consumers";
    const PATH: &'static str = "OS-OAUTH1/consumers";

    fn id(&self) -> &str {
        &self.id
    }
}

const CONSUMERS: &str = "SELECT id, description, extra FROM consumer";

impl Auth {
    /// The consumers.
    pub async fn consumers(&self, listing: &Listing) -> Result<Page<Consumer>> {
        let query = select(CONSUMERS).page(listing, "id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// One consumer.
    pub async fn consumer(&self, id: &str) -> Result<Consumer> {
        let found = one(id).fetch_optional(&self.db).await?;
        found.ok_or_else(not_found)
    }

    /// Creates a consumer with a new secret.
    pub async fn create_consumer(&self, consumer: Consumer) -> Result<NewConsumer> {
        check_description(&consumer)?;
        let secret = new_id();
        sql("INSERT INTO consumer (id, description, secret, extra) VALUES (?, ?, ?, ?)")
            .bind(&consumer.id)
            .bind(&consumer.description)
            .bind(&secret)
            .bind(&consumer.extra)
            .execute(&self.db)
            .await?;
        Ok(NewConsumer {
            consumer,
            secret: secret.into(),
        })
    }

    /// Changes a consumer, whose secret stays.
    pub async fn update_consumer(&self, id: &str, patch: Map<String, Value>) -> Result<Consumer> {
        transaction!(self.db, |tx| {
            let stored: Option<Consumer> = one(id).locking().fetch_optional(&mut *tx).await?;
            let stored = stored.ok_or_else(not_found)?;
            let consumer = overlay(&stored, patch.clone())?;
            check_description(&consumer)?;
            update("consumer")
                .set("description", &stored.description, &consumer.description)
                .set("extra", &stored.extra, &consumer.extra)
                .apply("id = ?", &stored.id, tx)
                .await?;
            Ok(consumer)
        })
        .await
    }

    /// Deletes a consumer with its tokens, and ends the tokens that were made with them.
    pub async fn delete_consumer(&self, id: &str) -> Result<()> {
        let now = self.clock.now();
        transaction!(self.db, |tx| {
            let stored: Option<Consumer> = one(id).locking().fetch_optional(&mut *tx).await?;
            let id = stored.ok_or_else(not_found)?.id;
            for text in [
                "DELETE FROM request_token WHERE consumer_id = ?",
                "DELETE FROM access_token WHERE consumer_id = ?",
                "DELETE FROM consumer WHERE id = ?",
            ] {
                sql(text).bind(&id).execute(&mut *tx).await?;
            }
            revoke(tx, RevocationEvent::consumer(&id), now).await
        })
        .await
    }

    /// What verifies the signatures of a consumer.
    pub(crate) async fn consumer_key(&self, id: &str) -> Result<ConsumerKey> {
        let found = sql("SELECT id, secret FROM consumer WHERE id = ?");
        let found = found.bind(id).fetch_optional(&self.db).await?;
        found.ok_or_else(not_found)
    }
}

pub(super) fn not_found() -> Error {
    Error::Missing("Consumer not found".to_owned())
}

fn one(id: &str) -> Query {
    select(CONSUMERS).filter("id = ?", Some(id)).then("")
}

fn check_description(consumer: &Consumer) -> Result<()> {
    let description = consumer.description.as_deref().unwrap_or_default();
    check_length("description", description, 64)
}
