//! `/ready`: whether the server can do its work now, and if not, why and what to do.
//!
//! A node whose database is away is ready as long as `[cache] stale_for` lets it answer validations: load balancers send nothing
//! to nodes that are not ready, and all nodes lose the database at the same moment, so that nobody could get those answers. The
//! price is that a node which alone has lost it keeps its share of the logins for so long, and refuses them. Each look asks for
//! such an answer itself, so that it is known whether there is one now, even where nobody else asks.

use std::time::{Duration, Instant};

use keystone::Keystone;
use keystone::cache::Answering;
use keystone::notify::Notifier;
use keystone::storage::schema::{self, SchemaState};
use keystone::storage::{self, Exec, Tx};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::error::with_causes;
use crate::readiness::{clock_skew, key_advice};
use crate::serve::http::Traffic;

/// How long the database may take. Probes give up after three seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// The same for an answer from memory, which may come once the database has been waited for.
const PATIENCE_FOR_MEMORY: Duration = Duration::from_millis(2500);

/// How long a directory may take.
const PATIENCE_FOR_DIRECTORIES: Duration = Duration::from_secs(1);

/// For how long it is relied on what directories said: probes come every second, and to each node.
const DIRECTORIES_STAY: Duration = Duration::from_secs(10);

/// The look at what the server depends on.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    /// What was wrong with directories, and when.
    directories: Mutex<Option<(Instant, Vec<String>)>>,
    /// A connection beside the pool, which load can't keep the look from. None on `SQLite`, or yet.
    on: Mutex<Option<Tx>>,
}

/// What was found: for each part nothing, or the cause.
#[derive(Debug)]
pub(super) struct Report {
    checks: Vec<(&'static str, Result<(), String>)>,
    /// What keeps nobody from being answered.
    remarks: Vec<String>,
}

impl Readiness {
    pub(super) async fn look(&self, keystone: &Keystone, traffic: &Traffic) -> Report {
        let (mut checks, mut remarks) = (Vec::new(), Vec::new());
        let stopping = "the server was told to stop: it finishes the requests in progress";
        let stopping = traffic.is_stopping().then(|| stopping.to_owned());
        checks.push(("running", stopping.map_or(Ok(()), Err)));
        let changes = keystone.changes();
        let (looked, passed, directories) = tokio::join!(
            timeout(PATIENCE, self.database(keystone)),
            timeout(PATIENCE_FOR_MEMORY, changes.pass()),
            timeout(PATIENCE, self.failing_directories(keystone)),
        );
        let looked = looked.unwrap_or_else(|_| {
            Err(format!(
                "the database did not answer within {PATIENCE:?}: look at its load and its log"
            ))
        });
        let is_stale = matches!(changes.answering(), Answering::Stale(_));
        match looked {
            Ok((schema, clock)) => {
                checks.push(("database", Ok(())));
                checks.push(("schema", schema));
                remarks.extend(clock);
            }
            Err(cause) if is_stale && matches!(passed, Ok(Ok(_))) => remarks.push(cause),
            Err(cause) => checks.push(("database", Err(cause))),
        }
        // Those of other domains are answered. Which directories there are may be known by the database alone.
        remarks.extend(directories.unwrap_or_default());
        checks.extend(keys(keystone, &mut remarks));
        match changes.answering() {
            Answering::Database => remarks.push(
                "every validation asks the database: run `keystone-manage db_sync`, or let an administrator of the \
                 database run what `keystone-manage db_sync --print-triggers` prints"
                    .to_owned(),
            ),
            Answering::Stale(_) => remarks.push(
                "the database is away, and validations are answered as of before: [cache] stale_for".to_owned(),
            ),
            Answering::Nothing | Answering::Memory => {}
        }
        remarks.extend(keystone.notifier().iter().flat_map(Notifier::remarks));
        let pool = keystone.db().pool();
        if pool.in_use >= pool.size {
            remarks.push(format!(
                "all {} connections to the database are in use: [database] max_pool_size, max_overflow",
                pool.size
            ));
        }
        Report { checks, remarks }
    }

    async fn failing_directories(&self, keystone: &Keystone) -> Vec<String> {
        let mut known = self.directories.lock().await;
        if let Some((at, failing)) = &*known
            && at.elapsed() < DIRECTORIES_STAY
        {
            return failing.clone();
        }
        let identity = keystone.identity();
        let failing = identity.failing_directories(PATIENCE_FOR_DIRECTORIES);
        let failing = failing.await.unwrap_or_default();
        *known = Some((Instant::now(), failing.clone()));
        failing
    }

    /// Whether the schema is usable, and a remark about this node's clock; the error is the database's.
    async fn database(
        &self,
        keystone: &Keystone,
    ) -> Result<(Result<(), String>, Option<String>), String> {
        let mut on = self.on.lock().await;
        let db = keystone.db();
        let mut fresh = false;
        loop {
            if on.is_none() {
                let made = db.causal().await;
                *on = made.map_err(|error| unreachable(&error))?;
                fresh = true;
            }
            // Taken out, so that one whose statement was cancelled is not used again.
            let mut tx = on.take();
            let exec = match &mut tx {
                Some(tx) => Exec::from(tx),
                None => Exec::from(db),
            };
            match state_and_skew(exec).await {
                Ok((state, skew)) => {
                    *on = tx;
                    let usable = state.is_usable().then_some(());
                    let remark = skew.map(|skew| {
                        format!("{skew}: let chrony or ntpd set the clocks of all nodes")
                    });
                    return Ok((usable.ok_or_else(|| state.to_string()), remark));
                }
                // It may have been closed while nobody looked.
                Err(_) if !fresh => {}
                Err(error) => return Err(unreachable(&error)),
            }
        }
    }
}

async fn state_and_skew(mut exec: Exec<'_>) -> storage::Result<(SchemaState, Option<String>)> {
    let state = schema::state(exec.reborrow()).await?;
    Ok((state, clock_skew(exec).await?))
}

/// The check of the keys of tokens; the others are remarks.
fn keys(
    keystone: &Keystone,
    remarks: &mut Vec<String>,
) -> Option<(&'static str, Result<(), String>)> {
    let mut of_tokens = None;
    for (name, state) in keystone.keys() {
        let command = match name {
            "tokens" => "fernet_setup` or `keystone-manage create_jws_keypair",
            "receipts" => "receipt_setup",
            _ => "credential_setup",
        };
        let cause = state
            .map(drop)
            .map_err(|error| format!("keys of {name}: {error}: {}", key_advice(&error, command)));
        match cause {
            checked if name == "tokens" => of_tokens = Some(("keys", checked)),
            // Without the others most requests are answered.
            Err(cause) => remarks.push(cause),
            Ok(()) => {}
        }
    }
    of_tokens
}

fn unreachable(error: &keystone::storage::Error) -> String {
    format!(
        "{}: look whether it runs, and at [database] connection",
        with_causes(error)
    )
}

impl Report {
    pub(super) fn is_ready(&self) -> bool {
        self.checks.iter().all(|(_, checked)| checked.is_ok())
    }

    pub(super) fn json(&self) -> String {
        let checks = self.checks.iter().map(|(name, checked)| match checked {
            Ok(()) => json!({ "name": name, "ok": true }),
            Err(cause) => json!({ "name": name, "ok": false, "cause": cause }),
        });
        json!({
            "ready": self.is_ready(),
            "checks": checks.collect::<Vec<_>>(),
            "remarks": self.remarks,
        })
        .to_string()
    }
}
