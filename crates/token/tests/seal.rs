//! Sealed values, and the cookies that hold the state of a login.

#![expect(
    clippy::unwrap_used,
    reason = "tests may panic, outside of test functions too"
)]

use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};
use keystone_token::{
    Error, Fernet, KeyRepository, KeyRing, KeySet, Origin, Owner, Return, ScopeIds, Seal,
    StateCookies, Token,
};
use proptest::prelude::*;

fn now() -> NaiveDateTime {
    "2026-01-31T12:00:00".parse().unwrap()
}

fn fixed() -> Arc<KeyRing> {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    Arc::new(KeyRing::fixed(KeySet::new([key]).unwrap()))
}

/// The `Cookie` header of a browser that got this `Set-Cookie`.
fn sent(set: &str) -> &str {
    set.split(';').next().unwrap()
}

/// The name of the cookie.
fn name(set: &str) -> &str {
    set.split('=').next().unwrap()
}

#[test]
fn what_one_node_seals_another_opens_while_keys_rotate() {
    let home = tempfile::tempdir().unwrap();
    let repository = KeyRepository::new(home.path().join("keys"), 3);
    repository.setup(Owner::default()).unwrap();
    let node = || {
        let keys = Arc::new(KeyRing::new(repository.clone()));
        StateCookies::new(keys, "oidc", true, Return::Redirect)
    };
    let (first, second) = (node(), node());
    let before = first.set("s1", b"before", now()).unwrap();
    // A node that has not seen the rotation yet: its keys are the copy of an earlier moment.
    let lagging = Arc::new(KeyRing::fixed(repository.load().unwrap()));
    let lagging = StateCookies::new(lagging, "oidc", true, Return::Redirect);

    repository.rotate(Owner::default()).unwrap();

    let after = second.set("s2", b"after", now()).unwrap();
    for node in [&first, &second, &lagging] {
        assert_eq!(node.get("s1", [sent(&before)], now()).unwrap(), b"before");
        assert_eq!(node.get("s2", [sent(&after)], now()).unwrap(), b"after");
    }
    for _ in 0..3 {
        repository.rotate(Owner::default()).unwrap();
    }
    let gone = second.get("s1", [sent(&before)], now());
    assert!(matches!(gone, Err(Error::Unrecognized)), "{gone:?}");
}

#[test]
fn neither_tokens_nor_values_of_another_purpose_open() {
    let keys = fixed();
    let tokens = Fernet::new(Arc::clone(&keys), vec!["password".into()], "default".into());
    let good_for = Duration::from_mins(1);
    let seal = Seal::new(Arc::clone(&keys), "one", good_for);
    let other = Seal::new(keys, "another", good_for);
    let token = Token {
        user_id: "a1b2c3d4e5f60718293a4b5c6d7e8f90".into(),
        methods: vec!["password".into()],
        scope: ScopeIds::Unscoped,
        origin: Origin::User,
        issued_at: now(),
        expires_at: now() + TimeDelta::hours(1),
        audit_ids: vec!["3T2dc1CGQxyJsHdDu1xkcw".into()],
    };
    let token = tokens.seal(&token).unwrap();
    let value = seal.seal(b"content", now()).unwrap();
    assert_eq!(seal.open(&value, now()).unwrap(), b"content");
    assert!(matches!(seal.open(&token, now()), Err(Error::Unrecognized)));
    assert!(matches!(tokens.open(&value), Err(Error::Unrecognized)));
    assert!(matches!(
        other.open(&value, now()),
        Err(Error::Unrecognized)
    ));
}

#[test]
fn values_open_for_their_time_only() {
    let seal = Seal::new(fixed(), "one", Duration::from_mins(1));
    let value = seal.seal(b"content", now()).unwrap();
    let at = |seconds| seal.open(&value, now() + TimeDelta::seconds(seconds));
    assert!(at(60).is_ok());
    assert!(matches!(at(61), Err(Error::NotNow(_))));
    // The clock of the node that sealed it is ahead.
    assert!(at(-60).is_ok());
    assert!(matches!(at(-61), Err(Error::NotNow(_))));
}

#[test]
fn a_cookie_serves_one_state_only() {
    let cookies = StateCookies::new(fixed(), "oidc", false, Return::Redirect);
    let one = cookies.set("one", b"1", now()).unwrap();
    let two = cookies.set("two", b"2", now()).unwrap();
    let both = format!("other=x; {}; {}", sent(&one), sent(&two));
    assert_eq!(cookies.get("one", [both.as_str()], now()).unwrap(), b"1");
    assert_eq!(
        cookies.get("two", ["a=b", both.as_str()], now()).unwrap(),
        b"2"
    );
    assert!(cookies.get("three", [both.as_str()], now()).is_err());
    // The content of one under the name of the other.
    let (_, value) = sent(&one).split_once('=').unwrap();
    let renamed = format!("{}={value}", name(&two));
    let refused = cookies.get("two", [renamed.as_str()], now());
    assert!(
        matches!(refused, Err(Error::Malformed("state"))),
        "{refused:?}"
    );
}

#[test]
fn attributes_follow_the_scheme_and_the_way_back() {
    let set = |https, comes_back| {
        let cookies = StateCookies::new(fixed(), "x", https, comes_back);
        let set = cookies.set("s", b"", now()).unwrap();
        let cleared = cookies.clear("s");
        assert_eq!(name(&cleared), name(&set));
        let (_, attributes) = set.split_once("; ").unwrap();
        (name(&set).to_owned(), attributes.to_owned())
    };
    // The hash is that of `printf s | sha256sum`.
    let attributes = |more: &str| format!("Max-Age=600; Path=/; HttpOnly{more}");
    let host = "__Host-keystone-x-043a718774c572bd".to_owned();
    let plain = "keystone-x-043a718774c572bd".to_owned();
    assert_eq!(
        set(true, Return::Redirect),
        (host.clone(), attributes("; SameSite=Lax; Secure"))
    );
    assert_eq!(
        set(true, Return::Post),
        (host, attributes("; SameSite=None; Secure"))
    );
    assert_eq!(
        set(false, Return::Redirect),
        (plain.clone(), attributes("; SameSite=Lax"))
    );
    assert_eq!(set(false, Return::Post), (plain, attributes("")));
}

proptest! {
    #[test]
    fn every_content_comes_back(content: Vec<u8>, state: String) {
        let cookies = StateCookies::new(fixed(), "x", true, Return::Post);
        let set = cookies.set(&state, &content, now()).unwrap();
        prop_assert_eq!(cookies.get(&state, [sent(&set)], now()).unwrap(), content);
    }

    #[test]
    fn no_text_opens(text in "\\PC*") {
        let seal = Seal::new(fixed(), "one", Duration::from_mins(1));
        prop_assert!(seal.open(&text, now()).is_err());
        let cookies = StateCookies::new(fixed(), "x", true, Return::Post);
        prop_assert!(cookies.get("s", [text.as_str()], now()).is_err());
    }
}

#[test]
fn a_long_value_is_kept_in_several_cookies() {
    let minute = Duration::from_mins(1);
    let cookies = StateCookies::new(fixed(), "x", true, Return::Redirect).good_for(minute);
    let content: Vec<u8> = (0..=u8::MAX).cycle().take(9000).collect();
    let set = cookies.set_parts("s", &content, now()).unwrap();
    assert!(set.len() > 2 && set.iter().all(|cookie| cookie.len() < 4096));
    assert!(set[0].contains("; Max-Age=60;"), "{}", set[0]);
    // A client sends them in any order, with others among them.
    let mut pairs: Vec<_> = set.iter().map(|cookie| sent(cookie)).collect();
    pairs.push("other=1");
    pairs.reverse();
    let header = pairs.join("; ");
    assert_eq!(cookies.get("s", [header.as_str()], now()).unwrap(), content);
    let later = now() + TimeDelta::seconds(61);
    cookies.get("s", [header.as_str()], later).unwrap_err();
    cookies.get("t", [header.as_str()], now()).unwrap_err();
    cookies
        .get("s", pairs[..2].iter().copied(), now())
        .unwrap_err();
    let cleared = cookies.clear_parts("s", [header.as_str()]);
    let mut names: Vec<_> = cleared.iter().map(|cookie| name(cookie)).collect();
    names.reverse();
    let expected: Vec<_> = set.iter().map(|cookie| name(cookie)).collect();
    assert_eq!(names, expected);
    assert!(
        cleared[0].contains("=; Max-Age=0; Path=/"),
        "{}",
        cleared[0]
    );
}
