use serde_json::json;

use super::*;

const BYTES: u64 = 1 << 20;

/// The pieces of an answer about a user with this role, with a catalog of so many bytes.
fn pieces(role: &str, length: usize) -> [Arc<[u8]>; 4] {
    let head = json!({
        "methods": ["password"],
        "user": {"id": "u", "name": "u", "domain": {"id": "d", "name": "d"}},
        "roles": [{"id": role, "name": role}],
        "issued_at": "2026-01-31T12:00:00.000000Z",
        "expires_at": "2026-01-31T13:00:00.000000Z",
    });
    let head = format!("{{\"token\": {head}");
    let head = head.strip_suffix('}').unwrap().as_bytes().into();
    let catalog = format!(r#", "catalog": [{{"type": "{}"}}]"#, "x".repeat(length));
    let providers = Arc::default();
    [
        head,
        catalog.into_bytes().into(),
        providers,
        b"}}".as_slice().into(),
    ]
}

fn body(role: &str) -> TokenBody {
    TokenBody::new(pieces(role, 10))
}

fn kind(info: &TokenInfo) -> &str {
    &info.catalog.as_ref().unwrap()[0].kind
}

#[test]
fn an_answer_that_is_given_again_is_read_once() {
    let readings = Readings::new(BYTES);
    let shared = body("member");
    let first = readings.read("token", shared.clone()).unwrap();
    for again in [shared, body("member")] {
        let again = readings.read("token", again).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
    }
    let other = readings.read("another", body("member")).unwrap();
    assert!(!Arc::ptr_eq(&first, &other), "it is another token");
}

#[test]
fn an_answer_is_read_again_when_any_piece_has_changed() {
    let readings = Readings::new(BYTES);
    let [head, _, providers, tail] = pieces("member", 10);
    let of_catalog =
        |catalog: &Arc<[u8]>| TokenBody::new([&head, catalog, &providers, &tail].map(Arc::clone));
    let [_, short, ..] = pieces("member", 10);
    let [_, long, ..] = pieces("member", 11);
    for (catalog, length) in [(&short, 10), (&long, 11), (&short, 10)] {
        let read = readings.read("token", of_catalog(catalog)).unwrap();
        assert_eq!(kind(&read).len(), length);
    }
    let read = readings.read("token", body("reader")).unwrap();
    assert!(read.has_role("reader") && !read.has_role("member"));
    let mut bound = pieces("reader", 10);
    bound[3] = br#", "bind": {"kerberos": "u"}}}"#.as_slice().into();
    let read = readings.read("token", TokenBody::new(bound)).unwrap();
    assert!(read.is_bound());
}

#[test]
fn an_answer_that_cannot_be_read_leaves_nothing() {
    let readings = Readings::new(BYTES);
    let broken = TokenBody::from(b"{}".to_vec());
    for _ in 0..2 {
        assert!(readings.read("token", broken.clone()).is_err());
    }
    assert!(readings.read("token", body("member")).is_ok());
}

#[test]
fn memory_is_bounded_by_bytes() {
    let readings = Readings::new(BYTES);
    for n in 0..1000 {
        let body = TokenBody::new(pieces("member", 10_000));
        readings.read(&format!("token {n}"), body).unwrap();
    }
    assert!(readings.0.weight() <= BYTES);
    assert!(readings.0.len() < 30, "{}", readings.0.len());
}
