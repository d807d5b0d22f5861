//! URL templates: Python's `%` formatting, as far as a URL can use it.
//!
//! `%(project_id)s` is the usual form and `$(project_id)s` its twin. The rest of what Python
//! understands (flags, widths, `%r`) is followed too, so that a template is valid here exactly
//! where it is in Python Keystone; a width over 255 is refused, because it buys nothing but memory.

use std::{borrow::Cow, iter::Peekable, str::Chars};

use keystone_types::{Error, Result};

/// What a template is filled from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Substitutions<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) project_id: Option<&'a str>,
    pub(crate) public_endpoint: Option<&'a str>,
}

/// Why a template cannot be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// It needs a project, and there is none.
    Project,
    /// It names something unknown, or is not well-formed.
    Malformed,
}

const WIDEST: usize = 255;

/// Refuses a template that could not be filled for any token.
pub(crate) fn check(url: &str) -> Result<()> {
    let known = |name: Option<&str>| match name {
        None
        | Some("tenant_id" | "project_id" | "user_id" | "compute_host" | "public_endpoint") => {
            Ok("")
        }
        Some(_) => Err(Hole::Malformed),
    };
    fill(url, known).map(drop).map_err(|_| {
        Error::Validation(format!(
            "Cannot create an endpoint with an invalid URL: {url}."
        ))
    })
}

/// Fills a template.
pub(crate) fn render<'u>(url: &'u str, with: &Substitutions<'_>) -> Result<Cow<'u, str>, Hole> {
    if !url.contains('%') && !url.contains("$(") {
        return Ok(Cow::Borrowed(url));
    }
    let value = |name: Option<&str>| match name {
        Some("tenant_id" | "project_id") => with.project_id.ok_or(Hole::Project),
        Some("user_id") => Ok(with.user_id),
        // An option that is not set is Python's `None`, and prints as that.
        Some("public_endpoint") => Ok(with.public_endpoint.unwrap_or("None")),
        // Nothing sets `compute_host`; a bare `%s` would print the whole dictionary.
        _ => Err(Hole::Malformed),
    };
    fill(url, value).map(Cow::Owned)
}

fn fill<'v>(
    url: &str,
    value: impl Fn(Option<&str>) -> Result<&'v str, Hole>,
) -> Result<String, Hole> {
    let template = url.replace("$(", "%(");
    let mut rest = template.chars().peekable();
    let mut out = String::with_capacity(template.len() + 32);
    let mut taken = false;
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
        } else if rest.next_if_eq(&'%').is_some() {
            out.push('%');
        } else {
            let key = key(&mut rest)?;
            // One bare conversion may take the dictionary itself, before anything else is taken.
            if key.is_none() && taken {
                return Err(Hole::Malformed);
            }
            taken = true;
            let value = value(key.as_deref())?;
            conversion(&mut rest, value, &mut out)?;
        }
    }
    Ok(out)
}

/// Reads `(key)`, in which parentheses may nest.
fn key(rest: &mut Peekable<Chars<'_>>) -> Result<Option<String>, Hole> {
    if rest.next_if_eq(&'(').is_none() {
        return Ok(None);
    }
    let mut depth = 1;
    let mut key = String::new();
    for c in rest {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok(Some(key));
        }
        key.push(c);
    }
    Err(Hole::Malformed)
}

/// Reads flags, width, precision and type, and writes `value` accordingly.
fn conversion(rest: &mut Peekable<Chars<'_>>, value: &str, out: &mut String) -> Result<(), Hole> {
    let mut left = false;
    while let Some(flag) = rest.next_if(|c| "-+ #0".contains(*c)) {
        left |= flag == '-';
    }
    let width = number(rest)?.unwrap_or(0);
    let precision = match rest.next_if_eq(&'.') {
        Some(_) => Some(number(rest)?.unwrap_or(0)),
        None => None,
    };
    rest.next_if(|c| "hlL".contains(*c));
    // The numeric types are for numbers, `c` for one character; no value is either.
    let value = match rest.next() {
        Some('s') => Cow::Borrowed(value),
        Some('r' | 'a') => Cow::Owned(format!("'{value}'")),
        _ => return Err(Hole::Malformed),
    };
    let length = value.chars().count().min(precision.unwrap_or(usize::MAX));
    let padding = width.saturating_sub(length);
    if !left {
        out.extend(std::iter::repeat_n(' ', padding));
    }
    out.extend(value.chars().take(length));
    if left {
        out.extend(std::iter::repeat_n(' ', padding));
    }
    Ok(())
}

fn number(rest: &mut Peekable<Chars<'_>>) -> Result<Option<usize>, Hole> {
    let mut number = None;
    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
        rest.next();
        number = Some(number.unwrap_or(0) * 10 + digit as usize);
        if number > Some(WIDEST) {
            return Err(Hole::Malformed);
        }
    }
    Ok(number)
}

#[cfg(test)]
mod tests;
