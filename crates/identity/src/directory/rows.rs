//! The rows of the database that configure a domain's backend, and what no message about it may show.

use std::collections::HashMap;

use keystone_types::{Secret, json};
use serde_json::Value;

use super::Backend;

/// Group, option, value, and whether it is sensitive.
pub(super) type ConfigRow = (String, String, String, bool);

/// The backend that rows configure. `%(password)s` in a text stands for the sensitive option of that name in its group.
pub(super) fn backend_of(rows: &[ConfigRow]) -> Result<Backend, String> {
    let mut options: HashMap<(&str, &str), Value> = HashMap::new();
    let mut hidden = Vec::new();
    for (group, option, text, _) in rows {
        let value = json::read(text).map_err(|_| format!("[{group}] {option} is no JSON"))?;
        let value = match value {
            Value::String(text) => Value::String(resolved(text, group, rows, &mut hidden)),
            other => other,
        };
        options.insert((group, option), value);
    }
    let value = |group: &str, option: &str| options.get(&(group, option)).cloned();
    match Backend::read(|group, option| value(group, option).unwrap_or_default()) {
        Ok(backend) => Ok(Backend { hidden, ..backend }),
        Err(error) => Err(redacted(&error.to_string(), &hidden)),
    }
}

/// Adds the values that it puts in to those that no message may show, and their parts: URLs are told apart before they are
/// shown.
fn resolved(text: String, group: &str, rows: &[ConfigRow], hidden: &mut Vec<Secret>) -> String {
    let sensitive = rows
        .iter()
        .filter(|(of, _, _, sensitive)| *sensitive && of == group);
    sensitive.fold(text, |text, (_, option, value, _)| {
        let reference = format!("%({option})s");
        match json::read(value) {
            Ok(Value::String(value)) if text.contains(&reference) => {
                let parts = value.split([',', ' ', '/', '?']);
                let texts = [value.as_str()].into_iter().chain(parts);
                hidden.extend(texts.filter(|text| !text.is_empty()).map(Secret::from));
                text.replace(&reference, &value)
            }
            _ => text,
        }
    })
}

/// A message with `***` in the place of what it may not show, quoted or not. It is read once, so that nothing that was put
/// in is replaced again; of what overlaps, all is hidden.
pub(super) fn redacted(message: &str, hidden: &[Secret]) -> String {
    let mut texts = Vec::new();
    for text in hidden.iter().map(Secret::reveal) {
        texts.push(text.to_owned());
        let quoted = format!("{text:?}");
        texts.push(quoted[1..quoted.len() - 1].to_owned());
    }
    texts.sort_unstable();
    texts.dedup();
    let mut shown = String::with_capacity(message.len());
    let mut hidden_until = 0;
    for (at, letter) in message.char_indices() {
        let rest = &message[at..];
        let begin_here = texts.iter().filter(|text| rest.starts_with(*text));
        if let Some(longest @ 1..) = begin_here.map(String::len).max() {
            if at >= hidden_until {
                shown.push_str("***");
            }
            hidden_until = hidden_until.max(at + longest);
        }
        if at >= hidden_until {
            shown.push(letter);
        }
    }
    shown
}
