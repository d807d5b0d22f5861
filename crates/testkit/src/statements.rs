//! SQL statements of a cloud: those of a test, and a list of all that ran.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::{Arc, LazyLock, Mutex};

use keystone::storage::{Db, Dialect};
use serde_json::json;

/// The statements since a test began to count, if it does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statements(Arc<Mutex<Option<Vec<String>>>>);

impl Statements {
    /// The same database, overheard.
    pub(crate) fn hear(&self, db: Db) -> Db {
        let (dialect, heard) = (db.dialect(), Arc::clone(&self.0));
        db.observed(Arc::new(move |text| {
            let mut heard = heard.lock().expect("nobody panics while it is locked");
            if let Some(heard) = heard.as_mut() {
                heard.push(text.to_owned());
            }
            note(dialect, text);
        }))
    }

    /// The statements that run during `work`.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        let set = |now| {
            let mut heard = self.0.lock().expect("nobody panics while it is locked");
            std::mem::replace(&mut *heard, now)
        };
        set(Some(Vec::new()));
        let done = work.await;
        (done, set(None).unwrap_or_default())
    }
}

/// A list in a file, and what is on it.
struct List {
    file: File,
    texts: HashSet<String>,
}

/// The file that `KEYSTONE_TEST_STATEMENTS` names, and what this process has added to it.
static NOTED: LazyLock<Option<Mutex<List>>> = LazyLock::new(|| {
    let file = file()?;
    let file = OpenOptions::new().create(true).append(true).open(file);
    let file = file.expect("KEYSTONE_TEST_STATEMENTS names a file that can be written");
    let texts = HashSet::new();
    Some(Mutex::new(List { file, texts }))
});

#[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
fn file() -> Option<String> {
    std::env::var("KEYSTONE_TEST_STATEMENTS")
        .ok()
        .filter(|name| !name.is_empty())
}

/// Adds a text to the list of what ran, once in each process.
fn note(dialect: Dialect, text: &str) {
    let Some(noted) = NOTED.as_ref() else {
        return;
    };
    let mut noted = noted.lock().expect("nobody panics while it is locked");
    if noted.texts.insert(text.to_owned()) {
        let database = match dialect {
            Dialect::MySql => "mariadb",
            Dialect::Sqlite => "sqlite",
        };
        // One write of one line: lines of several processes do not mix.
        let line = format!("{}\n", json!([database, text]));
        let written = noted.file.write_all(line.as_bytes());
        written.expect("the list of statements can be added to");
    }
}
