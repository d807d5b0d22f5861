//! From a rule as it is written to its tree, reading it as oslo.policy does.
//!
//! oslo.policy never refuses a rule: what it can't read denies. The tree here does the same, and the flaws beside it
//! tell what that was. `and` binds tighter than `or`, and `not` tighter than both.

use keystone_python as python;
use serde_json::Value;

use crate::check::Check;
use crate::error::Flaw;
use crate::literal::{is_path, literal};
use crate::registry::Kinds;
use crate::template::Template;

/// Deeper nesting than this is refused, so that no rule can exhaust the stack.
const MAX_DEPTH: usize = 50;

/// Reads a check string, or the lists of old JSON files; no value at all is the empty rule, which allows.
pub(crate) fn parse(rule: &Value, kinds: &Kinds) -> (Check, Vec<Flaw>) {
    let mut reader = Reader {
        kinds,
        flaws: Vec::new(),
    };
    let check = match rule {
        Value::Null => Check::True,
        Value::String(text) => reader.text(text),
        Value::Array(choices) => reader.list(choices),
        _ => reader.flawed(Flaw::Type, "!"),
    };
    (check, reader.flaws)
}

/// Reads single checks, and gathers what is wrong with them.
struct Reader<'a> {
    kinds: &'a Kinds,
    flaws: Vec<Flaw>,
}

impl Reader<'_> {
    /// The node for a part that does not parse.
    fn flawed(&mut self, flaw: Flaw, shown: &str) -> Check {
        let reason = flaw.to_string();
        self.flaws.push(flaw);
        Check::Flawed {
            shown: shown.to_owned(),
            reason,
        }
    }

    fn text(&mut self, text: &str) -> Check {
        if text.is_empty() {
            return Check::True;
        }
        let mut parser = Parser {
            tokens: tokens(text),
            at: 0,
            reader: Reader {
                kinds: self.kinds,
                flaws: Vec::new(),
            },
        };
        let parsed = parser.expression(0).and_then(|check| {
            let rest = parser.tokens.get(parser.at);
            rest.map_or(Ok(check), |token| Err(format!("unexpected {token}")))
        });
        self.flaws.append(&mut parser.reader.flaws);
        parsed.unwrap_or_else(|reason| {
            let text = text.to_owned();
            self.flawed(Flaw::Syntax { text, reason }, "!")
        })
    }

    /// The outer list is joined by `or`, the inner ones by `and`.
    fn list(&mut self, choices: &[Value]) -> Check {
        if choices.is_empty() {
            return Check::True;
        }
        let mut any = Vec::new();
        for choice in choices {
            let mut all = match choice {
                Value::String(word) if word.is_empty() => continue,
                Value::Array(words) if words.is_empty() => continue,
                Value::Array(words) => words.iter().map(|word| self.list_leaf(word)).collect(),
                other => vec![self.list_leaf(other)],
            };
            any.push(if all.len() == 1 {
                all.remove(0)
            } else {
                Check::All(all)
            });
        }
        match any.len() {
            0 => Check::False,
            1 => any.remove(0),
            _ => Check::Any(any),
        }
    }

    fn list_leaf(&mut self, word: &Value) -> Check {
        match word.as_str() {
            Some(word) => self.leaf(word),
            None => self.flawed(Flaw::Type, "!"),
        }
    }

    /// One check: `@`, `!` or `KIND:MATCH`.
    fn leaf(&mut self, word: &str) -> Check {
        match word {
            "@" => return Check::True,
            "!" => return Check::False,
            _ => {}
        }
        let Some((kind, wanted)) = word.split_once(':') else {
            let (text, reason) = (word.to_owned(), "a check is `kind:match`, `@` or `!`");
            let reason = reason.to_owned();
            return self.flawed(Flaw::Syntax { text, reason }, "!");
        };
        if let Some(made) = self.kinds.make(kind, wanted) {
            return made.unwrap_or_else(|reason| {
                let text = word.to_owned();
                self.flawed(Flaw::Syntax { text, reason }, word)
            });
        }
        if kind == "rule" {
            return Check::Rule(wanted.to_owned());
        }
        let remote = matches!(kind, "http" | "https");
        let template = Template::new(if remote { word } else { wanted });
        if let Some(reason) = template.flaw() {
            self.flaws.push(Flaw::Syntax {
                text: word.to_owned(),
                reason: reason.to_owned(),
            });
        }
        if remote {
            Check::Remote(template)
        } else if kind == "role" {
            Check::Role(template)
        } else {
            generic(kind, template, &mut self.flaws)
        }
    }
}

fn generic(kind: &str, wanted: Template, flaws: &mut Vec<Flaw>) -> Check {
    if let Some(text) = literal(kind) {
        return Check::Literal {
            source: kind.to_owned(),
            text,
            wanted,
        };
    }
    if is_path(kind) {
        let path = kind.split('.').map(str::to_owned).collect();
        return Check::Credential { path, wanted };
    }
    let reason = format!("`{kind}` is neither a literal nor a key of the credentials");
    flaws.push(Flaw::Syntax {
        text: format!("{kind}:{wanted}"),
        reason: reason.clone(),
    });
    Check::Unusable {
        kind: kind.to_owned(),
        wanted,
        reason,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    Quoted(&'a str),
    Word(&'a str),
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Self::Open => "(",
            Self::Close => ")",
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
            Self::Quoted(text) | Self::Word(text) => text,
        };
        write!(f, "`{text}`")
    }
}

/// Splits at white space; parentheses are only seen at the ends of a word, for `%(key)s` has its own.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for word in text.split(python::is_space).filter(|word| !word.is_empty()) {
        let opened = word.trim_start_matches('(');
        tokens.extend((opened.len()..word.len()).map(|_| Token::Open));
        let clean = opened.trim_end_matches(')');
        if !clean.is_empty() {
            tokens.push(match clean.to_ascii_lowercase().as_str() {
                "and" => Token::And,
                "or" => Token::Or,
                "not" => Token::Not,
                _ if is_quoted(opened) => Token::Quoted(opened),
                _ => Token::Word(clean),
            });
        }
        tokens.extend((clean.len()..opened.len()).map(|_| Token::Close));
    }
    tokens
}

fn is_quoted(word: &str) -> bool {
    let quote = |q| word.len() >= 2 && word.starts_with(q) && word.ends_with(q);
    quote('\'') || quote('"')
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    reader: Reader<'a>,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.at).copied();
        self.at += 1;
        token
    }

    fn expression(&mut self, depth: usize) -> Result<Check, String> {
        let mut choices = vec![self.operand(depth)?];
        let mut chained = false;
        loop {
            match self.tokens.get(self.at) {
                Some(Token::And) => {
                    self.at += 1;
                    let right = self.operand(depth)?;
                    // oslo.policy takes a parenthesised `and` behind an `or` for part of the chain.
                    let extend = chained || choices.len() > 1;
                    join(&mut choices, right, extend);
                    chained = true;
                }
                Some(Token::Or) => {
                    self.at += 1;
                    choices.push(self.operand(depth)?);
                    chained = false;
                }
                _ => break,
            }
        }
        Ok(match choices.len() {
            1 => choices.remove(0),
            _ => Check::Any(choices),
        })
    }

    fn operand(&mut self, depth: usize) -> Result<Check, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
        match self.next() {
            Some(Token::Not) => Ok(Check::Not(Box::new(self.operand(depth + 1)?))),
            Some(Token::Open) => {
                let inner = self.expression(depth + 1)?;
                match self.next() {
                    Some(Token::Close) => Ok(inner),
                    Some(token) => Err(format!("unexpected {token}")),
                    None => Err("a parenthesis is not closed".to_owned()),
                }
            }
            Some(Token::Word(word)) => Ok(self.reader.leaf(word)),
            Some(token) => Err(format!("unexpected {token}")),
            None => Err("it ends where a check is expected".to_owned()),
        }
    }
}

/// Joins `right` to the last choice by `and`.
fn join(choices: &mut Vec<Check>, right: Check, extend: bool) {
    let joined = match choices.pop() {
        Some(Check::All(mut parts)) if extend => {
            parts.push(right);
            Check::All(parts)
        }
        Some(left) => Check::All(vec![left, right]),
        None => right,
    };
    choices.push(joined);
}
