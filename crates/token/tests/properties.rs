//! Properties of tokens, receipts and credentials: no bytes make opening panic, what is opened can be sealed and
//! opened again without a change, and a text that differs in a byte from one that was sealed opens to nothing.

#![expect(
    clippy::unwrap_used,
    reason = "tests may panic, outside of test functions too"
)]

use std::sync::{Arc, LazyLock};

use chrono::DateTime;
use fernet::Fernet as Container;
use keystone_token::{
    Algorithm, Credentials, Fernet, Jws, JwsKeys, KeyRing, KeySet, Receipt, Receipts,
};
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

/// A reader of tokens signed with each algorithm, and one token of each kind by each.
static SIGNED: LazyLock<(Jws, Vec<String>)> = LazyLock::new(|| {
    let cases: Value = serde_json::from_str(include_str!("jws/cases.json")).unwrap();
    let public = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/jws/public");
    let jws = Jws::new(&JwsKeys {
        public: public.into(),
        accepted: Algorithm::ALL.to_vec(),
        ..JwsKeys::default()
    });
    let tokens = cases["tokens"].as_array().unwrap().iter();
    let tokens: Vec<_> = tokens
        .map(|case| case["token"].as_str().unwrap().to_owned())
        .collect();
    assert!(tokens.iter().all(|token| jws.open(token).is_ok()));
    (jws, tokens)
});

/// One place in a text, and a byte for it or no byte.
fn change() -> impl Strategy<Value = (prop::sample::Index, Option<u8>)> {
    (
        any::<prop::sample::Index>(),
        prop::option::of(0x20..0x7f_u8),
    )
}

/// The text with another byte in one place, or with a byte more in front of it.
fn changed(text: &str, (at, byte): (prop::sample::Index, Option<u8>), insert: bool) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = at.index(bytes.len());
    match byte {
        Some(byte) if insert => bytes.insert(at, byte),
        Some(byte) => bytes[at] = byte,
        None => {
            bytes.remove(at);
        }
    }
    String::from_utf8(bytes).unwrap()
}

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
    // Sixteen times the cases that other properties have.
    #![proptest_config(ProptestConfig { cases: 16 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn a_signed_token_with_a_byte_changed_opens_to_nothing(
        token in any::<prop::sample::Index>(),
        change in change(),
        insert in any::<bool>(),
    ) {
        let (jws, tokens) = &*SIGNED;
        let token = token.get(tokens);
        let changed = changed(token, change, insert);
        prop_assume!(changed != *token);
        prop_assert!(jws.open(&changed).is_err(), "{}", changed);
    }

    #[test]
    fn a_sealed_text_with_a_byte_changed_opens_to_nothing(
        payload in any::<prop::sample::Index>(),
        change in change(),
        insert in any::<bool>(),
    ) {
        let payload: &Vec<u8> = payload.get(&PAYLOADS);
        let text = sealed(payload);
        let changed = changed(&text, change, insert);
        // The padding may be there or not.
        prop_assume!(changed.trim_end_matches('=') != text.trim_end_matches('='));
        prop_assert!(Fernet::new(keys(), methods(), "default".to_owned()).open(&changed).is_err());
        prop_assert!(Receipts::new(keys(), methods()).open(&changed).is_err());
        prop_assert!(Credentials::new(keys()).decrypt(&changed).is_err());
    }

    #[test]
    fn texts_of_three_parts_are_no_signed_tokens(
        parts in prop::collection::vec("[A-Za-z0-9_=-]{0,200}", 1..5),
        token in any::<prop::sample::Index>(),
        kept in 0..4_usize,
    ) {
        let (jws, tokens) = &*SIGNED;
        let mut parts = parts;
        // One part of a real token, so that what is behind the first checks is reached too.
        if let Some((real, part)) = token.get(tokens).split('.').nth(kept).zip(parts.get_mut(kept)) {
            real.clone_into(part);
        }
        prop_assert!(jws.open(&parts.join(".")).is_err());
    }
}

proptest! {
    #[test]
    fn opening_any_text_returns(text in any::<String>()) {
        let _ = SIGNED.0.open(&text);
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
        let mut payload = payload.get(PAYLOADS.as_slice()).clone();
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
