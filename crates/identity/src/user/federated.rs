//! Who a user is at identity providers: the attribute `federated`.

use keystone_storage::{Exec, OrConflict, Tx, select, sql};
use keystone_types::{Error, Result, check_length};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A user's accounts at one identity provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FederatedAccount {
    /// The identity provider.
    pub idp_id: String,
    /// Under which protocols, and as whom.
    pub protocols: Vec<FederatedIdentity>,
    /// What a client sent beside them: answered, not kept.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Whom a user is under a protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FederatedIdentity {
    /// The protocol.
    pub protocol_id: String,
    /// Unique for the provider and the protocol.
    pub unique_id: String,
    /// What a client sent beside them: answered, not kept.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A stored link between a user and an identity provider.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Link {
    id: i64,
    idp_id: String,
    protocol_id: String,
    unique_id: String,
}

impl Link {
    pub(crate) async fn rename(&self, tx: &mut Tx, name: Option<&str>) -> Result<()> {
        sql("UPDATE federated_user SET display_name = ? WHERE id = ?")
            .bind(name)
            .bind(self.id)
            .execute(tx)
            .await?;
        Ok(())
    }
}

/// Links by their identity providers.
pub(crate) fn grouped(links: Vec<Link>) -> Vec<FederatedAccount> {
    let mut accounts: Vec<FederatedAccount> = Vec::new();
    for link in links {
        let identity = FederatedIdentity {
            protocol_id: link.protocol_id,
            unique_id: link.unique_id,
            other: Map::new(),
        };
        match accounts.iter_mut().find(|it| it.idp_id == link.idp_id) {
            Some(account) => account.protocols.push(identity),
            None => accounts.push(FederatedAccount {
                idp_id: link.idp_id,
                protocols: vec![identity],
                other: Map::new(),
            }),
        }
    }
    accounts
}

/// The links of a user, oldest first.
pub(crate) async fn federated_of(exec: impl Into<Exec<'_>>, user_id: &str) -> Result<Vec<Link>> {
    Ok(sql("\
        SELECT id, idp_id, protocol_id, unique_id FROM federated_user WHERE user_id = ? ORDER BY id")
    .bind(user_id)
    .fetch_all(exec)
    .await?)
}

/// Every identity provider and every protocol must be there.
pub(crate) async fn check_federated(
    exec: impl Into<Exec<'_>>,
    accounts: &[FederatedAccount],
) -> Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let mut exec = exec.into();
    let ids = || accounts.iter().map(|account| account.idp_id.as_str());
    let providers: Vec<(String,)> = select("SELECT id FROM identity_provider")
        .within("id", ids())
        .then(" ORDER BY id")
        .fetch_all(exec.reborrow())
        .await?;
    let protocols: Vec<(String, String)> = select("SELECT idp_id, id FROM federation_protocol")
        .within("idp_id", ids())
        .then(" ORDER BY idp_id, id")
        .fetch_all(exec)
        .await?;
    for account in accounts {
        let idp = &account.idp_id;
        if providers.iter().all(|(id,)| id != idp) {
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
