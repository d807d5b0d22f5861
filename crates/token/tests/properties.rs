//! Properties of tokens, receipts and credentials: no bytes make opening panic, and what is opened can be sealed and
//! opened again without a change.

#![expect(
    clippy::unwrap_used,
    reason = "tests may panic, outside of test functions too"
)]

use std::sync::{Arc, LazyLock};

use chrono::DateTime;
use fernet::Fernet as Container;
use keystone_token::{Credentials, Fernet, KeyRing, KeySet, Receipt, Receipts};
use proptest::prelude::*;
use serde_json::Value;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const METHODS: [&str; 4] = ["external", "password", "token", "oauth1"];
const LAST_SECOND: i64 = 253_402_300_799;

/// Payloads of real tokens and receipts, to be mutated.
static PAYLOADS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let vectors: Value = serde_json::from_str(include_str!("token-vectors.json")).unwrap();
    let vectors = vectors["tokens_and_receipts"].as_array().unwrap().clone();
    let digits = vectors
        .iter()
        .filter_map(|vector| vector["payload_msgpack_hex"].as_str());
    digits.map(bytes_of).collect()
});

fn bytes_of(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

fn keys() -> Arc<KeyRing> {
    Arc::new(KeyRing::fixed(KeySet::new([KEY]).unwrap()))
}

fn methods() -> Vec<String> {
    METHODS.map(str::to_owned).to_vec()
}

fn sealed(payload: &[u8]) -> String {
    Container::new(KEY)
        .unwrap()
        .encrypt_at_time(payload, 1_767_225_600)
}

/// Opens a payload as a token and as a receipt; what opens must survive sealing and opening again.
fn open_both(payload: &[u8]) -> Result<(), TestCaseError> {
    let tokens = Fernet::new(keys(), methods(), "default".to_owned());
    if let Ok(token) = tokens.open(&sealed(payload))
        && let Ok(text) = tokens.seal(&token)
    {
        prop_assert_eq!(tokens.open(&text).unwrap(), token);
    }
    let receipts = Receipts::new(keys(), methods());
    if let Ok(receipt) = receipts.open(&sealed(payload)) {
        let text = receipts.seal(&receipt).unwrap();
        prop_assert_eq!(receipts.open(&text).unwrap(), receipt);
    }
    Ok(())
}

/// The encoding of one msgpack value of a kind that payloads have.
fn msgpack_value() -> impl Strategy<Value = Vec<u8>> {
    let with_header = |header: u8, bytes: Vec<u8>| [vec![header], bytes].concat();
    prop_oneof![
        (0x90..=0x9f_u8).prop_map(|array| vec![array]),
        (0..=12_u8).prop_map(|uint| vec![uint]),
        any::<u64>().prop_map(move |uint| with_header(0xcf, uint.to_be_bytes().to_vec())),
        any::<f64>().prop_map(move |float| with_header(0xcb, float.to_be_bytes().to_vec())),
        Just(vec![0xc0]),
        Just(vec![0xc2]),
        Just(vec![0xc3]),
        "[a-z]{0,31}".prop_map(|text| {
            let len = u8::try_from(text.len()).unwrap();
            [vec![0xa0 | len], text.into_bytes()].concat()
        }),
        any::<[u8; 16]>().prop_map(|bytes| [vec![0xc4, 16], bytes.to_vec()].concat()),
    ]
}

proptest! {
    #[test]
    fn opening_any_text_returns(text in any::<String>()) {
        let _ = Fernet::new(keys(), methods(), String::new()).open(&text);
        let _ = Receipts::new(keys(), methods()).open(&text);
        let _ = Credentials::new(keys()).decrypt(&text);
    }

    #[test]
    fn any_bytes_open_to_an_error_or_to_what_seals_again(payload in any::<Vec<u8>>()) {
        open_both(&payload)?;
    }

    #[test]
    fn any_msgpack_values_open_to_an_error_or_to_what_seals_again(
        values in prop::collection::vec(msgpack_value(), 0..16),
    ) {
        open_both(&values.concat())?;
    }

    #[test]
    fn mutated_payloads_open_to_an_error_or_to_what_seals_again(
        payload in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut payload = payload.get(&PAYLOADS).clone();
        for (at, byte) in changes {
            *at.get_mut(&mut payload) = byte;
        }
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len()));
        }
        open_both(&payload)?;
    }

    #[test]
    fn receipts_open_to_what_was_sealed(
        user_id in "[a-z0-9-]{0,40}",
        chosen in prop::sample::subsequence(METHODS.to_vec(), 0..=METHODS.len()),
        issued_at in 0..LAST_SECOND,
        expires_at in 0..LAST_SECOND,
    ) {
        // An id that reads as a UUID comes back in its canonical form, which `vectors.rs` tests.
        prop_assume!(user_id.replace('-', "").len() != 32);
        let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
        let receipts = Receipts::new(keys(), methods());
        let receipt = Receipt {
            user_id,
            methods: chosen.into_iter().map(str::to_owned).collect(),
            issued_at: time(issued_at),
            expires_at: time(expires_at),
        };
        let text = receipts.seal(&receipt).unwrap();
        // The methods come back in another order.
        let mut opened = receipts.open(&text).unwrap();
        opened.methods.sort_by_key(|name| METHODS.iter().position(|method| method == name));
        prop_assert_eq!(opened, receipt);
    }

    #[test]
    fn credentials_decrypt_to_what_was_encrypted(blob in any::<String>()) {
        let credentials = Credentials::new(keys());
        let encrypted = credentials.encrypt(&blob).unwrap();
        prop_assert_eq!(credentials.decrypt(&encrypted.blob).unwrap(), blob);
    }
}
