//! Endpoint policies: which policy is for which endpoint.
//!
//! A policy is associated with an endpoint, with a service, or with a service in a region and in
//! everything that lies in it. The nearest one counts for an endpoint: its own, then that of its
//! service in its region, then in each region around that, then that of its service anywhere.

use std::collections::HashMap;

use keystone_storage::{Select, select, sql};
use keystone_types::{Error, Resource, Result, check_length, new_id};
use serde::{Serialize, Serializer};

use crate::{Catalog, Endpoint, Policy};

/// What a policy is associated with, by ids.
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

/// A row of `policy_association`.
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

impl Association<'_> {
    /// The rows that say this.
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

    /// The values of `endpoint_id`, `service_id` and `region_id`.
    fn columns(self) -> [Option<String>; 3] {
        let own = |id: &str| Some(id.to_owned());
        match self {
            Self::Endpoint(id) => [own(id), None, None],
            Self::Service(id) => [None, own(id), None],
            Self::Region {
                service_id,
                region_id,
            } => [None, own(service_id), own(region_id)],
        }
    }
}

impl Catalog {
    /// Associates a policy, in place of any other that was associated in the same way.
    pub async fn associate_policy(&self, policy_id: &str, with: Association<'_>) -> Result<()> {
        let [endpoint, service, region] = with.columns();
        check_length("region_id", region.as_deref().unwrap_or_default(), 64)?;
        let mut tx = self.db.begin().await?;
        let before = with.of("DELETE FROM policy_association").then("");
        before.execute(&mut tx).await?;
        sql(
            "INSERT INTO policy_association (id, policy_id, endpoint_id, service_id, region_id) \
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(new_id())
        .bind(policy_id)
        .bind(endpoint)
        .bind(service)
        .bind(region)
        .execute(&mut tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// 404 unless the policy is associated in this way.
    pub async fn check_policy_association(
        &self,
        policy: &str,
        with: Association<'_>,
    ) -> Result<()> {
        let query = with
            .of("SELECT policy_id FROM policy_association")
            .filter("policy_id = ?", Some(policy));
        let row: Option<(String,)> = query.then(" ORDER BY id").fetch_optional(&self.db).await?;
        let missing = || Error::Missing("Could not find policy association.".to_owned());
        row.map(drop).ok_or_else(missing)
    }

    /// Ends an association, if there is one.
    pub async fn dissociate_policy(&self, policy: &str, with: Association<'_>) -> Result<()> {
        let query = with
            .of("DELETE FROM policy_association")
            .filter("policy_id = ?", Some(policy));
        query.then("").execute(&self.db).await?;
        Ok(())
    }

    /// The endpoints that a policy is associated with, as often as it is.
    pub async fn endpoints_of_policy(&self, policy_id: &str) -> Result<Vec<PolicyEndpoint>> {
        let query = sql(
            "SELECT policy_id, endpoint_id, service_id, region_id FROM policy_association \
             WHERE policy_id = ? ORDER BY id",
        );
        let rows: Vec<Row> = query.bind(policy_id).fetch_all(&self.db).await?;
        let endpoints = self.every_endpoint().await?;
        let parents = if rows.iter().any(|row| row.region.is_some()) {
            self.parents().await?
        } else {
            HashMap::new()
        };
        let meant = rows.iter().flat_map(|row| {
            let endpoints = endpoints.iter();
            endpoints.filter(|endpoint| row.means(endpoint, &parents))
        });
        Ok(meant.cloned().map(PolicyEndpoint).collect())
    }

    /// The policy that counts for an endpoint.
    pub async fn policy_for_endpoint(&self, endpoint_id: &str) -> Result<Policy> {
        let endpoint = self.endpoint(endpoint_id).await?;
        // What points at a policy that is no more says nothing.
        let query = sql(
            "SELECT policy_id, endpoint_id, service_id, region_id FROM policy_association \
             WHERE (endpoint_id = ? OR service_id = ?) \
             AND policy_id IN (SELECT id FROM policy) ORDER BY policy_association.id",
        );
        let query = query.bind(&endpoint.id).bind(&endpoint.service_id);
        let rows: Vec<Row> = query.fetch_all(&self.db).await?;
        let parents = if rows.iter().any(|row| row.region.is_some()) {
            self.parents().await?
        } else {
            HashMap::new()
        };
        let nearest = rows
            .iter()
            .filter_map(|row| Some((row.distance(&endpoint, &parents)?, row)))
            .min_by_key(|(distance, _)| *distance);
        match nearest {
            Some((_, row)) => self.policy(&row.policy).await,
            None => Err(Error::Missing(format!(
                "No policy is associated with endpoint {endpoint_id}."
            ))),
        }
    }

    /// The region that each region lies in.
    async fn parents(&self) -> Result<HashMap<String, String>> {
        let query = sql("SELECT id, parent_region_id FROM region \
             WHERE parent_region_id IS NOT NULL ORDER BY id");
        let rows: Vec<(String, String)> = query.fetch_all(&self.db).await?;
        Ok(rows.into_iter().collect())
    }
}

impl Row {
    fn means(&self, endpoint: &Endpoint, parents: &HashMap<String, String>) -> bool {
        self.distance(endpoint, parents).is_some()
    }

    /// How far from the endpoint this association is, if it is one for the endpoint.
    fn distance(&self, endpoint: &Endpoint, parents: &HashMap<String, String>) -> Option<usize> {
        if let Some(id) = &self.endpoint {
            return (*id == endpoint.id).then_some(0);
        }
        if self.service.as_ref() != Some(&endpoint.service_id) {
            return None;
        }
        let Some(wanted) = &self.region else {
            return Some(usize::MAX);
        };
        // There may be circles, in what Python Keystone has stored.
        let start = endpoint.region_id.as_ref();
        let around = std::iter::successors(start, |region| parents.get(*region));
        let steps = around
            .take(parents.len() + 1)
            .position(|region| region == wanted)?;
        Some(steps + 1)
    }
}

#[cfg(test)]
mod tests;
