//! Query strings: what they ask of a collection, and where its next page is.

use keystone_python::quote_plus;
use keystone_types::{Case, Comparison, Error, Filter, Result};

/// The decoded pairs of a query string.
pub(crate) fn parse(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

/// The query of the page after `marker`: the one that was asked, but for the page.
pub(crate) fn following(asked: &[(String, String)], marker: &str, limit: Option<u32>) -> String {
    let limit = limit.map(|limit| limit.to_string());
    let mut query: Vec<(&str, &str)> = Vec::new();
    for (key, value) in asked {
        if query.iter().all(|(seen, _)| seen != key) {
            query.push((key, value));
        }
    }
    for (key, value) in [("marker", Some(marker)), ("limit", limit.as_deref())] {
        match (value, query.iter_mut().find(|(name, _)| *name == key)) {
            (Some(value), Some(pair)) => pair.1 = value,
            (Some(value), None) => query.push((key, value)),
            (None, _) => {}
        }
    }
    let pairs: Vec<String> = query
        .into_iter()
        .map(|(key, value)| format!("{}={}", quote_plus(key), quote_plus(value)))
        .collect();
    pairs.join("&")
}

/// Reads a `?limit` as Python reads an integer, as far as one can be a limit.
pub(crate) fn page_size(limit: &str) -> Result<u32> {
    let number = limit.trim();
    let digits = number.strip_prefix('+').unwrap_or(number);
    if digits.is_empty() || digits.bytes().any(|byte| !byte.is_ascii_digit()) {
        return Err(Error::Validation(format!(
            "Invalid input for field/attribute limit. Value: {limit}. '{limit}' is not of type 'integer'"
        )));
    }
    Ok(digits.parse().unwrap_or(u32::MAX))
}

/// The attributes that are true or false.
pub(crate) const FLAGS: [&str; 2] = ["enabled", "is_domain"];

/// `name=x`, `name__contains=x` …
pub(crate) fn filter(attributes: &[&str], key: &str, value: &str) -> Result<Option<Filter>> {
    let (name, comparator) = match key.split_once("__") {
        Some((name, comparator)) if !attributes.contains(&key) => (name, Some(comparator)),
        _ => (key, None),
    };
    if !attributes.contains(&name) {
        return Ok(None);
    }
    if comparator.is_some() && FLAGS.contains(&name) {
        return Err(Error::Validation(format!(
            "Invalid input for field/attribute {key}. Value: {value}. '{name}' is of type 'boolean'"
        )));
    }
    let comparison = match comparator {
        None | Some("equals") => Comparison::Equals,
        Some("contains") => Comparison::Contains(Case::Sensitive),
        Some("icontains") => Comparison::Contains(Case::Insensitive),
        Some("startswith") => Comparison::StartsWith(Case::Sensitive),
        Some("istartswith") => Comparison::StartsWith(Case::Insensitive),
        Some("endswith") => Comparison::EndsWith(Case::Sensitive),
        Some("iendswith") => Comparison::EndsWith(Case::Insensitive),
        // Keystone takes no notice of others.
        Some(_) => return Ok(None),
    };
    Ok(Some(Filter {
        name: name.to_owned(),
        comparison,
        value: value.to_owned(),
    }))
}
