//! What users and groups look like in a directory, and how they are read from entries.

use crate::dn::Dn;
use crate::entry::{Entry, guid, text};
use crate::filter::{Filter, all, any, equals, present};
use crate::settings::Settings;

/// A user of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The distinguished name, as the directory writes it.
    pub dn: String,
    /// The id within the directory. Not unique where the tree has one value of the id attribute more than once.
    pub local_id: String,
    /// The name.
    pub name: String,
    /// Whether the user is enabled; `None` where `user_attribute_ignore` has `enabled`, which counts as enabled.
    pub enabled: Option<bool>,
    /// The address for mail.
    pub email: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The default project's id.
    pub default_project_id: Option<String>,
}

impl User {
    /// Whether another one is the same entry, by its whole distinguished name.
    pub fn is(&self, other: &Self) -> bool {
        Dn::parse(&self.dn).is_ok_and(|dn| Dn::parse(&other.dn) == Ok(dn))
    }
}

/// A group of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The distinguished name, as the directory writes it.
    pub dn: String,
    /// The id within the directory.
    pub local_id: String,
    /// The name.
    pub name: String,
    /// The description.
    pub description: Option<String>,
}

impl Group {
    /// Whether another one is the same entry, as [`User::is`] has it.
    pub fn is(&self, other: &Self) -> bool {
        Dn::parse(&self.dn).is_ok_and(|dn| Dn::parse(&other.dn) == Ok(dn))
    }
}

/// Where entries of a kind are, and what makes one.
pub(crate) struct Kind {
    pub(crate) tree: String,
    pub(crate) tree_dn: Dn,
    pub(crate) class: String,
    /// The operator's filter.
    filter: String,
    pub(crate) id: String,
    name: String,
    /// All that is read.
    pub(crate) attributes: Vec<String>,
}

impl Kind {
    fn new(
        tree: String,
        class: &str,
        filter: Option<&String>,
        id: &str,
        name: &str,
        others: &[Option<&String>],
    ) -> Self {
        let tree_dn = Dn::parse(&tree).expect("Settings::check has parsed it");
        let mut attributes = vec![id.to_owned(), name.to_owned()];
        attributes.extend(others.iter().copied().flatten().cloned());
        attributes.sort();
        attributes.dedup();
        Self {
            tree,
            tree_dn,
            class: equals("objectClass", class.as_bytes()),
            filter: filter.cloned().unwrap_or_default(),
            id: id.to_owned(),
            name: name.to_owned(),
            attributes,
        }
    }

    /// The filter of a list with tests of the directory's own.
    pub(crate) fn list(&self, filters: &[Filter]) -> String {
        let tests: Vec<_> = filters
            .iter()
            .map(|filter| filter.render(&self.name))
            .collect();
        self.with(&tests.concat())
    }

    /// The filter of a list with one more filter.
    pub(crate) fn with(&self, filter: &str) -> String {
        all([filter, &self.filter, &self.class, &present(&self.id)])
    }

    /// The filter for the entry with an id, among others.
    pub(crate) fn has_id(&self, local_id: &str) -> String {
        let text = equals(&self.id, local_id.as_bytes());
        match guid(local_id) {
            Some(bytes) => any([text.as_str(), &equals(&self.id, &bytes)]),
            None => text,
        }
    }

    /// The local id and the name. Entries without are passed over.
    fn identity(&self, entry: &Entry) -> Option<(String, String)> {
        let name = entry
            .text(&self.name)
            .filter(|name| !name.trim().is_empty())?;
        Some((self.local_id(entry)?, name))
    }

    /// Of several values the one that names the entry, or else the first.
    fn local_id(&self, entry: &Entry) -> Option<String> {
        let values = entry.values(&self.id);
        if values.len() < 2 {
            return text(values.first()?);
        }
        let dn = Dn::parse(&entry.dn).ok()?;
        let naming = dn
            .naming()
            .find(|(kind, _)| kind.eq_ignore_ascii_case(&self.id));
        naming.map_or_else(|| text(&values[0]), |(_, value)| text(value))
    }
}

/// How users are read.
pub(crate) struct Users {
    pub(crate) kind: Kind,
    email: Option<String>,
    description: Option<String>,
    default_project_id: Option<String>,
    enabled: Enabled,
}

/// How a user's entry tells whether it is enabled, by an attribute or, without one, by what counts where it is missing.
enum Enabled {
    /// It does not.
    Untold,
    /// By the text `TRUE`, or by any other where `inverted`.
    Text {
        attribute: Option<String>,
        missing: bool,
        inverted: bool,
    },
    /// By a number that has not all bits of the mask.
    Mask {
        attribute: Option<String>,
        missing: i64,
        mask: i64,
    },
}

impl Users {
    pub(crate) fn new(settings: &Settings) -> Self {
        let ignored = |name: &str| settings.user_attribute_ignore.iter().any(|it| it == name);
        let read = |name, attribute: &Option<String>| {
            attribute
                .clone()
                .filter(|it| !it.is_empty() && !ignored(name))
        };
        let email = read("email", &settings.user_mail_attribute);
        let description = read("description", &settings.user_description_attribute);
        let default_project_id = read(
            "default_project_id",
            &settings.user_default_project_id_attribute,
        );
        let enabled = Enabled::new(settings, !ignored("enabled"));
        let kind = Kind::new(
            settings.user_tree(),
            &settings.user_objectclass,
            settings.user_filter.as_ref(),
            &settings.user_id_attribute,
            &settings.user_name_attribute,
            &[
                email.as_ref(),
                description.as_ref(),
                default_project_id.as_ref(),
                enabled.attribute(),
            ],
        );
        Self {
            kind,
            email,
            description,
            default_project_id,
            enabled,
        }
    }

    pub(crate) fn read(&self, entry: &Entry) -> Option<User> {
        let (local_id, name) = self.kind.identity(entry)?;
        let text = |attribute: &Option<String>| entry.text(attribute.as_ref()?);
        Some(User {
            dn: entry.dn.clone(),
            local_id,
            name,
            enabled: self.enabled.read(entry),
            email: text(&self.email),
            description: text(&self.description),
            default_project_id: text(&self.default_project_id),
        })
    }
}

impl Enabled {
    fn new(settings: &Settings, read: bool) -> Self {
        let attribute = Some(&settings.user_enabled_attribute)
            .filter(|it| read && !it.is_empty())
            .cloned();
        let missing = settings.user_enabled_default.trim();
        if settings.user_enabled_emulation {
            Self::Untold
        } else if settings.user_enabled_mask != 0 {
            let missing = missing.parse().expect("Settings::check has parsed it");
            Self::Mask {
                attribute,
                missing,
                mask: settings.user_enabled_mask.into(),
            }
        } else if read {
            let missing = missing.eq_ignore_ascii_case("true");
            Self::Text {
                attribute,
                missing,
                inverted: settings.user_enabled_invert,
            }
        } else {
            Self::Untold
        }
    }

    fn attribute(&self) -> Option<&String> {
        match self {
            Self::Untold => None,
            Self::Text { attribute, .. } | Self::Mask { attribute, .. } => attribute.as_ref(),
        }
    }

    fn read(&self, entry: &Entry) -> Option<bool> {
        let value = self
            .attribute()
            .and_then(|attribute| entry.values(attribute).first());
        match self {
            Self::Untold => None,
            Self::Text {
                missing, inverted, ..
            } => {
                let told = value.map(|value| value.eq_ignore_ascii_case(b"true"));
                Some(told.unwrap_or(*missing) != *inverted)
            }
            Self::Mask {
                attribute,
                missing,
                mask,
            } => {
                let number = match value {
                    None => Some(*missing),
                    Some(value) => str::from_utf8(value)
                        .ok()
                        .and_then(|text| text.trim().parse().ok()),
                };
                if number.is_none() {
                    tracing::warn!(
                        "{:?} has no number in {attribute:?}, and counts as disabled",
                        entry.dn
                    );
                }
                Some(number.is_some_and(|number: i64| number & mask != *mask))
            }
        }
    }
}

/// How groups are read.
pub(crate) struct Groups {
    pub(crate) kind: Kind,
    description: Option<String>,
    pub(crate) member: String,
    pub(crate) members_are_ids: bool,
    pub(crate) nesting: bool,
}

impl Groups {
    pub(crate) fn new(settings: &Settings) -> Self {
        let ignored = settings
            .group_attribute_ignore
            .iter()
            .any(|it| it == "description");
        let description = settings
            .group_desc_attribute
            .clone()
            .filter(|it| !it.is_empty() && !ignored);
        let kind = Kind::new(
            settings.group_tree(),
            &settings.group_objectclass,
            settings.group_filter.as_ref(),
            &settings.group_id_attribute,
            &settings.group_name_attribute,
            &[description.as_ref()],
        );
        Self {
            kind,
            description,
            member: settings.group_member_attribute.clone(),
            members_are_ids: settings.group_members_are_ids,
            nesting: settings.group_ad_nesting,
        }
    }

    pub(crate) fn read(&self, entry: &Entry) -> Option<Group> {
        let (local_id, name) = self.kind.identity(entry)?;
        let description = self
            .description
            .as_ref()
            .and_then(|attribute| entry.text(attribute));
        Some(Group {
            dn: entry.dn.clone(),
            local_id,
            name,
            description,
        })
    }
}

/// The group whose members are the enabled users.
pub(crate) struct Emulation {
    pub(crate) dn: String,
    pub(crate) class: String,
    pub(crate) member: String,
    pub(crate) members_are_ids: bool,
}

impl Emulation {
    pub(crate) fn new(settings: &Settings) -> Option<Self> {
        if !settings.user_enabled_emulation {
            return None;
        }
        let dn = settings.emulation_group();
        Some(if settings.user_enabled_emulation_use_group_config {
            Self {
                dn,
                class: equals("objectClass", settings.group_objectclass.as_bytes()),
                member: settings.group_member_attribute.clone(),
                members_are_ids: settings.group_members_are_ids,
            }
        } else {
            let class = equals("objectClass", b"groupOfNames");
            Self {
                dn,
                class,
                member: "member".into(),
                members_are_ids: false,
            }
        })
    }
}
