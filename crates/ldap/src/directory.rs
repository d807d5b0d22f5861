//! The questions that Keystone asks a directory.

use std::collections::HashSet;
use std::fmt::{self, Formatter};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use ldap3::{DerefAliases, LdapResult, Scope};

use crate::Error;
use crate::dn::Dn;
use crate::entry::{Entry, text};
use crate::filter::{Filter, all, any, equals, is_attribute};
use crate::kind::{Emulation, Group, Groups, Kind, User, Users};
use crate::pool::{Failure, Lease, Pool, Search};
use crate::server::{Login, Servers};
use crate::settings::{AliasDereferencing, QueryScope, Settings, SettingsError};

/// A rule of Active Directory: a value that is reached through others of the same attribute
/// (`LDAP_MATCHING_RULE_IN_CHAIN`).
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// How many filters one search has for single entries.
const FILTERS_PER_SEARCH: usize = 100;

/// The directory of one domain, with connections and certificates of its own.
pub struct Directory {
    settings: Settings,
    servers: Servers,
    /// For searches.
    service: Pool,
    /// For users' passwords.
    binds: Pool,
    users: Users,
    groups: Groups,
    emulation: Option<Emulation>,
    scope: Scope,
    aliases: DerefAliases,
    page_size: u32,
    /// What is to be told about the first references, and whether it was.
    references: OnceLock<String>,
    told_of_references: AtomicBool,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tree = &self.users.kind.tree;
        f.debug_struct("Directory")
            .field("url", &self.servers.urls())
            .field("tree", tree)
            .finish_non_exhaustive()
    }
}

impl Directory {
    /// Checks the settings and reads the certificates. Connections are made when they are needed.
    ///
    /// # Errors
    ///
    /// An option can't be used, or a certificate can't be read.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let login = match (&settings.user, &settings.password) {
            (Some(user), Some(password)) if !user.is_empty() && !password.reveal().is_empty() => {
                Some(Login {
                    user: user.clone(),
                    password: password.clone(),
                })
            }
            _ => None,
        };
        let pooled = settings.use_pool;
        let kept = pooled.then_some(settings.pool_connection_lifetime);
        let service = Pool::new(login, settings.pool_size, kept, settings.timeout(pooled));
        let pooled = settings.use_pool && settings.use_auth_pool;
        let kept = pooled.then_some(settings.auth_pool_connection_lifetime);
        let binds = Pool::new(
            None,
            settings.auth_pool_size,
            kept,
            settings.timeout(pooled),
        );
        Ok(Self {
            settings: settings.clone(),
            servers: Servers::new(settings)?,
            service,
            binds,
            users: Users::new(settings),
            groups: Groups::new(settings),
            emulation: Emulation::new(settings),
            scope: match settings.query_scope {
                QueryScope::One => Scope::OneLevel,
                QueryScope::Sub => Scope::Subtree,
            },
            aliases: match settings.alias_dereferencing {
                AliasDereferencing::Default | AliasDereferencing::Never => DerefAliases::Never,
                AliasDereferencing::Searching => DerefAliases::Searching,
                AliasDereferencing::Finding => DerefAliases::Finding,
                AliasDereferencing::Always => DerefAliases::Always,
            },
            page_size: settings.page_size,
            references: OnceLock::new(),
            told_of_references: AtomicBool::new(false),
        })
    }

    /// What it was made of.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The users that pass all filters, in the directory's order.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    pub async fn users(&self, filters: &[Filter]) -> Result<Vec<User>, Error> {
        self.find_users(&self.users.kind.list(filters)).await
    }

    /// The user with a local id; the first one where several have it. Of an entry that has several ids only its own counts:
    /// the others are for anybody to have who may write them.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    pub async fn user(&self, local_id: &str) -> Result<Option<User>, Error> {
        Ok(self.users_with_ids(&[local_id]).await?.into_iter().next())
    }

    /// The users with some local ids, in the directory's order, in few searches.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    pub async fn users_with_ids(&self, local_ids: &[&str]) -> Result<Vec<User>, Error> {
        let filters = local_ids.iter().map(|id| self.users.kind.has_id(id));
        let mut found = self.users_with_any(filters.collect()).await?;
        let own: HashSet<_> = local_ids.iter().map(|id| id.to_lowercase()).collect();
        found.retain(|user| own.contains(&user.local_id.to_lowercase()));
        Ok(found)
    }

    /// The user with a name; the first one where several have it.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    pub async fn user_by_name(&self, name: &str) -> Result<Option<User>, Error> {
        let found = self.users(&[Filter::NameIs(name.to_owned())]).await?;
        Ok(found.into_iter().next())
    }

    /// Whether the directory takes a password for a user. An empty one is refused here: for the directory it would be a bind
    /// without a password, which succeeds (RFC 4513, 5.1.2). Nothing else is checked, `enabled` included.
    ///
    /// # Errors
    ///
    /// The directory can't be asked, or is set up so that it takes no passwords.
    pub async fn authenticate(&self, user: &User, password: &str) -> Result<bool, Error> {
        if password.is_empty() || user.dn.is_empty() {
            return Ok(false);
        }
        let mut again = true;
        loop {
            let mut lease = self.binds.lease(&self.servers).await?;
            match lease.bind(&user.dn, password).await {
                Ok(answer) => {
                    let url = lease.url().to_owned();
                    lease.keep();
                    return verdict(url, &user.dn, &answer);
                }
                Err(failure) => {
                    self.failed(&self.binds, lease, &user.dn, failure, &mut again)?;
                }
            }
        }
    }

    /// The groups that pass all filters, in the directory's order.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    pub async fn groups(&self, filters: &[Filter]) -> Result<Vec<Group>, Error> {
        self.find_groups(&self.groups.kind.list(filters)).await
    }

    /// The group with a local id, as [`Self::user`] has it; the first one where several have it.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    pub async fn group(&self, local_id: &str) -> Result<Option<Group>, Error> {
        Ok(self.groups_with_ids(&[local_id]).await?.into_iter().next())
    }

    /// The groups with some local ids, as [`Self::users_with_ids`] has users.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    pub async fn groups_with_ids(&self, local_ids: &[&str]) -> Result<Vec<Group>, Error> {
        let kind = &self.groups.kind;
        let filters = local_ids.iter().map(|id| kind.has_id(id));
        let found = self.list_any(kind, filters.collect()).await?;
        let own: HashSet<_> = local_ids.iter().map(|id| id.to_lowercase()).collect();
        let groups = found.iter().filter_map(|entry| self.groups.read(entry));
        Ok(groups
            .filter(|group| own.contains(&group.local_id.to_lowercase()))
            .collect())
    }

    /// The group with a name; the first one where several have it.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    pub async fn group_by_name(&self, name: &str) -> Result<Option<Group>, Error> {
        let found = self.groups(&[Filter::NameIs(name.to_owned())]).await?;
        Ok(found.into_iter().next())
    }

    /// The groups that have a user as a member: directly, or also through others where `group_ad_nesting` is set.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    pub async fn groups_of_user(&self, user: &User) -> Result<Vec<Group>, Error> {
        let groups = &self.groups;
        let filter = if groups.members_are_ids {
            equals(&groups.member, user.local_id.as_bytes())
        } else if groups.nesting {
            // Whatever `group_member_attribute` says (`list_user_groups_filtered` in `keystone/identity/backends/ldap/core.py`).
            equals(&format!("member:{IN_CHAIN}:"), user.dn.as_bytes())
        } else {
            equals(&groups.member, user.dn.as_bytes())
        };
        self.find_groups(&groups.kind.with(&filter)).await
    }

    /// The members of a group that are users of this directory. Groups among the members, and members that are not there, are
    /// passed over.
    ///
    /// # Errors
    ///
    /// The directory gives no answer.
    pub async fn members(&self, group: &Group) -> Result<Vec<User>, Error> {
        let groups = &self.groups;
        if groups.nesting && !groups.members_are_ids {
            let chain = equals(&format!("memberOf:{IN_CHAIN}:"), group.dn.as_bytes());
            return self.find_users(&self.users.kind.with(&chain)).await;
        }
        let values = self
            .values(&group.dn, &groups.kind.class, &groups.member)
            .await?;
        if groups.members_are_ids {
            let ids: Vec<_> = values.iter().filter_map(|value| text(value)).collect();
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            return self.users_with_ids(&ids).await;
        }
        let members = dns(&values).filter(|dn| can_be_asked_for(dn) && self.may_be_user(dn));
        let members: HashSet<_> = members.collect();
        let mut found = self
            .users_with_any(members.iter().map(naming).collect())
            .await?;
        // Another entry may have the same name at another place.
        found.retain(|user| Dn::parse(&user.dn).is_ok_and(|dn| members.contains(&dn)));
        Ok(found)
    }

    /// A line for the operator's log, once, after a result had references to other directories: they are not followed. None
    /// where `chase_referrals` is false.
    pub fn untold_references(&self) -> Option<&str> {
        let text = self.references.get()?;
        let told = self.told_of_references.swap(true, Ordering::Relaxed);
        (!told).then_some(text)
    }

    /// Asks whether a server can be reached, takes the login, and has the users' tree.
    ///
    /// # Errors
    ///
    /// The directory gives no answer, or there is no such tree.
    pub async fn check(&self) -> Result<(), Error> {
        let attributes = ["1.1".to_owned()];
        let tree = Search {
            scope: Scope::Base,
            ..self.below(&self.users.kind.tree, "(objectClass=*)", &attributes)
        };
        self.search(&tree).await.map(drop)
    }

    async fn find_users(&self, filter: &str) -> Result<Vec<User>, Error> {
        let found = self.list(&self.users.kind, filter).await?;
        let mut users: Vec<_> = found
            .iter()
            .filter_map(|entry| self.users.read(entry))
            .collect();
        if let Some(emulation) = &self.emulation {
            self.emulate(emulation, &mut users).await?;
        }
        Ok(users)
    }

    /// The users that pass any of some filters, in few searches.
    async fn users_with_any(&self, filters: Vec<String>) -> Result<Vec<User>, Error> {
        let found = self.list_any(&self.users.kind, filters).await?;
        let mut users: Vec<_> = found
            .iter()
            .filter_map(|entry| self.users.read(entry))
            .collect();
        if let Some(emulation) = &self.emulation {
            self.emulate(emulation, &mut users).await?;
        }
        Ok(users)
    }

    async fn find_groups(&self, filter: &str) -> Result<Vec<Group>, Error> {
        let found = self.list(&self.groups.kind, filter).await?;
        Ok(found
            .iter()
            .filter_map(|entry| self.groups.read(entry))
            .collect())
    }

    /// Sets who is enabled: the members of the group for it, which one search reads for all users.
    async fn emulate(&self, emulation: &Emulation, users: &mut [User]) -> Result<(), Error> {
        let Emulation {
            dn,
            class,
            member,
            members_are_ids,
        } = emulation;
        if users.is_empty() {
            return Ok(());
        }
        let values = self.values(dn, class, member).await?;
        let ids: HashSet<_> = values.iter().filter_map(|value| text(value)).collect();
        let names: HashSet<_> = dns(&values).collect();
        for user in users {
            let enabled = if *members_are_ids {
                ids.contains(&user.local_id)
            } else {
                Dn::parse(&user.dn).is_ok_and(|dn| names.contains(&dn))
            };
            user.enabled = Some(enabled);
        }
        Ok(())
    }

    /// Whether an entry is at a place where users are looked for. Aliases lead to any.
    fn may_be_user(&self, dn: &Dn) -> bool {
        if self.aliases != DerefAliases::Never {
            return true;
        }
        let tree = &self.users.kind.tree_dn;
        if self.scope == Scope::OneLevel {
            dn.is_child_of(tree)
        } else {
            dn.is_below(tree)
        }
    }

    /// The values of one attribute of one entry; none where there is no such entry. Active Directory sends many in ranges.
    async fn values(&self, dn: &str, class: &str, attribute: &str) -> Result<Vec<Vec<u8>>, Error> {
        let mut values = Vec::new();
        let mut attributes = [attribute.to_owned()];
        loop {
            let entry = Search {
                scope: Scope::Base,
                ..self.below(dn, class, &attributes)
            };
            let found = self.found(&entry).await?;
            let Some(entry) = found.first() else {
                return Ok(values);
            };
            let (some, next) = entry.range(attribute);
            values.extend_from_slice(some);
            match next {
                // Any other might be asked for without an end.
                Some(next) if next == values.len() && !some.is_empty() => {
                    attributes = [format!("{attribute};range={next}-*")];
                }
                _ => return Ok(values),
            }
        }
    }

    /// The entries of a kind. A tree that is not there has none.
    async fn list(&self, kind: &Kind, filter: &str) -> Result<Vec<Entry>, Error> {
        self.found(&self.below(&kind.tree, filter, &kind.attributes))
            .await
    }

    /// The entries of a kind that pass any of some filters, each once, in few searches.
    async fn list_any(&self, kind: &Kind, mut filters: Vec<String>) -> Result<Vec<Entry>, Error> {
        filters.sort_unstable();
        filters.dedup();
        let mut entries = Vec::new();
        for some in filters.chunks(FILTERS_PER_SEARCH) {
            let filter = kind.with(&any(some.iter().map(String::as_str)));
            entries.extend(self.list(kind, &filter).await?);
        }
        // Two filters of different searches may find one entry, for example by its id in other letters.
        let mut seen = HashSet::new();
        entries.retain(|entry| seen.insert(entry.dn.clone()));
        Ok(entries)
    }

    fn below<'a>(&self, base: &'a str, filter: &'a str, attributes: &'a [String]) -> Search<'a> {
        Search {
            base,
            scope: self.scope,
            filter,
            attributes,
            aliases: self.aliases,
            page_size: self.page_size,
        }
    }

    async fn found(&self, search: &Search<'_>) -> Result<Vec<Entry>, Error> {
        match self.search(search).await {
            Err(Error::NoTree { .. }) => Ok(Vec::new()),
            outcome => outcome,
        }
    }

    async fn search(&self, search: &Search<'_>) -> Result<Vec<Entry>, Error> {
        let mut again = true;
        loop {
            let mut lease = self.service.lease(&self.servers).await?;
            match lease.search(search).await {
                Ok(found) => {
                    self.keep_references(lease.url(), search.base, &found.elsewhere);
                    lease.keep();
                    return Ok(found.entries);
                }
                Err(failure) => {
                    self.failed(&self.service, lease, search.base, failure, &mut again)?;
                }
            }
        }
    }

    /// Keeps what the operator is to know: that entries are missing.
    fn keep_references(&self, url: &str, base: &str, elsewhere: &[String]) {
        if elsewhere.is_empty() || self.settings.chase_referrals == Some(false) {
            return;
        }
        self.references.get_or_init(|| {
            let elsewhere = elsewhere.join(" ");
            format!(
                "the directory {url} says that a part of what is below {base:?} is at {elsewhere:?}: referrals are never \
                 followed, and its entries are missing; a domain of its own for that directory has them, and \
                 chase_referrals = false of [ldap] says that they are not wanted"
            )
        });
    }

    /// Returns when the operation may be tried again, which is once, and only where a connection broke.
    fn failed(
        &self,
        pool: &Pool,
        lease: Lease<'_>,
        base: &str,
        failure: Failure,
        again: &mut bool,
    ) -> Result<(), Error> {
        let url = lease.url().to_owned();
        let reason = match failure {
            Failure::Refused(answer) => {
                lease.keep();
                return Err(refused(url, base, &answer));
            }
            Failure::Broken(reason) => {
                pool.forget(&url);
                if std::mem::replace(again, false) {
                    tracing::debug!(
                        "a connection broke, and the question is asked once more: {reason}"
                    );
                    return Ok(());
                }
                reason
            }
            Failure::Late(limit) => format!("no answer about {base:?} within {limit:?}"),
        };
        self.servers.shun(&url);
        Err(Error::Unavailable { url, reason })
    }
}

/// Whether there is a filter for entries that are named like this one. That for no attribute would be one for all entries, and
/// with the name of an attribute that is none it would be refused.
fn can_be_asked_for(dn: &Dn) -> bool {
    dn.naming().next().is_some() && dn.naming().all(|(kind, _)| is_attribute(kind))
}

/// The filter for entries that are named like this one.
fn naming(dn: &Dn) -> String {
    let parts: Vec<_> = dn
        .naming()
        .map(|(kind, value)| equals(kind, value))
        .collect();
    all(parts.iter().map(String::as_str))
}

/// Those of the values that are distinguished names.
fn dns(values: &[Vec<u8>]) -> impl Iterator<Item = Dn> {
    values
        .iter()
        .filter_map(|value| Dn::parse(str::from_utf8(value).ok()?).ok())
}

/// What the answer to a bind means.
fn verdict(url: String, dn: &str, answer: &LdapResult) -> Result<bool, Error> {
    match answer.rc {
        0 => Ok(true),
        // invalidCredentials; the entry has no password; it is gone; what policies about accounts answer.
        49 | 48 | 32 | 19 | 50 | 53 => {
            tracing::debug!("the password of {dn:?} is refused: {answer}");
            Ok(false)
        }
        _ => Err(refused(url, dn, answer)),
    }
}

/// What a directory's refusal means.
fn refused(url: String, base: &str, answer: &LdapResult) -> Error {
    let base = base.to_owned();
    match answer.rc {
        32 => Error::NoTree { url, base },
        4 => Error::SizeLimit { url, base },
        10 => Error::Refused {
            url,
            base,
            reason: format!(
                "it is at {:?}, and referrals are never followed: see url and the trees of [ldap]",
                answer.refs.join(" ")
            ),
        },
        _ => Error::Refused {
            url,
            base,
            reason: answer.to_string(),
        },
    }
}
