//! What the targets share: what Python Keystone has recorded, its keys, and a cloud in memory.

use std::sync::Arc;

use chrono::NaiveDateTime;
use keystone::auth::Auth;
use keystone::token::{KeyRing, KeySet};
use keystone::types::Clock;
use keystone::{Bootstrap, Bootstrapped, Keystone, Settings};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// Tokens and receipts of Python Keystone, with the keys that sealed them.
pub struct Sealed {
    /// The keys.
    pub keys: Arc<KeyRing>,
    primary: fernet::Fernet,
    texts: Vec<String>,
}

impl Sealed {
    /// Reads the recording of `keystone-token`.
    pub fn read() -> Self {
        let vectors = recorded(include_str!(
            "../../../crates/token/tests/token-vectors.json"
        ));
        let [primary, secondary] = ["primary", "secondary"].map(|name| &vectors["keys"][name]);
        let keys = KeySet::new([text(primary), text(secondary)]).expect("two keys");
        Self {
            keys: Arc::new(KeyRing::fixed(keys)),
            primary: fernet::Fernet::new(text(primary)).expect("a key"),
            texts: members(&vectors["tokens_and_receipts"])
                .iter()
                .map(|vector| text(&vector[text(&vector["kind"])]).to_owned())
                .collect(),
        }
    }

    /// The methods whose bits are in payloads.
    pub fn methods() -> Vec<String> {
        ["external", "password", "token", "oauth1", "mapped"]
            .map(str::to_owned)
            .into()
    }

    /// Whether a text is one of the recorded ones: the padding may be there or not.
    pub fn knows(&self, found: &str) -> bool {
        let bare = |text: &str| text.trim_end_matches('=').len();
        let found = &found[..bare(found)];
        self.texts.iter().any(|text| text[..bare(text)] == *found)
    }

    /// Seals any payload.
    pub fn seal(&self, payload: &[u8]) -> String {
        self.primary.encrypt_at_time(payload, 1_767_225_600)
    }
}

/// A bootstrapped cloud in memory, at a time that does not pass.
pub struct Cloud {
    /// The library.
    pub keystone: Keystone,
    /// The administrator, the project, and the role on it.
    pub ids: Bootstrapped,
    runtime: Runtime,
}

impl Cloud {
    /// A cloud at a time.
    pub fn at(now: NaiveDateTime, settings: Settings) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("threads can be started");
        let builder = Keystone::builder().settings(settings);
        let keystone = builder.clock(Clock::from_fn(move || now)).build();
        let keystone = runtime.block_on(keystone).expect("a database in memory");
        let ids = runtime.block_on(keystone.bootstrap(&Bootstrap::new("secret")));
        Self {
            ids: ids.expect("an empty cloud can be bootstrapped"),
            keystone,
            runtime,
        }
    }

    /// The service under test.
    pub fn auth(&self) -> Auth {
        self.keystone.auth()
    }

    /// Waits for an answer.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

/// A recording as JSON.
pub fn recorded(text: &str) -> Value {
    keystone::types::json::read(text).expect("a recording is JSON")
}

/// The members of a list in a recording.
pub fn members(list: &Value) -> &[Value] {
    list.as_array().expect("a recorded list")
}

/// A text in a recording.
pub fn text(value: &Value) -> &str {
    value.as_str().expect("a recorded text")
}
