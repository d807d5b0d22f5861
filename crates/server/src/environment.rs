//! The environment, read once.

use std::collections::HashMap;

/// The variables of the process; what is not UTF-8 is left out.
pub(crate) fn variables() -> HashMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}
