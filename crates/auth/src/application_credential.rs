//! Application credentials: a user delegates roles on a project to a program, which logs in with a secret of its own.

pub(crate) mod access_rule;
mod create;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime};
use keystone_identity::Role;
use keystone_storage::{Column, Select, select, sql};
use keystone_types::{Error, Listing, Resource, Result, Secret, render_zoneless_time};
use serde::{Serialize, Serializer};

use crate::auth::Auth;
use access_rule::AccessRule;

pub use create::NewApplicationCredential;

/// An application credential as stored.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationCredential {
    /// The id.
    pub id: String,
    /// Unique among those of the user.
    pub name: String,
    /// A description for people.
    pub description: Option<String>,
    /// The owner.
    pub user_id: String,
    /// Where it holds.
    pub project_id: Option<String>,
    /// Kept as the client sent it; nothing depends on it, in Keystone neither.
    pub system: Option<String>,
    /// When it ends.
    #[serde(serialize_with = "as_time")]
    pub expires_at: Option<NaiveDateTime>,
    /// Whether it may manage other application credentials.
    pub unrestricted: Option<bool>,
    /// The only requests that it may make; none stand for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access_rules: Vec<AccessRule>,
    #[serde(skip)]
    pub(crate) role_ids: Vec<String>,
    #[serde(skip)]
    pub(crate) secret_hash: Secret,
}

/// An application credential with its roles, as served.
#[derive(Clone, Debug, Serialize)]
pub struct DetailedApplicationCredential {
    /// All but the roles.
    #[serde(flatten)]
    pub credential: ApplicationCredential,
    /// The roles that its tokens have, as far as the user has them too.
    pub roles: Vec<Role>,
}

impl Resource for DetailedApplicationCredential {
    const MEMBER: &'static str = "application_credential";
    const COLLECTION: &'static str = "application_credentials";

    fn id(&self) -> &str {
        &self.credential.id
    }
}

impl ApplicationCredential {
    /// Whether it may manage other application credentials.
    pub(crate) fn is_unrestricted(&self) -> bool {
        self.unrestricted == Some(true)
    }

    /// Whether it has expired.
    pub(crate) fn has_expired(&self, now: NaiveDateTime) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn as_time<S: Serializer>(time: &Option<NaiveDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(render_zoneless_time).serialize(serializer)
}

/// A row of an application credential with one of its roles or one of its access rules.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    description: Option<String>,
    user_id: String,
    project_id: Option<String>,
    system: Option<String>,
    expires_at: Option<i64>,
    unrestricted: Option<bool>,
    #[sqlx(try_from = "String")]
    secret_hash: Secret,
    role_id: Option<String>,
    rule_number: i64,
    rule_id: Option<String>,
    service: Option<String>,
    path: Option<String>,
    method: Option<String>,
}

macro_rules! credentials {
    ($of:literal) => {
        concat!(
            "SELECT c.id, c.name, c.description, c.user_id, c.project_id, c.system, c.expires_at, c.unrestricted, \
                    c.secret_hash, ",
            $of
        )
    };
}

/// The number of a rule in a row without one.
const NO_RULE: i64 = 0;

/// One statement reads all of them, so that no credential is seen without its access rules.
const WITH_ROLES: &str = credentials!(
    "r.role_id, 0 AS rule_number, NULL AS rule_id, NULL AS service, NULL AS path, NULL AS method \
       FROM application_credential c \
       LEFT JOIN application_credential_role r ON r.application_credential_id = c.internal_id"
);
const WITH_RULES: &str = credentials!(
    "NULL, r.id, r.external_id, r.service, r.path, r.method \
       FROM application_credential c \
       JOIN application_credential_access_rule a ON a.application_credential_id = c.internal_id \
       JOIN access_rule r ON r.id = a.access_rule_id"
);

const NAME: [Column; 1] = [Column::text("name", "c.name", 255)];

impl Auth {
    /// One application credential. No index of Keystone's schema finds an id: where `db_sync` has not added one, the only
    /// statement that reads the whole table is this small one about its owner, by whom an index finds the rest.
    pub async fn application_credential(&self, id: &str) -> Result<ApplicationCredential> {
        let owner = sql(
            "SELECT user_id FROM application_credential WHERE id = ? ORDER BY internal_id LIMIT 1",
        );
        let owner: Option<(String,)> = owner.bind(id).fetch_optional(&self.db).await?;
        let (user_id,) = owner.ok_or_else(|| not_found(id))?;
        self.application_credential_of(&user_id, id).await
    }

    /// One application credential of a user, which an index finds.
    pub(crate) async fn application_credential_of(
        &self,
        user_id: &str,
        id: &str,
    ) -> Result<ApplicationCredential> {
        let by_id = |select: Select| select.filter_all("c.user_id = ? AND c.id = ?", [user_id, id]);
        let found = self.application_credentials_where(by_id).await?.pop();
        found.ok_or_else(|| not_found(id))
    }

    /// The application credential that a user gave this name.
    pub(crate) async fn application_credential_named(
        &self,
        user_id: &str,
        name: &str,
    ) -> Result<Option<ApplicationCredential>> {
        let by_name =
            |select: Select| select.filter_all("c.user_id = ? AND c.name = ?", [user_id, name]);
        Ok(self.application_credentials_where(by_name).await?.pop())
    }

    /// The application credentials of a user; filters: `name`.
    pub async fn application_credentials(
        &self,
        user_id: &str,
        listing: &Listing,
    ) -> Result<Vec<DetailedApplicationCredential>> {
        let of_user = |select: Select| {
            let select = select.filter("c.user_id = ?", Some(user_id));
            select.narrow(listing, &NAME)
        };
        let found = self.application_credentials_where(of_user).await?;
        let ids: BTreeSet<&String> = found.iter().flat_map(|found| &found.role_ids).collect();
        let ids: Vec<String> = ids.into_iter().cloned().collect();
        let roles = self.identity.roles_with_ids(&ids).await?;
        let detailed = |credential: ApplicationCredential| DetailedApplicationCredential {
            roles: roles_of(&credential, &roles),
            credential,
        };
        Ok(found.into_iter().map(detailed).collect())
    }

    /// An application credential with its roles; 404 where one of them is gone.
    pub async fn with_roles(
        &self,
        credential: ApplicationCredential,
    ) -> Result<DetailedApplicationCredential> {
        let roles = self.identity.roles_with_ids(&credential.role_ids).await?;
        let roles = roles_of(&credential, &roles);
        let is_there = |id: &&String| roles.iter().any(|role| role.id == **id);
        if let Some(id) = credential.role_ids.iter().find(|id| !is_there(id)) {
            return Err(Error::not_found::<Role>(id));
        }
        Ok(DetailedApplicationCredential { credential, roles })
    }

    /// Deletes an application credential; its access rules stay. It locks no row of another user.
    pub async fn delete_application_credential(
        &self,
        credential: &ApplicationCredential,
    ) -> Result<()> {
        let ApplicationCredential { user_id, id, .. } = credential;
        let deleted = sql("DELETE FROM application_credential WHERE user_id = ? AND id = ?");
        let deleted = deleted.bind(user_id).bind(id);
        deleted.execute_or(&self.db, || not_found(id)).await
    }

    async fn application_credentials_where(
        &self,
        narrow: impl Fn(Select) -> Select,
    ) -> Result<Vec<ApplicationCredential>> {
        let with_roles = narrow(select(WITH_ROLES)).union_all(WITH_RULES);
        let query = narrow(with_roles).then(" ORDER BY id, rule_number, role_id");
        let rows: Vec<Row> = query.fetch_all(&self.db).await?;
        let mut found: Vec<ApplicationCredential> = Vec::new();
        for row in rows {
            if found.last().is_none_or(|last| last.id != row.id) {
                found.push(row.credential());
            }
            if let Some(last) = found.last_mut() {
                row.add_to(last);
            }
        }
        Ok(found)
    }
}

impl Row {
    fn credential(&self) -> ApplicationCredential {
        ApplicationCredential {
            id: self.id.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            user_id: self.user_id.clone(),
            project_id: self.project_id.clone(),
            system: self.system.clone(),
            expires_at: self.expires_at.map(from_micros),
            unrestricted: self.unrestricted,
            access_rules: Vec::new(),
            role_ids: Vec::new(),
            secret_hash: self.secret_hash.clone(),
        }
    }

    fn add_to(self, credential: &mut ApplicationCredential) {
        credential.role_ids.extend(self.role_id);
        // An incomplete rule allows nothing, but is one.
        if self.rule_number != NO_RULE {
            credential.access_rules.push(AccessRule {
                id: self.rule_id.unwrap_or_default(),
                service: self.service.unwrap_or_default(),
                path: self.path.unwrap_or_default(),
                method: self.method.unwrap_or_default(),
            });
        }
    }
}

/// A time in the column `expires_at`: microseconds since 1970. One that is out of range has passed.
fn from_micros(micros: i64) -> NaiveDateTime {
    let time = DateTime::from_timestamp_micros(micros);
    time.unwrap_or(DateTime::UNIX_EPOCH).naive_utc()
}

fn roles_of(credential: &ApplicationCredential, roles: &[Role]) -> Vec<Role> {
    let roles = roles.iter();
    let held = roles.filter(|role| credential.role_ids.contains(&role.id));
    held.cloned().collect()
}

pub(crate) fn not_found(id: &str) -> Error {
    Error::NotFound {
        kind: "Application Credential",
        id: id.to_owned(),
    }
}
