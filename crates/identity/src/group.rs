//! Groups of users, and their members.

use std::collections::{BTreeSet, HashMap};

use chrono::{Duration, NaiveDateTime};
use keystone_storage::{Column, OrConflict, Query, Tx, select, sql, transaction, update};
use keystone_types::{
    Error, Extra, Listing, Page, Resource, Result, check_length, check_name, new_id, overlay,
    render_zoneless_time, same_id,
};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::directory::groups::SharedBackend;
use crate::directory::id_mapping::Entity;
use crate::directory::{DomainBackend, EntityBackend, read_only};
use crate::identity::Identity;
use crate::project::empty_text;
use crate::revocation::{RevocationEvent, revoke};
use crate::settings::Settings;
use crate::{shared_lock, user};

/// A group, as stored and as served.
#[derive(Clone, Debug, Deserialize, sqlx::FromRow)]
pub struct Group {
    /// Attributes without a column.
    #[serde(flatten)]
    #[sqlx(try_from = "Option<String>")]
    pub extra: Extra,
    /// The id.
    #[serde(default = "new_id")]
    pub id: String,
    /// Unique in its domain.
    pub name: String,
    /// The owning domain.
    pub domain_id: String,
    /// A description for people.
    #[serde(default = "empty_text")]
    pub description: Option<String>,
    /// Whether it is served without a description: a directory may have none.
    #[serde(skip)]
    #[sqlx(skip)]
    pub(crate) without_description: bool,
}

impl Serialize for Group {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut attributes = serializer.serialize_map(None)?;
        for (name, value) in &self.extra.0 {
            attributes.serialize_entry(name, value)?;
        }
        attributes.serialize_entry("id", &self.id)?;
        attributes.serialize_entry("name", &self.name)?;
        attributes.serialize_entry("domain_id", &self.domain_id)?;
        if !self.without_description {
            attributes.serialize_entry("description", &self.description)?;
        }
        attributes.end()
    }
}

impl Group {
    /// A group to be created.
    pub fn new(name: impl Into<String>, domain_id: impl Into<String>) -> Self {
        Self {
            extra: Extra::default(),
            id: new_id(),
            name: name.into(),
            domain_id: domain_id.into(),
            description: empty_text(),
            without_description: false,
        }
    }
}

impl Resource for Group {
    const MEMBER: &'static str = "group";
    const COLLECTION: &'static str = "groups";

    fn id(&self) -> &str {
        &self.id
    }
}

/// A group as the list of a user's groups shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Membership {
    /// The group.
    #[serde(flatten)]
    pub group: Group,
    /// When a federated membership expires.
    pub membership_expires_at: Option<String>,
}

impl Resource for Membership {
    const MEMBER: &'static str = Group::MEMBER;
    const COLLECTION: &'static str = Group::COLLECTION;

    fn id(&self) -> &str {
        &self.group.id
    }
}

#[derive(Debug, sqlx::FromRow)]
struct MembershipRow {
    group_id: String,
    last_verified: NaiveDateTime,
    authorization_ttl: Option<i64>,
}

const GROUPS: &str = "SELECT g.id, g.name, g.domain_id, g.description, g.extra FROM `group` g";

const COLUMNS: [Column; 2] = [
    Column::text("name", "g.name", 64),
    Column::text("domain_id", "g.domain_id", 64),
];

impl Identity {
    /// The groups that a listing asks for.
    pub async fn groups(&self, listing: &Listing) -> Result<Page<Group>> {
        match self.backend_of_listing(listing).await? {
            DomainBackend::Database => {}
            DomainBackend::Directory(of) => return self.directory_groups(&of, listing).await,
            DomainBackend::Nowhere => return Ok(Page::empty()),
        }
        let marked = sql("SELECT id FROM `group` WHERE id = ?");
        self.check_marker(listing, marked).await?;
        let query = select(GROUPS)
            .narrow(listing, &COLUMNS)
            .page(listing, "g.id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// One group.
    pub async fn group(&self, id: &str) -> Result<Group> {
        match self.entity_backend(Entity::Group, id).await? {
            EntityBackend::Database => {}
            EntityBackend::Directory(entry) => return entry.group().await,
            EntityBackend::Nowhere => return Err(Error::not_found::<Group>(id)),
        }
        by_id(id).fetch_resource(&self.db, id).await
    }

    /// The ids of those groups that exist.
    pub async fn existing_groups(&self, ids: &BTreeSet<String>) -> Result<Vec<String>> {
        let query = select("SELECT g.id FROM `group` g").within("g.id", ids);
        let mut existing = query.then(" ORDER BY g.id").fetch_texts(&self.db).await?;
        existing.extend(self.existing_directory_groups(ids).await?);
        Ok(existing)
    }

    /// The ids of those groups of a domain that exist, by name.
    pub async fn existing_groups_by_name(
        &self,
        domain_id: &str,
        names: &BTreeSet<String>,
    ) -> Result<Vec<String>> {
        let elsewhere = self.existing_directory_groups_by_name(domain_id, names);
        if let Some(existing) = elsewhere.await? {
            return Ok(existing);
        }
        let query = select("SELECT g.id FROM `group` g")
            .filter("g.domain_id = ?", Some(domain_id))
            .within("g.name", names);
        let rows: Vec<(String,)> = query.then(" ORDER BY g.id").fetch_all(&self.db).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Creates a group.
    pub async fn create_group(&self, mut group: Group) -> Result<Group> {
        check_name(&group.name, 255)?;
        group.name = group.name.trim().to_owned();
        self.check_writable(&group.domain_id).await?;
        transaction!(self.db, |tx| {
            shared_lock::domain(tx, &group.domain_id).await?;
            check_length("name", &group.name, 64)?;
            sql("INSERT INTO `group` (id, domain_id, name, description, extra) VALUES (?, ?, ?, ?, ?)")
                .bind(&group.id)
                .bind(&group.domain_id)
                .bind(&group.name)
                .bind(&group.description)
                .bind(&group.extra)
                .execute(tx)
                .await
                .or_conflict(|| {
                    let (name, domain) = (&group.name, &group.domain_id);
                    name_taken(&format!("{name} at domain ID {domain}"))
                })
        })
            .await?;
        Ok(group)
    }

    /// Changes a group.
    pub async fn update_group(&self, id: &str, patch: Map<String, Value>) -> Result<Group> {
        self.check_group_writable(id, Some(&patch)).await?;
        transaction!(self.db, |tx| {
            let current = locked(tx, id).await?;
            if patch
                .get("domain_id")
                .is_some_and(|domain| *domain != current.domain_id.as_str())
            {
                return Err(Error::Validation("Cannot change Domain ID".to_owned()));
            }
            let mut group = overlay(&current, patch.clone())?;
            if group.name != current.name {
                check_name(&group.name, 255)?;
            }
            group.name = group.name.trim().to_owned();
            check_length("name", &group.name, 64)?;
            update("`group`")
                .set("name", &current.name, &group.name)
                .set("description", &current.description, &group.description)
                .set("extra", &current.extra, &group.extra)
                .apply("id = ?", &current.id, tx)
                .await
                .or_conflict(|| name_taken(&group.name))?;
            Ok(group)
        })
        .await
    }

    /// Deletes a group; if it has roles, the tokens of its members are revoked.
    pub async fn delete_group(&self, id: &str) -> Result<()> {
        self.check_group_writable(id, None).await?;
        transaction!(self.db, |tx| {
            let group = locked(tx, id).await?;
            self.remove_groups(tx, &[group.id]).await
        })
        .await
    }

    /// Fails with 403 for a group of a directory.
    async fn check_group_writable(
        &self,
        id: &str,
        patch: Option<&Map<String, Value>>,
    ) -> Result<()> {
        let group = match self.entity_backend(Entity::Group, id).await? {
            EntityBackend::Database => return Ok(()),
            EntityBackend::Directory(entry) => entry.group().await?,
            EntityBackend::Nowhere => return Err(Error::not_found::<Group>(id)),
        };
        let domain = patch.and_then(|patch| patch.get("domain_id"));
        if domain.is_some_and(|domain| *domain != group.domain_id) {
            return Err(Error::Validation("Cannot change Domain ID".to_owned()));
        }
        Err(read_only())
    }

    /// Adds a user to a group; a membership that exists stays.
    pub async fn add_user_to_group(&self, user_id: &str, group_id: &str) -> Result<()> {
        if let SharedBackend::Directory { .. } = self.shared_backend(user_id, group_id).await? {
            return Err(read_only());
        }
        transaction!(self.db, |tx| {
            let group = shared_lock::group(tx, group_id).await?;
            let user = shared_lock::user(tx, user_id).await?;
            let done = sql("INSERT INTO user_group_membership (user_id, group_id) VALUES (?, ?)")
                .bind(user)
                .bind(group)
                .execute(tx)
                .await;
            match done {
                Err(error) if error.is_duplicate() => Ok(()),
                other => Ok(other.map(drop)?),
            }
        })
        .await
    }

    /// Removes a user from a group, which revokes the user's tokens.
    pub async fn remove_user_from_group(&self, user_id: &str, group_id: &str) -> Result<()> {
        if let SharedBackend::Directory { .. } = self.shared_backend(user_id, group_id).await? {
            return Err(read_only());
        }
        transaction!(self.db, |tx| {
            let removed =
                sql("DELETE FROM user_group_membership WHERE user_id = ? AND group_id = ?")
                    .bind(user_id)
                    .bind(group_id)
                    .execute(&mut *tx)
                    .await?;
            if removed == 0 {
                shared_lock::group(tx, group_id).await?;
                shared_lock::user(tx, user_id).await?;
                return Err(not_a_member(user_id, group_id));
            }
            let event = RevocationEvent::user(&shared_lock::user(tx, user_id).await?);
            revoke(tx, event, self.clock.now()).await
        })
        .await
    }

    /// 404 unless a user is in a group.
    pub async fn check_user_in_group(&self, user_id: &str, group_id: &str) -> Result<()> {
        if let SharedBackend::Directory { user, group } =
            self.shared_backend(user_id, group_id).await?
        {
            return self.check_directory_member(*user, &group).await;
        }
        let group = self.group(group_id).await?;
        user::row(&self.db, user_id).await?;
        let member =
            sql("SELECT user_id FROM user_group_membership WHERE user_id = ? AND group_id = ?")
                .bind(user_id)
                .bind(&group.id);
        let expiring = async || {
            let groups = self.expiring_groups(user_id).await?;
            Ok::<_, Error>(groups.iter().any(|(id, _)| same_id(id, &group.id)))
        };
        if member.exists(&self.db).await? || expiring().await? {
            return Ok(());
        }
        Err(not_a_member(user_id, group_id))
    }

    /// The groups that a user is in now.
    pub async fn groups_for_user(
        &self,
        user_id: &str,
        listing: &Listing,
    ) -> Result<Page<Membership>> {
        match self.entity_backend(Entity::User, user_id).await? {
            EntityBackend::Directory(entry) => {
                let user = entry.user().await?;
                return self.directory_groups_of_user(&user, listing).await;
            }
            EntityBackend::Database if listing.resumed => {}
            EntityBackend::Database => drop(user::row(&self.db, user_id).await?),
            EntityBackend::Nowhere => return Err(user::missing(user_id)),
        }
        let expiring = self.expiring_groups(user_id).await?;
        let mine = "g.id IN (SELECT m.group_id FROM user_group_membership m WHERE m.user_id = ?)";
        let select = select(GROUPS);
        let select = if expiring.is_empty() {
            select.filter(mine, Some(user_id))
        } else {
            let ids = expiring.iter().map(|(id, _)| id.as_str());
            select.filter_all(
                "g.id IN (SELECT m.group_id FROM user_group_membership m WHERE m.user_id = ?) \
                 OR INSTR(?, ',' || g.id || ',') > 0",
                [user_id.to_owned(), comma_joined(ids)],
            )
        };
        let query = select.narrow(listing, &COLUMNS).page(listing, "g.id");
        let groups: Page<Group> = query.fetch_page(listing, &self.db).await?;
        let ends: HashMap<String, NaiveDateTime> = expiring.into_iter().collect();
        Ok(groups.map(|group| Membership {
            membership_expires_at: ends.get(&group.id).copied().map(render_zoneless_time),
            group,
        }))
    }

    /// Which user is in which group now, as pairs of group and user, for what the database stores: unexpired federated
    /// memberships are among them, and those of directories are not.
    pub async fn stored_memberships(&self) -> Result<Vec<(String, String)>> {
        let members =
            sql("SELECT group_id, user_id FROM user_group_membership ORDER BY group_id, user_id");
        let mut members: Vec<(String, String)> = members.fetch_all(&self.db).await?;
        let expiring: Vec<(String, String, NaiveDateTime, Option<i64>)> = sql("\
            SELECT e.group_id, e.user_id, e.last_verified, i.authorization_ttl \
              FROM expiring_user_group_membership e JOIN identity_provider i ON i.id = e.idp_id \
             ORDER BY e.group_id, e.user_id")
        .fetch_all(&self.db)
        .await?;
        let now = self.clock.precise();
        let lasts = |verified, minutes| end_of_membership(&self.settings, verified, minutes) > now;
        let expiring = expiring.into_iter().filter(|it| lasts(it.2, it.3));
        members.extend(expiring.map(|(group, user, ..)| (group, user)));
        members.sort_unstable();
        members.dedup();
        Ok(members)
    }

    /// The groups of unexpired federated memberships of a user, each with its expiry. Groups of which the user is a
    /// permanent member are left out.
    pub(crate) async fn expiring_groups(
        &self,
        user_id: &str,
    ) -> Result<Vec<(String, NaiveDateTime)>> {
        let rows: Vec<MembershipRow> = sql("\
            SELECT e.group_id, e.last_verified, i.authorization_ttl \
              FROM expiring_user_group_membership e JOIN identity_provider i ON i.id = e.idp_id \
             WHERE e.user_id = ? AND NOT EXISTS \
                   (SELECT 1 FROM user_group_membership m WHERE m.user_id = e.user_id AND m.group_id = e.group_id) \
             ORDER BY e.group_id, e.last_verified")
        .bind(user_id)
        .fetch_all(&self.db)
        .await?;
        let now = self.clock.precise();
        let ends = rows.into_iter().map(|row| {
            let end = end_of_membership(&self.settings, row.last_verified, row.authorization_ttl);
            (row.group_id, end)
        });
        Ok(ends.filter(|(_, end)| *end > now).collect())
    }
}

/// When a federated membership ends; an identity provider may set for how long it lasts.
pub(crate) fn end_of_membership(
    settings: &Settings,
    verified: NaiveDateTime,
    minutes: Option<i64>,
) -> NaiveDateTime {
    let minutes = minutes.filter(|minutes| *minutes != 0);
    let default = settings.default_authorization_ttl;
    let life = minutes.map_or(Some(default), Duration::try_minutes);
    let end = life.and_then(|life| verified.checked_add_signed(life));
    end.unwrap_or(NaiveDateTime::MAX)
}

fn by_id(id: &str) -> Query {
    select(GROUPS).filter("g.id = ?", Some(id)).then("")
}

/// One group, locked until the transaction ends.
async fn locked(tx: &mut Tx, id: &str) -> Result<Group> {
    by_id(id).locking().fetch_resource(tx, id).await
}

/// The ids of groups between commas, for a search with `INSTR`: no id contains a comma, and a list of values could be too
/// long for a statement. Empty without groups.
pub(crate) fn comma_joined<'i>(ids: impl Iterator<Item = &'i str>) -> String {
    ids.fold(String::new(), |mut text, id| {
        if text.is_empty() {
            text.push(',');
        }
        text.push_str(id);
        text.push(',');
        text
    })
}

pub(crate) fn not_a_member(user_id: &str, group_id: &str) -> Error {
    Error::Missing(format!("User '{user_id}' not found in group '{group_id}'"))
}

fn name_taken(name: &str) -> Error {
    Error::conflict::<Group>(format!("Duplicate entry found with name {name}"))
}
