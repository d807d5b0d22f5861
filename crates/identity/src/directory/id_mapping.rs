//! `id_mapping`: the ids under which the API knows users and groups of directories. A row is made when an entry is seen for the
//! first time, and wins over the id that would be computed (`keystone/identity/mapping_backends/sql.py`).

use std::collections::HashMap;

use keystone_storage::{Query, select, sql, transaction};
use keystone_types::{Result, same_id};

use crate::identity::Identity;
use crate::public_id::public_id;

/// What a local id is of; it is part of the public id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    User,
    Group,
}

impl Entity {
    /// The `entity_type` column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

/// A row, with the name of its domain if that still exists and whether it is enabled. Without a local id it is the row that a
/// user's first login made, which tells the domain of one whose mapping was purged.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Mapped {
    pub(super) public_id: String,
    pub(super) domain_id: String,
    pub(super) local_id: String,
    entity_type: String,
    pub(super) domain_name: Option<String>,
    pub(super) domain_enabled: Option<bool>,
}

/// The longest local id that the table holds.
const LONGEST: usize = 255;

/// With more local ids than this, all rows of the domain are read.
const FEW: usize = 200;

/// How many public ids one statement asks for, twice: `SQLite` takes 32,766 values.
const IDS_PER_STATEMENT: usize = 1_000;

/// How many rows one statement inserts.
const BATCH: usize = 64;

impl Identity {
    /// The rows of public ids; there is none for what only the database knows.
    pub(super) async fn mapped(&self, public_ids: &[&str]) -> Result<Vec<Mapped>> {
        let mut mapped = Vec::new();
        for some in public_ids.chunks(IDS_PER_STATEMENT) {
            let rows = select(
                "SELECT m.public_id, m.domain_id, m.local_id, m.entity_type, d.name AS domain_name, \
                        d.enabled AS domain_enabled \
                   FROM id_mapping m LEFT JOIN project d ON d.id = m.domain_id",
            );
            let rows = rows
                .within("m.public_id", some.iter().copied())
                .union_all(
                    "SELECT n.user_id, n.domain_id, '', 'user', d.name, d.enabled \
                       FROM nonlocal_user n LEFT JOIN project d ON d.id = n.domain_id",
                )
                .within("n.user_id", some.iter().copied());
            let rows: Vec<Mapped> = rows.then(" ORDER BY public_id").fetch_all(&self.db).await?;
            mapped.extend(rows);
        }
        Ok(mapped)
    }

    /// The ids of all users and groups of directories that were seen so far.
    pub async fn all_mapped_ids(&self) -> Result<Vec<String>> {
        let ids: Vec<(String,)> = sql("SELECT public_id FROM id_mapping ORDER BY public_id")
            .fetch_all(&self.db)
            .await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// The public ids of local ids of a domain, in their order; what has none yet gets a row. `None` for one that the table can't
    /// hold, which is logged.
    pub(super) async fn public_ids(
        &self,
        domain_id: &str,
        entity: Entity,
        local_ids: &[&str],
    ) -> Result<Vec<Option<String>>> {
        let mut known = self.known(domain_id, entity, local_ids).await?;
        let fits = |id: &&&str| id.chars().count() <= LONGEST;
        let new = local_ids.iter().filter(|id| known.get(id).is_none());
        let new: Vec<&str> = new.filter(fits).copied().collect();
        for batch in new.chunks(BATCH) {
            if !self.insert_mappings(domain_id, entity, batch).await? {
                // Another node was faster for one of them, or the database takes one for another.
                for id in batch {
                    self.insert_mappings(domain_id, entity, &[id]).await?;
                }
            }
        }
        if !new.is_empty() {
            known.extend(self.known(domain_id, entity, &new).await?);
        }
        let found = local_ids.iter().map(|id| {
            let found = known.get(id);
            if found.is_none() {
                tracing::error!(
                    domain.id = domain_id,
                    local_id = id,
                    entity = entity.name(),
                    "an entry of a directory was left out: the table id_mapping takes its id for that of another one, or it has \
                     more than 255 characters"
                );
            }
            found.map(str::to_owned)
        });
        Ok(found.collect())
    }

    async fn known(&self, domain_id: &str, entity: Entity, ids: &[&str]) -> Result<Known> {
        let rows = select("SELECT m.local_id, m.public_id FROM id_mapping m").filter_all(
            "m.domain_id = ? AND m.entity_type = ?",
            [domain_id, entity.name()],
        );
        let rows = if ids.len() <= FEW {
            rows.within("m.local_id", ids.iter().copied())
        } else {
            rows
        };
        let rows: Vec<(String, String)> = rows
            .then(" ORDER BY m.local_id")
            .fetch_all(&self.db)
            .await?;
        Ok(Known::of(rows))
    }

    /// Inserts rows; tells whether none of them was there.
    async fn insert_mappings(
        &self,
        domain_id: &str,
        entity: Entity,
        local_ids: &[&str],
    ) -> Result<bool> {
        transaction!(self.db, |tx| {
            let done = insertion(domain_id, entity, local_ids).execute(tx).await;
            match done {
                Err(error) if error.is_duplicate() => Ok(false),
                other => Ok(other.map(|_| true)?),
            }
        })
        .await
    }
}

fn insertion(domain_id: &str, entity: Entity, local_ids: &[&str]) -> Query {
    let insert = sql(
        "INSERT INTO id_mapping (public_id, domain_id, local_id, entity_type) SELECT ?, ?, ?, ?",
    );
    let more = local_ids.len().saturating_sub(1);
    let insert = (0..more).fold(insert, |insert, _| insert.union_all("SELECT ?, ?, ?, ?"));
    local_ids.iter().fold(insert, |insert, local_id| {
        insert
            .bind(public_id(domain_id, entity.name(), local_id.as_bytes()))
            .bind(domain_id)
            .bind(*local_id)
            .bind(entity.name())
    })
}

/// Public ids by local id.
#[derive(Debug, Default)]
struct Known {
    exactly: HashMap<String, String>,
    /// By the local id in lower case: `MariaDB` has one row for both, and directories compare most ids so.
    folded: HashMap<String, String>,
}

impl Known {
    fn of(rows: Vec<(String, String)>) -> Self {
        let mut known = Self::default();
        for (local, public) in rows {
            known.folded.insert(local.to_lowercase(), public.clone());
            known.exactly.insert(local, public);
        }
        known
    }

    fn get(&self, local_id: &str) -> Option<&str> {
        let exactly = self.exactly.get(local_id);
        let found = exactly.or_else(|| self.folded.get(&local_id.to_lowercase()));
        found.map(String::as_str)
    }

    fn extend(&mut self, other: Self) {
        self.exactly.extend(other.exactly);
        self.folded.extend(other.folded);
    }
}

/// The row of a public id, which a request may spell as the database compares it.
pub(super) fn row_of<'r>(rows: &'r [Mapped], public_id: &str) -> Option<&'r Mapped> {
    let mut found = rows.iter().filter(|row| same_id(&row.public_id, public_id));
    let first = found.next()?;
    Some(found.fold(
        first,
        |one, other| if one.is_purged() { other } else { one },
    ))
}

impl Mapped {
    /// Whether the mapping is gone.
    pub(super) fn is_purged(&self) -> bool {
        self.local_id.is_empty()
    }

    pub(super) fn is(&self, entity: Entity) -> bool {
        self.entity_type == entity.name() && !self.is_purged()
    }
}
