//! Properties of distinguished names.

use std::fmt::Write;

use proptest::prelude::*;

use super::Dn;

/// The values of a name of one to three parts.
fn values() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(any::<String>(), 1..4)
}

/// A value with everything escaped, by letters where there are some for it, or by hexadecimal digits only.
fn escaped(value: &str, letters: bool) -> String {
    let mut text = String::new();
    for letter in value.chars() {
        if letters && " \"#+,;<=>\\".contains(letter) {
            write!(text, "\\{letter}").unwrap();
        } else {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                write!(text, "\\{byte:02X}").unwrap();
            }
        }
    }
    text
}

fn name(values: &[String], letters: bool) -> String {
    let part = |value: &String| format!("cn={}", escaped(value, letters));
    values.iter().map(part).collect::<Vec<_>>().join(",")
}

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _ = Dn::parse(&text);
    }

    #[test]
    fn no_text_of_separators_panics(text in r#"[a-c=,+\\# "4]{0,24}"#) {
        if let Ok(name) = Dn::parse(&text) {
            prop_assert!(name.is_below(&name));
            prop_assert_eq!(&name, &Dn::parse(&text.to_uppercase()).unwrap());
        }
    }

    #[test]
    fn escapes_are_the_same_in_every_form(values in values()) {
        let by_letters = Dn::parse(&name(&values, true)).unwrap();
        let by_digits = Dn::parse(&name(&values, false)).unwrap();
        prop_assert_eq!(&by_letters, &by_digits);
        let naming: Vec<_> = by_digits.naming().collect();
        prop_assert_eq!(naming, vec![("cn", values[0].as_bytes())]);
        let theirs: Vec<_> = values.iter().map(|value| format!("cn={}", ldap3::dn_escape(value.as_str()))).collect();
        prop_assert_eq!(&by_digits, &Dn::parse(&theirs.join(",")).unwrap());
    }

    #[test]
    fn a_longer_name_is_below_a_shorter_one(values in values(), more in any::<String>()) {
        let tree = Dn::parse(&name(&values, false)).unwrap();
        let entry = Dn::parse(&format!("{},{}", name(&[more], true), name(&values, true))).unwrap();
        prop_assert!(entry.is_child_of(&tree));
        prop_assert!(!tree.is_below(&entry));
    }
}
