//! A rule's tree with what each part came to.

use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use crate::check::Check;
use crate::error::Denied;
use crate::evaluate::{Question, Undecided};
use crate::rules::Rules;
use crate::scope::ScopeType;
use crate::template::{RenderError, Template};

/// The answer to one question and the way to it; its `Display` is an indented tree.
#[derive(Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The rule that was asked for.
    pub rule: String,
    /// The scope of the credentials.
    pub scope: ScopeType,
    /// The answer.
    pub answer: Result<(), Denied>,
    /// The tree, if the name has one.
    pub tree: Option<Part>,
}

/// One node of the tree.
#[derive(Debug)]
#[non_exhaustive]
pub struct Part {
    /// The check; `and`, `or` and `not` stand for the parts below them.
    pub check: String,
    /// The result.
    pub outcome: Outcome,
    /// The compared values.
    pub note: Option<String>,
    /// The nodes below.
    pub parts: Vec<Part>,
}

/// The result of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It holds.
    True,
    /// It doesn't.
    False,
    /// It can't be decided.
    Undecided(String),
    /// It is wrong: it does not allow, and neither does what negates it.
    Flawed(String),
    /// It would have asked another server, but the answer was settled before.
    NotAsked,
}

impl Rules {
    /// Like [`Rules::enforce`], with every part's outcome, also of parts that no longer matter.
    pub fn explain(&self, rule: &str, target: &Value, credentials: &Value) -> Explanation {
        let question = Question {
            rules: self,
            rule,
            target,
            credentials,
        };
        let admitted = self.admit(rule, credentials).map(|_| ());
        let tree = self.check(rule);
        let tree = tree.map(|check| question.part(check, admitted.is_ok()));
        let answer = admitted.and_then(|()| {
            let rule = rule.to_owned();
            match tree.as_ref().map(|tree| &tree.outcome) {
                Some(Outcome::True) => Ok(()),
                Some(Outcome::Undecided(reason)) => Err(Denied::Undecided {
                    rule,
                    reason: reason.clone(),
                }),
                _ => Err(Denied::Check { rule }),
            }
        });
        Explanation {
            rule: rule.to_owned(),
            scope: ScopeType::of(credentials),
            answer,
            tree,
        }
    }
}

impl Question<'_> {
    /// `reached` tells whether the answer still depends on this part.
    fn part(&self, check: &Check, reached: bool) -> Part {
        match check {
            Check::Not(part) => {
                let part = self.part(part, reached);
                let outcome = match &part.outcome {
                    Outcome::True => Outcome::False,
                    Outcome::False => Outcome::True,
                    other => other.clone(),
                };
                node("not", outcome, vec![part])
            }
            Check::All(parts) => self.joined("and", parts, &Outcome::True, reached),
            Check::Any(parts) => self.joined("or", parts, &Outcome::False, reached),
            Check::Rule(name) => {
                let part = self
                    .rules
                    .check(name)
                    .map(|check| self.part(check, reached));
                let outcome = part.as_ref().map(|part| part.outcome.clone());
                let missing = || Outcome::Flawed("there is no such rule".to_owned());
                let parts = part.into_iter().collect();
                node(&check.to_string(), outcome.unwrap_or_else(missing), parts)
            }
            Check::Remote(_) if !reached => node(&check.to_string(), Outcome::NotAsked, Vec::new()),
            _ => {
                let outcome = match self.holds(check) {
                    Ok(true) => Outcome::True,
                    Ok(false) => Outcome::False,
                    Err(Undecided::Raised(reason)) => Outcome::Undecided(reason),
                    Err(Undecided::Flawed(reason)) => Outcome::Flawed(reason),
                };
                let mut part = node(&check.to_string(), outcome, Vec::new());
                part.note = self.note(check);
                part
            }
        }
    }

    /// Parts joined by a word: the first that differs from `neutral` decides, one that is wrong only if none does.
    fn joined(&self, word: &str, parts: &[Check], neutral: &Outcome, reached: bool) -> Part {
        let mut outcome = neutral.clone();
        let mut below = Vec::new();
        for part in parts {
            let flawed = matches!(outcome, Outcome::Flawed(_));
            let open = flawed || outcome == *neutral;
            let part = self.part(part, reached && open);
            let decides = part.outcome != *neutral;
            let as_before = flawed && matches!(part.outcome, Outcome::Flawed(_));
            if open && decides && !as_before {
                outcome = part.outcome.clone();
            }
            below.push(part);
        }
        node(word, outcome, below)
    }

    fn note(&self, check: &Check) -> Option<String> {
        let (mine, wanted) = match check {
            Check::Role(wanted) => (shown("roles", self.credentials.get("roles")), wanted),
            Check::Credential { path, wanted } => {
                let (start, rest) = self.credential(path).ok()?;
                // Of a list any element counts.
                let value = rest
                    .iter()
                    .try_fold(start.clone(), |value, key| match value {
                        Value::Array(items) => {
                            Some(items.iter().filter_map(|it| it.get(key)).cloned().collect())
                        }
                        value => value.get(key).cloned(),
                    });
                (shown(&path.join("."), value.as_ref()), wanted)
            }
            Check::Literal { wanted, .. } => (String::new(), wanted),
            _ => return None,
        };
        let wanted = self.rendered(wanted);
        let note: Vec<_> = [Some(mine).filter(|mine| !mine.is_empty()), wanted]
            .into_iter()
            .flatten()
            .collect();
        (!note.is_empty()).then(|| note.join(", "))
    }

    fn rendered(&self, wanted: &Template) -> Option<String> {
        match wanted.render(self.target) {
            Ok(text) if text == wanted.to_string() => None,
            Ok(text) => Some(format!("target: {wanted} = {text:?}")),
            Err(RenderError::Missing(key)) => Some(format!("target: no {key}")),
            Err(RenderError::Bad(_)) => None,
        }
    }
}

fn shown(key: &str, value: Option<&Value>) -> String {
    match value {
        Some(value) => format!("credentials: {key} = {value}"),
        None => format!("credentials: no {key}"),
    }
}

fn node(check: &str, outcome: Outcome, parts: Vec<Part>) -> Part {
    Part {
        check: check.to_owned(),
        outcome,
        note: None,
        parts,
    }
}

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.answer {
            Ok(()) => writeln!(f, "{}: allowed", self.rule)?,
            Err(denied) => writeln!(f, "{}: denied, {denied}", self.rule)?,
        }
        writeln!(f, "  scope of the credentials: {}", self.scope)?;
        match &self.tree {
            Some(tree) => tree.write(f, 1),
            None => Ok(()),
        }
    }
}

impl Part {
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        write!(
            f,
            "{:indent$}{} = {}",
            "",
            self.check,
            self.outcome,
            indent = depth * 2
        )?;
        match &self.note {
            Some(note) => writeln!(f, "  ({note})")?,
            None => writeln!(f)?,
        }
        self.parts
            .iter()
            .try_for_each(|part| part.write(f, depth + 1))
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::True => f.write_str("true"),
            Self::False => f.write_str("false"),
            Self::Undecided(reason) => write!(f, "undecided: {reason}"),
            Self::Flawed(reason) => write!(f, "wrong: {reason}"),
            Self::NotAsked => f.write_str("not asked"),
        }
    }
}
