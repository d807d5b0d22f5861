//! Users of directories.

use std::collections::HashMap;
use std::sync::Arc;

use keystone_ldap::{Filter as NameFilter, User as Found};
use keystone_storage::{sql, transaction};
use keystone_types::{
    Case, Comparison, Error, Extra, Filter, Listing, Page, Resource, Result, Secret, filter_is_true,
};

use super::id_mapping::Entity;
use super::{DomainBackend, DomainDirectory, EntityBackend, Entry};
use crate::group::Group;
use crate::identity::Identity;
use crate::options::Options;
use crate::password::Claimant;
use crate::project::reference::DomainChoice;
use crate::shared_lock;
use crate::user::authentication::Rejected;
use crate::user::{Subject, User, missing};

/// A user of a directory as it was found there.
#[derive(Clone, Debug)]
pub(crate) struct DirectoryUser {
    pub(crate) subject: Subject,
    found: Found,
    of: DomainDirectory,
}

/// A user of a directory with the ids of its groups.
#[derive(Clone, Debug)]
pub(crate) struct UserWithGroups {
    pub(crate) subject: Subject,
    pub(crate) groups: Vec<String>,
}

impl DomainDirectory {
    fn user(&self, id: String, found: &Found) -> User {
        let attributes = [("description", &found.description), ("email", &found.email)];
        let attributes = attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())));
        User {
            extra: Extra(attributes.collect()),
            id,
            name: Some(found.name.clone()),
            domain_id: self.domain.id.clone(),
            enabled: found.enabled.unwrap_or(true),
            shown_enabled: found.enabled,
            default_project_id: found.default_project_id.clone(),
            password_expires_at: None,
            options: Options::default(),
            federated: Vec::new(),
        }
    }

    fn subject(&self, id: String, found: Found) -> DirectoryUser {
        DirectoryUser {
            subject: Subject {
                user: self.user(id, &found),
                domain: self.domain.clone(),
            },
            found,
            of: self.clone(),
        }
    }
}

impl DirectoryUser {
    /// Whether a user that the directory found is this one.
    pub(super) fn is(&self, other: &Found) -> bool {
        self.found.is(other)
    }
}

impl Entry {
    /// What the directory knows of a user.
    pub(crate) async fn user(self) -> Result<DirectoryUser> {
        let found = self.of.ask(self.of.directory.user(&self.local_id)).await?;
        let found = found.ok_or_else(|| missing(&self.local_id))?;
        let id = self.id_of(&found.local_id);
        Ok(self.of.subject(id, found))
    }
}

/// The users who are in directories, by few searches of each, with the ids that were asked for; those who are gone are left
/// out.
pub(crate) async fn subjects_in<'i>(
    ids: &[&'i str],
    backends: Vec<EntityBackend>,
) -> Result<Vec<(&'i str, Subject)>> {
    let mut domains: HashMap<String, Vec<(&str, Entry)>> = HashMap::new();
    for (asked, backend) in ids.iter().zip(backends) {
        if let EntityBackend::Directory(entry) = backend {
            let of_domain = domains.entry(entry.of.domain.id.clone());
            of_domain.or_default().push((asked, entry));
        }
    }
    let mut subjects = Vec::new();
    for entries in domains.into_values() {
        let of = entries[0].1.of.clone();
        let local_ids: Vec<&str> = entries
            .iter()
            .map(|(_, entry)| entry.local_id.as_str())
            .collect();
        let found = of.ask(of.directory.users_with_ids(&local_ids)).await?;
        let mut known: HashMap<String, Found> = HashMap::new();
        for user in found {
            // The first one where several have the id.
            known.entry(user.local_id.to_lowercase()).or_insert(user);
        }
        for (asked, entry) in entries {
            if let Some(found) = known.get(&entry.local_id.to_lowercase()) {
                let id = entry.id_of(&found.local_id);
                subjects.push((asked, of.subject(id, found.clone()).subject));
            }
        }
    }
    Ok(subjects)
}

impl Identity {
    /// The user with a name in a domain; `None` where its users are in the database. The id decides who that is: where it is
    /// that of another entry too, which comes first, this one is nobody.
    pub(crate) async fn directory_user_by_name(
        &self,
        name: &str,
        domain: DomainChoice<'_>,
    ) -> Result<Option<DirectoryUser>> {
        let of = match self.domain_backend(domain).await? {
            DomainBackend::Database => return Ok(None),
            DomainBackend::Nowhere => return Err(missing(name)),
            DomainBackend::Directory(of) => of,
        };
        let found = of.ask(of.directory.user_by_name(name)).await?;
        let found = found.ok_or_else(|| missing(name))?;
        let ids = self.ids_of(&of, Entity::User, &[&found.local_id]).await?;
        let id = ids.into_iter().flatten().next();
        let id = id.ok_or_else(|| missing(name))?;
        let EntityBackend::Directory(entry) = self.entity_backend(Entity::User, &id).await? else {
            return Err(missing(name));
        };
        match entry.user().await {
            Ok(user) if user.is(&found) => Ok(Some(user)),
            Ok(other) => {
                of.warn(&format!(
                    "{:?} and {:?} have one id in the directory, {id} here, and only the first of them is a user: see \
                     user_id_attribute and query_scope of [ldap]",
                    other.found.dn, found.dn
                ));
                Err(missing(name))
            }
            Err(error) if error.is_not_found() => Err(missing(name)),
            Err(error) => Err(error),
        }
    }

    /// The users of a directory that a listing asks for.
    pub(crate) async fn directory_users(
        &self,
        of: &DomainDirectory,
        listing: &Listing,
    ) -> Result<Page<User>> {
        let found = of.ask(of.directory.users(&name_filters(listing))).await?;
        self.page_of_users(of, found, listing).await
    }

    pub(super) async fn page_of_users(
        &self,
        of: &DomainDirectory,
        found: Vec<Found>,
        listing: &Listing,
    ) -> Result<Page<User>> {
        let local_ids: Vec<&str> = found.iter().map(|user| user.local_id.as_str()).collect();
        let ids = self.ids_of(of, Entity::User, &local_ids).await?;
        let count = found.len();
        let (of, listing) = (of.clone(), listing.clone());
        let work = move || {
            let users = ids.into_iter().zip(&found);
            let users = users.filter_map(|(id, found)| Some(of.user(id?, found)));
            page(users.collect(), &listing, passes)
        };
        self.bulk.run(count, work).await?
    }

    /// What directories know of those of these ids that are users there, with their groups; `None` for one who is gone.
    pub(crate) async fn directory_members(
        &self,
        ids: &[&str],
    ) -> Result<Vec<(String, Option<UserWithGroups>)>> {
        if self.directories.none() {
            return Ok(Vec::new());
        }
        let backends = self.entity_backends(Entity::User, ids).await?;
        let mut members = Vec::new();
        for (id, backend) in ids.iter().zip(backends) {
            let entry = match backend {
                EntityBackend::Database => continue,
                EntityBackend::Nowhere => {
                    members.push(((*id).to_owned(), None));
                    continue;
                }
                EntityBackend::Directory(entry) => entry,
            };
            let found = self.found_with_groups(&entry).await?;
            let member = found.map(|(found, groups)| UserWithGroups {
                subject: entry
                    .of
                    .subject(entry.id_of(&found.local_id), found)
                    .subject,
                groups,
            });
            members.push(((*id).to_owned(), member));
        }
        Ok(members)
    }

    /// A user and the ids of the groups, as the directory has them now. Those who ask about one user at the same time share an
    /// answer to a question that was put after all of theirs.
    async fn found_with_groups(&self, entry: &Entry) -> Result<Option<(Found, Vec<String>)>> {
        // The address tells directories of one domain apart, whose configuration was changed.
        let key = format!("{:p} {}", Arc::as_ptr(&entry.of.directory), entry.id);
        let look_up = || async {
            let user = match entry.clone().user().await {
                Err(Error::NotFound { .. }) => return Ok(None),
                user => user?,
            };
            let groups = self.groups_of_directory_user(&user).await?.into_iter();
            let groups = groups.map(|group| group.id).collect();
            Ok(Some((user.found, groups)))
        };
        self.directories.members.run(&key, look_up).await
    }

    /// Verifies a password by a bind. What fails looks like a wrong password and takes as long as one of a user who does not
    /// exist; what is wrong with the directory is in the log.
    pub(crate) async fn authenticate_in_directory(
        &self,
        user: DirectoryUser,
        password: Secret,
        claimant: &Claimant,
    ) -> Result<User, Rejected> {
        let DirectoryUser { subject, found, of } = user;
        let id = &subject.user.id;
        let bound = of.directory.authenticate(&found, password.reveal()).await;
        let refused = match bound {
            Ok(true) if subject.user.enabled => None,
            Ok(true) => {
                let text = format!("user {id} is disabled in the directory");
                Some(Rejected::Other(Error::unauthorized(text)))
            }
            Ok(false) => {
                let text = format!("the directory refuses the password of user {id}");
                Some(Rejected::Wrong(Error::unauthorized(text)))
            }
            Err(error) => {
                let error = of.failed(&error);
                tracing::error!(
                    domain.id = of.domain.id,
                    user.id = id,
                    cause = error.cause(),
                    "a login failed because the directory could not be asked about a password"
                );
                let text = format!("the directory could not be asked about user {id}");
                Some(Rejected::Other(Error::unauthorized(text)))
            }
        };
        if let Some(refused) = refused {
            let taken = self.hasher.verify_dummy(password, claimant).await;
            taken.map_err(Error::from)?;
            return Err(refused);
        }
        self.store_shadow(&subject.user).await?;
        Ok(subject.user)
    }

    /// The rows of a user of a directory, which the first login makes: `user` and `nonlocal_user`.
    async fn store_shadow(&self, user: &User) -> Result<()> {
        let now = self.clock.now();
        let known: Option<(Option<chrono::NaiveDate>,)> =
            sql("SELECT last_active_at FROM user WHERE id = ?")
                .bind(&user.id)
                .fetch_optional(&self.db)
                .await?;
        if known == Some((Some(now.date()),)) {
            return Ok(());
        }
        transaction!(self.db, |tx| {
            let active = sql("UPDATE user SET last_active_at = ? WHERE id = ?")
                .bind(now.date())
                .bind(&user.id);
            if active.execute(&mut *tx).await? > 0 {
                return Ok(());
            }
            shared_lock::domain(tx, &user.domain_id).await?;
            sql("INSERT INTO user (id, extra, enabled, default_project_id, created_at, last_active_at, domain_id) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(&user.id)
            .bind(&user.extra)
            .bind(user.enabled)
            .bind(&user.default_project_id)
            .bind(now)
            .bind(now.date())
            .bind(&user.domain_id)
            .execute(&mut *tx)
            .await?;
            // The name may have been that of somebody who has another name or none in the directory by now.
            sql("DELETE FROM nonlocal_user WHERE domain_id = ? AND name = ?")
                .bind(&user.domain_id)
                .bind(user.name())
                .execute(&mut *tx)
                .await?;
            sql("INSERT INTO nonlocal_user (domain_id, name, user_id) VALUES (?, ?, ?)")
                .bind(&user.domain_id)
                .bind(user.name())
                .bind(&user.id)
                .execute(tx)
                .await?;
            Ok(())
        })
        .await
    }

    /// The groups of a user, with the ids of the API.
    pub(super) async fn groups_of_directory_user(
        &self,
        user: &DirectoryUser,
    ) -> Result<Vec<Group>> {
        let of = &user.of;
        let found = of.ask(of.directory.groups_of_user(&user.found)).await?;
        self.groups_with_ids(of, &of.first_groups(found).await?)
            .await
    }
}

/// Whether a user passes a filter that the directory has not applied.
fn passes(user: &User, filter: &Filter) -> bool {
    match filter.name.as_str() {
        "name" => fits(user.name(), filter),
        "enabled" => user.enabled == filter_is_true(&filter.value),
        // What only the database knows of users.
        "password_expires_at" | "idp_id" | "protocol_id" | "unique_id" => false,
        _ => true,
    }
}

/// The filters by name that the directory itself applies. As in Keystone, those that tell upper from lower case are applied
/// here, and equality follows the attribute's matching rule.
pub(super) fn name_filters(listing: &Listing) -> Vec<NameFilter> {
    let names = listing
        .filters
        .iter()
        .filter(|filter| filter.name == "name");
    let filters = names.filter_map(|filter| {
        let value = filter.value.clone();
        Some(match filter.comparison {
            Comparison::Equals => NameFilter::NameIs(value),
            Comparison::Contains(Case::Insensitive) => NameFilter::NameContains(value),
            Comparison::StartsWith(Case::Insensitive) => NameFilter::NameStartsWith(value),
            Comparison::EndsWith(Case::Insensitive) => NameFilter::NameEndsWith(value),
            Comparison::Contains(Case::Sensitive)
            | Comparison::StartsWith(Case::Sensitive)
            | Comparison::EndsWith(Case::Sensitive) => return None,
        })
    });
    filters.collect()
}

/// Whether a name passes a filter that the directory has not applied.
pub(super) fn fits(name: &str, filter: &Filter) -> bool {
    let value = filter.value.as_str();
    match filter.comparison {
        Comparison::Contains(Case::Sensitive) => name.contains(value),
        Comparison::StartsWith(Case::Sensitive) => name.starts_with(value),
        Comparison::EndsWith(Case::Sensitive) => name.ends_with(value),
        Comparison::Equals
        | Comparison::Contains(Case::Insensitive)
        | Comparison::StartsWith(Case::Insensitive)
        | Comparison::EndsWith(Case::Insensitive) => true,
    }
}

/// The page of what was found, in the order of the ids.
pub(super) fn page<R: Resource>(
    mut found: Vec<R>,
    listing: &Listing,
    passes: impl Fn(&R, &Filter) -> bool,
) -> Result<Page<R>> {
    found.sort_by(|one, other| one.id().cmp(other.id()));
    if let Some(marker) = &listing.marker {
        let is_there = listing.resumed || found.iter().any(|item| item.id() == marker);
        if !is_there {
            return Err(Error::Missing(format!(
                "Marker {marker} could not be found."
            )));
        }
        found.retain(|item| item.id() > marker.as_str());
    }
    found.retain(|item| listing.filters.iter().all(|filter| passes(item, filter)));
    if listing.in_pieces {
        // The directory would be read again for each piece.
        return Ok(Page {
            items: found,
            more: false,
        });
    }
    Ok(Page::cut(found, listing))
}
