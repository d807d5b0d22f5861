//! Tests of what a domain's configuration makes, and of what is told of it.

use serde_json::Value;

use super::*;
use crate::group::Group;

fn rows(options: &[(&str, &str)]) -> Vec<ConfigRow> {
    let text = |text: &str| Value::from(text).to_string();
    let ldap = options.iter().map(|(option, value)| {
        let hidden = *option == "password";
        ("ldap".to_owned(), (*option).to_owned(), text(value), hidden)
    });
    let driver = (
        "identity".to_owned(),
        "driver".to_owned(),
        text("ldap"),
        false,
    );
    ldap.chain([driver]).collect()
}

#[test]
fn a_sensitive_value_is_in_no_message() {
    let secret = "top, se\"cret";
    for (option, value) in [
        ("url", "ldap://%(password)s"),
        ("url", "http://%(password)s"),
        ("user_filter", "%(password)s"),
        ("page_size", "%(password)s"),
        ("suffix", "%(password)s"),
        ("use_tls", "%(password)s"),
        ("query_scope", "%(password)s"),
    ] {
        let told = backend_of(&rows(&[(option, value), ("password", secret)])).unwrap_err();
        assert!(told.contains(option) || option == "suffix", "{told}");
        assert!(told.contains("***"), "{told}");
        assert!(!told.contains("top") && !told.contains("cret"), "{told}");
    }
    let user = [("user", "cn=%(password)s"), ("password", secret)];
    let backend = backend_of(&rows(&user)).unwrap();
    let of = DomainDirectory {
        domain: DomainRef {
            id: "corp".into(),
            name: "corp".into(),
            enabled: true,
        },
        directory: backend.directory.unwrap(),
        list_limit: None,
        hidden: backend.hidden,
        mapped: true,
    };
    let error = keystone_ldap::Error::InvalidCredentials {
        url: "ldap://localhost".into(),
        user: format!("cn={secret}"),
    };
    let failed = of.failed(&error);
    let cause = std::error::Error::source(&failed).unwrap().to_string();
    assert!(
        cause.contains("refuses the password of \"cn=***\""),
        "{cause}"
    );
    assert!(!cause.contains("cret"), "{cause}");
    // Nothing is hidden that nothing refers to.
    let plain = backend_of(&rows(&[("password", "a"), ("page_size", "a")])).unwrap_err();
    assert!(plain.contains("\"a\" is no whole number"), "{plain}");
}

#[test]
fn what_is_hidden_is_replaced_once_and_as_a_whole() {
    let hidden =
        |texts: &[&str]| -> Vec<Secret> { texts.iter().copied().map(Secret::from).collect() };
    for (message, texts, shown) in [
        ("is abcdef.", vec!["ab", "abcdef"], "is ***."),
        ("is abcde.", vec!["abc", "cde"], "is ***."),
        ("is a\\nb", vec!["a\nb", ""], "is ***"),
        ("ünd ab", vec!["ü", "b"], "***nd a***"),
        ("*", vec!["*"; 64], "***"),
    ] {
        assert_eq!(redacted(message, &hidden(&texts)), shown);
    }
    // Of a value with many parts that are each what stands for them.
    let many = "*,".repeat(1000);
    let url = [("url", "http://%(password)s"), ("password", many.as_str())];
    let told = backend_of(&rows(&url)).unwrap_err();
    assert!(told.len() < 10_000, "{}", told.len());
}

#[test]
fn a_list_limit_is_a_whole_number_greater_than_zero() {
    let rows = |value: &str| -> Vec<ConfigRow> {
        vec![(
            "identity".to_owned(),
            "list_limit".to_owned(),
            value.to_owned(),
            false,
        )]
    };
    for (value, limit) in [
        ("7", Some(7)),
        ("\"7\"", Some(7)),
        ("0", None),
        ("-1", None),
    ] {
        let backend = backend_of(&rows(value)).unwrap();
        assert_eq!(backend.list_limit, limit, "{value}");
    }
    for value in ["\"many\"", "1.5", "true"] {
        let told = backend_of(&rows(value)).unwrap_err();
        assert_eq!(
            told, "[identity] list_limit: the value is no whole number",
            "{value}"
        );
    }
}

#[test]
fn a_list_in_pieces_is_not_read_for_each() {
    let group = |id: &str| -> Group {
        let group = serde_json::json!({ "id": id, "name": id, "domain_id": "corp" });
        serde_json::from_value(group).unwrap()
    };
    let mut listing = Listing {
        limit: Some(2),
        ..Listing::default()
    };
    for (in_pieces, marker, ids, more) in [
        (false, None, ["a", "b"].as_slice(), true),
        (true, None, &["a", "b", "c"], false),
        (true, Some("a"), &["b", "c"], false),
    ] {
        (listing.in_pieces, listing.marker) = (in_pieces, marker.map(str::to_owned));
        let found = ["c", "a", "b"].map(group).to_vec();
        let page = users::page(found, &listing, |_, _| true).unwrap();
        let found: Vec<&str> = page.items.iter().map(|group| group.id.as_str()).collect();
        assert_eq!((found.as_slice(), page.more), (ids, more));
    }
}
