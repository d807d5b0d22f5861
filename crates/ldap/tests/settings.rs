//! Which settings can be used.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use keystone_ldap::{AliasDereferencing, Directory, QueryScope, Settings, TlsReqCert};

fn refused(change: impl FnOnce(&mut Settings)) -> String {
    let mut settings = Settings::default();
    change(&mut settings);
    Directory::new(&settings).unwrap_err().to_string()
}

fn accepted(change: impl FnOnce(&mut Settings)) -> Directory {
    let mut settings = Settings::default();
    change(&mut settings);
    Directory::new(&settings).unwrap()
}

#[test]
fn urls_name_servers() {
    let shown = |url: &str| format!("{:?}", accepted(|it| it.url = url.into()));
    let same = [
        ("ldap://a", "ldap://a"),
        ("LDAP://a:389/dc=x?uid", "ldap://a:389"),
        ("ldap:///", "ldap://localhost"),
        ("ldap://:389", "ldap://localhost:389"),
        ("ldap://[::1]:389/", "ldap://[::1]:389"),
        ("ldap://[::1]", "ldap://[::1]"),
        ("ldapi:///", "ldapi://%2Fvar%2Frun%2Fslapd%2Fldapi"),
        ("ldapi://%2Ftmp%2Fs/", "ldapi://%2Ftmp%2Fs"),
        (
            "ldap://a, ldap://b  ldap://c,",
            "ldap://a ldap://b ldap://c",
        ),
    ];
    for (url, servers) in same {
        assert!(
            shown(url).contains(&format!("url: {servers:?}")),
            "{url}: {}",
            shown(url)
        );
    }
}

#[test]
fn urls_that_name_none_are_refused() {
    let wrong = [
        ("", "there is none"),
        (" , ", "there is none"),
        (
            "a.example",
            "a.example: begins with none of ldap://, ldaps:// and ldapi://",
        ),
        (
            "http://a",
            "http://a: begins with none of ldap://, ldaps:// and ldapi://",
        ),
        ("ldap://a:b", "ldap://a:b: has no port from 0 to 65535"),
        (
            "ldap://a:65536",
            "ldap://a:65536: has no port from 0 to 65535",
        ),
        (
            "ldap://[::g]",
            "ldap://[::g]: has no IPv6 address between the brackets",
        ),
        ("ldap://user@a", "ldap://user@a: has no name of a host"),
        (
            "ldap://a ldap://b c",
            "c: begins with none of ldap://, ldaps:// and ldapi://",
        ),
        (
            "ldaps://[::1]",
            "ldaps://[::1]: TLS needs a name, or an address of IPv4",
        ),
    ];
    for (url, reason) in wrong {
        assert_eq!(
            refused(|it| it.url = url.into()),
            format!("[ldap] url: {reason}")
        );
    }
    let both = refused(|it| {
        it.url = "ldap://[::1]".into();
        it.use_tls = true;
    });
    assert_eq!(
        both,
        "[ldap] url: ldap://[::1]: TLS needs a name, or an address of IPv4"
    );
}

#[test]
fn what_would_change_a_filter_is_refused() {
    for name in ["", "a)(b", "a=b", "a*", "a b", "é", "(a)", "1a"] {
        let text = format!("{name:?} is no name of an attribute");
        assert_eq!(
            refused(|it| it.user_id_attribute = name.into()),
            format!("[ldap] user_id_attribute: {text}")
        );
        assert_eq!(
            refused(|it| it.group_member_attribute = name.into()),
            format!("[ldap] group_member_attribute: {text}")
        );
        let optional = |it: &mut Settings| it.user_mail_attribute = Some(name.into());
        if name.is_empty() {
            accepted(optional);
        } else {
            assert_eq!(
                refused(optional),
                format!("[ldap] user_mail_attribute: {text}")
            );
        }
    }
    for name in ["uid", "2.5.4.3", "cn;lang-en", "x-id"] {
        accepted(|it| it.user_id_attribute = name.into());
    }
    for filter in [
        "a=b",
        "(a=b",
        "(a=b)(c=d)",
        "(a=b))",
        "(&(a=b)",
        "()",
        "(a=\\)",
        "(a=b) ",
    ] {
        let text = format!("{filter:?} is no filter in parentheses (RFC 4515)");
        assert_eq!(
            refused(|it| it.user_filter = Some(filter.into())),
            format!("[ldap] user_filter: {text}")
        );
        assert_eq!(
            refused(|it| it.group_filter = Some(filter.into())),
            format!("[ldap] group_filter: {text}")
        );
    }
    for filter in [
        "",
        "(a=b)",
        "(&(a=b)(!(c=d*)))",
        "(memberOf=CN=x\\2C y,DC=z)",
        "(a:1.2.3:=2)",
    ] {
        accepted(|it| it.user_filter = Some(filter.into()));
    }
}

/// Anybody who may configure a domain might end the process otherwise.
#[test]
fn filters_are_not_nested_without_an_end() {
    let nested = |levels: usize| format!("{}(a=b){}", "(!".repeat(levels), ")".repeat(levels));
    accepted(|it| it.user_filter = Some(nested(99)));
    for levels in [100, 1_000_000] {
        let text = refused(|it| it.group_filter = Some(nested(levels)));
        let reason = "\" has more than 100 parentheses within one another";
        assert!(text.ends_with(reason), "{levels}");
    }
}

#[test]
fn trees_are_distinguished_names() {
    let text = "\"People\" is no distinguished name";
    assert_eq!(
        refused(|it| it.user_tree_dn = Some("People".into())),
        format!("[ldap] user_tree_dn: {text}")
    );
    assert_eq!(
        refused(|it| it.group_tree_dn = Some("People".into())),
        format!("[ldap] group_tree_dn: {text}")
    );
    let text = "\"ou=Users,nowhere\" is no distinguished name";
    assert_eq!(
        refused(|it| it.suffix = "nowhere".into()),
        format!("[ldap] user_tree_dn: {text}")
    );
    let dn = Some("group".into());
    let text = "\"group\" is no distinguished name";
    assert_eq!(
        refused(|it| it.user_enabled_emulation_dn = dn),
        format!("[ldap] user_enabled_emulation_dn: {text}")
    );
    let shown = format!("{:?}", accepted(|it| it.user_tree_dn = Some(String::new())));
    assert!(shown.contains("ou=Users,cn=example,cn=com"), "{shown}");
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let mask = refused(|it| it.user_enabled_mask = 2);
    assert_eq!(
        mask,
        "[ldap] user_enabled_default: \"True\" is no number, and user_enabled_mask is set"
    );
    let tls = refused(|it| {
        it.url = "ldap://a ldaps://b".into();
        it.use_tls = true;
    });
    assert_eq!(
        tls,
        "[ldap] use_tls: begins TLS on a connection, but one of an ldaps: URL has it from the start"
    );
    assert_eq!(
        refused(|it| it.pool_size = 0),
        "[ldap] pool_size: must be at least 1"
    );
    assert_eq!(
        refused(|it| it.auth_pool_size = 0),
        "[ldap] auth_pool_size: must be at least 1"
    );
}

#[test]
fn certificates_are_read_at_once() {
    let tls = |file: Option<&'static str>, directory: Option<&'static str>, check| {
        move |it: &mut Settings| {
            it.use_tls = true;
            it.tls_cacertfile = file.map(Into::into);
            it.tls_cacertdir = directory.map(Into::into);
            it.tls_req_cert = check;
        }
    };
    let missing = Some("/nonexistent/ca.pem");
    let demand = TlsReqCert::Demand;
    let said = refused(tls(missing, None, demand));
    assert!(
        said.starts_with("[ldap] tls_cacertfile: /nonexistent/ca.pem: "),
        "{said}"
    );
    let said = refused(tls(None, missing, demand));
    assert!(
        said.starts_with("[ldap] tls_cacertdir: /nonexistent/ca.pem: "),
        "{said}"
    );
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert_eq!(
        refused(tls(Some(own), None, demand)),
        format!("[ldap] tls_cacertfile: {own}: there is no certificate in it")
    );
    // Who checks nothing needs none, and neither does who has no TLS.
    accepted(tls(missing, None, TlsReqCert::Never));
    accepted(|it| it.tls_cacertfile = Some("/nonexistent/ca.pem".into()));
}

#[test]
fn choices_are_read_from_their_texts() {
    assert_eq!("sub".parse(), Ok(QueryScope::Sub));
    assert_eq!("finding".parse(), Ok(AliasDereferencing::Finding));
    assert_eq!("never".parse(), Ok(TlsReqCert::Never));
    let error = "hard".parse::<TlsReqCert>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "[ldap] tls_req_cert: \"hard\" is none of demand, allow, never"
    );
    let error = "ONE".parse::<QueryScope>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "[ldap] query_scope: \"ONE\" is none of one, sub"
    );
}
