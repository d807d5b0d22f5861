//! Receipts. No text opens but those that were sealed, and what a sealed payload opens to is a receipt that can be sealed
//! again without a change.

#![no_main]

use std::sync::LazyLock;

use keystone::token::{Receipt, Receipts};
use keystone_fuzz::Sealed;
use libfuzzer_sys::fuzz_target;

static SEALED: LazyLock<Sealed> = LazyLock::new(Sealed::read);
static RECEIPTS: LazyLock<Receipts> =
    LazyLock::new(|| Receipts::new(SEALED.keys.clone(), Sealed::methods()));

fuzz_target!(init: { let _ = LazyLock::force(&RECEIPTS); }, |data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let opens = RECEIPTS.open(text).is_ok();
        assert!(!opens || SEALED.knows(text), "nobody sealed {text}");
    }
    if let Ok(receipt) = RECEIPTS.open(&SEALED.seal(data)) {
        let again = sealed_and_opened(&receipt);
        // An id that reads as a UUID comes back in its one spelling.
        assert_eq!(sealed_and_opened(&again), again);
        assert_eq!(again.methods, receipt.methods);
        assert_eq!(again.expires_at, receipt.expires_at);
        assert_eq!(again.issued_at, receipt.issued_at);
    }
});

fn sealed_and_opened(receipt: &Receipt) -> Receipt {
    let text = RECEIPTS.seal(receipt).expect("what was opened has room");
    RECEIPTS.open(&text).expect("what was sealed opens")
}
