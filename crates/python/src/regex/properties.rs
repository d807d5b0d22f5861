//! Properties of patterns: none makes translating or matching panic or run on, and an escaped text matches itself.

use proptest::prelude::*;

use super::Regex;

/// A pattern of the characters that have a meaning in patterns.
fn pattern() -> impl Strategy<Value = String> {
    let parts = [
        r"[a-c1\u{e9}]",
        r"[.^$*+?|(){}\[\]\\<>=!:,-]",
        r"\\[dDsSwWbBAZx0u1]",
        r"\((\?(:|=|!|<=|<!|P<n>|i:))?",
        r"\{[0-9]{1,2},?[0-9]{0,2}\}",
    ];
    let pattern = format!("({}){{0,20}}", parts.join("|"));
    prop::string::string_regex(&pattern).unwrap()
}

proptest! {
    #[test]
    fn translating_any_text_returns(pattern in any::<String>()) {
        let _ = Regex::matching(&pattern);
    }

    /// A match gives up after a bounded number of steps, so this test ends.
    #[test]
    fn matching_any_pattern_returns(pattern in pattern(), password in "[a-c1\u{e9}\n]{0,200}") {
        if let Ok(regex) = Regex::matching(&pattern) {
            let _ = regex.is_match(&password);
        }
    }

    #[test]
    fn an_escaped_text_matches_itself(text in any::<String>()) {
        let escape = |c: char| {
            let escape = if c.is_ascii_alphanumeric() { "" } else { "\\" };
            format!("{escape}{c}")
        };
        let regex = Regex::matching(&text.chars().map(escape).collect::<String>()).unwrap();
        prop_assert!(regex.is_match(&text).unwrap());
    }
}
