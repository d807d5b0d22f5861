//! `policy who-can`: the roles, groups and users that a rule allows something.
//!
//! A rule is asked once for all tokens that look the same to it: it compares values of the credentials with few texts
//! ([`Rules::compared_texts`]), and ids and names that are none of these stand for each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use keystone::policy::Rules;
use serde_json::{Map, Value, json};

use super::holdings::{Held, Holdings, Named, RoleSet};
use super::{check_name, target};
use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::serve;
use crate::terminal::{ProgressLine, print};

#[derive(Clone, Debug, Args)]
pub(crate) struct WhoCan {
    /// The rule's name.
    #[arg(long, value_name = "NAME")]
    rule: String,
    /// JSON object: the target, nested or with dots in its names; without one it is empty.
    #[arg(long, value_name = "FILE")]
    target: Option<PathBuf>,
}

/// How many projects or domains of one user are named.
const NAMED: usize = 3;

pub(super) async fn run(asked: &WhoCan, configuration: &Configuration) -> Result<ExitCode> {
    let target = target(asked.target.as_deref())?;
    let keystone = serve::open(&configuration.settings).await?;
    let rules = keystone.policy().rules();
    check_name(&rules, &asked.rule)?;
    let Some(texts) = rules.compared_texts(&asked.rule, &target) else {
        return Err(CommandError::new(format!(
            "the rule {:?} asks another server, which would be asked about everybody",
            asked.rule
        )));
    };
    let progress = ProgressLine::new();
    progress.show("reading users, projects and grants");
    let holdings = Holdings::read(&keystone.identity(), has_directory(configuration)).await?;
    let admin_project = configuration.settings.auth.admin_project.clone();
    let mut answers = Answers {
        rule: &asked.rule,
        rules,
        target,
        texts,
        admin_project,
        holdings: &holdings,
        all_unscoped: false,
        known: HashMap::new(),
        inherited: HashMap::new(),
    };
    let found = answers.everybody(|done| {
        progress.show(&format!("{done} of {} users", holdings.users.len()));
    });
    drop(progress);
    keystone.db().close().await;
    print(if found.is_empty() { "nobody" } else { &found });
    if holdings.has_groups_elsewhere() {
        print(
            "Groups of directories hold something: who is allowed as a member of one is not among the users.",
        );
    }
    Ok(ExitCode::from(u8::from(found.is_empty())))
}

/// Whether there may be users and groups who have neither a row nor one in `id_mapping`.
fn has_directory(configuration: &Configuration) -> bool {
    configuration.config.string("identity", "driver") != "sql"
}

/// A thing as a rule sees it: `None` for texts that it looks for nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Seen {
    id: Option<String>,
    name: Option<String>,
    domain_id: Option<String>,
    domain_name: Option<String>,
}

/// A scope as a rule sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Scope {
    None,
    System,
    Domain(Seen),
    Project { seen: Seen, is_admin: bool },
}

/// Where somebody is allowed.
#[derive(Clone, Debug, Default)]
struct Allowed {
    unscoped: bool,
    system: bool,
    domains: Places,
    projects: Places,
}

/// Some places by name, and how many there are.
#[derive(Clone, Debug, Default)]
struct Places {
    count: usize,
    names: Vec<String>,
}

/// The roles that are inherited from each place, and who inherits them.
type Inherits = (BTreeMap<String, RoleSet>, Seen);

struct Answers<'a> {
    rule: &'a str,
    rules: Arc<Rules>,
    target: Value,
    texts: BTreeSet<String>,
    admin_project: Option<(String, String)>,
    holdings: &'a Holdings,
    /// Whether an unscoped token is enough, whoever has it.
    all_unscoped: bool,
    known: HashMap<(Seen, Scope, RoleSet), bool>,
    inherited: HashMap<Inherits, Arc<Places>>,
}

impl Answers<'_> {
    /// What is printed: empty if nobody is allowed.
    fn everybody(&mut self, progress: impl Fn(usize)) -> String {
        let holdings = self.holdings;
        let somebody = Seen::default();
        let places = self.places();
        self.all_unscoped = self.ask(&somebody, &Scope::None, &RoleSet::new());
        if self.all_unscoped {
            let implied = &holdings.implied;
            let mut tokens = places
                .iter()
                .flat_map(|(_, scope)| implied.iter().map(move |roles| (scope, roles)));
            if tokens.all(|(scope, roles)| self.ask(&somebody, scope, roles)) {
                return "everybody with a token".to_owned();
            }
        }
        let sections = [
            ("roles", self.roles(&places)),
            ("groups", self.groups()),
            ("users", self.users(progress)),
        ];
        let sections = sections.iter().filter(|(_, lines)| !lines.is_empty());
        let sections = sections.map(|(name, lines)| format!("{name}:\n  {}", lines.join("\n  ")));
        let unscoped = "everybody with an unscoped token".to_owned();
        let unscoped = self.all_unscoped.then_some(unscoped);
        let all: Vec<String> = unscoped.into_iter().chain(sections).collect();
        all.join("\n")
    }

    /// The scopes that the rule can tell from each other, whoever asks.
    fn places(&self) -> Vec<(String, Scope)> {
        let holdings = self.holdings;
        let mut places = vec![
            ("on the system".to_owned(), Scope::System),
            ("on any domain".to_owned(), Scope::Domain(Seen::default())),
            (
                "on any project".to_owned(),
                Scope::Project {
                    seen: Seen::default(),
                    is_admin: self.admin_project.is_none(),
                },
            ),
        ];
        for domain in holdings.domains.values() {
            let scope = self.domain(domain);
            if places.iter().all(|(_, known)| *known != scope) {
                places.push((format!("on domain {}", shown(domain)), scope));
            }
        }
        for project in holdings.projects.values() {
            let scope = self.project(project);
            if places.iter().all(|(_, known)| *known != scope) {
                places.push((self.alike(project, &scope), scope));
            }
        }
        places
    }

    /// What each role allows whoever holds nothing else.
    fn roles(&mut self, places: &[(String, Scope)]) -> Vec<String> {
        let holdings = self.holdings;
        let somebody = Seen::default();
        let mut lines = Vec::new();
        for ((name, _), roles) in holdings.roles.iter().zip(&holdings.implied) {
            let mut found: Vec<&str> = Vec::new();
            for (place, scope) in places {
                let already = match scope {
                    Scope::Domain(_) => found.contains(&"on any domain"),
                    Scope::Project { .. } => found.contains(&"on any project"),
                    Scope::None | Scope::System => false,
                };
                if !already && self.ask(&somebody, scope, roles) {
                    found.push(place);
                }
            }
            if !found.is_empty() {
                lines.push(format!("{name}: {}", found.join(", ")));
            }
        }
        lines.sort();
        lines
    }

    /// Where the members of each group are allowed for what the group holds.
    fn groups(&mut self) -> Vec<String> {
        let holdings = self.holdings;
        let mut lines = Vec::new();
        for (id, held) in &holdings.of_groups {
            let allowed = self.allowed(&Seen::default(), held);
            if let Some(places) = allowed.shown() {
                lines.push(format!("{}: {places}", self.actor(id, &holdings.groups)));
            }
        }
        lines
    }

    fn users(&mut self, progress: impl Fn(usize)) -> Vec<String> {
        let holdings = self.holdings;
        let strangers = holdings
            .of_users
            .keys()
            .filter(|id| !holdings.users.contains_key(*id));
        let ids: BTreeSet<&String> = holdings.users.keys().chain(strangers).collect();
        let nothing = Held::default();
        // Those who hold nothing themselves are allowed the same as others of the same groups.
        let mut of_groups: HashMap<(&[String], Seen), Allowed> = HashMap::new();
        let mut lines = Vec::new();
        for (done, id) in ids.into_iter().enumerate() {
            if done % 1000 == 0 {
                progress(done);
            }
            let user = holdings.users.get(id);
            if user.is_some_and(|user| !user.enabled) {
                continue;
            }
            let seen = match user {
                Some(user) => self.seen(user),
                None => Seen {
                    id: self.text(id),
                    ..Seen::default()
                },
            };
            let groups = holdings.groups_of.get(id).map_or(&[][..], Vec::as_slice);
            let own = holdings.of_users.get(id);
            let key = (groups, seen.clone());
            let known = of_groups.get(&key).filter(|_| own.is_none());
            let allowed = if let Some(allowed) = known {
                allowed.clone()
            } else {
                let mut held = own.unwrap_or(&nothing).clone();
                for group in groups {
                    held.add(holdings.of_groups.get(group).unwrap_or(&nothing));
                }
                let allowed = self.allowed(&seen, &held);
                if own.is_none() {
                    of_groups.insert(key, allowed.clone());
                }
                allowed
            };
            if let Some(places) = allowed.shown() {
                lines.push(format!("{}: {places}", self.actor(id, &holdings.users)));
            }
        }
        lines
    }

    fn allowed(&mut self, user: &Seen, held: &Held) -> Allowed {
        let holdings = self.holdings;
        let mut allowed = Allowed {
            unscoped: !self.all_unscoped && self.ask(user, &Scope::None, &RoleSet::new()),
            system: !held.system.is_empty() && self.ask(user, &Scope::System, &held.system),
            ..Allowed::default()
        };
        for (id, roles) in &held.domains {
            let Some(domain) = holdings.domains.get(id).filter(|it| it.enabled) else {
                continue;
            };
            if self.ask(user, &self.domain(domain), roles) {
                allowed.domains.add(domain);
            }
        }
        let below = self.below(user, &held.inherited);
        let mut both = 0;
        for (id, roles) in &held.projects {
            let Some(project) = holdings.projects.get(id).filter(|it| it.enabled) else {
                continue;
            };
            let scope = self.project(project);
            let inherited = holdings.inherited(&held.inherited, id);
            // It is among those below, whatever the role on the project itself changes.
            both += usize::from(!inherited.is_empty() && self.ask(user, &scope, &inherited));
            let all = &inherited | roles;
            if !all.is_empty() && self.ask(user, &scope, &all) {
                allowed.projects.add(project);
            }
        }
        let more = below.count - both;
        let own = |name: &&String| {
            let mut held = held
                .projects
                .keys()
                .filter_map(|id| holdings.projects.get(id));
            held.any(|project| shown(project) == **name)
        };
        let names = below.names.iter().filter(|name| more > 0 && !own(name));
        let room = NAMED.saturating_sub(allowed.projects.names.len());
        allowed.projects.names.extend(names.take(room).cloned());
        allowed.projects.count += more;
        allowed
    }

    /// The projects on which a user is allowed for inherited roles alone.
    fn below(&mut self, user: &Seen, inherited: &BTreeMap<String, RoleSet>) -> Arc<Places> {
        if inherited.is_empty() {
            return Arc::default();
        }
        let key = (inherited.clone(), user.clone());
        if let Some(places) = self.inherited.get(&key) {
            return Arc::clone(places);
        }
        let holdings = self.holdings;
        let mut places = Places::default();
        for project in holdings.projects.values().filter(|it| it.enabled) {
            let roles = holdings.inherited(inherited, &project.id);
            if !roles.is_empty() && self.ask(user, &self.project(project), &roles) {
                places.add(project);
            }
        }
        let places = Arc::new(places);
        self.inherited.insert(key, Arc::clone(&places));
        places
    }

    fn ask(&mut self, user: &Seen, scope: &Scope, roles: &RoleSet) -> bool {
        let key = (user.clone(), scope.clone(), roles.clone());
        if let Some(answer) = self.known.get(&key) {
            return *answer;
        }
        let credentials = self.credentials(user, scope, roles);
        let answer = self.rules.enforce(self.rule, &self.target, &credentials);
        self.known.insert(key, answer.is_ok());
        answer.is_ok()
    }

    /// The credentials of a token that was got by a password, with the names of `AuthToken::policy_credentials`.
    fn credentials(&self, user: &Seen, scope: &Scope, roles: &RoleSet) -> Value {
        // Nothing is compared with it.
        let text = |text: &Option<String>| Value::from(text.as_deref().unwrap_or("\u{0}"));
        let domain =
            |seen: &Seen| json!({"id": text(&seen.domain_id), "name": text(&seen.domain_name)});
        let roles = roles.iter().map(|place| &self.holdings.roles[*place]);
        let roles: Vec<Value> = roles
            .map(|(name, id)| json!({"id": id, "name": name}))
            .collect();
        let names: Vec<&Value> = roles.iter().map(|role| &role["name"]).collect();
        let mut token = Map::from_iter([
            ("methods".to_owned(), json!(["password"])),
            (
                "user".to_owned(),
                json!({"id": text(&user.id), "name": text(&user.name), "domain": domain(user)}),
            ),
        ]);
        let mut credentials = json!({
            "user_id": text(&user.id), "user_domain_id": text(&user.domain_id),
            "system_scope": null, "domain_id": null, "project_id": null, "project_domain_id": null,
            "roles": names, "is_admin_project": true,
            "service_user_id": null, "service_user_domain_id": null, "service_project_id": null,
            "service_project_domain_id": null, "service_roles": [],
        });
        match scope {
            Scope::None => {}
            Scope::System => {
                token.insert("system".to_owned(), json!({"all": true}));
                credentials["system_scope"] = "all".into();
            }
            Scope::Domain(seen) => {
                token.insert("domain".to_owned(), domain(seen));
                credentials["domain_id"] = text(&seen.domain_id);
                credentials["is_admin_project"] = false.into();
            }
            Scope::Project { seen, is_admin } => {
                let project =
                    json!({"id": text(&seen.id), "name": text(&seen.name), "domain": domain(seen)});
                token.insert("project".to_owned(), project);
                token.insert("is_domain".to_owned(), false.into());
                credentials["project_id"] = text(&seen.id);
                credentials["project_domain_id"] = text(&seen.domain_id);
                credentials["is_admin_project"] = (*is_admin).into();
            }
        }
        if *scope != Scope::None {
            token.insert("roles".to_owned(), roles.into());
        }
        credentials["token"] = token.into();
        credentials
    }

    /// A text, if the rule looks for it.
    fn text(&self, text: &str) -> Option<String> {
        self.texts.get(text).cloned()
    }

    fn seen(&self, it: &Named) -> Seen {
        let domain = self.holdings.domains.get(&it.domain_id);
        Seen {
            id: self.text(&it.id),
            name: self.text(&it.name),
            domain_id: self.text(&it.domain_id),
            domain_name: domain.and_then(|domain| self.text(&domain.name)),
        }
    }

    fn domain(&self, domain: &Named) -> Scope {
        let seen = self.seen(domain);
        Scope::Domain(Seen {
            id: None,
            name: None,
            ..seen
        })
    }

    fn project(&self, project: &Named) -> Scope {
        let domain = self.holdings.domains.get(&project.domain_id);
        let domain = domain.map_or("", |domain| domain.name.as_str());
        let admin = self.admin_project.as_ref();
        Scope::Project {
            seen: self.seen(project),
            is_admin: admin.is_none_or(|(name, of)| *name == project.name && of == domain),
        }
    }

    /// The projects that a rule can't tell from this one, which it tells from others.
    fn alike(&self, project: &Named, scope: &Scope) -> String {
        match scope {
            Scope::Project {
                seen:
                    Seen {
                        id: None,
                        name: None,
                        ..
                    },
                is_admin,
            } if !is_admin || self.admin_project.is_none() => {
                let domain = self.holdings.domains.get(&project.domain_id);
                let domain = domain.map_or_else(|| project.domain_id.clone(), shown);
                format!("on projects of domain {domain}")
            }
            _ => format!("on project {}", shown(project)),
        }
    }

    /// A user or a group; those of a directory are known by their ids alone.
    fn actor(&self, id: &str, known: &BTreeMap<String, Named>) -> String {
        let Some(it) = known.get(id) else {
            return format!("({id})");
        };
        let domain = self.holdings.domains.get(&it.domain_id);
        let domain = domain.map_or(it.domain_id.as_str(), |domain| domain.name.as_str());
        format!("{} of domain {domain}", shown(it))
    }
}

fn shown(it: &Named) -> String {
    format!("{} ({})", it.name, it.id)
}

impl Places {
    fn add(&mut self, it: &Named) {
        self.count += 1;
        if self.names.len() < NAMED {
            self.names.push(shown(it));
        }
    }

    fn shown(&self, kind: &str) -> Option<String> {
        let names = self.names.join(", ");
        match self.count {
            0 => None,
            count if self.names.is_empty() => Some(format!("on {count} {kind}s")),
            1 => Some(format!("on {kind} {names}")),
            count if count <= self.names.len() => Some(format!("on {kind}s {names}")),
            count => Some(format!(
                "on {kind}s {names} and {} more",
                count - self.names.len()
            )),
        }
    }
}

impl Allowed {
    fn shown(&self) -> Option<String> {
        let places = [
            self.unscoped.then(|| "with any token".to_owned()),
            self.system.then(|| "on the system".to_owned()),
            self.domains.shown("domain"),
            self.projects.shown("project"),
        ];
        let places: Vec<String> = places.into_iter().flatten().collect();
        (!places.is_empty()).then(|| places.join("; "))
    }
}
