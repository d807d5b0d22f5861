//! Endpoint policies: which policy applies to which endpoint.
//!
//! A policy is associated with an endpoint, with a service, or with a service in a region and in
//! everything that lies in it. The nearest one applies to an endpoint: its own, then that of its
//! service in its region, then in each region around that, then that of its service anywhere.

use std::collections::HashMap;

use keystone_storage::{Select, Tx, select, sql, transaction};
use keystone_types::{Error, Resource, Result, check_length, new_id};
use serde::{Serialize, Serializer};

use crate::{Catalog, Endpoint, Policy, endpoint, policy, region, service};

/// The target of a policy association, by ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Association<'a> {
    /// One endpoint.
    Endpoint(&'a str),
    /// Every endpoint of a service.
    Service(&'a str),
    /// The endpoints of a service in a region.
    Region {
        /// The service.
        service_id: &'a str,
        /// The region.
        region_id: &'a str,
    },
}

/// An endpoint as a policy's list serves it: without the second name of its region.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyEndpoint(pub Endpoint);

impl Resource for PolicyEndpoint {
    const MEMBER: &'static str = Endpoint::MEMBER;
    const COLLECTION: &'static str = Endpoint::COLLECTION;

    fn id(&self) -> &str {
        &self.0.id
    }
}

impl Serialize for PolicyEndpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_columns(serializer)
    }
}

/// An endpoint with its service and its region, by the ids that those have themselves.
#[derive(sqlx::FromRow)]
struct Placed {
    #[sqlx(flatten)]
    endpoint: Endpoint,
    service: String,
    region: Option<String>,
}

/// A row of `policy_association`, with the ids that the rows have to which it points.
#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(rename = "policy_id")]
    policy: String,
    #[sqlx(rename = "endpoint_id")]
    endpoint: Option<String>,
    #[sqlx(rename = "service_id")]
    service: Option<String>,
    #[sqlx(rename = "region_id")]
    region: Option<String>,
}

const PLACED: &str = "\
    SELECT endpoint.id, endpoint.interface, endpoint.region_id, endpoint.service_id, endpoint.url, \
           endpoint.enabled, endpoint.extra, service.id AS service, region.id AS region \
    FROM endpoint \
    JOIN service ON service.id = endpoint.service_id \
    LEFT JOIN region ON region.id = endpoint.region_id";

const BY_ID: &str = " ORDER BY policy_association.id";

impl Association<'_> {
    /// Narrows a statement to the rows of this association.
    fn of(self, statement: &'static str) -> Select {
        match self {
            Self::Endpoint(id) => select(statement)
                .filter("endpoint_id = ?", Some(id))
                .and("service_id IS NULL AND region_id IS NULL"),
            Self::Service(id) => select(statement)
                .filter("service_id = ?", Some(id))
                .and("endpoint_id IS NULL AND region_id IS NULL"),
            Self::Region {
                service_id,
                region_id,
            } => select(statement)
                .filter_all("service_id = ? AND region_id = ?", [service_id, region_id])
                .and("endpoint_id IS NULL"),
        }
    }

    /// Locks what it names until the transaction ends; returns the values of `endpoint_id`, `service_id` and `region_id`.
    async fn lock(self, tx: &mut Tx) -> Result<[Option<String>; 3]> {
        Ok(match self {
            Self::Endpoint(id) => [Some(endpoint::lock(id, tx).await?), None, None],
            Self::Service(id) => [None, Some(service::lock(id, tx).await?), None],
            Self::Region {
                service_id,
                region_id,
            } => {
                let service = service::lock(service_id, tx).await?;
                let region = region::lock(region_id, tx).await?;
                [None, Some(service), Some(region)]
            }
        })
    }
}

impl Catalog {
    /// Associates a policy, in place of any other that was associated in the same way.
    pub async fn associate_policy(&self, policy_id: &str, with: Association<'_>) -> Result<()> {
        let associated = transaction!(self.db, |tx| {
            let policy = policy::lock(policy_id, tx).await?;
            // The locks serialise concurrent associations of the same endpoint, service or region.
            let [endpoint, service, region] = with.lock(tx).await?;
            check_length("region_id", region.as_deref().unwrap_or_default(), 64)?;
            let before = with.of("DELETE FROM policy_association").then("");
            before.execute(&mut *tx).await?;
            sql(
                "INSERT INTO policy_association (id, policy_id, endpoint_id, service_id, region_id) \
                 VALUES (?, ?, ?, ?, ?)",
            )
            .bind(new_id())
            .bind(policy)
            .bind(endpoint)
            .bind(service)
            .bind(region)
            .execute(tx)
            .await?;
            Ok(())
        });
        associated.await
    }

    /// 404 unless the policy is associated in this way.
    pub async fn check_policy_association(
        &self,
        policy: &str,
        with: Association<'_>,
    ) -> Result<()> {
        self.check_parties(policy, with).await?;
        let query = with
            .of("SELECT policy_id FROM policy_association")
            .filter("policy_id = ?", Some(policy));
        if query.then(" ORDER BY id").exists(&self.db).await? {
            return Ok(());
        }
        Err(Error::Missing(
            "Could not find policy association.".to_owned(),
        ))
    }

    /// Ends an association, if there is one.
    pub async fn dissociate_policy(&self, policy: &str, with: Association<'_>) -> Result<()> {
        self.check_parties(policy, with).await?;
        let query = with
            .of("DELETE FROM policy_association")
            .filter("policy_id = ?", Some(policy));
        query.then("").execute(&self.db).await?;
        Ok(())
    }

    /// 404 unless a policy exists, and what it may be associated with.
    async fn check_parties(&self, policy: &str, with: Association<'_>) -> Result<()> {
        self.policy(policy).await?;
        match with {
            Association::Endpoint(id) => self.endpoint(id).await.map(drop),
            Association::Service(id) => self.service(id).await.map(drop),
            Association::Region {
                service_id,
                region_id,
            } => {
                self.service(service_id).await?;
                self.region(region_id).await.map(drop)
            }
        }
    }

    /// The endpoints that a policy is associated with. One that several associations choose is listed for each.
    pub async fn endpoints_of_policy(&self, policy_id: &str) -> Result<Vec<PolicyEndpoint>> {
        let policy = self.policy(policy_id).await?;
        let rows = associations().filter("policy_id = ?", Some(&policy.id));
        let rows: Vec<Row> = rows.then(BY_ID).fetch_all(&self.db).await?;
        let endpoints = select(PLACED).then(" ORDER BY endpoint.id");
        let endpoints: Vec<Placed> = endpoints.fetch_all(&self.db).await?;
        let parents = self.parents_for(&rows).await?;
        let associated = rows.iter().flat_map(|row| {
            let endpoints = endpoints.iter();
            endpoints.filter(|endpoint| row.distance(endpoint, &parents).is_some())
        });
        Ok(associated
            .map(|placed| PolicyEndpoint(placed.endpoint.clone()))
            .collect())
    }

    /// The policy that applies to an endpoint.
    pub async fn policy_for_endpoint(&self, endpoint_id: &str) -> Result<Policy> {
        let placed = select(PLACED).filter("endpoint.id = ?", Some(endpoint_id));
        let missing = || Error::not_found::<Endpoint>(endpoint_id);
        let placed: Placed = placed.then("").fetch_or(&self.db, missing).await?;
        // Associations with a deleted policy are ignored.
        let rows = associations()
            .filter_all(
                "policy_association.endpoint_id = ? OR policy_association.service_id = ?",
                [&placed.endpoint.id, &placed.service],
            )
            .and("policy_id IN (SELECT id FROM policy)");
        let rows: Vec<Row> = rows.then(BY_ID).fetch_all(&self.db).await?;
        let parents = self.parents_for(&rows).await?;
        let nearest = rows
            .iter()
            .filter_map(|row| Some((row.distance(&placed, &parents)?, row)))
            .min_by_key(|(distance, _)| *distance);
        match nearest {
            Some((_, row)) => self.policy(&row.policy).await,
            None => Err(Error::Missing(format!(
                "No policy is associated with endpoint {endpoint_id}."
            ))),
        }
    }

    /// The region that each region lies in, where one of the associations needs it.
    async fn parents_for(&self, rows: &[Row]) -> Result<HashMap<String, String>> {
        if rows.iter().any(|row| row.region.is_some()) {
            self.parents().await
        } else {
            Ok(HashMap::new())
        }
    }
}

/// The associations; those with a deleted region are left out.
fn associations() -> Select {
    let all = "SELECT policy_id, endpoint.id AS endpoint_id, service.id AS service_id, region.id AS region_id \
         FROM policy_association \
         LEFT JOIN endpoint ON endpoint.id = policy_association.endpoint_id \
         LEFT JOIN service ON service.id = policy_association.service_id \
         LEFT JOIN region ON region.id = policy_association.region_id";
    select(all).and("policy_association.region_id IS NULL OR region.id IS NOT NULL")
}

impl Row {
    /// How far this association is from the endpoint, if it applies to it.
    fn distance(&self, placed: &Placed, parents: &HashMap<String, String>) -> Option<usize> {
        if let Some(id) = &self.endpoint {
            return (*id == placed.endpoint.id).then_some(0);
        }
        if self.service.as_ref() != Some(&placed.service) {
            return None;
        }
        let Some(wanted) = &self.region else {
            return Some(usize::MAX);
        };
        // Python Keystone may have stored a cycle of regions.
        let start = placed.region.as_ref();
        let around = std::iter::successors(start, |region| parents.get(*region));
        let steps = around
            .take(parents.len() + 1)
            .position(|region| region == wanted)?;
        Some(steps + 1)
    }
}

#[cfg(test)]
mod tests;
