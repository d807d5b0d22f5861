//! Signed tokens. No text opens but those that were signed, and what signed claims open to is a token that can be signed
//! again without a change.

#![no_main]

use std::collections::HashSet;
use std::fs;
use std::sync::LazyLock;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use keystone::token::{Algorithm, Jws, JwsKeys, Token};
use keystone_fuzz::{members, recorded, text};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

/// A node with the keys of Python Keystone's tokens, which signs with the one of `EdDSA`.
struct Node {
    jws: Jws,
    key: Ed25519KeyPair,
    signed: HashSet<String>,
    _home: TempDir,
}

static NODE: LazyLock<Node> = LazyLock::new(|| {
    let cases = recorded(include_str!("../../../crates/token/tests/jws/cases.json"));
    let home = tempfile::tempdir().expect("a directory can be made");
    let [private, public] = ["private", "public"].map(|name| home.path().join(name));
    for directory in [&private, &public] {
        fs::create_dir(directory).expect("the directory is new");
    }
    for (name, pair) in cases["keys"].as_object().expect("the pairs by name") {
        let file = public.join(format!("{name}.pem"));
        fs::write(file, text(&pair["public"])).expect("a key can be written");
    }
    let pem = text(&cases["keys"]["EdDSA"]["private"]);
    fs::write(private.join("private.pem"), pem).expect("a key can be written");
    let digits: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(digits).expect("PEM is base64");
    let tokens = members(&cases["tokens"]).iter();
    let tokens = tokens.map(|case| text(&case["token"]).to_owned());
    Node {
        jws: Jws::new(&JwsKeys {
            private,
            public,
            algorithm: Algorithm::EdDsa,
            accepted: Algorithm::ALL.to_vec(),
        }),
        key: Ed25519KeyPair::from_pkcs8(&der).expect("a key of Ed25519"),
        signed: tokens.collect(),
        _home: home,
    }
});

fuzz_target!(init: { let _ = LazyLock::force(&NODE); }, |data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let opens = NODE.jws.open(text).is_ok();
        assert!(!opens || NODE.signed.contains(text), "nobody signed {text}");
    }
    if let Ok(token) = NODE.jws.open(&NODE.sign(data)) {
        assert_eq!(signed_and_opened(&token), token);
    }
});

impl Node {
    /// Signs any claims.
    fn sign(&self, claims: &[u8]) -> String {
        let parts = [br#"{"alg":"EdDSA","typ":"JWT"}"#.as_slice(), claims];
        let [header, claims] = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(signed.as_bytes());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        format!("{signed}.{signature}")
    }
}

fn signed_and_opened(token: &Token) -> Token {
    let text = NODE.jws.seal(token).expect("what was opened has room");
    NODE.jws.open(&text).expect("what was signed opens")
}
