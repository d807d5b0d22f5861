//! A shipped schema as data, with its patterns compiled.

use std::collections::HashMap;

use regex::Regex;
use serde_json::Value;

/// A schema ready to be applied: its document and its compiled patterns.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) document: Value,
    pub(super) patterns: HashMap<String, Regex>,
}

impl Schema {
    pub(super) fn parse(text: &str) -> Self {
        let document = serde_json::from_str(text).expect("a test parses every shipped schema");
        let mut patterns = HashMap::new();
        collect_patterns(&document, &mut patterns);
        Self { document, patterns }
    }
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
    Regex::new(&pattern).expect("a test compiles every shipped pattern")
}
