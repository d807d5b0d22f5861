//! Tokens of Fernet. No text opens but those that were sealed, and what a sealed payload opens to is a token that can be
//! sealed again without a change.

#![no_main]

use std::mem::discriminant;
use std::sync::LazyLock;

use keystone::token::{Fernet, Token};
use keystone_fuzz::Sealed;
use libfuzzer_sys::fuzz_target;

static SEALED: LazyLock<Sealed> = LazyLock::new(Sealed::read);
static TOKENS: LazyLock<Fernet> = LazyLock::new(|| {
    let keys = SEALED.keys.clone();
    Fernet::new(keys, Sealed::methods(), "default".to_owned())
});

fuzz_target!(init: { let _ = LazyLock::force(&TOKENS); }, |data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let opens = TOKENS.open(text).is_ok();
        assert!(!opens || SEALED.knows(text), "nobody sealed {text}");
    }
    if let Ok(token) = TOKENS.open(&SEALED.seal(data)) {
        let again = sealed_and_opened(&token);
        // An id that reads as a UUID comes back in its one spelling.
        assert_eq!(sealed_and_opened(&again), again);
        assert_eq!(discriminant(&again.scope), discriminant(&token.scope));
        assert_eq!(discriminant(&again.origin), discriminant(&token.origin));
        assert_eq!(again.methods, token.methods);
        assert_eq!(again.audit_ids, token.audit_ids);
        assert_eq!(again.expires_at, token.expires_at);
        assert_eq!(again.issued_at, token.issued_at);
    }
});

fn sealed_and_opened(token: &Token) -> Token {
    let text = TOKENS.seal(token).expect("what was opened has room");
    TOKENS.open(&text).expect("what was sealed opens")
}
