//! Roles, global ones and those of a domain.

pub(crate) mod assignments;
pub(crate) mod effective_roles;
pub(crate) mod grant;
pub(crate) mod implied;

use keystone_storage::{
    Column, Exec, OrConflict, Query, Select, Tx, select, sql, transaction, update,
};
use keystone_types::{
    Error, Extra, Listing, Page, Resource, Result, check_length, check_name, new_id, overlay,
    same_id,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::options::{Options, Table, store_options, take_changes};

/// The `domain_id` of a role that belongs to no domain, as stored.
pub(crate) const GLOBAL: &str = "<<null>>";

/// A role, as stored and as served.
#[derive(Clone, Debug, Serialize, Deserialize, sqlx::FromRow)]
pub struct Role {
    /// The attributes without a column.
    #[serde(flatten)]
    #[sqlx(try_from = "Option<String>")]
    pub extra: Extra,
    /// The id.
    #[serde(default = "new_id")]
    pub id: String,
    /// Unique in its domain, or among global roles.
    pub name: String,
    /// The domain of a domain-specific role.
    #[serde(default)]
    pub domain_id: Option<String>,
    /// A description for people.
    #[serde(default)]
    pub description: Option<String>,
    /// `immutable`.
    #[serde(default)]
    #[sqlx(try_from = "Option<String>")]
    pub options: Options,
}

impl Role {
    /// A role to be created, which belongs to no domain.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            extra: Extra::default(),
            id: new_id(),
            name: name.into(),
            domain_id: None,
            description: None,
            options: Options::default(),
        }
    }
}

impl Resource for Role {
    const MEMBER: &'static str = "role";
    const COLLECTION: &'static str = "roles";

    fn id(&self) -> &str {
        &self.id
    }
}

const ROLES: &str = "\
    SELECT r.id, r.name, NULLIF(r.domain_id, '<<null>>') AS domain_id, r.description, r.extra, \
           (SELECT GROUP_CONCAT(o.option_id || HEX(o.option_value)) FROM role_option o WHERE o.role_id = r.id) AS options \
      FROM role r";

const COLUMNS: [Column; 2] = [
    Column::text("name", "r.name", 255),
    Column::text("domain_id", "r.domain_id", 64),
];

/// A role in a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RoleRef {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
}

impl Identity {
    /// The roles that a listing asks for; without a filter on the domain, all of them.
    pub async fn roles(&self, listing: &Listing) -> Result<Page<Role>> {
        let query = select(ROLES)
            .narrow(listing, &COLUMNS)
            .page(listing, "r.id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// The roles that belong to no domain.
    pub async fn global_roles(&self, listing: &Listing) -> Result<Page<Role>> {
        self.roles(&listing.clone().with("domain_id", GLOBAL)).await
    }

    /// The roles that `narrow` leaves.
    pub(crate) async fn roles_where(
        &self,
        narrow: impl FnOnce(Select) -> Select,
    ) -> Result<Vec<Role>> {
        Ok(narrow(select(ROLES))
            .then(" ORDER BY r.id")
            .fetch_readable(&self.db)
            .await?)
    }

    /// The roles with these ids; those that do not exist are left out.
    pub async fn roles_with_ids(&self, ids: &[String]) -> Result<Vec<Role>> {
        let query = select(ROLES).among("r.id IN (?)", ids);
        Ok(query.then(" ORDER BY r.id").fetch_all(&self.db).await?)
    }

    /// The roles with these names, of all domains and of none.
    pub async fn roles_named(&self, names: &[&str]) -> Result<Vec<RoleRef>> {
        let query = sql("SELECT id, name FROM role WHERE name IN (?) ORDER BY id");
        let found = query.bind_all(names.iter().copied());
        let found: Vec<(String, String)> = found.fetch_all(&self.db).await?;
        let found = found.into_iter();
        Ok(found.map(|(id, name)| RoleRef { id, name }).collect())
    }

    /// One role.
    pub async fn role(&self, id: &str) -> Result<Role> {
        one(&self.db, id).await
    }

    /// The roles with these ids, in the same order; 404 if one is missing.
    pub async fn roles_by_id(&self, ids: &[String]) -> Result<Vec<Role>> {
        let query = select(ROLES).among("r.id IN (?)", ids.iter().map(String::as_str));
        let found: Vec<Role> = query.then("").fetch_all(&self.db).await?;
        let role = |id: &String| {
            let role = found.iter().find(|role| same_id(&role.id, id));
            role.cloned().ok_or_else(|| Error::not_found::<Role>(id))
        };
        ids.iter().map(role).collect()
    }

    /// Creates a role.
    pub async fn create_role(&self, role: Role) -> Result<Role> {
        check_name(&role.name, 255)?;
        check_description(&role)?;
        transaction!(self.db, |tx| {
            sql(
                "INSERT INTO role (id, name, domain_id, description, extra) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(&role.id)
            .bind(&role.name)
            .bind(role.domain_id.as_deref().unwrap_or(GLOBAL))
            .bind(&role.description)
            .bind(&role.extra)
            .execute(&mut *tx)
            .await
            .or_conflict(|| name_taken(&role))?;
            store_options(tx, Table::Role, &role.id, &role.options.0).await?;
            one(tx, &role.id).await
        })
        .await
    }

    /// Changes a role.
    pub async fn update_role(&self, id: &str, patch: Map<String, Value>) -> Result<Role> {
        transaction!(self.db, |tx| {
            let current = locked(tx, id).await?;
            check_update(&current, &patch)?;
            let mut patch = patch.clone();
            let options = take_changes(&mut patch);
            let role = overlay(&current, patch)?;
            if role.name != current.name {
                check_name(&role.name, 255)?;
            }
            check_description(&role)?;
            update("role")
                .set("name", &current.name, &role.name)
                .set("description", &current.description, &role.description)
                .set("extra", &current.extra, &role.extra)
                .apply("id = ?", &current.id, &mut *tx)
                .await
                .or_conflict(|| name_taken(&role))?;
            store_options(tx, Table::Role, &current.id, &options).await?;
            one(tx, &current.id).await
        })
        .await
    }

    /// Deletes a role with every grant of it.
    pub async fn delete_role(&self, id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let role = locked(tx, id).await?;
            role.options.check_delete(Role::MEMBER, id)?;
            self.remove_roles(tx, &[role.id]).await
        })
        .await
    }
}

pub(crate) async fn one(exec: impl Into<Exec<'_>>, id: &str) -> Result<Role> {
    by_id(id).fetch_resource(exec, id).await
}

/// One role, locked until the transaction ends.
async fn locked(tx: &mut Tx, id: &str) -> Result<Role> {
    by_id(id).locking().fetch_resource(tx, id).await
}

fn by_id(id: &str) -> Query {
    select(ROLES).filter("r.id = ?", Some(id)).then("")
}

fn check_update(current: &Role, patch: &Map<String, Value>) -> Result<()> {
    current
        .options
        .check_update(patch, Role::MEMBER, &current.id)?;
    let domain = Value::from(current.domain_id.clone());
    if patch.get("domain_id").is_some_and(|new| *new != domain) {
        return Err(Error::Validation(
            "Update of `domain_id` is not allowed.".to_owned(),
        ));
    }
    Ok(())
}

fn check_description(role: &Role) -> Result<()> {
    check_length(
        "description",
        role.description.as_deref().unwrap_or_default(),
        255,
    )
}

fn name_taken(role: &Role) -> Error {
    let name = &role.name;
    Error::conflict::<Role>(match &role.domain_id {
        Some(domain) => format!("Duplicate entry found with name {name} at domain ID {domain}"),
        None => format!("Duplicate entry found with name {name}"),
    })
}
