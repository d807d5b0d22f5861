//! Opening a token, which every request does, and sealing one.

use std::sync::Arc;

use chrono::DateTime;
use divan::{Bencher, black_box};
use keystone_token::{Fernet, KeyRing, KeySet, Origin, ScopeIds, Token, new_audit_id};

/// As many as a repository has after some rotations by default.
const KEYS: [&str; 3] = [
    "bmV3ZXN0LWtleS1vZi10aGUtcmVwb3NpdG9yeS0wMzI=",
    "bWlkZGxlLWtleS1vZi10aGUtcmVwb3NpdG9yeS0wMzI=",
    "b2xkZXN0LWtleS1vZi10aGUtcmVwb3NpdG9yeS0wMzI=",
];

fn main() {
    divan::main();
}

fn fernet(keys: &[&str]) -> Fernet {
    let keys = KeySet::new(keys.iter().copied()).expect("the keys are keys");
    let methods = ["external", "password", "token"];
    Fernet::new(
        Arc::new(KeyRing::fixed(keys)),
        methods.map(str::to_owned).to_vec(),
        "default".to_owned(),
    )
}

fn token() -> Token {
    let issued_at = DateTime::UNIX_EPOCH.naive_utc();
    Token {
        user_id: "0123456789abcdef0123456789abcdef".to_owned(),
        methods: vec!["password".to_owned()],
        scope: ScopeIds::Project("fedcba9876543210fedcba9876543210".to_owned()),
        origin: Origin::User,
        issued_at,
        expires_at: issued_at,
        audit_ids: vec![new_audit_id()],
    }
}

#[divan::bench]
fn seal(bencher: Bencher<'_, '_>) {
    let (fernet, token) = (fernet(&KEYS), token());
    bencher.bench(|| fernet.seal(black_box(&token)));
}

/// The argument is the place of the token's key: a rotation moves it behind newer ones.
#[divan::bench(args = 0..KEYS.len())]
fn open(bencher: Bencher<'_, '_>, place: usize) {
    let sealed = fernet(&KEYS[place..]).seal(&token());
    let sealed = sealed.expect("the token has a format");
    let fernet = fernet(&KEYS);
    bencher.bench(|| fernet.open(black_box(&sealed)));
}
