//! Shadow users: the rows of users whom an identity provider vouches for, who are made and brought up to date by their logins
//! (`keystone/identity/core.py`, `keystone/auth/plugins/mapped.py`).
//!
//! A login is one transaction: what fails leaves no user, membership, project or role behind.

use std::collections::BTreeSet;

use chrono::Duration;
use keystone_storage::{Tx, sql, transaction, update};
use keystone_types::{Error, Extra, Result, check_length, same_id};

use crate::identity::Identity;
use crate::project::Project;
use crate::public_id::public_id;
use crate::revocation::{RevocationEvent, revoke_issued};
use crate::role::grant::{Actor, Grant, GrantTarget, Inheritance, add_grant};
use crate::shared_lock;
use crate::user::{Subject, UserRow, locked, row};

/// What a login at an identity provider makes of a user.
#[derive(Clone, Debug)]
pub struct ShadowLogin {
    /// The identity provider.
    pub idp_id: String,
    /// The protocol spoken with it.
    pub protocol_id: String,
    /// The id there, percent-encoded.
    pub unique_id: String,
    /// The name.
    pub name: String,
    /// The e-mail address, where there is one.
    pub email: Option<String>,
    /// The domain of a user who is new, and the one whose roles count.
    pub domain_id: String,
    /// The groups that the provider puts the user into, by id.
    pub groups: Vec<String>,
    /// The projects that the user gets roles on.
    pub projects: Vec<ShadowProject>,
    /// Whether the user loses all other roles on projects.
    pub only_these_projects: bool,
}

/// A project that a user gets roles on by a login.
#[derive(Clone, Debug)]
pub struct ShadowProject {
    /// The name.
    pub name: String,
    /// The domain.
    pub domain_id: String,
    /// The names of the roles.
    pub roles: Vec<String>,
}

/// What a login has changed beside the user's memberships.
#[derive(Clone, Debug, Default)]
pub struct ShadowChanges {
    /// Whether an attribute of a known user is another.
    pub updated: bool,
    /// The projects that were created, by id.
    pub projects: Vec<String>,
    /// The roles that were granted: the ids of project and role.
    pub granted: Vec<(String, String)>,
    /// The roles that were revoked, likewise.
    pub revoked: Vec<(String, String)>,
}

/// A row of `federated_user`: its id, that of the user, the one at the provider, and the name.
type Account = (i64, String, String, Option<String>);

impl Identity {
    /// Finds or makes the user of a login, and brings groups, projects and roles up to date. Nothing is kept unless `admit`
    /// lets the user in.
    pub async fn shadow_user(
        &self,
        login: &ShadowLogin,
        admit: fn(&Subject) -> Result<()>,
    ) -> Result<(Subject, ShadowChanges)> {
        check_length("unique_id", &login.unique_id, 255)?;
        check_length("display_name", &login.name, 255)?;
        transaction!(self.db, |tx| {
            let mut known = account(tx, login).await?;
            if known.is_none() {
                hold_for_first_login(tx, login).await?;
                known = account(tx, login).await?;
            }
            let mut done = ShadowChanges::default();
            let id = match &known {
                Some(account) => {
                    let refreshed = self.refresh_shadow(tx, account, login).await?;
                    done.updated = refreshed.1;
                    refreshed.0
                }
                None => self.create_shadow(tx, login).await?,
            };
            // As in Keystone, a user who was inactive for too long is active by now.
            let today = self.clock.now().date();
            let subject = row(&mut *tx, &id)
                .await?
                .into_subject(&self.settings, today);
            admit(&subject)?;
            let changed = self.store_memberships(tx, &id, login).await?;
            if changed && known.is_some() {
                let now = self.clock.now();
                // The token of this login is not meant.
                let until = now - Duration::seconds(1);
                revoke_issued(tx, RevocationEvent::user(&id), until, now).await?;
            }
            self.store_projects(tx, &id, login, &mut done).await?;
            Ok((subject, done))
        })
        .await
    }

    /// Stores what is new of a known user; returns the user's id, and whether an attribute has changed.
    async fn refresh_shadow(
        &self,
        tx: &mut Tx,
        (account, user_id, _, name): &Account,
        login: &ShadowLogin,
    ) -> Result<(String, bool)> {
        let current: UserRow = locked(tx, user_id).await?;
        let mut extra = current.extra.clone();
        if let Some(email) = &login.email {
            extra.0.insert("email".to_owned(), email.as_str().into());
        }
        let today = self.clock.now().date();
        update("user")
            .set("extra", &current.extra, &extra)
            .set("last_active_at", current.last_active_at, Some(today))
            .apply("id = ?", &current.id, &mut *tx)
            .await?;
        update("federated_user")
            .set("display_name", name.as_deref(), Some(login.name.as_str()))
            .apply("id = ?", *account, tx)
            .await?;
        Ok((current.id, extra != current.extra))
    }

    /// Stores a new user; returns the user's id, which follows from the one at the provider.
    async fn create_shadow(&self, tx: &mut Tx, login: &ShadowLogin) -> Result<String> {
        let id = public_id(&login.domain_id, "user", login.unique_id.as_bytes());
        shared_lock::domain(tx, &login.domain_id).await?;
        let taken = sql("SELECT id FROM user WHERE id = ?").bind(&id);
        if taken.exists(&mut *tx).await? {
            tracing::warn!(
                user.id = id,
                identity_provider = login.idp_id,
                protocol = login.protocol_id,
                unique_id = login.unique_id,
                "the user has an account at another identity provider of the domain, or by another protocol: add this one to \
                 the attribute `federated` of the user"
            );
            return Err(Error::Conflict {
                kind: "federated_user",
                detail: "Duplicate entry".to_owned(),
            });
        }
        let mut extra = Extra::default();
        if let Some(email) = &login.email {
            extra.0.insert("email".to_owned(), email.as_str().into());
        }
        let now = self.clock.now();
        sql("INSERT INTO user (id, extra, enabled, created_at, last_active_at, domain_id) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(&id)
            .bind(&extra)
            .bind(true)
            .bind(now)
            .bind(now.date())
            .bind(&login.domain_id)
            .execute(&mut *tx)
            .await?;
        sql("INSERT INTO federated_user (user_id, idp_id, protocol_id, unique_id, display_name) VALUES (?, ?, ?, ?, ?)")
            .bind(&id)
            .bind(&login.idp_id)
            .bind(&login.protocol_id)
            .bind(&login.unique_id)
            .bind(&login.name)
            .execute(tx)
            .await?;
        Ok(id)
    }

    /// Renews the memberships in the groups of a login, and ends those that the provider does not name any more; tells
    /// whether the user is in other groups than before.
    async fn store_memberships(
        &self,
        tx: &mut Tx,
        user_id: &str,
        login: &ShadowLogin,
    ) -> Result<bool> {
        let known: Vec<(String, String)> = sql("\
            SELECT group_id, idp_id FROM expiring_user_group_membership WHERE user_id = ? ORDER BY group_id, idp_id")
        .bind(user_id)
        .fetch_all(&mut *tx)
        .await?;
        let is_known = |group: &str| known.iter().any(|(known, _)| same_id(known, group));
        let mine = known.iter().filter(|(_, idp)| same_id(idp, &login.idp_id));
        let mine: Vec<&str> = mine.map(|(group, _)| group.as_str()).collect();
        let is_in = |groups: &[&str], id: &str| groups.iter().any(|group| same_id(group, id));
        let named: Vec<&str> = login.groups.iter().map(String::as_str).collect();
        let new: Vec<&str> = named
            .iter()
            .copied()
            .filter(|id| !is_in(&mine, id))
            .collect();
        let (kept, ended): (Vec<&str>, Vec<&str>) =
            mine.iter().copied().partition(|group| is_in(&named, group));
        let now = self.clock.now();
        if !kept.is_empty() {
            sql(
                "UPDATE expiring_user_group_membership SET last_verified = ? \
                  WHERE user_id = ? AND idp_id = ? AND group_id IN (?)",
            )
            .bind(now)
            .bind(user_id)
            .bind(&login.idp_id)
            .bind_all(kept)
            .execute(&mut *tx)
            .await?;
        }
        if !ended.is_empty() {
            sql("DELETE FROM expiring_user_group_membership WHERE user_id = ? AND idp_id = ? AND group_id IN (?)")
                .bind(user_id)
                .bind(&login.idp_id)
                .bind_all(ended.iter().copied())
                .execute(&mut *tx)
                .await?;
        }
        if !new.is_empty() {
            // A group that is deleted meanwhile is left out.
            sql("INSERT INTO expiring_user_group_membership (user_id, group_id, idp_id, last_verified) \
                 SELECT ?, g.id, ?, ? FROM `group` g WHERE g.id IN (?)")
            .bind(user_id)
            .bind(&login.idp_id)
            .bind(now)
            .bind_all(new.iter().copied())
            .execute(tx)
            .await?;
        }
        Ok(!ended.is_empty() || !new.iter().all(|group| is_known(group)))
    }

    /// Grants the roles of a login on its projects, which are created where there are none.
    async fn store_projects(
        &self,
        tx: &mut Tx,
        user_id: &str,
        login: &ShadowLogin,
        changes: &mut ShadowChanges,
    ) -> Result<()> {
        if login.projects.is_empty() && !login.only_these_projects {
            return Ok(());
        }
        let roles = named_roles(tx, login).await?;
        let granted: Vec<(String, String)> = sql("\
            SELECT target_id, role_id FROM assignment \
             WHERE type = 'UserProject' AND actor_id = ? AND inherited = 0 ORDER BY target_id, role_id")
        .bind(user_id)
        .fetch_all(&mut *tx)
        .await?;
        let mut wanted = BTreeSet::new();
        for (project, roles) in login.projects.iter().zip(roles) {
            let (name, domain_id) = (&project.name, &project.domain_id);
            let (Project { id, .. }, is_new) = self.ensure_project(tx, name, domain_id).await?;
            changes.projects.extend(is_new.then(|| id.clone()));
            wanted.extend(roles.into_iter().map(|role| (id.clone(), role)));
        }
        for (project, role) in &wanted {
            if holds(&granted, project, role) {
                continue;
            }
            let grant = Grant {
                actor: Actor::User(user_id.to_owned()),
                target: GrantTarget::Project(project.clone(), Inheritance::Direct),
            };
            add_grant(tx, &grant, role).await?;
            changes.granted.push((project.clone(), role.clone()));
        }
        let ended = granted
            .iter()
            .filter(|(project, role)| !holds(&wanted, project, role));
        for (project, role) in ended.filter(|_| login.only_these_projects) {
            sql("DELETE FROM assignment \
                  WHERE type = 'UserProject' AND actor_id = ? AND inherited = 0 AND target_id = ? AND role_id = ?")
            .bind(user_id)
            .bind(project)
            .bind(role)
            .execute(&mut *tx)
            .await?;
            changes.revoked.push((project.clone(), role.clone()));
        }
        Ok(())
    }
}

/// Makes the second of two first logins at once wait, so that it then finds the user. A login that creates projects locks its
/// domain first: if each of two held a shared lock on it already, neither could get the lock that new projects need.
async fn hold_for_first_login(tx: &mut Tx, login: &ShadowLogin) -> Result<()> {
    if !login.projects.is_empty() {
        let domain = sql("SELECT id FROM project WHERE id = ?").bind(&login.domain_id);
        domain.locking().exists(&mut *tx).await?;
    }
    let provider = sql("SELECT id FROM identity_provider WHERE id = ?").bind(&login.idp_id);
    if provider.locking().exists(tx).await? {
        return Ok(());
    }
    Err(Error::NotFound {
        kind: "Identity Provider",
        id: login.idp_id.clone(),
    })
}

/// Whether a role on a project is among grants, in whatever spelling these have it.
fn holds<'g>(
    grants: impl IntoIterator<Item = &'g (String, String)>,
    project: &str,
    role: &str,
) -> bool {
    let mut grants = grants.into_iter();
    grants.any(|(known, granted)| same_id(known, project) && same_id(granted, role))
}

/// The account of a login. `MariaDB` finds it without case and accents; an identity provider may tell users apart by these, so
/// that it would hand one's account to another.
async fn account(tx: &mut Tx, login: &ShadowLogin) -> Result<Option<Account>> {
    let found: Option<Account> = sql("\
        SELECT id, user_id, unique_id, display_name FROM federated_user \
         WHERE idp_id = ? AND protocol_id = ? AND unique_id = ?")
    .bind(&login.idp_id)
    .bind(&login.protocol_id)
    .bind(&login.unique_id)
    .fetch_optional(tx)
    .await?;
    match found {
        Some((_, user_id, known, _)) if known != login.unique_id => {
            Err(Error::unauthorized(format!(
                "{:?} of the identity provider {} is not {known:?}, which is the account of user {user_id} and the same to the \
                 database: one of them needs another id at the provider",
                login.unique_id, login.idp_id
            )))
        }
        found => Ok(found),
    }
}

/// The ids of the roles of each project: of several with one name that of the user's domain, or else the one of no domain.
async fn named_roles(tx: &mut Tx, login: &ShadowLogin) -> Result<Vec<Vec<String>>> {
    let names: BTreeSet<&str> = login
        .projects
        .iter()
        .flat_map(|project| project.roles.iter().map(String::as_str))
        .collect();
    let known: Vec<(String, String, Option<String>)> = sql("\
        SELECT id, name, NULLIF(domain_id, '<<null>>') FROM role WHERE name IN (?) ORDER BY id")
    .bind_all(names)
    .fetch_all(tx)
    .await?;
    let role = |name: &String| {
        let candidates = || known.iter().filter(|(_, known, _)| known == name);
        let of = |domain: Option<&str>| candidates().find(|(_, _, of)| of.as_deref() == domain);
        match of(Some(&login.domain_id)).or_else(|| of(None)) {
            Some((id, ..)) => Ok(id.clone()),
            None if candidates().next().is_some() => Err(Error::Refused(format!(
                "role: {name} must be within the same domain as the identity provider: {}.",
                login.idp_id
            ))),
            None => Err(Error::Missing(name.clone())),
        }
    };
    let projects = login.projects.iter();
    projects
        .map(|project| project.roles.iter().map(role).collect())
        .collect()
}
