//! Keystone's own rules, which are data: `defaults.json`.

use std::sync::LazyLock;

use crate::defaults::DefaultRule;
use crate::registry::Registry;

const KEYSTONE: &str = include_str!("../defaults.json");

/// The default rules of Keystone 30.0.0, in the order of its modules.
pub fn keystone_defaults() -> &'static [DefaultRule] {
    static RULES: LazyLock<Vec<DefaultRule>> = LazyLock::new(|| {
        serde_json::from_str(KEYSTONE).expect("the built-in defaults parse, as a test shows")
    });
    &RULES
}

impl Registry {
    /// What Keystone registers: [`keystone_defaults`], and no checks of its own.
    pub fn keystone() -> Self {
        keystone_defaults().into()
    }
}
