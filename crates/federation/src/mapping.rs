//! The mapping engine: from an assertion to a user, groups and projects, as `keystone/federation/utils.py` has it.

use keystone_python as python;
use python::template::Template;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::assertion::Assertion;
use crate::error::MappingError;
use crate::mapped::{DomainName, GroupName, Mapped, MappedProject, MappedUser};
use crate::rule::{Rule, Values};

type Result<T, E = MappingError> = std::result::Result<T, E>;

/// A mapping: rules of a schema version.
#[derive(Clone, Debug)]
pub struct Mapping {
    id: String,
    version: Version,
    rules: Vec<Rule>,
    /// The rules as they were written.
    text: Value,
}

/// `schema_version`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    /// Domains are those of users and groups.
    One,
    /// Projects have domains, and an object's domain applies to its user and projects.
    Two,
    /// Projects can come as JSON.
    Three,
}

/// An object of `local` with its templates filled.
struct Local {
    /// As Keystone shows it in messages.
    text: Map<String, Value>,
    user: Option<MappedUser>,
    group: Option<Group>,
    domain: Option<DomainName>,
    groups: Option<Vec<String>>,
    group_ids: Option<Vec<String>>,
    projects: Option<Vec<MappedProject>>,
}

/// `group`: by id, or by name and domain.
#[derive(Deserialize)]
#[serde(untagged)]
enum Group {
    Id { id: String },
    Name(GroupName),
}

impl Mapping {
    /// A mapping of these rules, as stored.
    pub fn new(id: &str, schema_version: &str, rules: Value) -> Result<Self> {
        let version = match schema_version {
            "1.0" => Version::One,
            "2.0" => Version::Two,
            "3.0" => Version::Three,
            other => return Err(MappingError::Broken(format!("schema_version {other:?}"))),
        };
        let read = Vec::<Rule>::deserialize(&rules);
        Ok(Self {
            id: id.to_owned(),
            version,
            rules: read.map_err(|error| MappingError::Broken(error.to_string()))?,
            text: rules,
        })
    }

    /// The rules, as they were written.
    pub fn rules(&self) -> &Value {
        &self.text
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether users have no roles on other projects than those of the mapping: since version 3.0.
    pub fn owns_projects(&self) -> bool {
        self.version >= Version::Three
    }

    /// The same rules as those of version 1.0, which is how Keystone takes them for certificates of `OAuth2` clients.
    #[must_use]
    pub fn as_version_1(mut self) -> Self {
        self.version = Version::One;
        self
    }

    /// Applies the rules to an assertion.
    pub fn apply(&self, assertion: &Assertion) -> Result<Mapped> {
        let mut locals = Vec::new();
        for rule in &self.rules {
            if let Some(values) = rule.values(assertion)? {
                for local in &rule.local {
                    locals.push(Local::fill(local, &values, self.version)?);
                }
            }
        }
        let mut user = None;
        let mut mapped = Mapped::default();
        // Of the last object only, whichever it is.
        let last_domain = locals.last().ok_or(MappingError::Unmapped)?.domain.clone();
        for local in locals {
            let named = local.named_groups()?;
            user = user.or(local.user);
            match local.group {
                Some(Group::Id { id }) => {
                    mapped.group_ids.insert(id);
                }
                Some(Group::Name(group)) => mapped.group_names.push(group),
                None => {}
            }
            mapped.group_names.extend(named);
            mapped.group_ids.extend(local.group_ids.unwrap_or_default());
            if let Some(projects) = local.projects {
                mapped.projects = projects;
            }
        }
        let mut user: MappedUser = user.unwrap_or_default();
        if self.version >= Version::Two {
            user.domain = user.domain.filter(DomainName::is_named).or(last_domain);
        }
        mapped.user = user;
        Ok(mapped)
    }
}

impl Local {
    /// Fills the templates of an object with values.
    fn fill(local: &Map<String, Value>, values: &Values, version: Version) -> Result<Self> {
        let is_json = |(key, value): (&str, &Value)| {
            version == Version::Three
                && (key == "projects_json" || key == "projects" && value.is_string())
        };
        let mut text = Map::new();
        let mut projects = None;
        let mut json = Vec::new();
        for (key, value) in local {
            if is_json((key, value)) {
                json.extend(projects_in_json(key, value, values)?);
                projects.get_or_insert_default();
            } else {
                text.insert(key.clone(), filled(value, values)?);
            }
        }
        let domain: Option<DomainName> = part(&text, "domain")?;
        let list = |key| list(local.get(key), text.get(key), values);
        if let Some(listed) = part(&text, "projects")? {
            projects = Some(listed);
        }
        // Named so, it says that there are projects, also where it gives none.
        if local.contains_key("projects_json") {
            projects.get_or_insert_default();
        }
        let mut projects: Option<Vec<MappedProject>> = projects;
        if let Some(projects) = &mut projects {
            projects.extend(json);
            if version >= Version::Two {
                for project in projects {
                    let own = project.domain.take().filter(DomainName::is_named);
                    project.domain = own.or_else(|| domain.clone());
                }
            }
        }
        Ok(Self {
            user: user(&text)?,
            group: part(&text, "group")?,
            groups: list("groups")?,
            group_ids: list("group_ids")?,
            domain,
            projects,
            text,
        })
    }

    /// The groups of `groups`.
    fn named_groups(&self) -> Result<Vec<GroupName>> {
        let names = self.groups.iter().flatten();
        names.map(|name| self.named_group(name)).collect()
    }

    /// An element of `groups`: JSON with its own domain, or a name in the object's.
    fn named_group(&self, name: &str) -> Result<GroupName> {
        let no_domain = || {
            let rule = python::repr(&Value::Object(self.text.clone()));
            MappingError::Refused(format!(
                "Invalid rule: {rule}. Both 'groups' and 'domain' keywords must be specified."
            ))
        };
        let Some(json) = name.strip_prefix("JSON:") else {
            return Ok(GroupName {
                name: name.to_owned(),
                domain: self.domain.clone().ok_or_else(no_domain)?,
            });
        };
        let broken = |error: serde_json::Error| MappingError::Broken(format!("{name:?}: {error}"));
        let group: Map<String, Value> = serde_json::from_str(json).map_err(broken)?;
        if !group.contains_key("domain") {
            return Err(no_domain());
        }
        serde_json::from_value(Value::Object(group)).map_err(broken)
    }
}

/// Fills the templates in a value.
fn filled(value: &Value, values: &Values) -> Result<Value> {
    Ok(match value {
        Value::String(template) => Value::String(text(template, values)?),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| Ok((key.clone(), filled(value, values)?)));
            Value::Object(members.collect::<Result<_>>()?)
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| filled(item, values));
            Value::Array(items.collect::<Result<_>>()?)
        }
        other => return Err(MappingError::Broken(format!("{other} is no template"))),
    })
}

fn text(template: &str, values: &Values) -> Result<String> {
    let rendered = Template::parse(template).and_then(|read| read.render(values));
    rendered.map_err(|error| MappingError::of_template(template, error))
}

/// The elements of `groups` or `group_ids`: a list that is a value stays one, and the rule itself may have a list as
/// text. Every other text is one element, whatever the values in it look like.
fn list(
    template: Option<&Value>,
    filled: Option<&Value>,
    values: &Values,
) -> Result<Option<Vec<String>>> {
    let (Some(template), Some(filled)) = (template, filled) else {
        return Ok(None);
    };
    let (Some(template), Some(filled)) = (template.as_str(), filled.as_str()) else {
        return Err(MappingError::Broken(format!("{template} is no text")));
    };
    let lone = Template::parse(template)
        .ok()
        .and_then(|read| read.lone_index());
    if let Some(list) = lone.and_then(|index| values.get(index)) {
        return Ok(Some(list.clone()));
    }
    let Some(items) = python::text_list(template) else {
        return Ok(Some(vec![filled.to_owned()]));
    };
    let items = items.iter().map(|item| text(item, values));
    items.collect::<Result<_>>().map(Some)
}

/// A member of an object, read.
fn part<T: for<'de> Deserialize<'de>>(object: &Map<String, Value>, key: &str) -> Result<Option<T>> {
    let Some(value) = object.get(key) else {
        return Ok(None);
    };
    let read = T::deserialize(value);
    read.map(Some)
        .map_err(|error| MappingError::Broken(format!("{key}: {error}")))
}

/// The user of an object; none where it has no members, which Python takes for no user.
fn user(object: &Map<String, Value>) -> Result<Option<MappedUser>> {
    let user = object.get("user").and_then(Value::as_object);
    let Some(user) = user.filter(|user| !user.is_empty()) else {
        return Ok(None);
    };
    let kind = user.get("type").and_then(Value::as_str);
    if let Some(kind) = kind.filter(|kind| !matches!(*kind, "ephemeral" | "local")) {
        let text = format!("User type {kind} not supported");
        return Err(MappingError::Refused(text));
    }
    part(object, "user")
}

/// The projects of a value that holds them as JSON. The index in a text like `{0}` counts, whatever follows.
fn projects_in_json(key: &str, rule: &Value, values: &Values) -> Result<Vec<MappedProject>> {
    let rule = rule.as_str().unwrap_or_default();
    let digits = rule.strip_prefix('{').unwrap_or(rule);
    let end = digits.find(|c: char| !c.is_ascii_digit());
    let digits = &digits[..end.unwrap_or(digits.len())];
    if digits.is_empty() {
        return Err(MappingError::Refused(format!(
            "The rule [{rule}] for key [{key}] does not match the expected pattern [\\{{?(\\d+)\\}}?]."
        )));
    }
    let value = digits
        .parse()
        .ok()
        .and_then(|index: usize| values.get(index));
    let value =
        value.ok_or_else(|| MappingError::Broken(format!("no value {digits} for {key}")))?;
    let [json] = &value[..] else {
        return Err(MappingError::Refused(format!(
            "{key}: {} values, of which none is JSON: a semicolon ends a value",
            value.len()
        )));
    };
    let json: Value = serde_json::from_str(json)
        .map_err(|error| MappingError::Broken(format!("{key}: {error}")))?;
    serde_json::from_value(json).map_err(|error| MappingError::Refused(format!("{key}: {error}\n")))
}
