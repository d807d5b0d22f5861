//! Properties of configuration files: no text makes loading panic, and an escaped value is read back.

#![expect(
    clippy::unwrap_used,
    reason = "tests may panic, outside of test functions too"
)]

use std::sync::LazyLock;

use keystone_config::{Config, Sources};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Group and name of every option.
static OPTIONS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let options: Map<String, Value> =
        serde_json::from_str(include_str!("../options.json")).unwrap();
    let options = options.iter().flat_map(|(group, options)| {
        let names = options.as_object().unwrap().keys();
        names.map(move |name| (group.clone(), name.clone()))
    });
    options.collect()
});

/// Loads a text and converts it to settings; either may fail, with messages that can be displayed.
fn load(text: &str) {
    let sources = Sources::new().text("keystone.conf", text);
    let loaded = Config::load(&sources).and_then(|(config, _)| {
        config.ignored_options();
        config.settings(&sources)
    });
    if let Err(problems) = loaded {
        assert!(!problems.to_string().is_empty());
    }
}

/// A value with the characters that have a meaning in some option.
fn value() -> impl Strategy<Value = String> {
    "([a-z0-9_.]|[$\\\\{}\\[\\](),:;=#'\"% \n\t/@+-]|\u{e9}){0,40}"
}

proptest! {
    #[test]
    fn loading_any_text_returns(text in any::<String>()) {
        load(&text);
    }

    #[test]
    fn loading_any_lines_returns(text in "([\\[\\]a-z=:#; \t\r\n$]|DEFAULT|token){0,80}") {
        load(&text);
    }

    #[test]
    fn any_value_of_any_options_returns(
        options in prop::collection::vec((any::<prop::sample::Index>(), value()), 1..6),
    ) {
        let lines = options.iter().map(|(option, value)| {
            let (group, name) = option.get(&OPTIONS);
            format!("[{group}]\n{name} = {value}\n")
        });
        load(&lines.collect::<String>());
    }

    #[test]
    fn references_between_options_return(
        references in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
            1..6,
        ),
    ) {
        let lines = references.iter().map(|(from, to)| {
            let ((group, name), (other_group, other)) = (from.get(&OPTIONS), to.get(&OPTIONS));
            format!("[{group}]\n{name} = x${{{other_group}.{other}}}\n")
        });
        load(&lines.collect::<String>());
    }

    #[test]
    fn an_escaped_value_is_read_back(value in "[a-z0-9.][ -\\[\\]-~]{0,40}") {
        let value = value.trim();
        let text = format!("[DEFAULT]\nlog_dir = {}\n", value.replace('$', "$$"));
        let (config, _) = Config::load(&Sources::new().text("keystone.conf", &text)).unwrap();
        prop_assert_eq!(config.optional_string("DEFAULT", "log_dir"), Some(value));
    }
}
