//! Groups of directories.

use std::collections::{BTreeSet, HashMap};

use keystone_ldap::{Filter as NameFilter, Group as Found};
use keystone_types::{Error, Extra, Listing, Page, Result};

use super::id_mapping::Entity;
use super::users::{DirectoryUser, fits, name_filters, page};
use super::{DomainBackend, DomainDirectory, EntityBackend, Entry, redacted};
use crate::group::{Group, Membership, not_a_member};
use crate::identity::Identity;
use crate::project::reference::DomainChoice;
use crate::user::User;

impl DomainDirectory {
    fn group(&self, id: String, found: &Found) -> Group {
        Group {
            extra: Extra::default(),
            id,
            name: found.name.clone(),
            domain_id: self.domain.id.clone(),
            description: found.description.clone(),
            without_description: found.description.is_none(),
        }
    }

    /// Those of some groups that are the first entries with their ids. Roles are of an id: without this, whoever may write
    /// another entry with the id of a group would have that group's.
    pub(super) async fn first_groups(&self, mut groups: Vec<Found>) -> Result<Vec<Found>> {
        if groups.is_empty() {
            return Ok(groups);
        }
        let ids: Vec<&str> = groups.iter().map(|group| group.local_id.as_str()).collect();
        let mut first: HashMap<String, Found> = HashMap::new();
        for group in self.ask(self.directory.groups_with_ids(&ids)).await? {
            first.entry(group.local_id.to_lowercase()).or_insert(group);
        }
        groups.retain(|group| {
            let is_first = first
                .get(&group.local_id.to_lowercase())
                .is_some_and(|first| first.is(group));
            if !is_first {
                // Each request of a member would repeat it.
                tracing::debug!(
                    domain.id = self.domain.id,
                    "{} is not the first entry with its id, and nobody is in a group by it",
                    redacted(&format!("{:?}", group.dn), &self.hidden)
                );
            }
            is_first
        });
        Ok(groups)
    }
}

impl Entry {
    async fn found_group(&self) -> Result<Found> {
        let found = self.of.ask(self.of.directory.group(&self.local_id)).await?;
        found.ok_or_else(|| Error::not_found::<Group>(&self.local_id))
    }

    /// What the directory knows of a group.
    pub(crate) async fn group(self) -> Result<Group> {
        let found = self.found_group().await?;
        Ok(self.of.group(self.id_of(&found.local_id), &found))
    }

    async fn members(&self) -> Result<Vec<keystone_ldap::User>> {
        let group = self.found_group().await?;
        self.of.ask(self.of.directory.members(&group)).await
    }
}

impl Identity {
    /// The groups of a directory that a listing asks for.
    pub(crate) async fn directory_groups(
        &self,
        of: &DomainDirectory,
        listing: &Listing,
    ) -> Result<Page<Group>> {
        let found = of.ask(of.directory.groups(&name_filters(listing))).await?;
        let groups = self.groups_with_ids(of, &found).await?;
        page(groups, listing, |group, filter| {
            filter.name != "name" || fits(&group.name, filter)
        })
    }

    pub(super) async fn groups_with_ids(
        &self,
        of: &DomainDirectory,
        found: &[Found],
    ) -> Result<Vec<Group>> {
        let local_ids: Vec<&str> = found.iter().map(|group| group.local_id.as_str()).collect();
        let ids = self.ids_of(of, Entity::Group, &local_ids).await?;
        let groups = ids.into_iter().zip(found);
        Ok(groups
            .filter_map(|(id, found)| Some(of.group(id?, found)))
            .collect())
    }

    /// The members of a group of a directory.
    pub(crate) async fn directory_users_in_group(
        &self,
        group: Entry,
        listing: &Listing,
    ) -> Result<Page<User>> {
        let names = name_filters(listing);
        let mut found = group.members().await?;
        // The directory was asked for members, and not for names.
        found.retain(|user| names.iter().all(|filter| is_named(&user.name, filter)));
        self.page_of_users(&group.of, found, listing).await
    }

    /// The ids of the members of a group of a directory; none of one that is gone.
    pub(crate) async fn directory_member_ids(&self, group: &Entry) -> Result<Vec<String>> {
        let found = match group.members().await {
            Err(Error::NotFound { .. }) => return Ok(Vec::new()),
            found => found?,
        };
        let local_ids: Vec<&str> = found.iter().map(|user| user.local_id.as_str()).collect();
        let ids = self.ids_of(&group.of, Entity::User, &local_ids).await?;
        Ok(ids.into_iter().flatten().collect())
    }

    /// The groups of a user of a directory.
    pub(crate) async fn directory_groups_of_user(
        &self,
        user: &DirectoryUser,
        listing: &Listing,
    ) -> Result<Page<Membership>> {
        let names = name_filters(listing);
        let groups = self.groups_of_directory_user(user).await?.into_iter();
        let groups =
            groups.filter(|group| names.iter().all(|filter| is_named(&group.name, filter)));
        let memberships = groups.map(|group| Membership {
            group,
            membership_expires_at: None,
        });
        page(memberships.collect(), listing, |member, filter| {
            filter.name != "name" || fits(&member.group.name, filter)
        })
    }

    /// Where a user and a group are, if both are in one backend: 403 otherwise, once both exist.
    pub(crate) async fn shared_backend(
        &self,
        user_id: &str,
        group_id: &str,
    ) -> Result<SharedBackend> {
        let group = self.entity_backend(Entity::Group, group_id).await?;
        let user = self.entity_backend(Entity::User, user_id).await?;
        let local = |backend: &EntityBackend, id: &str| match backend {
            EntityBackend::Directory(entry) => entry.local_id.clone(),
            EntityBackend::Database | EntityBackend::Nowhere => id.to_owned(),
        };
        match (user, group) {
            (EntityBackend::Database, EntityBackend::Database) => Ok(SharedBackend::Database),
            (EntityBackend::Directory(user), EntityBackend::Directory(group))
                if user.of.domain.id == group.of.domain.id =>
            {
                let (user, group) = (Box::new(user), Box::new(group));
                Ok(SharedBackend::Directory { user, group })
            }
            (user, group) => {
                let (user_local, group_local) = (local(&user, user_id), local(&group, group_id));
                self.user(user_id).await?;
                self.group(group_id).await?;
                Err(Error::Refused(format!(
                    "Group membership across backend boundaries is not allowed. Group in question is {group_local}, user is \
                     {user_local}."
                )))
            }
        }
    }

    /// 404 unless a user of a directory is in a group there.
    pub(crate) async fn check_directory_member(&self, user: Entry, group: &Entry) -> Result<()> {
        let local_id = user.local_id.clone();
        let user = user.user().await?;
        let members = group.members().await?;
        if members.iter().any(|member| user.is(member)) {
            return Ok(());
        }
        Err(not_a_member(&local_id, &group.local_id))
    }

    /// The ids of those groups of directories that exist.
    pub(crate) async fn existing_directory_groups(
        &self,
        ids: &BTreeSet<String>,
    ) -> Result<Vec<String>> {
        if self.directories.none() {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut existing = Vec::new();
        for backend in self.entity_backends(Entity::Group, &ids).await? {
            if let EntityBackend::Directory(entry) = backend {
                match entry.group().await {
                    Err(Error::NotFound { .. }) => {}
                    group => existing.push(group?.id),
                }
            }
        }
        Ok(existing)
    }

    /// The ids of those groups of a domain that exist, by name; `None` where they are in the database.
    pub(crate) async fn existing_directory_groups_by_name(
        &self,
        domain_id: &str,
        names: &BTreeSet<String>,
    ) -> Result<Option<Vec<String>>> {
        let of = match self.domain_backend(DomainChoice::Id(domain_id)).await? {
            DomainBackend::Database => return Ok(None),
            DomainBackend::Nowhere => return Ok(Some(Vec::new())),
            DomainBackend::Directory(of) => of,
        };
        let mut found = Vec::new();
        for name in names {
            found.extend(of.ask(of.directory.group_by_name(name)).await?);
        }
        let found = of.first_groups(found).await?;
        let groups = self.groups_with_ids(&of, &found).await?;
        Ok(Some(groups.into_iter().map(|group| group.id).collect()))
    }
}

/// Where a user and a group are.
pub(crate) enum SharedBackend {
    Database,
    Directory { user: Box<Entry>, group: Box<Entry> },
}

/// Whether a name passes a filter, as most directories compare names: without case.
fn is_named(name: &str, filter: &NameFilter) -> bool {
    let name = name.to_lowercase();
    match filter {
        NameFilter::NameIs(value) => name == value.to_lowercase(),
        NameFilter::NameContains(value) => name.contains(&value.to_lowercase()),
        NameFilter::NameStartsWith(value) => name.starts_with(&value.to_lowercase()),
        NameFilter::NameEndsWith(value) => name.ends_with(&value.to_lowercase()),
    }
}
