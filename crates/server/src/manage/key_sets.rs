//! `key_fingerprint` and `key_compare`: whether the nodes of a cloud have the same keys, and whether these can be rotated.
//!
//! Rotation makes the staged key (`0`) the primary one, which seals, and deletes the oldest. It is safe if every node has the
//! staged key, so that each opens what this one seals from then on, and if nothing is valid any more that was sealed with the
//! key which it deletes. Fingerprints say which keys a node has, and since when; they are no secret.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use keystone::Provider;
use keystone::token::KeyRepository;
use keystone::types::Clock;
use serde::{Deserialize, Serialize};

use super::keys::{Repository, distinct};
use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::terminal::print;

/// What `key_fingerprint` prints: the repositories of a node, by the section of their options.
type KeySets = BTreeMap<String, KeySet>;

/// The keys of a repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeySet {
    path: PathBuf,
    max_active_keys: usize,
    keys: BTreeMap<u64, Fingerprint>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fingerprint {
    fingerprint: String,
    /// Since when the key has this number on this node, in seconds since 1970.
    since: i64,
}

pub(super) fn print_key_sets(configuration: &Configuration) -> Result<()> {
    let keys = &configuration.settings.keys;
    let mut sets = KeySets::new();
    for repository in Repository::ALL {
        let set = KeySet::read(repository.of(keys));
        match set {
            Ok(set) => {
                sets.insert(repository.group().to_owned(), set);
            }
            Err(error) => tracing::warn!("[{}] key_repository: {error}", repository.group()),
        }
    }
    let text = serde_json::to_string_pretty(&sets).map_err(CommandError::new)?;
    print(&text);
    Ok(())
}

/// Prints for each repository whether the nodes have the same keys, and whether they can be rotated; exits with 1 if they
/// differ, and with 2 if some can't be compared.
pub(super) fn print_comparison(
    files: &[PathBuf],
    configuration: &Configuration,
) -> Result<ExitCode> {
    let keys = &configuration.settings.keys;
    let usage = |CommandError { text, .. }| CommandError::usage(text);
    let nodes = read_all(files).map_err(usage)?;
    let (mut differ, mut unreadable) = (false, false);
    for (repository, keys) in in_use(keys) {
        let group = repository.group();
        let own = match KeySet::read(keys) {
            Ok(own) => own,
            Err(error) => {
                unreadable = true;
                print(&format!("{group}: can't be compared: {error}"));
                continue;
            }
        };
        let differences = differences(&own, group, &nodes);
        let count = nodes.len() + 1;
        if differences.is_empty() {
            print(&format!("{group}: the same keys on {count} nodes"));
        } else {
            differ = true;
            print(&format!("{group}: the keys differ"));
        }
        let obstacles = obstacles(
            &own,
            group,
            &nodes,
            lifetime(configuration, repository),
            now(),
        );
        for line in differences.iter().chain(&obstacles) {
            print(&format!("  {line}"));
        }
        let verdict = if obstacles.is_empty() {
            "safe"
        } else {
            "not safe"
        };
        print(&format!("  {verdict} to rotate on this node"));
    }
    let status = if unreadable { 2 } else { u8::from(differ) };
    Ok(ExitCode::from(status))
}

/// The repositories whose keys this node uses, each once. Where tokens are signed, their Fernet keys are not.
fn in_use(keys: &keystone::Keys) -> Vec<(Repository, &KeyRepository)> {
    let mut wanted = Repository::ALL.to_vec();
    wanted.retain(|it| keys.provider == Provider::Fernet || *it != Repository::Tokens);
    distinct(&wanted, keys)
}

/// How the keys of the nodes differ, for each repository of this node that can be read and where they do.
pub(super) fn all_differences(
    files: &[PathBuf],
    configuration: &Configuration,
) -> Result<Vec<String>> {
    let nodes = read_all(files)?;
    let mut all = Vec::new();
    for (repository, keys) in in_use(&configuration.settings.keys) {
        let group = repository.group();
        let Ok(own) = KeySet::read(keys) else {
            continue;
        };
        let differences = differences(&own, group, &nodes);
        all.extend(differences.iter().map(|line| format!("{group}: {line}")));
    }
    Ok(all)
}

/// Refuses a rotation that would lose tokens or credentials on one of the nodes.
pub(super) fn check_rotation(
    files: &[PathBuf],
    configuration: &Configuration,
    wanted: &[(Repository, &KeyRepository)],
) -> Result<()> {
    let nodes = read_all(files)?;
    let mut all = Vec::new();
    for (repository, keys) in wanted {
        let group = repository.group();
        let own = KeySet::read(keys)?;
        let found = obstacles(
            &own,
            group,
            &nodes,
            lifetime(configuration, *repository),
            now(),
        );
        all.extend(found.iter().map(|line| format!("\n  {group}: {line}")));
    }
    if all.is_empty() {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "nothing was rotated, for it is not safe now:{}",
        all.concat()
    )))
}

/// Logs what to do after a rotation, and when it is safe to rotate again.
pub(super) fn log_next_rotation(
    configuration: &Configuration,
    repository: Repository,
) -> Result<()> {
    let keys = repository.of(&configuration.settings.keys);
    let set = KeySet::read(keys)?;
    let unused = set.unused_from(lifetime(configuration, repository), &[]);
    tracing::info!(
        path = %keys.path().display(),
        safe_again = unused.map_or_else(|| "now".to_owned(), time),
        "rotated: copy the directory to all other nodes before the next rotation"
    );
    Ok(())
}

/// For how long something can be valid that a key has sealed. Credentials must be sealed again before.
fn lifetime(configuration: &Configuration, repository: Repository) -> TimeDelta {
    let auth = &configuration.settings.auth;
    let keys = &configuration.settings.keys;
    let tokens = auth.expiration + auth.allow_expired_window;
    match repository {
        Repository::Credentials => TimeDelta::zero(),
        Repository::Receipts if keys.receipts.path() != keys.tokens.path() => {
            auth.receipt_expiration
        }
        Repository::Tokens | Repository::Receipts => tokens.max(auth.receipt_expiration),
    }
}

fn read_all(files: &[PathBuf]) -> Result<Vec<(String, KeySets)>> {
    let read = |path: &PathBuf| {
        let shown = path.display().to_string();
        let wrong = |error: &dyn std::fmt::Display| {
            CommandError::new(format!(
                "{shown}: {error}: it has to have what `keystone-manage key_fingerprint` prints"
            ))
        };
        let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let sets = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        Ok((shown, sets))
    };
    files.iter().map(read).collect()
}

impl KeySet {
    fn read(repository: &KeyRepository) -> Result<Self> {
        let path = repository.path();
        let since = |number: u64| {
            let key = path.join(number.to_string());
            let found = fs::metadata(&key);
            // A key gets a number when it is staged, promoted or copied, each of which changes this time.
            found.map(|found| found.ctime()).map_err(|error| {
                CommandError::new(format!("{}: {error}: try again", key.display()))
            })
        };
        let mut keys = BTreeMap::new();
        for (number, fingerprint) in repository.load()?.fingerprints()? {
            let since = since(number)?;
            keys.insert(number, Fingerprint { fingerprint, since });
        }
        Ok(Self {
            path: path.to_owned(),
            max_active_keys: repository.max_active_keys(),
            keys,
        })
    }

    fn primary(&self) -> Option<(u64, &Fingerprint)> {
        let (number, key) = self.keys.last_key_value()?;
        Some((*number, key))
    }

    fn holds(&self, fingerprint: &str) -> bool {
        self.keys.values().any(|key| key.fingerprint == fingerprint)
    }

    /// The keys that the next rotation deletes.
    fn deleted(&self) -> Vec<u64> {
        let excess = self
            .keys
            .len()
            .saturating_sub(self.max_active_keys.saturating_sub(1));
        let old = self.keys.keys().copied().filter(|number| *number > 0);
        old.take(excess).collect()
    }

    /// When the last of what the next rotation's deleted keys have sealed ends: so long after the key that came next was on
    /// this node and on all others.
    fn unused_from(&self, lifetime: TimeDelta, others: &[&Self]) -> Option<DateTime<Utc>> {
        let last = *self.deleted().last()?;
        let (_, next) = self.keys.range(last + 1..).next()?;
        let there = others.iter().flat_map(|other| {
            let keys = other.keys.values();
            keys.filter(|key| key.fingerprint == next.fingerprint)
        });
        let since = there.map(|key| key.since).chain([next.since]).max()?;
        Some(DateTime::from_timestamp(since, 0)? + lifetime)
    }
}

/// What differs between the keys of this node and of others.
fn differences(own: &KeySet, group: &str, nodes: &[(String, KeySets)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (node, sets) in nodes {
        let Some(other) = sets.get(group) else {
            lines.push(format!("{node}: has no keys of [{group}]"));
            continue;
        };
        for (number, key) in &own.keys {
            match other.keys.get(number) {
                Some(it) if it.fingerprint == key.fingerprint => {}
                Some(_) => lines.push(format!("{node}: has another key {number}")),
                None => lines.push(format!("{node}: has no key {number}")),
            }
        }
        let more = other.keys.keys().filter(|it| !own.keys.contains_key(it));
        lines.extend(
            more.map(|number| format!("{node}: has a key {number}, which this node has not")),
        );
    }
    lines
}

/// Why a rotation on this node is not safe, with what to do.
fn obstacles(
    own: &KeySet,
    group: &str,
    nodes: &[(String, KeySets)],
    lifetime: TimeDelta,
    now: DateTime<Utc>,
) -> Vec<String> {
    let copy = "copy the directory from the node that rotated last";
    let mut lines = Vec::new();
    let (Some(staged), Some((number, primary))) = (own.keys.get(&0), own.primary()) else {
        return vec![format!("there is no staged key: {copy}")];
    };
    if number == 0 {
        return vec![format!("there is no primary key: {copy}")];
    }
    let deleted = own.deleted();
    if own.max_active_keys < 2 || deleted.contains(&number) {
        lines.push(format!(
            "[{group}] max_active_keys = {} leaves no key that opens what is valid: set 3 or more",
            own.max_active_keys
        ));
    }
    for (node, sets) in nodes {
        let Some((theirs, other)) = sets
            .get(group)
            .and_then(|other| Some((other.primary()?.1, other)))
        else {
            lines.push(format!("{node}: has no keys of [{group}]: {copy}"));
            continue;
        };
        if !other.holds(&staged.fingerprint) {
            lines.push(format!(
                "{node}: can't open what this node would seal: {copy}"
            ));
        } else if theirs.fingerprint != primary.fingerprint {
            lines.push(format!(
                "{node}: seals with another key than this node: {copy}"
            ));
        }
    }
    let others: Vec<&KeySet> = nodes
        .iter()
        .filter_map(|(_, sets)| sets.get(group))
        .collect();
    if let Some(from) = own
        .unused_from(lifetime, &others)
        .filter(|from| *from > now)
    {
        let deleted: Vec<String> = deleted.iter().map(u64::to_string).collect();
        lines.push(format!(
            "safe from {}: until then there may be valid tokens that need key {}, which rotation deletes; to rotate more often, \
             raise [{group}] max_active_keys on all nodes",
            time(from),
            deleted.join(", ")
        ));
    }
    lines
}

fn now() -> DateTime<Utc> {
    Clock::system().precise().and_utc()
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    /// Keys by number, as letters, and since when they have it.
    fn set(max_active_keys: usize, keys: &[(u64, char, i64)]) -> KeySet {
        let keys = keys.iter().map(|(number, key, since)| {
            let fingerprint = key.to_string();
            (
                *number,
                Fingerprint {
                    fingerprint,
                    since: *since,
                },
            )
        });
        KeySet {
            path: PathBuf::new(),
            max_active_keys,
            keys: keys.collect(),
        }
    }

    /// What keeps a node from rotating on the tenth day, where tokens are valid for two.
    #[track_caller]
    fn check(own: &KeySet, others: &[KeySet], wanted: &[&str]) {
        let nodes = others.iter().zip(["b", "c"]).map(|(other, node)| {
            let sets = KeySets::from([("fernet_tokens".to_owned(), other.clone())]);
            (node.to_owned(), sets)
        });
        let nodes: Vec<_> = nodes.collect();
        let now = DateTime::from_timestamp(10 * DAY, 0).unwrap();
        let found = obstacles(own, "fernet_tokens", &nodes, TimeDelta::days(2), now);
        assert_eq!(found.len(), wanted.len(), "{found:#?}");
        for (line, start) in found.iter().zip(wanted) {
            assert!(
                line.starts_with(start),
                "{line:?} does not start with {start:?}"
            );
        }
    }

    #[test]
    fn a_rotation_is_safe_where_all_nodes_have_the_keys_and_nothing_needs_the_oldest() {
        let own = set(3, &[(0, 's', 7 * DAY), (4, 'o', DAY), (5, 'p', 7 * DAY)]);
        check(&own, &[own.clone(), own.clone()], &[]);
        check(&own, &[], &[]);

        let lacks_the_staged = set(3, &[(0, 'x', 0), (4, 'o', 0), (5, 'p', 0)]);
        let behind = set(3, &[(0, 'p', 0), (3, 'n', 0), (4, 'o', 0)]);
        let ahead = set(3, &[(0, 'n', 0), (5, 'p', 0), (6, 's', 0)]);
        let staged = "c: can't open what this node would seal";
        check(&own, &[own.clone(), lacks_the_staged], &[staged]);
        check(&own, &[own.clone(), behind], &[staged]);
        check(
            &own,
            &[ahead],
            &["b: seals with another key than this node"],
        );
        let empty = set(3, &[]);
        check(&own, &[empty], &["b: has no keys of [fernet_tokens]"]);
    }

    #[test]
    fn the_oldest_key_stays_while_something_may_need_it() {
        let own = set(3, &[(0, 's', 9 * DAY), (4, 'o', DAY), (5, 'p', 9 * DAY)]);
        let wait =
            "safe from 1970-01-12T00:00:00Z: until then there may be valid tokens that need key 4";
        check(&own, slice::from_ref(&own), &[wait]);
        // Where nothing is deleted, nothing has to be waited for.
        let more = KeySet {
            max_active_keys: 4,
            ..own.clone()
        };
        check(&more, slice::from_ref(&own), &[]);
        // The other node went on sealing with the old key until the new one arrived.
        let own = set(3, &[(0, 's', DAY), (4, 'o', DAY), (5, 'p', DAY)]);
        let later = set(
            3,
            &[(0, 's', 9 * DAY), (4, 'o', 9 * DAY), (5, 'p', 9 * DAY)],
        );
        check(&own, &[later], &[wait]);
        // The age of other keys has no say.
        let newer = set(3, &[(0, 's', 10 * DAY), (4, 'o', 10 * DAY), (5, 'p', DAY)]);
        check(&own, &[newer], &[]);
    }

    #[test]
    fn too_few_keys_are_never_safe() {
        for max_active_keys in [1, 2] {
            let own = set(max_active_keys, &[(0, 's', 0), (5, 'p', 0)]);
            let line = format!("[fernet_tokens] max_active_keys = {max_active_keys} leaves no key");
            check(&own, slice::from_ref(&own), &[&line]);
        }
        check(&set(3, &[(5, 'p', 0)]), &[], &["there is no staged key"]);
        check(&set(3, &[(0, 'p', 0)]), &[], &["there is no primary key"]);
    }
}
