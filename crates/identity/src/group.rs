//! Groups of users, and who is in them.

use chrono::{Duration, NaiveDateTime};
use keystone_storage::{Column, OrConflict, Query, Tx, select, sql, transaction, update};
use keystone_types::{
    Error, Extra, Listing, Page, Resource, Result, check_length, new_id, overlay,
    render_zoneless_time, same_id,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::project::no_text;
use crate::{Identity, RevocationEvent, held, revoke};

/// A group, as stored and as served.
#[derive(Clone, Debug, Serialize, Deserialize, sqlx::FromRow)]
pub struct Group {
    /// What no column holds.
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
    /// What it is for.
    #[serde(default = "no_text")]
    pub description: Option<String>,
}

impl Resource for Group {
    const MEMBER: &'static str = "group";
    const COLLECTION: &'static str = "groups";

    fn id(&self) -> &str {
        &self.id
    }
}

/// A group as one of its members sees it.
#[derive(Clone, Debug, Serialize)]
pub struct Membership {
    /// The group.
    #[serde(flatten)]
    pub group: Group,
    /// When a membership that federation gave ends.
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
    last_verified: Option<NaiveDateTime>,
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
        if let Some(marker) = &listing.marker {
            let row: Option<(String,)> = sql("SELECT id FROM `group` WHERE id = ?")
                .bind(marker)
                .fetch_optional(&self.db)
                .await?;
            row.ok_or_else(|| Error::Missing(format!("Marker {marker} could not be found.")))?;
        }
        let query = select(GROUPS)
            .narrow(listing, &COLUMNS)
            .page(listing, "g.id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// One group.
    pub async fn group(&self, id: &str) -> Result<Group> {
        let found = by_id(id).fetch_optional(&self.db).await?;
        found.ok_or_else(|| Error::not_found::<Group>(id))
    }

    /// Creates a group.
    pub async fn create_group(&self, mut group: Group) -> Result<Group> {
        group.name = group.name.trim().to_owned();
        transaction!(self.db, |tx| {
            held::domain(tx, &group.domain_id).await?;
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
        transaction!(self.db, |tx| {
            let current = locked(tx, id).await?;
            if patch
                .get("domain_id")
                .is_some_and(|domain| *domain != current.domain_id.as_str())
            {
                return Err(Error::Validation("Cannot change Domain ID".to_owned()));
            }
            let mut group = overlay(&current, patch.clone())?;
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

    /// Deletes a group; if it had roles, its members' tokens end.
    pub async fn delete_group(&self, id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let group = locked(tx, id).await?;
            self.remove_groups(tx, &[group.id]).await
        })
        .await
    }

    /// Puts a user into a group; one who is in it already stays.
    pub async fn add_user_to_group(&self, user_id: &str, group_id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let group = held::group(tx, group_id).await?;
            let user = held::user(tx, user_id).await?;
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

    /// Takes a user out of a group, which ends the user's tokens.
    pub async fn remove_user_from_group(&self, user_id: &str, group_id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let removed =
                sql("DELETE FROM user_group_membership WHERE user_id = ? AND group_id = ?")
                    .bind(user_id)
                    .bind(group_id)
                    .execute(&mut *tx)
                    .await?;
            if removed == 0 {
                held::group(tx, group_id).await?;
                held::user(tx, user_id).await?;
                return Err(not_a_member(user_id, group_id));
            }
            let event = RevocationEvent::user(&held::user(tx, user_id).await?);
            revoke(tx, event, self.clock.now()).await
        })
        .await
    }

    /// Whether a user is in a group; not being in it is a 404.
    pub async fn check_user_in_group(&self, user_id: &str, group_id: &str) -> Result<()> {
        self.group(group_id).await?;
        self.user_row(user_id).await?;
        if self
            .group_ids(user_id)
            .await?
            .iter()
            .any(|id| same_id(id, group_id))
        {
            return Ok(());
        }
        Err(not_a_member(user_id, group_id))
    }

    /// The ids of the groups that a user is in now.
    pub async fn group_ids(&self, user_id: &str) -> Result<Vec<String>> {
        let rows = self.membership_rows(user_id).await?;
        Ok(rows.into_iter().map(|(id, _)| id).collect())
    }

    /// The groups that a user is in now.
    pub async fn groups_for_user(
        &self,
        user_id: &str,
        listing: &Listing,
    ) -> Result<Page<Membership>> {
        self.user_row(user_id).await?;
        let rows = self.membership_rows(user_id).await?;
        let select = select(GROUPS)
            .within("g.id", rows.iter().map(|(id, _)| id))
            .narrow(listing, &COLUMNS);
        let query = select.page(listing, "g.id");
        let groups: Page<Group> = query.fetch_page(listing, &self.db).await?;
        let expiry = |id: &str| {
            rows.iter()
                .find(|(group, _)| same_id(group, id))
                .and_then(|(_, end)| *end)
        };
        Ok(groups.map(|group| Membership {
            membership_expires_at: expiry(&group.id).map(render_zoneless_time),
            group,
        }))
    }

    /// The memberships of a user that have not lapsed, each with its end.
    async fn membership_rows(&self, user_id: &str) -> Result<Vec<(String, Option<NaiveDateTime>)>> {
        let rows: Vec<MembershipRow> = sql("\
            SELECT group_id, NULL AS last_verified, NULL AS authorization_ttl \
              FROM user_group_membership WHERE user_id = ? \
             UNION ALL \
            SELECT e.group_id, e.last_verified, i.authorization_ttl \
              FROM expiring_user_group_membership e JOIN identity_provider i ON i.id = e.idp_id WHERE e.user_id = ?")
        .bind(user_id)
        .bind(user_id)
        .fetch_all(&self.db)
        .await?;
        let now = self.clock.precise();
        let default_ttl = self.settings.default_authorization_ttl;
        let current = rows.into_iter().filter_map(|row| {
            let end = row.last_verified.map(|verified| {
                let minutes = row.authorization_ttl.filter(|minutes| *minutes != 0);
                let life = minutes.map_or(Some(default_ttl), Duration::try_minutes);
                life.and_then(|life| verified.checked_add_signed(life))
                    .unwrap_or(NaiveDateTime::MAX)
            });
            end.is_none_or(|end| end > now)
                .then_some((row.group_id, end))
        });
        Ok(current.collect())
    }
}

fn by_id(id: &str) -> Query {
    select(GROUPS).filter("g.id = ?", Some(id)).then("")
}

/// One group, which nobody else changes meanwhile.
async fn locked(tx: &mut Tx, id: &str) -> Result<Group> {
    let found = by_id(id).locking().fetch_optional(tx).await?;
    found.ok_or_else(|| Error::not_found::<Group>(id))
}

fn not_a_member(user_id: &str, group_id: &str) -> Error {
    Error::Missing(format!("User '{user_id}' not found in group '{group_id}'"))
}

fn name_taken(name: &str) -> Error {
    Error::conflict::<Group>(format!("Duplicate entry found with name {name}"))
}
