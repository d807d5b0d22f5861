//! Accounts of users at identity providers: the attribute `federated`.

use std::collections::BTreeSet;

use chrono::NaiveDateTime;
use keystone_storage::{Exec, OrConflict, Select, Tx, select, sql, transaction};
use keystone_types::{Error, Result, check_length};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::identity::Identity;
use crate::revocation::{RevocationEvent, revoke};
use crate::used_message::use_once;

/// A user's accounts at one identity provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FederatedAccount {
    /// The identity provider.
    pub idp_id: String,
    /// The identities, by protocol.
    pub protocols: Vec<FederatedIdentity>,
    /// Other attributes of the request: they are answered and not stored.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The identity of a user under a protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FederatedIdentity {
    /// The protocol.
    pub protocol_id: String,
    /// The id at the provider, unique for the protocol.
    pub unique_id: String,
    /// Other attributes of the request: they are answered and not stored.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A row of `federated_user`.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct FederatedRow {
    id: i64,
    idp_id: String,
    protocol_id: String,
    unique_id: String,
}

impl FederatedRow {
    pub(crate) async fn rename(&self, tx: &mut Tx, name: Option<&str>) -> Result<()> {
        sql("UPDATE federated_user SET display_name = ? WHERE id = ?")
            .bind(name)
            .bind(self.id)
            .execute(tx)
            .await?;
        Ok(())
    }
}

impl Identity {
    /// Ends the tokens that the users whom an identity provider knows by one of these ids, percent-encoded, have got; tells how
    /// many users there are. What tells the provider's message from all others is remembered until a time: none and nothing
    /// ends if the message came before.
    pub async fn log_out_federated(
        &self,
        idp_id: &str,
        unique_ids: &[String],
        (message, until): (&str, NaiveDateTime),
    ) -> Result<Option<usize>> {
        let now = self.clock.now();
        let hash = hex::encode(Sha256::digest(message));
        transaction!(self.db, |tx| {
            if !use_once(tx, &hash, until).await? {
                return Ok(None);
            }
            let known: Vec<(String, String)> = sql("\
                SELECT user_id, unique_id FROM federated_user WHERE idp_id = ? AND unique_id IN (?) ORDER BY user_id")
            .bind(idp_id)
            .bind_all(unique_ids.iter().map(String::as_str))
            .fetch_all(&mut *tx)
            .await?;
            // A database may take ids for equal that differ in case.
            let meant = known.iter().filter(|(_, id)| unique_ids.contains(id));
            let users: BTreeSet<&str> = meant.map(|(user, _)| user.as_str()).collect();
            for user in &users {
                revoke(tx, RevocationEvent::user(user), now).await?;
            }
            Ok(Some(users.len()))
        })
        .await
    }
}

/// Rows as accounts, by identity provider.
pub(crate) fn into_accounts(rows: Vec<FederatedRow>) -> Vec<FederatedAccount> {
    let mut accounts: Vec<FederatedAccount> = Vec::new();
    for row in rows {
        let identity = FederatedIdentity {
            protocol_id: row.protocol_id,
            unique_id: row.unique_id,
            other: Map::new(),
        };
        match accounts.iter_mut().find(|it| it.idp_id == row.idp_id) {
            Some(account) => account.protocols.push(identity),
            None => accounts.push(FederatedAccount {
                idp_id: row.idp_id,
                protocols: vec![identity],
                other: Map::new(),
            }),
        }
    }
    accounts
}

/// The rows of a user, oldest first.
pub(crate) async fn federated_rows(
    exec: impl Into<Exec<'_>>,
    user_id: &str,
) -> Result<Vec<FederatedRow>> {
    Ok(sql("\
        SELECT id, idp_id, protocol_id, unique_id FROM federated_user WHERE user_id = ? ORDER BY id")
    .bind(user_id)
    .fetch_all(exec)
    .await?)
}

/// 400 unless every identity provider and every protocol exists.
pub(crate) async fn check_federated(
    exec: impl Into<Exec<'_>>,
    accounts: &[FederatedAccount],
) -> Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let mut exec = exec.into();
    let ids = || accounts.iter().map(|account| account.idp_id.as_str());
    let providers = select("SELECT id FROM identity_provider")
        .within("id", ids())
        .then(" ORDER BY id")
        .fetch_texts(exec.reborrow())
        .await?;
    let protocols: Vec<(String, String)> = select("SELECT idp_id, id FROM federation_protocol")
        .within("idp_id", ids())
        .then(" ORDER BY idp_id, id")
        .fetch_all(exec)
        .await?;
    for account in accounts {
        let idp = &account.idp_id;
        if !providers.contains(idp) {
            let text = format!("Could not find Identity Provider: {idp}");
            return Err(Error::Validation(text));
        }
        for identity in &account.protocols {
            let protocol = &identity.protocol_id;
            let known = |(of, id): &(String, String)| of == idp && id == protocol;
            if !protocols.iter().any(known) {
                return Err(Error::Validation(format!(
                    "Could not find federated protocol {protocol} for Identity Provider: {idp}."
                )));
            }
        }
    }
    Ok(())
}

pub(crate) async fn remove_federated(tx: &mut Tx, user_id: &str) -> Result<()> {
    sql("DELETE FROM federated_user WHERE user_id = ?")
        .bind(user_id)
        .execute(tx)
        .await?;
    Ok(())
}

pub(crate) async fn store_federated(
    tx: &mut Tx,
    user_id: &str,
    name: Option<&str>,
    accounts: &[FederatedAccount],
) -> Result<()> {
    for account in accounts {
        for identity in &account.protocols {
            check_length("unique_id", &identity.unique_id, 255)?;
            sql("INSERT INTO federated_user (user_id, idp_id, protocol_id, unique_id, display_name) \
                 VALUES (?, ?, ?, ?, ?)")
            .bind(user_id)
            .bind(&account.idp_id)
            .bind(&identity.protocol_id)
            .bind(&identity.unique_id)
            .bind(name)
            .execute(&mut *tx)
            .await
            .or_conflict(|| Error::Conflict {
                kind: "federated_user",
                detail: "Duplicate entry".to_owned(),
            })?;
        }
    }
    Ok(())
}

/// Selects the users who have no name: no local account, none of another backend, and none at an identity provider.
fn nameless_users() -> Select {
    select(
        "SELECT u.id FROM user u \
          LEFT JOIN local_user l ON l.user_id = u.id \
          LEFT JOIN nonlocal_user n ON n.user_id = u.id \
          LEFT JOIN federated_user f ON f.user_id = u.id",
    )
    .and("l.user_id IS NULL AND n.user_id IS NULL AND f.user_id IS NULL")
}

/// How many users are looked at together.
const BATCH: usize = 500;

impl Identity {
    /// Deletes every user who is left without a name, as Keystone does after an identity provider or a protocol has gone
    /// with the accounts that users had there.
    pub async fn remove_nameless_users(&self, tx: &mut Tx) -> Result<()> {
        let found = nameless_users().then(" ORDER BY u.id");
        let found = found.fetch_texts(&mut *tx).await?;
        for batch in found.chunks(BATCH) {
            // Somebody may be giving one of them an account meanwhile, which waits for the lock or is seen behind it.
            let users = select("SELECT u.id FROM user u").within("u.id", batch);
            let users = users.then(" ORDER BY u.id").locking();
            users.fetch_texts(&mut *tx).await?;
            let nameless = nameless_users().within("u.id", batch);
            let nameless = nameless.then(" ORDER BY u.id");
            let nameless = nameless.fetch_texts(&mut *tx).await?;
            self.remove_users(tx, &nameless).await?;
        }
        Ok(())
    }
}
