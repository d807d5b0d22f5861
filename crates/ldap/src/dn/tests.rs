use super::Dn;

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

#[test]
fn names_of_one_entry_are_equal() {
    let same = [
        (
            "uid=alice,ou=People,dc=example,dc=org",
            "UID=Alice, OU=people , DC=Example,dc=ORG",
        ),
        (r"cn=smith\, john,dc=x", r"cn=smith\2C john,dc=x"),
        (r"cn=smith\2c john,dc=x", r"cn=Smith\2C  John,dc=x"),
        (r"cn=zo\C3\AB,dc=x", "cn=zoë,dc=x"),
        ("cn=ZOË,dc=x", "cn=zoë,dc=x"),
        (r"cn=back\\slash,dc=x", r"cn=back\5Cslash,dc=x"),
        (r"cn=\ a\ ,dc=x", "cn=a,dc=x"),
        (r"cn=a\20\20b,dc=x", "cn=a b,dc=x"),
        ("cn=a+sn=b,dc=x", "SN=b + CN=a,dc=x"),
        ("cn=a=b,dc=x", r"cn=a\=b,dc=x"),
        ("oid.2.5.4.3=a", "2.5.4.3=A"),
        ("cn=#04024869,dc=x", "cn=#04024869,DC=x"),
        ("cn=,dc=x", "cn=  ,dc=x"),
        ("", " "),
    ];
    for (one, other) in same {
        assert_eq!(dn(one), dn(other), "{one} and {other}");
    }
}

#[test]
fn names_of_two_entries_differ() {
    let different = [
        (
            "uid=bob,ou=People,dc=x",
            "uid=bob,ou=Contractors,ou=People,dc=x",
        ),
        ("uid=bob,dc=x", "cn=bob,dc=x"),
        ("cn=a,dc=x", r"cn=a\,dc\=x"),
        ("cn=a+sn=b,dc=x", r"cn=a\+sn\=b,dc=x"),
        ("cn=a,sn=b", "cn=a+sn=b"),
        ("cn=ab,dc=x", "cn=a b,dc=x"),
        ("cn=#04024869,dc=x", r"cn=\#04024869,dc=x"),
        ("cn=a", "cn=a,cn="),
    ];
    for (one, other) in different {
        assert_ne!(dn(one), dn(other), "{one} and {other}");
    }
}

#[test]
fn what_is_no_name_is_refused() {
    let wrong = [
        "a",
        "cn",
        "=a",
        "cn=a,",
        ",cn=a",
        "cn=a,,dc=x",
        r"cn=a\",
        r"cn=a\4",
        r"cn=a\4g",
        r"cn=a\q",
        "cn=#",
        "cn=#0",
        "cn=#0g",
        "c n=a",
    ];
    for text in wrong {
        assert!(Dn::parse(text).is_err(), "{text}");
    }
}

#[test]
fn an_entry_is_below_its_tree() {
    let tree = dn("OU=People,dc=x");
    let bob = dn(r"uid=bob\,,ou=people,dc=x");
    let contractor = dn("uid=bob,ou=Contractors,ou=People,dc=x");
    assert!(bob.is_child_of(&tree) && bob.is_below(&tree));
    assert!(!contractor.is_child_of(&tree) && contractor.is_below(&tree));
    assert!(!tree.is_child_of(&tree) && tree.is_below(&tree));
    assert!(!dn("uid=bob,ou=OtherPeople,dc=x").is_below(&tree));
    assert!(!dn("dc=x").is_below(&tree));
}

#[test]
fn the_naming_values_are_those_of_the_entry() {
    let name = dn(r"UID=Smith\2C  John+sn=Zo\C3\AB ,dc=x");
    let naming: Vec<_> = name.naming().collect();
    assert_eq!(naming, [("sn", "Zoë".as_bytes()), ("uid", b"Smith,  John")]);
    let spaces = dn(r"uid= \  a \ ,dc=x");
    assert_eq!(
        spaces.naming().collect::<Vec<_>>(),
        [("uid", &b"  a  "[..])]
    );
}
