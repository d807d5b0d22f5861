//! The environment of the process.

use std::collections::HashMap;

/// The environment variables; those that are not UTF-8 are left out.
pub(crate) fn variables() -> HashMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}
