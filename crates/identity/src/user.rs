//! Users. A local user has a name and passwords here; users of other backends and of federation are read too.

pub(crate) mod account;
pub(crate) mod authentication;
mod compliance;
pub(crate) mod federated;
pub(crate) mod shadow;
mod stored_password;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use keystone_python::parse_isotime;
use keystone_storage::{Column, Exec, Select, Tx, select, sql};
use keystone_types::{
    Comparison, Error, Extra, Filter, Listing, Page, Resource, Result, render_zoneless_time,
};
use serde::Serialize;

use crate::directory::id_mapping::Entity;
use crate::directory::users::subjects_in;
use crate::directory::{DomainBackend, EntityBackend};
use crate::identity::Identity;
use crate::options::Options;
use crate::project::ROOT;
use crate::project::reference::{DomainChoice, DomainRef};
use crate::settings::Settings;
use crate::user::federated::{FederatedAccount, federated_rows, into_accounts};

/// A user, as served.
#[derive(Clone, Debug, Serialize)]
pub struct User {
    /// Attributes without a column: `email`, `description` …
    #[serde(flatten, serialize_with = "as_attributes")]
    pub extra: Extra,
    /// The id.
    pub id: String,
    /// Unique in its domain.
    pub name: Option<String>,
    /// The owning domain.
    pub domain_id: String,
    /// Whether the user can log in; false too for one who was inactive for too long.
    #[serde(skip)]
    pub enabled: bool,
    /// The same as it is served: a directory may not tell.
    #[serde(rename = "enabled", skip_serializing_if = "Option::is_none")]
    pub(crate) shown_enabled: Option<bool>,
    /// The scope of a token that is asked for without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_project_id: Option<String>,
    /// When the password expires.
    #[serde(serialize_with = "as_time")]
    pub password_expires_at: Option<NaiveDateTime>,
    /// The resource options.
    pub options: Options,
    /// The accounts at identity providers; not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub federated: Vec<FederatedAccount>,
}

/// Attributes of old releases, which are kept and not served (`keystone/identity/backends/base.py`).
const HIDDEN: [&str; 3] = ["tenants", "groups", "domains"];

fn as_attributes<S: serde::Serializer>(extra: &Extra, serializer: S) -> Result<S::Ok, S::Error> {
    let shown = extra.0.iter();
    serializer.collect_map(shown.filter(|(name, _)| !HIDDEN.contains(&name.as_str())))
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn as_time<S: serde::Serializer>(
    time: &Option<NaiveDateTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(render_zoneless_time).serialize(serializer)
}

impl Resource for User {
    const MEMBER: &'static str = "user";
    const COLLECTION: &'static str = "users";

    fn id(&self) -> &str {
        &self.id
    }
}

impl User {
    /// The name; empty for a row without one.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

/// A user with the columns that authentication and updates need.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct UserRow {
    #[sqlx(try_from = "Option<String>")]
    pub(crate) extra: Extra,
    pub(crate) id: String,
    pub(crate) domain_id: String,
    pub(crate) local_id: Option<i64>,
    pub(crate) name: Option<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) default_project_id: Option<String>,
    pub(crate) created_at: Option<NaiveDateTime>,
    pub(crate) last_active_at: Option<NaiveDate>,
    pub(crate) expires_at: Option<NaiveDateTime>,
    pub(crate) expires_at_int: Option<i64>,
    #[sqlx(try_from = "Option<String>")]
    pub(crate) options: Options,
    /// The domain, unless users are listed.
    #[sqlx(default)]
    pub(crate) owner_name: Option<String>,
    #[sqlx(default)]
    pub(crate) owner_enabled: Option<bool>,
}

/// A user with its domain.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The user.
    pub user: User,
    /// The owning domain.
    pub domain: DomainRef,
}

/// The name that is served: of a local, a nonlocal or a federated user.
macro_rules! shown_name {
    () => {
        "COALESCE(l.name, n.name, (SELECT f.display_name FROM federated_user f WHERE f.user_id = u.id \
                                    ORDER BY f.id LIMIT 1))"
    };
}

/// The statements that [`users`], [`users_with_domain`] and [`users_with_account`] narrow. Where nobody has options, as is
/// usual, the subquery, which costs more than the rest of a row, does not run.
macro_rules! users {
    ($more:literal, $joined:literal) => {
        concat!(
            "\
            SELECT u.id, u.domain_id, u.extra, u.enabled, u.default_project_id, u.created_at, u.last_active_at, \
                   l.id AS local_id, \
                   ",
            shown_name!(),
            " AS name, \
                   p.expires_at, p.expires_at_int, \
                   CASE WHEN EXISTS (SELECT 1 FROM user_option) \
                        THEN (SELECT GROUP_CONCAT(o.option_id || HEX(o.option_value)) FROM user_option o \
                               WHERE o.user_id = u.id) END AS options",
            $more,
            " FROM user u ",
            $joined,
            " LEFT JOIN local_user l ON l.user_id = u.id \
              LEFT JOIN nonlocal_user n ON n.user_id = u.id \
              LEFT JOIN password p ON p.local_user_id = l.id \
              LEFT JOIN password later ON later.local_user_id = p.local_user_id \
                                      AND (later.created_at_int > p.created_at_int \
                                           OR later.created_at_int = p.created_at_int AND later.id > p.id)"
        )
    };
}

const NAME: Column = Column::text("name", shown_name!(), 255);

const COLUMNS: [Column; 3] = [
    Column::text("id", "u.id", 64),
    Column::text("domain_id", "u.domain_id", 64),
    Column::flag("enabled", "u.enabled"),
];

/// A time in a `*_int` column: microseconds since 1970.
pub(crate) fn from_micros(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|time| time.naive_utc())
}

/// Selects users, each with the password that no later one follows: a subquery that sorts them costs several times as much.
fn users() -> Select {
    select(users!("", "")).and("later.id IS NULL")
}

/// The same with their domains, which cost a tenth more.
fn users_with_domain() -> Select {
    select(users!(
        ", d.name AS owner_name, d.enabled AS owner_enabled",
        "LEFT JOIN project d ON d.id = u.domain_id"
    ))
    .and("later.id IS NULL")
}

/// The same with their domains and what their local account knows of logins.
pub(crate) fn users_with_account() -> Select {
    select(users!(
        ", d.name AS owner_name, d.enabled AS owner_enabled, \
           l.failed_auth_count, l.failed_auth_at, p.password_hash",
        "LEFT JOIN project d ON d.id = u.domain_id"
    ))
    .and("later.id IS NULL")
}

impl UserRow {
    pub(crate) fn expires_at(&self) -> Option<NaiveDateTime> {
        self.expires_at_int
            .and_then(from_micros)
            .or(self.expires_at)
    }

    pub(crate) fn into_user(self, settings: &Settings, today: NaiveDate) -> User {
        let enabled = self.enabled == Some(true) && !self.is_inactive(settings, today);
        User {
            password_expires_at: self.expires_at(),
            extra: self.extra,
            id: self.id,
            name: self.name,
            domain_id: self.domain_id,
            enabled,
            shown_enabled: Some(enabled),
            default_project_id: self.default_project_id,
            options: self.options,
            federated: Vec::new(),
        }
    }

    pub(crate) fn into_subject(self, settings: &Settings, today: NaiveDate) -> Subject {
        let domain = DomainRef {
            id: self.domain_id.clone(),
            name: self.owner_name.clone().unwrap_or_default(),
            enabled: self.owner_enabled == Some(true),
        };
        Subject {
            user: self.into_user(settings, today),
            domain,
        }
    }

    /// Whether `[security_compliance] disable_user_account_days_inactive` has passed.
    fn is_inactive(&self, settings: &Settings, today: NaiveDate) -> bool {
        let Some(days) = settings.compliance.disable_after_days_inactive else {
            return false;
        };
        let active = self
            .last_active_at
            .or_else(|| self.created_at.map(|time| time.date()));
        !self.options.is_on("ignore_user_inactivity")
            && active.is_some_and(|active| (today - active).num_days() >= days)
    }
}

impl Identity {
    /// The users that a listing asks for; `password_expires_at=lt:TIME` is one of its filters.
    pub async fn users(&self, listing: &Listing) -> Result<Page<User>> {
        // Keystone asks the database alone about accounts at identity providers.
        if federated_users(listing).is_none() {
            match self.backend_of_listing(listing).await? {
                DomainBackend::Database => {}
                DomainBackend::Directory(of) => return self.directory_users(&of, listing).await,
                DomainBackend::Nowhere => return Ok(Page::empty()),
            }
        }
        let marked = sql("SELECT id FROM user WHERE id = ?");
        self.check_marker(listing, marked).await?;
        self.list_users(users(), listing).await
    }

    /// The members of a group, without expiring memberships.
    pub async fn users_in_group(&self, group_id: &str, listing: &Listing) -> Result<Page<User>> {
        match self.entity_backend(Entity::Group, group_id).await? {
            EntityBackend::Directory(group) => {
                return self.directory_users_in_group(group, listing).await;
            }
            EntityBackend::Database if listing.resumed => {}
            EntityBackend::Database | EntityBackend::Nowhere => drop(self.group(group_id).await?),
        }
        let members =
            "u.id IN (SELECT m.user_id FROM user_group_membership m WHERE m.group_id = ?)";
        self.list_users(users().filter(members, Some(group_id)), listing)
            .await
    }

    async fn list_users(&self, select: Select, listing: &Listing) -> Result<Page<User>> {
        let mut select = select.narrow(listing, &COLUMNS);
        for filter in &listing.filters {
            select = match filter.name.as_str() {
                "password_expires_at" => {
                    let (condition, time) = expiry_condition(&filter.value)?;
                    let times = vec![time; condition.matches('?').count()];
                    select.filter_all(condition, times)
                }
                "name" => narrow_name(select, filter),
                _ => select,
            };
        }
        if let Some(linked) = federated_users(listing) {
            select = select.within_query("u.id", linked);
        }
        let query = select.page(listing, "u.id");
        let rows: Page<UserRow> = query.fetch_page(listing, &self.db).await?;
        let today = self.clock.now().date();
        Ok(rows.map(|row| row.into_user(&self.settings, today)))
    }

    /// One user.
    pub async fn user(&self, id: &str) -> Result<User> {
        let user = self.subject(id).await?.user;
        Ok(User {
            federated: into_accounts(federated_rows(&self.db, &user.id).await?),
            ..user
        })
    }

    /// One user with its domain.
    pub async fn subject(&self, id: &str) -> Result<Subject> {
        match self.entity_backend(Entity::User, id).await? {
            EntityBackend::Database => {}
            EntityBackend::Directory(entry) => return Ok(entry.user().await?.subject),
            EntityBackend::Nowhere => return Err(missing(id)),
        }
        let row = row(&self.db, id).await?;
        Ok(row.into_subject(&self.settings, self.clock.now().date()))
    }

    /// The users with these ids, each with its domain; those that do not exist are left out.
    pub async fn subjects(&self, ids: &[&str]) -> Result<Vec<Subject>> {
        let backends = self.entity_backends(Entity::User, ids).await?;
        let is_here =
            |(_, backend): &(&&str, &EntityBackend)| matches!(backend, EntityBackend::Database);
        let here = ids.iter().zip(&backends).filter(is_here).map(|(id, _)| *id);
        let query = users_with_domain().among("u.id IN (?)", here);
        let rows: Vec<UserRow> = query.then(" ORDER BY u.id").fetch_all(&self.db).await?;
        let today = self.clock.now().date();
        let rows = rows.into_iter();
        let mut found: Vec<Subject> = rows
            .map(|row| row.into_subject(&self.settings, today))
            .collect();
        let elsewhere = subjects_in(ids, backends).await?;
        found.extend(elsewhere.into_iter().map(|(_, subject)| subject));
        Ok(found)
    }

    /// One user with its domain, by name: a local one, or one of a directory.
    pub async fn subject_by_name(&self, name: &str, domain: DomainChoice<'_>) -> Result<Subject> {
        if let Some(found) = self.directory_user_by_name(name, domain).await? {
            return Ok(found.subject);
        }
        let query = named(users_with_domain(), name, domain);
        let row: UserRow = query.then("").fetch_or(&self.db, || missing(name)).await?;
        Ok(row.into_subject(&self.settings, self.clock.now().date()))
    }
}

/// Narrows to the local user of a name.
pub(crate) fn named(users: Select, name: &str, domain: DomainChoice<'_>) -> Select {
    let users = users.filter("l.name = ?", Some(name));
    match domain {
        DomainChoice::Id(id) => users.filter("l.domain_id = ?", Some(id)),
        DomainChoice::Name(domain) => users.filter_all(
            "l.domain_id = (SELECT o.id FROM project o WHERE o.name = ? AND o.domain_id = ?)",
            [domain, ROOT],
        ),
    }
}

/// A user's row.
pub(crate) async fn row(exec: impl Into<Exec<'_>>, id: &str) -> Result<UserRow> {
    let query = users_with_domain().filter("u.id = ?", Some(id)).then("");
    query.fetch_or(exec, || missing(id)).await
}

pub(crate) fn missing(id: &str) -> Error {
    Error::not_found::<User>(id)
}

/// A user's row, locked until the transaction ends. Whoever changes a user, a password or options locks the row in `user`
/// first.
pub(crate) async fn locked(tx: &mut Tx, id: &str) -> Result<UserRow> {
    let user = sql("SELECT id FROM user WHERE id = ?").bind(id).locking();
    let (id,): (String,) = user.fetch_or(&mut *tx, || missing(id)).await?;
    row(tx, &id).await
}

/// Filters users by name: equality uses the indices, other comparisons the name that is served.
fn narrow_name(select: Select, filter: &Filter) -> Select {
    let value = filter.value.as_str();
    if filter.comparison == Comparison::Equals && value.chars().count() <= 255 {
        let named = "l.name = ? OR u.id IN (SELECT f.user_id FROM federated_user f WHERE f.display_name = ?)";
        return select.filter_all(named, [value, value]);
    }
    let listing = Listing {
        filters: vec![filter.clone()],
        ..Listing::default()
    };
    select.narrow(&listing, &[NAME])
}

/// The ids of the users who have an account at an identity provider with all attributes that the filters name.
fn federated_users(listing: &Listing) -> Option<Select> {
    let filters = listing.filters.iter().filter_map(|filter| {
        let condition = match filter.name.as_str() {
            "idp_id" => "f.idp_id = ?",
            "protocol_id" => "f.protocol_id = ?",
            "unique_id" => "f.unique_id = ?",
            _ => return None,
        };
        Some((condition, filter.value.as_str()))
    });
    let users = "SELECT f.user_id FROM federated_user f";
    filters.fold(None, |linked, (condition, value)| {
        let linked = linked.unwrap_or_else(|| select(users));
        Some(linked.filter(condition, Some(value)))
    })
}

/// Reads `lt:2030-01-01T00:00:00Z`, or a time alone.
fn expiry_condition(value: &str) -> Result<(&'static str, NaiveDateTime)> {
    // `keystone/identity/core.py` looks for a colon in the third or fourth place.
    let (operator, time) = match value.split_once(':') {
        Some((operator, time)) if (2..=3).contains(&operator.len()) => (operator, time),
        _ => ("eq", value),
    };
    let condition = match operator {
        "lt" => "p.expires_at < ?",
        "lte" => "p.expires_at <= ?",
        "gt" => "p.expires_at > ?",
        "gte" => "p.expires_at >= ?",
        "eq" => "p.expires_at >= ? AND p.expires_at <= ?",
        "neq" => "p.expires_at < ? OR p.expires_at > ?",
        _ => {
            return Err(Error::Validation(format!(
                "The given operator {operator} is not valid. It must be one of the following: 'eq', 'neq', 'lt', 'lte', \
                 'gt', or 'gte'."
            )));
        }
    };
    let time = parse_isotime(time).ok_or_else(|| {
        Error::Validation(
            "Timestamp not in expected format. The server could not comply with the request since it is either malformed or \
             otherwise incorrect. The client is assumed to be in error."
                .to_owned(),
        )
    })?;
    Ok((condition, time))
}
