//! URL templates: Python's `%` formatting, as far as a URL can use it.
//!
//! `%(project_id)s` is the usual form and `$(project_id)s` its twin. The rest of what Python
//! understands (flags, widths, `%r`) is followed too, so that a template is valid here exactly
//! where it is in Python Keystone; a width over 255 is refused, because it buys nothing but memory.

use std::borrow::Cow;

use keystone_python::format::{self, Piece};
use keystone_types::{Error, Result};

/// The values that fill a template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Substitutions<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) project_id: Option<&'a str>,
    pub(crate) public_endpoint: Option<&'a str>,
}

/// Why a template cannot be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FillError {
    /// It needs a project, and there is none.
    Project,
    /// It names something unknown, or is not well-formed.
    Malformed,
}

/// Refuses a template that could not be filled for any token.
pub(crate) fn check(url: &str) -> Result<()> {
    let known = |name: Option<&str>| match name {
        None
        | Some("tenant_id" | "project_id" | "user_id" | "compute_host" | "public_endpoint") => {
            Ok("")
        }
        Some(_) => Err(FillError::Malformed),
    };
    fill(url, known).map(drop).map_err(|_| {
        Error::Validation(format!(
            "Cannot create an endpoint with an invalid URL: {url}."
        ))
    })
}

/// Fills a template.
pub(crate) fn render<'u>(
    url: &'u str,
    with: &Substitutions<'_>,
) -> Result<Cow<'u, str>, FillError> {
    if !url.contains('%') && !url.contains("$(") {
        return Ok(Cow::Borrowed(url));
    }
    let value = |name: Option<&str>| match name {
        Some("tenant_id" | "project_id") => with.project_id.ok_or(FillError::Project),
        Some("user_id") => Ok(with.user_id),
        // An option that is not set is Python's `None`, and prints as that.
        Some("public_endpoint") => Ok(with.public_endpoint.unwrap_or("None")),
        // Nothing sets `compute_host`; a bare `%s` would print the whole dictionary.
        _ => Err(FillError::Malformed),
    };
    fill(url, value).map(Cow::Owned)
}

/// Whether a template at most inserts ids, without padding, cutting or quoting them.
pub(crate) fn inserts_only(url: &str) -> bool {
    let template = url.replace("$(", "%(");
    let inserts = |piece| match piece {
        Ok(Piece::Place(place)) => place.is_plain(),
        // What is malformed is left out of each catalog.
        Ok(Piece::Text(_)) | Err(_) => true,
    };
    format::pieces(&template).all(inserts)
}

fn fill<'v>(
    url: &str,
    value: impl Fn(Option<&str>) -> Result<&'v str, FillError>,
) -> Result<String, FillError> {
    let template = url.replace("$(", "%(");
    let mut out = String::with_capacity(template.len() + 32);
    let mut taken = false;
    for piece in format::pieces(&template) {
        match piece {
            Ok(Piece::Text(text)) => out.push_str(text),
            // One place without a key may take the dictionary itself, before anything else is taken.
            Ok(Piece::Place(place)) if place.key.is_some() || !taken => {
                place.write(value(place.key)?, &mut out);
                taken = true;
            }
            Ok(Piece::Place(_)) => return Err(FillError::Malformed),
            Err(malformed) => {
                if malformed.key.is_some() {
                    value(malformed.key)?;
                }
                return Err(FillError::Malformed);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
