//! Who holds which roles on what, as it is stored, for `policy who-can`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use keystone::identity::{Actor, AssignmentQuery, GrantTarget, Identity, Inheritance, Position};
use keystone::types::{Listing, Result};

/// What roles a token has, as places in [`Holdings::roles`].
pub(super) type RoleSet = BTreeSet<usize>;

/// The roles of a user or group by what they are on.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub(super) system: RoleSet,
    pub(super) domains: BTreeMap<String, RoleSet>,
    pub(super) projects: BTreeMap<String, RoleSet>,
    /// On the projects below these.
    pub(super) inherited: BTreeMap<String, RoleSet>,
}

/// A user, a group, a project or a domain.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) domain_id: String,
    /// Whether there are tokens of it, as far as it is concerned.
    pub(super) enabled: bool,
}

pub(super) struct Holdings {
    pub(super) users: BTreeMap<String, Named>,
    pub(super) groups: BTreeMap<String, Named>,
    pub(super) projects: BTreeMap<String, Named>,
    pub(super) domains: BTreeMap<String, Named>,
    /// The names of the roles, with their ids.
    pub(super) roles: Vec<(String, String)>,
    /// What each role gives, alone.
    pub(super) implied: Vec<RoleSet>,
    pub(super) of_users: HashMap<String, Held>,
    pub(super) of_groups: BTreeMap<String, Held>,
    /// The groups of each user, in order.
    pub(super) groups_of: HashMap<String, Vec<String>>,
    parents: HashMap<String, String>,
}

impl Named {
    fn new(id: String, name: String, domain_id: String, enabled: bool) -> Self {
        Self {
            id,
            name,
            domain_id,
            enabled,
        }
    }
}

impl Held {
    /// Adds what another one holds.
    pub(super) fn add(&mut self, other: &Self) {
        self.system.extend(&other.system);
        for (mine, theirs) in [
            (&mut self.domains, &other.domains),
            (&mut self.projects, &other.projects),
            (&mut self.inherited, &other.inherited),
        ] {
            for (target, roles) in theirs {
                mine.entry(target.clone()).or_default().extend(roles);
            }
        }
    }
}

impl Holdings {
    /// `directory` tells whether somebody may be in one who is in no table. Otherwise whoever is in none is gone, and the grants
    /// that are left give nothing.
    pub(super) async fn read(identity: &Identity, directory: bool) -> Result<Self> {
        let all = Listing::default();
        let domains = identity.domains(&all).await?.items.into_iter();
        let domains = domains.map(|it| {
            let enabled = it.is_enabled();
            Named::new(it.id.clone(), it.name, it.id, enabled)
        });
        let domains = by_id(domains, &HashSet::new());
        let off = domains.values().filter(|it| !it.enabled);
        let off: HashSet<String> = off.map(|it| it.id.clone()).collect();
        let projects = all.clone().with("is_domain", "0");
        let projects = identity.projects(&projects).await?.items;
        let parents = projects
            .iter()
            .filter_map(|it| Some((it.id.clone(), it.parent_id.clone()?)));
        let parents = parents.collect();
        let projects = projects.into_iter().map(|it| {
            let enabled = it.is_enabled();
            Named::new(it.id, it.name, it.domain_id.unwrap_or_default(), enabled)
        });
        let users = identity.users(&all).await?.items.into_iter();
        let users = users
            .map(|it| Named::new(it.id, it.name.unwrap_or_default(), it.domain_id, it.enabled));
        let groups = identity.groups(&all).await?.items.into_iter();
        let groups = groups.map(|it| Named::new(it.id, it.name, it.domain_id, true));
        let mut holdings = Self {
            users: by_id(users, &off),
            groups: by_id(groups, &HashSet::new()),
            projects: by_id(projects, &off),
            domains,
            roles: Vec::new(),
            implied: Vec::new(),
            of_users: HashMap::new(),
            of_groups: BTreeMap::new(),
            groups_of: HashMap::new(),
            parents,
        };
        for (group, user) in identity.stored_memberships().await? {
            holdings.groups_of.entry(user).or_default().push(group);
        }
        holdings.add_grants(identity).await?;
        if !directory {
            let mapped: HashSet<String> = identity.all_mapped_ids().await?.into_iter().collect();
            let Self {
                users,
                groups,
                of_users,
                of_groups,
                ..
            } = &mut holdings;
            of_users.retain(|id, _| users.contains_key(id) || mapped.contains(id));
            of_groups.retain(|id, _| groups.contains_key(id) || mapped.contains(id));
        }
        Ok(holdings)
    }

    /// Whether groups hold something whose members only a directory knows.
    pub(super) fn has_groups_elsewhere(&self) -> bool {
        let mut ids = self.of_groups.keys();
        ids.any(|id| !self.groups.contains_key(id))
    }

    async fn add_grants(&mut self, identity: &Identity) -> Result<()> {
        let effective = identity.effective_roles().await?;
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut of_role: HashMap<String, RoleSet> = HashMap::new();
        for (id, given) in effective {
            let given = given.into_iter().map(|role| {
                *places.entry(role.id.clone()).or_insert_with(|| {
                    self.roles.push((role.name, role.id));
                    self.roles.len() - 1
                })
            });
            of_role.insert(id, given.collect());
        }
        let alone = self.roles.iter().map(|(_, id)| of_role[id].clone());
        self.implied = alone.collect();
        let granted = identity
            .role_assignments(&AssignmentQuery::default())
            .await?;
        let mut position = Position::default();
        granted.visit(&mut position, usize::MAX, |grant| {
            // A role that is gone gives nothing.
            let Some(roles) = of_role.get(&grant.role_id) else {
                return;
            };
            let held = match &grant.actor {
                Actor::User(id) => self.of_users.entry(id.clone()).or_default(),
                Actor::Group(id) => self.of_groups.entry(id.clone()).or_default(),
            };
            let set = match &grant.target {
                GrantTarget::System => &mut held.system,
                GrantTarget::Project(id, Inheritance::Direct) => {
                    held.projects.entry(id.clone()).or_default()
                }
                GrantTarget::Domain(id, Inheritance::Direct) => {
                    held.domains.entry(id.clone()).or_default()
                }
                GrantTarget::Project(id, Inheritance::Inherited)
                | GrantTarget::Domain(id, Inheritance::Inherited) => {
                    held.inherited.entry(id.clone()).or_default()
                }
            };
            set.extend(roles);
        });
        Ok(())
    }

    /// The roles that come down to a project from above it.
    pub(super) fn inherited(&self, held: &BTreeMap<String, RoleSet>, project: &str) -> RoleSet {
        let mut roles = RoleSet::new();
        if held.is_empty() {
            return roles;
        }
        // Nothing is deeper than there are projects.
        let mut below = project;
        for _ in 0..=self.parents.len() {
            let Some(above) = self.parents.get(below) else {
                break;
            };
            roles.extend(held.get(above).into_iter().flatten());
            below = above;
        }
        roles
    }
}

/// By id; those in a domain that is switched off are switched off.
fn by_id(named: impl Iterator<Item = Named>, off: &HashSet<String>) -> BTreeMap<String, Named> {
    let named = named.map(|it| {
        let enabled = it.enabled && !off.contains(&it.domain_id);
        (it.id.clone(), Named { enabled, ..it })
    });
    named.collect()
}
