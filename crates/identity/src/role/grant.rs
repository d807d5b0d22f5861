//! Grants: a role for a user or a group on a project, a domain or the system.
//!
//! An inherited grant applies to every project below its target and not to the target itself.

use keystone_storage::{Db, Exec, Query, Tx, sql, transaction};
use keystone_types::{Error, Result};

use crate::directory::EntityBackend;
use crate::directory::id_mapping::Entity;
use crate::identity::Identity;
use crate::role::{self, Role};
use crate::{domain, project, shared_lock};

/// Who has the role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A user.
    User(String),
    /// Every member of a group.
    Group(String),
}

/// The target of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GrantTarget {
    /// A project, or its descendants.
    Project(String, Inheritance),
    /// A domain, or the projects in it.
    Domain(String, Inheritance),
    /// The deployment as a whole.
    System,
}

/// Whether a grant applies to its target or is inherited from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inheritance {
    /// It applies to the target itself.
    Direct,
    /// It applies to the projects below the target: OS-INHERIT.
    Inherited,
}

/// An actor and a target, between which roles are granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub actor: Actor,
    /// On what.
    pub target: GrantTarget,
}

impl Actor {
    /// The id of the user or group.
    pub fn id(&self) -> &str {
        match self {
            Self::User(id) | Self::Group(id) => id,
        }
    }
}

impl GrantTarget {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Project(id, _) | Self::Domain(id, _) => id,
            Self::System => "system",
        }
    }

    pub(crate) fn inherited(&self) -> bool {
        matches!(
            self,
            Self::Project(_, Inheritance::Inherited) | Self::Domain(_, Inheritance::Inherited)
        )
    }
}

impl Grant {
    /// The grant with its ids as they are stored, and shared locks on what they name. As in Keystone, an inherited grant may
    /// be for a user or group that does not exist.
    async fn locked(&self, tx: &mut Tx, of_directory: bool) -> Result<Self> {
        let target = match &self.target {
            GrantTarget::Domain(id, inheritance) => {
                shared_lock::domain(tx, id).await?;
                GrantTarget::Domain(id.clone(), *inheritance)
            }
            GrantTarget::Project(id, inheritance) => {
                GrantTarget::Project(shared_lock::project(tx, id).await?, *inheritance)
            }
            GrantTarget::System => GrantTarget::System,
        };
        let inherited = target.inherited();
        let unless_missing = |found: Result<String>, id: &str| match found {
            Err(Error::NotFound { .. }) if inherited => Ok(id.to_owned()),
            found => found,
        };
        let actor = match &self.actor {
            actor if of_directory => actor.clone(),
            Actor::User(id) => Actor::User(unless_missing(shared_lock::user(tx, id).await, id)?),
            Actor::Group(id) => Actor::Group(unless_missing(shared_lock::group(tx, id).await, id)?),
        };
        Ok(Self { actor, target })
    }

    /// The `type` column.
    fn kind(&self) -> &'static str {
        match (&self.actor, &self.target) {
            (Actor::User(_), GrantTarget::Project(..)) => "UserProject",
            (Actor::Group(_), GrantTarget::Project(..)) => "GroupProject",
            (Actor::User(_), GrantTarget::Domain(..)) => "UserDomain",
            (Actor::Group(_), GrantTarget::Domain(..)) => "GroupDomain",
            (Actor::User(_), GrantTarget::System) => "UserSystem",
            (Actor::Group(_), GrantTarget::System) => "GroupSystem",
        }
    }

    /// The statement for the table that holds such grants.
    fn statement(&self, assignment: &'static str, system: &'static str) -> Query {
        let text = if self.target == GrantTarget::System {
            system
        } else {
            assignment
        };
        let query = sql(text)
            .bind(self.kind())
            .bind(self.actor.id())
            .bind(self.target.id());
        query.bind(self.target.inherited())
    }

    fn missing(&self, role_id: &str) -> Error {
        Error::Missing(format!(
            "Could not find role assignment with role: {role_id}, user or group: {}, project, domain, or system: {}.",
            self.actor.id(),
            self.target.id()
        ))
    }
}

impl Identity {
    /// Grants a role; a grant that exists stays.
    ///
    /// The rows that it refers to are locked: `assignment` has no foreign keys to users, groups, projects and domains.
    pub async fn create_grant(&self, grant: &Grant, role_id: &str) -> Result<()> {
        if let Some(id) = self.directory_actor(&grant.actor).await? {
            self.check_named(grant, Some(role_id), true).await?;
            let grant = Grant {
                actor: match grant.actor {
                    Actor::User(_) => Actor::User(id),
                    Actor::Group(_) => Actor::Group(id),
                },
                target: grant.target.clone(),
            };
            return transaction!(self.db, |tx| {
                store_grant(tx, &grant, role_id, true).await
            })
            .await;
        }
        let stored = transaction!(self.db, |tx| add_grant(tx, grant, role_id).await).await;
        if stored.as_ref().is_err_and(Error::is_not_found) {
            // Rows are locked in another order than that in which Keystone looks for them.
            self.check_named(grant, Some(role_id), true).await?;
        }
        stored
    }

    /// 404 unless a role is granted.
    pub async fn check_grant(&self, grant: &Grant, role_id: &str) -> Result<()> {
        self.check_named(grant, Some(role_id), true).await?;
        if granted(&self.db, grant, role_id).await? {
            Ok(())
        } else {
            Err(grant.missing(role_id))
        }
    }

    /// Revokes a role, also of a user or group that does not exist any more.
    pub async fn delete_grant(&self, grant: &Grant, role_id: &str) -> Result<()> {
        if grant.target.inherited() {
            self.role(role_id).await?;
        } else {
            self.check_named(grant, Some(role_id), false).await?;
        }
        grant
            .statement(
                "DELETE FROM assignment WHERE type = ? AND actor_id = ? AND target_id = ? AND inherited = ? AND role_id = ?",
                "DELETE FROM system_assignment \
                  WHERE type = ? AND actor_id = ? AND target_id = ? AND inherited = ? AND role_id = ?",
            )
            .bind(role_id)
            .execute_or(&self.db, || grant.missing(role_id))
            .await
    }

    /// The roles that are granted, without implied ones.
    pub async fn grants(&self, grant: &Grant) -> Result<Vec<Role>> {
        self.check_named(grant, None, true).await?;
        let condition = if grant.target == GrantTarget::System {
            "r.id IN (SELECT a.role_id FROM system_assignment a \
                       WHERE a.type = ? AND a.actor_id = ? AND a.target_id = ?)"
        } else if grant.target.inherited() {
            "r.id IN (SELECT a.role_id FROM assignment a \
                       WHERE a.type = ? AND a.actor_id = ? AND a.target_id = ? AND a.inherited = 1)"
        } else {
            "r.id IN (SELECT a.role_id FROM assignment a \
                       WHERE a.type = ? AND a.actor_id = ? AND a.target_id = ? AND a.inherited = 0)"
        };
        self.roles_where(|select| {
            select.filter_all(
                condition,
                [grant.kind(), grant.actor.id(), grant.target.id()],
            )
        })
        .await
    }
}

/// Grants a role; a grant that exists stays.
pub(crate) async fn add_grant(tx: &mut Tx, grant: &Grant, role_id: &str) -> Result<()> {
    store_grant(tx, grant, role_id, false).await
}

async fn store_grant(tx: &mut Tx, grant: &Grant, role_id: &str, of_directory: bool) -> Result<()> {
    let role = shared_lock::role(tx, role_id).await?;
    let role = role::one(&mut *tx, &role).await?;
    let grant = grant.locked(tx, of_directory).await?;
    check_target(&mut *tx, &grant.target, Some(&role)).await?;
    if grant.target == GrantTarget::System && role.domain_id.is_some() {
        return Err(Error::Validation(format!(
            "Role {role_id} is a domain-specific role. Unable to use a domain-specific role in a system assignment."
        )));
    }
    let done = grant
        .statement(
            "INSERT INTO assignment (type, actor_id, target_id, inherited, role_id) VALUES (?, ?, ?, ?, ?)",
            "INSERT INTO system_assignment (type, actor_id, target_id, inherited, role_id) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&role.id)
        .execute(tx)
        .await;
    match done {
        Err(error) if error.is_duplicate() => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

impl Identity {
    /// The id of a user or group that is in a directory, where no row can be locked: as it was found, or else as it was asked
    /// for.
    async fn directory_actor(&self, actor: &Actor) -> Result<Option<String>> {
        let entity = match actor {
            Actor::User(_) => Entity::User,
            Actor::Group(_) => Entity::Group,
        };
        let EntityBackend::Directory(entry) = self.entity_backend(entity, actor.id()).await? else {
            return Ok(None);
        };
        let asked = entry.id.clone();
        let found = match entity {
            Entity::User => entry.user().await.map(|user| user.subject.user.id),
            Entity::Group => entry.group().await.map(|group| group.id),
        };
        match found {
            Err(Error::NotFound { .. }) => Ok(Some(asked)),
            found => found.map(Some),
        }
    }

    /// 404 for what a grant names and is missing, in the order in which Keystone looks for it before it asks the policy
    /// (`keystone/api/domains.py`, `projects.py`, `system.py`). An inherited grant may be for a user or group that does not
    /// exist (`os_inherit.py`).
    async fn check_named(
        &self,
        grant: &Grant,
        role_id: Option<&str>,
        with_actor: bool,
    ) -> Result<()> {
        let inherited = grant.target.inherited();
        let domain_first = !inherited && matches!(grant.target, GrantTarget::Domain(..));
        if domain_first {
            check_target(&self.db, &grant.target, None).await?;
        }
        if let Some(role_id) = role_id {
            self.role(role_id).await?;
        }
        if with_actor && !inherited {
            match &grant.actor {
                Actor::User(id) => self.subject(id).await.map(drop)?,
                Actor::Group(id) => self.group(id).await.map(drop)?,
            }
        }
        if domain_first {
            return Ok(());
        }
        check_target(&self.db, &grant.target, None).await
    }
}

/// 404 if the target does not exist; 403 if a domain-specific role belongs to another domain.
async fn check_target(
    exec: impl Into<Exec<'_>>,
    target: &GrantTarget,
    role: Option<&Role>,
) -> Result<()> {
    match target {
        GrantTarget::Domain(id, _) => domain::as_domain(project::one(exec, id).await, id).map(drop),
        GrantTarget::Project(id, _) => {
            let project = project::one(exec, id).await?;
            match role
                .filter(|role| role.domain_id.is_some() && role.domain_id != project.domain_id)
            {
                Some(role) => Err(Error::Refused(format!(
                    "Project {id} must be in the same domain as the role {} being assigned.",
                    role.id
                ))),
                None => Ok(()),
            }
        }
        GrantTarget::System => Ok(()),
    }
}

async fn granted(db: &Db, grant: &Grant, role_id: &str) -> Result<bool> {
    let found = grant
        .statement(
            "SELECT role_id FROM assignment \
              WHERE type = ? AND actor_id = ? AND target_id = ? AND inherited = ? AND role_id = ?",
            "SELECT role_id FROM system_assignment \
              WHERE type = ? AND actor_id = ? AND target_id = ? AND inherited = ? AND role_id = ?",
        )
        .bind(role_id);
    Ok(found.exists(db).await?)
}
