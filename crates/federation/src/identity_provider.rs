//! Identity providers: who vouches for users, and the domain that these users belong to.

use keystone_identity::Project;
use keystone_storage::{Column, Exec, OrConflict, Query, Tx, select, sql, transaction, update};
use keystone_types::{
    Error, Listing, Page, Resource, Result, check_length, new_id, overlay, same_id,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::Federation;
use crate::login::{disabled, no_provider};

/// An identity provider, as served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub struct IdentityProvider {
    /// The id, which is chosen by whoever creates it.
    pub id: String,
    /// The domain of its users.
    pub domain_id: String,
    /// Whether users can log in by it.
    pub enabled: bool,
    /// A description for people.
    pub description: Option<String>,
    /// The ids by which assertions name it, each of one provider only.
    #[serde(deserialize_with = "none_for_null")]
    #[sqlx(skip)]
    pub remote_ids: Vec<String>,
    /// For how many minutes after a login its memberships of groups count, in place of the default.
    pub authorization_ttl: Option<i64>,
}

/// An identity provider to be created.
#[derive(Clone, Debug, Default, Deserialize)]
#[non_exhaustive]
pub struct NewIdentityProvider {
    /// The domain of its users; one is created for it where it names none.
    #[serde(default)]
    pub domain_id: Option<String>,
    /// Whether users can log in by it.
    #[serde(default)]
    pub enabled: bool,
    /// A description for people.
    #[serde(default)]
    pub description: Option<String>,
    /// The ids by which assertions name it.
    #[serde(default, deserialize_with = "none_for_null")]
    pub remote_ids: Vec<String>,
    /// For how many minutes after a login its memberships of groups count.
    #[serde(default)]
    pub authorization_ttl: Option<i64>,
}

fn none_for_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let ids = Option::<Vec<String>>::deserialize(deserializer)?;
    Ok(ids.unwrap_or_default())
}

impl Resource for IdentityProvider {
    const MEMBER: &'static str = "identity_provider";
    const COLLECTION: &'static str = "identity_providers";
    const PATH: &'static str = "OS-FEDERATION/identity_providers";

    fn id(&self) -> &str {
        &self.id
    }
}

const PROVIDERS: &str =
    "SELECT id, domain_id, enabled, description, authorization_ttl FROM identity_provider";

const FILTERS: [Column; 2] = [
    Column::text("id", "id", 64),
    Column::flag("enabled", "enabled"),
];

impl Federation {
    /// The identity providers; filters: `id` and `enabled`.
    pub async fn identity_providers(&self, listing: &Listing) -> Result<Page<IdentityProvider>> {
        let query = select(PROVIDERS).narrow(listing, &FILTERS);
        let query = query.page(listing, "id");
        let mut page: Page<IdentityProvider> = query.fetch_page(listing, &self.db).await?;
        let ids = page.items.iter().map(|provider| provider.id.as_str());
        let rows: Vec<(String, String)> = select("SELECT idp_id, remote_id FROM idp_remote_ids")
            .within("idp_id", ids)
            .then(" ORDER BY remote_id")
            .fetch_all(&self.db)
            .await?;
        for (id, remote_id) in rows {
            let mut providers = page.items.iter_mut();
            if let Some(provider) = providers.find(|provider| same_id(&provider.id, &id)) {
                provider.remote_ids.push(remote_id);
            }
        }
        Ok(page)
    }

    /// One identity provider.
    pub async fn identity_provider(&self, id: &str) -> Result<IdentityProvider> {
        let provider = one(id).fetch_or(&self.db, || no_provider(id)).await?;
        with_remote_ids(provider, &self.db).await
    }

    /// One identity provider; 403 if it is disabled.
    pub async fn enabled_provider(&self, id: &str) -> Result<IdentityProvider> {
        let provider = self.identity_provider(id).await?;
        if provider.enabled {
            return Ok(provider);
        }
        Err(disabled(id))
    }

    /// Creates an identity provider, and a domain for its users where it names none.
    pub async fn create_identity_provider(
        &self,
        id: &str,
        new: NewIdentityProvider,
    ) -> Result<IdentityProvider> {
        check_ttl(new.authorization_ttl)?;
        let created = transaction!(self.db, |tx| {
            let named = new.domain_id.as_deref().filter(|id| !id.is_empty());
            let domain_id = match named {
                Some(domain_id) => {
                    self.identity.hold_domain(tx, domain_id).await?;
                    domain_id.to_owned()
                }
                None => self.create_domain_of(tx, id).await?,
            };
            check_length("id", id, 64)?;
            let provider = IdentityProvider {
                id: id.to_owned(),
                domain_id,
                enabled: new.enabled,
                description: new.description.clone(),
                remote_ids: new.remote_ids.clone(),
                authorization_ttl: new.authorization_ttl,
            };
            insert(&provider, tx).await?;
            insert_remote_ids(&provider.id, &provider.remote_ids, tx).await?;
            Ok(provider)
        });
        created.await
    }

    /// Changes an identity provider; its domain stays.
    pub async fn update_identity_provider(
        &self,
        id: &str,
        patch: Map<String, Value>,
    ) -> Result<IdentityProvider> {
        let updated = transaction!(self.db, |tx| {
            let stored = locked(id, &mut *tx).await?;
            let provider = overlay(&stored, patch.clone())?;
            if provider.domain_id != stored.domain_id {
                return Err(Error::Validation("Cannot change Domain ID".to_owned()));
            }
            check_ttl(provider.authorization_ttl)?;
            update("identity_provider")
                .set("enabled", stored.enabled, provider.enabled)
                .set("description", &stored.description, &provider.description)
                .set(
                    "authorization_ttl",
                    stored.authorization_ttl,
                    provider.authorization_ttl,
                )
                .apply("id = ?", &stored.id, &mut *tx)
                .await?;
            change_remote_ids(&stored, &provider.remote_ids, tx).await?;
            Ok(provider)
        });
        updated.await
    }

    /// Deletes an identity provider with its protocols and its accounts of users, and the users who are left without a
    /// name; a domain that was created for it stays.
    pub async fn delete_identity_provider(&self, id: &str) -> Result<()> {
        let deleted = transaction!(self.db, |tx| {
            let id = locked(id, &mut *tx).await?.id;
            sql("DELETE FROM identity_provider WHERE id = ?")
                .bind(id)
                .execute(&mut *tx)
                .await?;
            self.identity.remove_nameless_users(tx).await
        });
        deleted.await
    }

    async fn create_domain_of(&self, tx: &mut Tx, provider_id: &str) -> Result<String> {
        let text = "Auto generated federated domain for Identity Provider: ";
        let mut domain = Project::domain(new_id());
        domain.id.clone_from(&domain.name);
        domain.description = Some(format!("{text}{provider_id}"));
        let domain = self.identity.create_domain_within(tx, domain).await?;
        Ok(domain.id)
    }
}

fn one(id: &str) -> Query {
    select(PROVIDERS).filter("id = ?", Some(id)).then("")
}

async fn with_remote_ids(
    mut provider: IdentityProvider,
    exec: impl Into<Exec<'_>>,
) -> Result<IdentityProvider> {
    let ids = sql("SELECT remote_id FROM idp_remote_ids WHERE idp_id = ? ORDER BY remote_id");
    provider.remote_ids = ids.bind(&provider.id).fetch_texts(exec).await?;
    Ok(provider)
}

async fn locked(id: &str, tx: &mut Tx) -> Result<IdentityProvider> {
    let provider = one(id).locking();
    let provider = provider.fetch_or(&mut *tx, || no_provider(id)).await?;
    with_remote_ids(provider, tx).await
}

/// The id of an identity provider as it is stored, which exists until the transaction ends.
pub(crate) async fn held(id: &str, tx: &mut Tx) -> Result<String> {
    let row = sql("SELECT id FROM identity_provider WHERE id = ?").bind(id);
    let (id,): (String,) = row.sharing().fetch_or(tx, || no_provider(id)).await?;
    Ok(id)
}

async fn insert(provider: &IdentityProvider, tx: &mut Tx) -> Result<()> {
    sql(
        "INSERT INTO identity_provider (id, domain_id, enabled, description, authorization_ttl) \
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(&provider.id)
    .bind(&provider.domain_id)
    .bind(provider.enabled)
    .bind(&provider.description)
    .bind(provider.authorization_ttl)
    .execute(tx)
    .await
    .or_conflict(|| {
        Error::conflict::<IdentityProvider>(format!("Duplicate entry: {}", provider.id))
    })?;
    Ok(())
}

async fn insert_remote_ids(id: &str, remote_ids: &[String], tx: &mut Tx) -> Result<()> {
    for remote_id in remote_ids {
        check_length("remote_id", remote_id, 255)?;
        let taken =
            || Error::conflict::<IdentityProvider>(format!("Duplicate remote ID: {remote_id}"));
        sql("INSERT INTO idp_remote_ids (idp_id, remote_id) VALUES (?, ?)")
            .bind(id)
            .bind(remote_id)
            .execute(&mut *tx)
            .await
            .or_conflict(taken)?;
    }
    Ok(())
}

async fn change_remote_ids(
    stored: &IdentityProvider,
    wanted: &[String],
    tx: &mut Tx,
) -> Result<()> {
    let missing = |ids: &[String], among: &[String]| -> Vec<String> {
        let missing = ids.iter().filter(|id| !among.contains(id));
        missing.cloned().collect()
    };
    for remote_id in missing(&stored.remote_ids, wanted) {
        sql("DELETE FROM idp_remote_ids WHERE remote_id = ?")
            .bind(remote_id)
            .execute(&mut *tx)
            .await?;
    }
    let new = missing(wanted, &stored.remote_ids);
    insert_remote_ids(&stored.id, &new, tx).await
}

/// 400 for a time that the column does not hold.
fn check_ttl(minutes: Option<i64>) -> Result<()> {
    match minutes {
        Some(minutes) if i32::try_from(minutes).is_err() => Err(Error::Validation(format!(
            "Invalid input for field/attribute authorization_ttl. Value: {minutes}. {minutes} is greater than the maximum of {}",
            i32::MAX
        ))),
        _ => Ok(()),
    }
}
