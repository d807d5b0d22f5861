//! Policy files for operators, as the generators of oslo.policy write them.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::comment::comment;
use crate::defaults::{DefaultRule, Deprecated};
use crate::overrides::Overrides;
use crate::parse::parse;
use crate::registry::Registry;

/// What stands below a rule that took the place of one with another name.
const RENAMED: &str = "\
# WARNING: A rule name change has been identified.
#          This may be an artifact of new rules being
#          included which require legacy fallback
#          rules to ensure proper policy behavior.
#          Alternatively, this may just be an alias.
#          Please evaluate on a case by case basis
#          keeping in mind the format for aliased
#          rules is:
#          \"old_rule_name\": \"new_rule_name\".
";

impl Registry {
    /// Every default rule as a comment, with its documentation: the text of `oslopolicy-sample-generator`.
    ///
    /// An operator who removes the `#` before a rule makes it an override. Python's generator puts the rules of several
    /// namespaces behind each other, in the order of their names.
    pub fn sample(&self) -> String {
        let rules = self.defaults().iter();
        rules.map(|rule| documented(rule, true)).collect()
    }

    /// The same without what it says about deprecation: `oslopolicy-sample-generator --exclude-deprecated`.
    pub fn sample_without_deprecated(&self) -> String {
        let rules = self.defaults().iter();
        rules.map(|rule| documented(rule, false)).collect()
    }

    /// The rules of the operator, and the defaults that they leave: the text of `oslopolicy-policy-generator`.
    ///
    /// As there, what a deprecated predecessor adds to a default is left out. A rule that a file has as a list is
    /// written as a check string, and quotes are escaped, so that the text means the same when it is read as a file.
    pub fn policy(&self, overrides: &Overrides) -> String {
        let mut text = String::new();
        let mut given = HashSet::new();
        for (name, rule) in overrides.in_order() {
            given.insert(name);
            let check = match &rule.rule {
                Value::String(check) => check.clone(),
                Value::Null => String::new(),
                other => parse(other, self.kinds()).0.to_string(),
            };
            text += &line(name, &check);
        }
        let rest = self.defaults().iter();
        for rule in rest.filter(|rule| !given.contains(rule.name.as_str())) {
            text += &line(&rule.name, &rule.check);
        }
        text
    }
}

/// One rule of a YAML file.
fn line(name: &str, check: &str) -> String {
    format!("{}: {}\n", quoted(name), quoted(check))
}

/// In double quotes, where YAML knows escapes.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}

/// One default rule of a sample file; `deprecation` adds what is deprecated about it.
fn documented(rule: &DefaultRule, deprecation: bool) -> String {
    let mut text = String::new();
    let mut add = |line: &str| {
        text += line;
        text += "\n";
    };
    let noted = deprecation && rule.for_removal;
    if noted {
        let since = rule.deprecated_since.as_deref().unwrap_or("None");
        add("# DEPRECATED");
        add(&format!(
            "# \"{}\" has been deprecated since {since}.",
            rule.name
        ));
        add(&comment(
            rule.deprecated_reason.as_deref().unwrap_or_default(),
        ));
    }
    let description = rule.description.as_deref().unwrap_or_default();
    if !description.is_empty() {
        add(&comment(description));
    }
    for operation in &rule.operations {
        if !operation.method.is_empty() && !operation.path.is_empty() {
            add(&format!("# {}  {}", operation.method, operation.path));
        }
    }
    if !rule.scope_types.is_empty() {
        let scopes: Vec<_> = rule
            .scope_types
            .iter()
            .map(|scope| scope.as_str())
            .collect();
        add(&format!("# Intended scope(s): {}", scopes.join(", ")));
    }
    add(&format!("#{}", line(&rule.name, &rule.check)));
    if let Some(old) = rule.deprecated.as_ref().filter(|_| deprecation && !noted) {
        replaced(rule, old, &mut text);
    }
    text
}

/// What an operator must know about the rule that this one replaces.
fn replaced(rule: &DefaultRule, old: &Deprecated, text: &mut String) {
    let since = old.since.as_ref().or(rule.deprecated_since.as_ref());
    let reason = old.reason.as_ref().or(rule.deprecated_reason.as_ref());
    let summary = format!(
        "\"{}\":\"{}\" has been deprecated since {} in favor of \"{}\":\"{}\".",
        old.name,
        old.check,
        since.map_or("None", String::as_str),
        rule.name,
        rule.check,
    );
    let reason = comment(reason.map_or("", String::as_str));
    *text += "# DEPRECATED\n";
    let _ = writeln!(text, "{}\n{reason}", comment(&summary));
    if old.name != rule.name {
        *text += RENAMED;
        *text += "# ";
        *text += &line(&old.name, &format!("rule:{}", rule.name));
    }
    *text += "\n";
}
