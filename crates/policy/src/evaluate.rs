//! Evaluates a tree of checks for one target and one set of credentials.

use keystone_python as python;
use serde_json::Value;

use crate::check::Check;
use crate::custom::Request;
use crate::rules::Rules;
use crate::template::{RenderError, Template};

/// Why a check has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undecided {
    /// oslo.policy raises there, so nothing that surrounds it can turn it into a yes.
    Raised(String),
    /// A part of a rule is wrong: others may allow, but neither it nor its opposite does.
    Flawed(String),
}

/// One question to the rules.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) rule: &'a str,
    pub(crate) target: &'a Value,
    pub(crate) credentials: &'a Value,
}

impl Question<'_> {
    pub(crate) fn holds(&self, check: &Check) -> Result<bool, Undecided> {
        match check {
            Check::True => Ok(true),
            Check::False => Ok(false),
            Check::Not(part) => Ok(!self.holds(part)?),
            Check::All(parts) => self.settled(parts, false),
            Check::Any(parts) => self.settled(parts, true),
            Check::Rule(name) => match self.rules.check(name) {
                Some(check) => self.holds(check),
                None => Err(Undecided::Flawed(format!("there is no rule {name:?}"))),
            },
            Check::Flawed { reason, .. } => Err(Undecided::Flawed(reason.clone())),
            Check::Role(wanted) => self.with(wanted, |name| self.has_role(name)),
            Check::Credential { path, wanted } => {
                self.with(wanted, |text| found(self.credential(path)?, text))
            }
            Check::Literal { text, wanted, .. } => self.with(wanted, |wanted| Ok(text == wanted)),
            Check::Remote(address) => match address.render(self.target) {
                Ok(found) => self.ask(address, &found),
                Err(RenderError::Missing(key)) => Err(raised(format!("the target has no {key:?}"))),
                Err(RenderError::Bad(reason)) => Err(raised(reason)),
            },
            Check::Custom(custom) => custom.holds(&self.request()).map_err(raised),
            Check::Unusable { wanted, reason, .. } => {
                self.with(wanted, |_| Err(raised(reason.clone())))
            }
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            rule: self.rule,
            target: self.target,
            credentials: self.credentials,
        }
    }

    /// Whether one of the parts answers `settling`, which is the answer of the whole then.
    fn settled(&self, parts: &[Check], settling: bool) -> Result<bool, Undecided> {
        let mut flawed = None;
        for part in parts {
            match self.holds(part) {
                Ok(answer) if answer == settling => return Ok(settling),
                Ok(_) => {}
                Err(Undecided::Flawed(reason)) => flawed = flawed.or(Some(reason)),
                Err(raised) => return Err(raised),
            }
        }
        match flawed {
            Some(reason) => Err(Undecided::Flawed(reason)),
            None => Ok(!settling),
        }
    }

    /// Runs `test` on the text that `wanted` makes; a key that the target lacks makes the check false.
    fn with(
        &self,
        wanted: &Template,
        test: impl FnOnce(&str) -> Result<bool, Undecided>,
    ) -> Result<bool, Undecided> {
        match wanted.render(self.target) {
            Ok(wanted) => test(&wanted),
            Err(RenderError::Missing(_)) => Ok(false),
            Err(RenderError::Bad(reason)) => Err(raised(reason)),
        }
    }

    fn has_role(&self, name: &str) -> Result<bool, Undecided> {
        let wrong = || raised("the credentials' `roles` are not a list of names");
        let Some(roles) = self.credentials.get("roles") else {
            return Ok(false);
        };
        let mut has = false;
        for role in roles.as_array().ok_or_else(wrong)? {
            has |= same_role(role.as_str().ok_or_else(wrong)?, name);
        }
        Ok(has)
    }

    /// The credentials and the keys still to follow; `system` is another name of a `system_scope` that is set.
    pub(crate) fn credential<'a>(
        &'a self,
        path: &'a [String],
    ) -> Result<(&'a Value, &'a [String]), Undecided> {
        if !self.credentials.is_object() {
            return Err(raised("the credentials are not an object"));
        }
        if let Some(("system", rest)) = path.split_first().map(|(key, rest)| (key.as_str(), rest))
            && let Some(system) = self.credentials.get("system_scope")
            && python::is_true(system)
        {
            return Ok((system, rest));
        }
        Ok((self.credentials, path))
    }

    /// The log gets the address as the rule has it: what a request says may stand in the other one.
    fn ask(&self, shown: &Template, address: &str) -> Result<bool, Undecided> {
        self.rules
            .remote()
            .ask(address, self.rule, self.target, self.credentials)
            .map_err(|reason| raised(format!("{shown}: {reason}")))
    }
}

fn raised(reason: impl Into<String>) -> Undecided {
    Undecided::Raised(reason.into())
}

/// Whether the value at the end of the path has this text; of a list, any element will do.
fn found((value, path): (&Value, &[String]), wanted: &str) -> Result<bool, Undecided> {
    let Some((key, rest)) = path.split_first() else {
        return Ok(python::str(value) == wanted);
    };
    let Value::Object(map) = value else {
        return Err(raised(format!(
            "{key:?} is looked up in a credential that has no keys"
        )));
    };
    match map.get(key) {
        None => Ok(false),
        Some(Value::Array(items)) => {
            for item in items {
                if found((item, rest), wanted)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Some(value) => found((value, rest), wanted),
    }
}

fn same_role(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        left.eq_ignore_ascii_case(right)
    } else {
        left.to_lowercase() == right.to_lowercase()
    }
}
