//! Trusts: a trustor delegates roles on a project to a trustee, who may delegate them further if the trust says so.
//!
//! A deleted trust is kept and marked as deleted, as in `keystone/trust/backends/sql.py`.

mod ending;
mod new;
mod redelegation;

pub use ending::{TrustFilter, flush_trusts};
pub use new::NewTrust;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDateTime};
use keystone_identity::{Facts, Role, RoleRef, Subject, User};
use keystone_storage::{Column, select, sql, transaction};
use keystone_types::{Error, Extra, Listing, Page, Resource, Result, render_time, same_id};
use serde::{Serialize, Serializer};

use crate::auth::Auth;
use crate::error::TokenError;
use crate::scope::Scope;

/// A trust, as served.
#[derive(Clone, Debug, Serialize)]
pub struct Trust {
    /// The attributes without a column.
    #[serde(flatten, serialize_with = "without_roles")]
    pub extra: Extra,
    /// The id.
    pub id: String,
    /// The user whose roles are delegated.
    pub trustor_user_id: String,
    /// The user who gets tokens with the roles.
    pub trustee_user_id: String,
    /// The project on which the roles are delegated; without one nothing is.
    pub project_id: Option<String>,
    /// Whether tokens are the trustor's instead of the trustee's.
    pub impersonation: bool,
    /// When it ends.
    #[serde(serialize_with = "as_time")]
    pub expires_at: Option<NaiveDateTime>,
    /// How many tokens it is still good for, if they are counted.
    pub remaining_uses: Option<i64>,
    /// When it was deleted; never of a trust that is served.
    #[serde(serialize_with = "as_time")]
    pub deleted_at: Option<NaiveDateTime>,
    /// The trust by which its trustor got the roles.
    pub redelegated_trust_id: Option<String>,
    /// How many trusts can follow each other below it.
    pub redelegation_count: Option<i64>,
    /// The ids of the delegated roles; not in lists.
    #[serde(skip)]
    pub roles: Vec<String>,
    /// The users that it is between.
    #[serde(skip)]
    parties: Option<Box<Parties>>,
}

/// The users that a trust is between, as they are now.
#[derive(Clone, Debug)]
struct Parties {
    trustor: Option<Subject>,
    trustee: Option<Subject>,
    /// The trustor of the first trust in the chain, who has the roles.
    original_trustor_id: String,
}

impl Resource for Trust {
    const MEMBER: &'static str = "trust";
    const COLLECTION: &'static str = "trusts";
    const PATH: &'static str = "OS-TRUST/trusts";

    fn id(&self) -> &str {
        &self.id
    }
}

/// Keystone also keeps the roles of the request, which a trust had when it was made.
fn without_roles<S: Serializer>(extra: &Extra, serializer: S) -> Result<S::Ok, S::Error> {
    let shown = extra.0.iter();
    serializer.collect_map(shown.filter(|(name, _)| *name != "roles"))
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn as_time<S: Serializer>(time: &Option<NaiveDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(render_time).serialize(serializer)
}

#[derive(Debug, sqlx::FromRow)]
struct TrustRow {
    #[sqlx(try_from = "Option<String>")]
    extra: Extra,
    id: String,
    trustor_user_id: String,
    trustee_user_id: String,
    project_id: Option<String>,
    impersonation: bool,
    expires_at: Option<NaiveDateTime>,
    expires_at_int: Option<i64>,
    remaining_uses: Option<i64>,
    deleted_at: Option<NaiveDateTime>,
    redelegated_trust_id: Option<String>,
    redelegation_count: Option<i64>,
    #[sqlx(default)]
    role_ids: Option<String>,
}

impl From<TrustRow> for Trust {
    fn from(row: TrustRow) -> Self {
        let precise = row
            .expires_at_int
            .and_then(DateTime::from_timestamp_micros)
            .map(|time| time.naive_utc());
        let roles = row.role_ids.unwrap_or_default();
        let roles = roles.split(',').filter(|id| !id.is_empty());
        Self {
            extra: row.extra,
            id: row.id,
            trustor_user_id: row.trustor_user_id,
            trustee_user_id: row.trustee_user_id,
            project_id: row.project_id,
            impersonation: row.impersonation,
            // Rows of old releases have no microseconds.
            expires_at: precise.or(row.expires_at),
            remaining_uses: row.remaining_uses,
            deleted_at: row.deleted_at,
            redelegated_trust_id: row.redelegated_trust_id,
            redelegation_count: row.redelegation_count,
            roles: roles.map(str::to_owned).collect(),
            parties: None,
        }
    }
}

macro_rules! columns {
    () => {
        "t.id, t.trustor_user_id, t.trustee_user_id, t.project_id, t.impersonation, t.expires_at, t.expires_at_int, \
         t.remaining_uses, t.deleted_at, t.redelegated_trust_id, t.redelegation_count, t.extra"
    };
}

const TRUSTS: &str = concat!("SELECT ", columns!(), " FROM trust t");

/// A trust and those before it, as a chain of any length.
const CHAIN: &str = concat!(
    "\
    WITH RECURSIVE up (id, earlier) AS (\
        SELECT id, redelegated_trust_id FROM trust WHERE id = ? \
        UNION SELECT t.id, t.redelegated_trust_id FROM trust t JOIN up ON t.id = up.earlier) \
    SELECT ",
    columns!(),
    ", (SELECT GROUP_CONCAT(r.role_id) FROM trust_role r WHERE r.trust_id = t.id) AS role_ids \
      FROM up JOIN trust t ON t.id = up.id ORDER BY t.id"
);

const COLUMNS: [Column; 2] = [
    Column::text("trustor_user_id", "t.trustor_user_id", 64),
    Column::text("trustee_user_id", "t.trustee_user_id", 64),
];

impl Trust {
    /// The id of the trust before it in the chain.
    fn earlier(&self) -> Option<&str> {
        let id = self.redelegated_trust_id.as_deref();
        id.filter(|id| !id.is_empty())
    }

    /// 404 for a trust that was deleted, has expired or is used up: to all who ask it is not there any more.
    fn live(self, now: NaiveDateTime) -> Result<Self> {
        let is_over = self.deleted_at.is_some()
            || self.expires_at.is_some_and(|end| now > end)
            || self.remaining_uses.is_some_and(|uses| uses <= 0);
        if is_over {
            return Err(Error::not_found::<Self>(&self.id));
        }
        Ok(self)
    }

    /// The trustor, if tokens are the trustor's instead of the trustee's.
    pub(crate) fn impersonated(&self) -> Option<&Subject> {
        let parties = self.parties.as_ref().filter(|_| self.impersonation)?;
        parties.trustor.as_ref()
    }

    /// The trustee, in the same case.
    pub(crate) fn impersonator(&self) -> Option<&Subject> {
        let parties = self.parties.as_ref().filter(|_| self.impersonation)?;
        parties.trustee.as_ref()
    }

    /// Checks who a token is for and from, in the order of `keystone/models/token_model.py`.
    pub(crate) fn check_parties(&self, bearer: &Subject) -> Result<(), TokenError> {
        let known = |subject: Option<&Subject>, id: &str| {
            let found = subject.cloned();
            found.ok_or_else(|| TokenError::Failed(Error::not_found::<User>(id)))
        };
        let refused = |detail: &str| {
            Err(TokenError::Failed(Error::Forbidden {
                detail: format!("{detail} Trust {}.", self.id),
            }))
        };
        let parties = self.parties.as_deref();
        let trustee = parties.and_then(|parties| parties.trustee.as_ref());
        let trustee = known(trustee, &self.trustee_user_id)?;
        if trustee.user.id != bearer.user.id {
            return refused("User is not a trustee.");
        }
        let trustor = parties.and_then(|parties| parties.trustor.as_ref());
        let trustor = known(trustor, &self.trustor_user_id)?;
        for (subject, text) in [
            (&trustor, "Trustor domain is disabled."),
            (&trustee, "Trustee domain is disabled."),
        ] {
            if !subject.domain.enabled {
                return Err(TokenError::NotFound(text.to_owned()));
            }
        }
        if !trustor.user.enabled {
            return refused("Trustor is disabled.");
        }
        Ok(())
    }

    /// The users who have the roles: the trustor, and the first trustor of the chain.
    pub(crate) fn trustors(&self) -> impl Iterator<Item = &str> {
        let original = self.parties.as_ref();
        let original = original.map(|parties| parties.original_trustor_id.as_str());
        let original = original.filter(|id| !same_id(id, &self.trustor_user_id));
        [self.trustor_user_id.as_str()].into_iter().chain(original)
    }

    /// The roles of a token for it: all that it delegates, with what they imply, and 403 unless the trustor and the first
    /// trustor of the chain still have every one of them.
    pub(crate) fn delegated_roles(&self, facts: &Facts, scope: &Scope) -> Result<Vec<RoleRef>> {
        let Scope::Project(project) = scope else {
            // Keystone looks up the project that there is none of.
            return Err(Error::NotFound {
                kind: "project",
                id: "None".to_owned(),
            });
        };
        let refused = |detail: &str| Error::Forbidden {
            detail: format!("{detail} Trust {}.", self.id),
        };
        let named = self.project_id.as_deref().unwrap_or_default();
        if !same_id(named, &project.id) {
            return Err(refused("The trust is for another project."));
        }
        let roles = || self.roles.iter().map(String::as_str);
        let mut needed = facts.closure(roles());
        needed.extend(self.roles.iter().cloned());
        for trustor in self.trustors() {
            if !needed.is_subset(&facts.delegable_roles(trustor, &project.id)) {
                return Err(refused("Trustee has no delegated roles."));
            }
        }
        Ok(facts.with_implied(roles()))
    }
}

impl Auth {
    /// The trusts that a listing asks for, by trustor or trustee; expired ones and those that are used up are among them.
    pub async fn trusts(&self, listing: &Listing) -> Result<Page<Trust>> {
        let query = select(TRUSTS)
            .and("t.deleted_at IS NULL")
            .narrow(listing, &COLUMNS)
            .page(listing, "t.id");
        let rows: Page<TrustRow> = query.fetch_page(listing, &self.db).await?;
        Ok(rows.map(Trust::from))
    }

    /// One trust; 403 where the chain that it ends does not hold any more.
    pub async fn trust(&self, id: &str) -> Result<Trust> {
        Ok(self.pedigree(id).await?.swap_remove(0))
    }

    /// A trust and those before it, up to the first one.
    async fn pedigree(&self, id: &str) -> Result<Vec<Trust>> {
        let chain = self.chain(id).await?;
        let users: Vec<&str> = parties(&chain).into_iter().collect();
        let users = self.identity.subjects(&users).await?;
        self.settled(chain, &users)
    }

    /// A chain whose first trust has its parties, which are among the users.
    pub(crate) fn settled(&self, mut chain: Vec<Trust>, users: &[Subject]) -> Result<Vec<Trust>> {
        let find = |id: &str| users.iter().find(|user| same_id(&user.user.id, id));
        self.check_chain(&chain, find)?;
        let original = chain.last().map(|first| first.trustor_user_id.clone());
        let trust = &mut chain[0];
        trust.parties = Some(Box::new(Parties {
            trustor: find(&trust.trustor_user_id).cloned(),
            trustee: find(&trust.trustee_user_id).cloned(),
            original_trustor_id: original.unwrap_or_default(),
        }));
        Ok(chain)
    }

    /// The chain of a trust, from itself to the first one, none of which may be over.
    pub(crate) async fn chain(&self, id: &str) -> Result<Vec<Trust>> {
        let rows: Vec<TrustRow> = sql(CHAIN).bind(id).fetch_all(&self.db).await?;
        let rows = rows.into_iter().map(Trust::from);
        let mut found: BTreeMap<String, Trust> =
            rows.map(|trust| (trust.id.clone(), trust)).collect();
        let now = self.clock.precise();
        let mut chain = Vec::with_capacity(found.len());
        let mut next = Some(id.to_owned());
        while let Some(id) = next {
            let key = found.keys().find(|key| same_id(key, &id)).cloned();
            let trust = key.and_then(|key| found.remove(&key));
            let trust = trust.ok_or_else(|| Error::not_found::<Trust>(&id))?;
            let trust = trust.live(now)?;
            next = trust.earlier().map(str::to_owned);
            chain.push(trust);
        }
        Ok(chain)
    }

    /// Takes one of the uses that a trust has left, if they are counted: 403 where there is none, 404 without the trust.
    pub(crate) async fn use_trust(&self, trust: &Trust) -> Result<()> {
        if trust.remaining_uses.is_none() {
            return Ok(());
        }
        transaction!(self.db, |tx| {
            // The condition and the change are one statement, so that no other use comes between them.
            let taken = sql("UPDATE trust SET remaining_uses = remaining_uses - 1 \
                  WHERE id = ? AND deleted_at IS NULL AND remaining_uses > 0");
            if taken.bind(&trust.id).execute(&mut *tx).await? > 0 {
                return Ok(());
            }
            let left = sql("SELECT id FROM trust WHERE id = ? AND deleted_at IS NULL");
            let left: Option<(String,)> = left.bind(&trust.id).fetch_optional(tx).await?;
            match left {
                Some(_) => Err(Error::Forbidden {
                    detail: format!("No remaining uses for trust: {}.", trust.id),
                }),
                None => Err(Error::not_found::<Trust>(&trust.id)),
            }
        })
        .await
    }

    /// One of the delegated roles; 404 for any other.
    pub async fn role_of_trust(&self, trust: &Trust, role_id: &str) -> Result<Role> {
        if trust.roles.iter().any(|role| role == role_id) {
            self.identity.role(role_id).await
        } else {
            Err(Error::not_found::<Role>(role_id))
        }
    }

    /// The delegated roles that still exist.
    pub async fn roles_of_trust(&self, trust: &Trust) -> Result<Vec<Role>> {
        self.identity.roles_with_ids(&trust.roles).await
    }
}

/// The ids of the users between whom the trusts of a chain are.
pub(crate) fn parties(chain: &[Trust]) -> BTreeSet<&str> {
    let users = chain
        .iter()
        .flat_map(|trust| [&trust.trustee_user_id, &trust.trustor_user_id]);
    users.map(String::as_str).collect()
}

#[cfg(test)]
impl Trust {
    /// An impersonating trust of `tor` for `tee`.
    pub(crate) fn named(id: &str) -> Self {
        Self {
            extra: Extra::default(),
            id: id.to_owned(),
            trustor_user_id: "tor".to_owned(),
            trustee_user_id: "tee".to_owned(),
            project_id: None,
            impersonation: true,
            expires_at: None,
            remaining_uses: None,
            deleted_at: None,
            redelegated_trust_id: None,
            redelegation_count: None,
            roles: Vec::new(),
            parties: None,
        }
    }
}
