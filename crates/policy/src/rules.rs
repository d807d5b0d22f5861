//! A complete set of rules: the defaults of a service under the operator's.

use std::borrow::Cow;
use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::check::Check;
use crate::defaults::DefaultRule;
use crate::error::{Denied, Fault, Flaw, LoadError};
use crate::evaluate::{Question, Undecided};
use crate::overrides::{Override, Overrides};
use crate::parse::parse;
use crate::references::examine;
use crate::registry::{Kinds, Registry};
use crate::remote::Remote;
use crate::scope::ScopeType;
use crate::settings::Settings;

/// Parsed rules by name; they never change.
#[derive(Debug)]
pub struct Rules {
    by_name: BTreeMap<String, Rule>,
    default_rule: String,
    remote: Remote,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) text: String,
    pub(crate) check: Check,
    pub(crate) scopes: Vec<ScopeType>,
    file: Option<PathBuf>,
    built_in: bool,
}

/// Rules, and what is wrong with them.
#[derive(Debug)]
pub struct Loaded {
    /// The rules; as in oslo.policy, the wrong ones among them deny.
    pub rules: Rules,
    /// The wrong rules, in the order of their names.
    pub faults: Vec<Fault>,
}

impl Loaded {
    /// The rules, if nothing is wrong with them.
    pub fn strict(self) -> Result<Rules, LoadError> {
        if self.faults.is_empty() {
            Ok(self.rules)
        } else {
            Err(LoadError::Rules(self.faults))
        }
    }
}

impl Rules {
    /// The operator's rules over those of a service.
    pub fn over(registry: &Registry, overrides: &Overrides, settings: &Settings) -> Loaded {
        let kinds = registry.kinds();
        let mut flaws = Flaws::new();
        for (name, flaw) in registry.flaws() {
            flaws.entry(name.to_owned()).or_default().push(flaw);
        }
        let mut rules = BTreeMap::new();
        for name in overrides.names() {
            let rule = overrides
                .get(name)
                .map(|given| from_override(name, given, kinds, &mut flaws));
            rules.extend(rule.map(|rule| (name.to_owned(), rule)));
        }
        for default in registry.defaults() {
            let own = || from_default(default, overrides, settings, kinds, &mut flaws);
            let rule = rules.entry(default.name.clone()).or_insert_with(own);
            rule.scopes.clone_from(&default.scope_types);
            rule.built_in = true;
        }
        let mut rules = Self {
            by_name: rules,
            default_rule: settings.default_rule.clone(),
            remote: Remote::new(settings.remote.clone()),
        };
        let problems = examine(&rules);
        for (rule, flaw) in problems.flaws {
            flaws.entry(rule).or_default().push(flaw);
        }
        for (name, other) in problems.cut {
            if let Some(rule) = rules.by_name.get_mut(&name) {
                cut(&mut rule.check, &other);
            }
        }
        let faults = flaws.into_iter().map(|(rule, flaws)| Fault {
            file: rules.by_name.get(&rule).and_then(|rule| rule.file.clone()),
            rule,
            flaws,
        });
        Loaded {
            faults: faults.collect(),
            rules,
        }
    }

    /// Whether `credentials` may do on `target` what `rule` is about.
    ///
    /// Both are the dictionaries of oslo.policy. The target is flat, with dots in its keys, or nested; the roles of the
    /// credentials are a list of names.
    pub fn enforce(&self, rule: &str, target: &Value, credentials: &Value) -> Result<(), Denied> {
        let found = self.admit(rule, credentials)?;
        let question = Question {
            rules: self,
            rule,
            target,
            credentials,
        };
        match question.holds(&found.check) {
            Ok(true) => Ok(()),
            Ok(false) | Err(Undecided::Flawed(_)) => Err(Denied::Check {
                rule: rule.to_owned(),
            }),
            Err(Undecided::Raised(reason)) => Err(Denied::Undecided {
                rule: rule.to_owned(),
                reason,
            }),
        }
    }

    /// Name, check string and scope types of every rule, in the order of their names.
    pub fn list(&self) -> Value {
        let row = |(name, rule): (&String, &Rule)| json!({"name": name, "check_str": rule.text, "scope_types": rule.scopes});
        self.by_name.iter().map(row).collect()
    }

    /// The tree that answers for a name, which is the default rule's for unknown names.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.rule(name).map(|rule| &rule.check)
    }

    /// Whether the rule may ask another server, which takes time that an async caller should not wait in place.
    pub fn calls_out(&self, rule: &str) -> bool {
        self.reaches(rule, &|check| matches!(check, Check::Remote(_)))
    }

    /// Whether the rule may look at what is at this path of the credentials, or hand it on.
    pub fn may_read(&self, rule: &str, path: &[&str]) -> bool {
        self.reaches(rule, &|check| match check {
            Check::Remote(_) | Check::Custom(_) => true,
            Check::Credential { path: read, .. } => {
                read.iter().zip(path).all(|(read, wanted)| read == wanted)
            }
            _ => false,
        })
    }

    /// The texts that values of the credentials are compared with. Credentials that differ in nothing else than texts that are
    /// none of these get the same answer. `None` where the rule asks another server, or a check of the service's own, which
    /// look at everything.
    pub fn compared_texts(&self, rule: &str, target: &Value) -> Option<BTreeSet<String>> {
        let texts = RefCell::default();
        let looks_at_all = self.reaches(rule, &|check| match check {
            Check::Remote(_) | Check::Custom(_) => true,
            Check::Credential { wanted, .. } => {
                let mut texts: RefMut<'_, BTreeSet<String>> = texts.borrow_mut();
                texts.extend(wanted.render(target).ok().map(Cow::into_owned));
                false
            }
            _ => false,
        });
        (!looks_at_all).then(|| texts.into_inner())
    }

    /// Whether all that the rule looks at in the target is if `owner` there is the credentials' `key`.
    ///
    /// Then it says the same of all things that are not the caller's.
    pub fn depends_only_on_owner(&self, rule: &str, key: &str, owner: &str) -> bool {
        let asks = |check| self.check_depends_only_on_owner(check, key, owner);
        self.check(rule).is_none_or(asks)
    }

    fn check_depends_only_on_owner(&self, check: &Check, key: &str, owner: &str) -> bool {
        match check {
            Check::Rule(name) => self.depends_only_on_owner(name, key, owner),
            Check::Credential { path, wanted } => {
                wanted.is_literal() || (path.as_slice() == [key] && wanted.is_key(owner))
            }
            Check::Role(wanted)
            | Check::Literal { wanted, .. }
            | Check::Unusable { wanted, .. } => wanted.is_literal(),
            Check::Remote(_) | Check::Custom(_) => false,
            Check::True | Check::False | Check::Flawed { .. } => true,
            Check::Not(_) | Check::All(_) | Check::Any(_) => check
                .parts()
                .iter()
                .all(|part| self.check_depends_only_on_owner(part, key, owner)),
        }
    }

    /// The names of the rules, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Whether the service that brings the defaults along asks for the rule itself.
    pub fn is_built_in(&self, name: &str) -> bool {
        self.by_name.get(name).is_some_and(|rule| rule.built_in)
    }

    pub(crate) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The rule that answers for a name, if it is for tokens of this scope.
    pub(crate) fn admit(&self, name: &str, credentials: &Value) -> Result<&Rule, Denied> {
        let Some(rule) = self.by_name.get(name) else {
            // A rule that answers for others does not impose its own scopes on them.
            let other = self.by_name.get(&self.default_rule);
            return other.ok_or_else(|| Denied::Unknown {
                rule: name.to_owned(),
            });
        };
        let scope = ScopeType::of(credentials);
        if !rule.scopes.is_empty() && !rule.scopes.contains(&scope) {
            return Err(Denied::Scope {
                rule: name.to_owned(),
                allowed: rule.scopes.clone(),
                scope,
            });
        }
        Ok(rule)
    }

    /// The name of the rule that answers for a name.
    pub(crate) fn resolve(&self, name: &str) -> Option<&str> {
        let found = self.by_name.get_key_value(name);
        let found = found.or_else(|| self.by_name.get_key_value(&self.default_rule));
        found.map(|(name, _)| name.as_str())
    }

    fn rule(&self, name: &str) -> Option<&Rule> {
        let found = self.by_name.get(name);
        found.or_else(|| self.by_name.get(&self.default_rule))
    }

    /// Whether such a check is part of the rule, or of one that it refers to.
    fn reaches(&self, rule: &str, such: &impl Fn(&Check) -> bool) -> bool {
        self.check(rule)
            .is_some_and(|check| self.has_part(check, such))
    }

    fn has_part(&self, check: &Check, such: &impl Fn(&Check) -> bool) -> bool {
        match check {
            Check::Rule(name) => self.reaches(name, such),
            _ => such(check) || check.parts().iter().any(|part| self.has_part(part, such)),
        }
    }
}

/// Flaws by rule.
type Flaws = BTreeMap<String, Vec<Flaw>>;

/// Puts what never allows in the place of a reference that must not be followed.
fn cut(check: &mut Check, reference: &str) {
    if check.is_rule(reference) {
        *check = Check::Flawed {
            shown: check.to_string(),
            reason: "it leads back to where it stands, or through too many rules".to_owned(),
        };
    }
    for part in check.parts_mut() {
        cut(part, reference);
    }
}

/// A rule from a file.
fn from_override(name: &str, given: &Override, kinds: &Kinds, flaws: &mut Flaws) -> Rule {
    let (check, found) = parse(&given.rule, kinds);
    let file = given.file.as_deref().map(PathBuf::from);
    if !found.is_empty() {
        flaws.entry(name.to_owned()).or_default().extend(found);
    }
    let text = match &given.rule {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        _ => check.to_string(),
    };
    Rule {
        text,
        check,
        scopes: Vec::new(),
        file,
        built_in: false,
    }
}

/// A default that no file overrides, with what remains of its predecessor.
fn from_default(
    default: &DefaultRule,
    overrides: &Overrides,
    settings: &Settings,
    kinds: &Kinds,
    flaws: &mut Flaws,
) -> Rule {
    let mut parsed = |check: &str| {
        let (check, found) = parse(&Value::from(check), kinds);
        if !found.is_empty() {
            flaws.entry(default.name.clone()).or_default().extend(found);
        }
        check
    };
    let mut check = parsed(&default.check);
    let mut text = default.check.clone();
    if let Some(old) = &default.deprecated {
        let old_check = parsed(&old.check);
        let renamed = (old.name != default.name).then(|| overrides.get(&old.name));
        if let Some(given) = renamed.flatten() {
            let kept = from_override(&old.name, given, kinds, &mut Flaws::new());
            // An override that only points to the new name is what generated samples contain.
            if kept.check != old_check && !kept.check.is_rule(&default.name) {
                return kept;
            }
        }
        if !settings.enforce_new_defaults && old.check != default.check {
            check = Check::Any(vec![check, old_check]);
            text = check.to_string();
        }
    }
    Rule {
        text,
        check,
        scopes: Vec::new(),
        file: None,
        built_in: true,
    }
}
