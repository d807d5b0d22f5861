//! JSON schemas, with the messages of Python's `jsonschema`.

mod pprint;
mod validation;

use std::collections::HashMap;
use std::fmt;

use regex::Regex;
use serde_json::Value;

use crate as python;

pub use pprint::pretty;

/// A schema ready to be applied: its document and its compiled patterns.
#[derive(Debug)]
pub struct Schema {
    document: Value,
    patterns: HashMap<String, Regex>,
}

/// A keyword that an instance did not satisfy.
#[expect(
    missing_debug_implementations,
    reason = "the instance may hold a password"
)]
pub struct Failure<'a> {
    /// What is wrong.
    pub message: String,
    keyword: &'a str,
    /// The way to the failing part of the instance.
    pub path: Vec<Step<'a>>,
    /// The failing part.
    pub instance: &'a Value,
    /// The way to the schema that holds the keyword.
    place: Vec<Step<'a>>,
    schema: &'a Value,
}

/// One element of the way to a failure, in the instance or in the schema.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A member of an object.
    Key(&'a str),
    /// An item of an array.
    Index(usize),
}

impl Schema {
    /// Reads a schema. Only the keywords that Keystone's schemas use are known.
    ///
    /// # Panics
    ///
    /// Where the text is no JSON, or a pattern is wrong: schemas are part of the program.
    pub fn parse(text: &str) -> Self {
        Self::new(serde_json::from_str(text).expect("a schema is JSON"))
    }

    /// The same for a schema that is JSON already.
    ///
    /// # Panics
    ///
    /// Where a pattern is wrong.
    pub fn new(document: Value) -> Self {
        let mut patterns = HashMap::new();
        collect_patterns(&document, &mut patterns);
        Self { document, patterns }
    }

    /// The schema as it was read.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The first failure; `shown` replaces the instance's own text in messages.
    pub fn first<'a>(&'a self, instance: &'a Value, shown: Option<&'a str>) -> Option<Failure<'a>> {
        validation::first(self, instance, shown)
    }

    /// Every failure, in the order they are met.
    pub fn all<'a>(&'a self, instance: &'a Value) -> Vec<Failure<'a>> {
        validation::all(self, instance)
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => out.write_str(key),
            Self::Index(index) => index.fmt(out),
        }
    }
}

/// The failure as Python prints the exception: the schema and the instance follow the message.
impl fmt::Display for Failure<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pretty = |value: &Value| pretty(value).replace('\n', "\n    ");
        write!(
            out,
            "{}\n\nFailed validating {} in schema{}:\n    {}\n\nOn instance{}:\n    {}",
            self.message,
            python::quote(self.keyword),
            index(&self.place),
            pretty(self.schema),
            index(&self.path),
            pretty(self.instance),
        )
    }
}

fn index(steps: &[Step<'_>]) -> String {
    let steps: Vec<_> = steps
        .iter()
        .map(|step| match step {
            Step::Key(key) => python::quote(key),
            Step::Index(index) => index.to_string(),
        })
        .collect();
    if steps.is_empty() {
        return String::new();
    }
    format!("[{}]", steps.join("]["))
}

fn collect_patterns(schema: &Value, patterns: &mut HashMap<String, Regex>) {
    match schema {
        Value::Array(schemas) => {
            for schema in schemas {
                collect_patterns(schema, patterns);
            }
        }
        Value::Object(keywords) => {
            if let Some(Value::String(pattern)) = keywords.get("pattern") {
                patterns
                    .entry(pattern.clone())
                    .or_insert_with(|| compile(pattern));
            }
            for schema in keywords.values() {
                collect_patterns(schema, patterns);
            }
        }
        _ => {}
    }
}

/// Python's `$` also matches before a final newline, and its white space includes the ASCII separators.
fn compile(pattern: &str) -> Regex {
    let pattern = pattern.replace(r"\S", r"[^\s\x1c-\x1f]");
    let pattern = match pattern.strip_suffix('$') {
        Some(start) => format!(r"{start}\n?\z"),
        None => pattern,
    };
    Regex::new(&pattern).expect("a pattern of a schema is right")
}
