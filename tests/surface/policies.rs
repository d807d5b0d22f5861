//! Every rule is enforced, every rule enforced exists, and each decides as Keystone's does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use keystone::policy::{Overrides, Registry, Rules, Settings, keystone_defaults};
use serde::Deserialize;
use serde_json::Value;

/// Rules that nothing enforces, by the reason.
static UNENFORCED: &str = include_str!("unenforced.json");

#[derive(Deserialize)]
struct Grid {
    callers: Vec<Value>,
    targets: Vec<Value>,
    decisions: BTreeMap<String, String>,
}

/// The sources of a directory, without tests.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "tests" && name != "target" {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// The names of rules that are literals in the sources.
fn enforced() -> BTreeSet<String> {
    let mut files = Vec::new();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    sources(&crates, &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let literals = text.split("\"identity:").skip(1);
        names.extend(literals.map(|rest| {
            let (name, _) = rest.split_once('"').unwrap();
            format!("identity:{name}")
        }));
    }
    names
}

fn declared() -> BTreeSet<String> {
    let names = keystone_defaults().iter().map(|rule| &rule.name);
    let asked = names.filter(|name| name.starts_with("identity:"));
    asked.cloned().collect()
}

fn excused() -> BTreeSet<String> {
    let reasons: BTreeMap<String, Vec<String>> = serde_json::from_str(UNENFORCED).unwrap();
    reasons.into_values().flatten().collect()
}

#[test]
fn every_rule_enforced_exists() {
    let unknown: Vec<_> = enforced().difference(&declared()).cloned().collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_rule_is_enforced() {
    let enforced = enforced();
    let silent: BTreeSet<_> = declared().difference(&enforced).cloned().collect();
    let forgotten: Vec<_> = silent.difference(&excused()).cloned().collect();
    assert!(forgotten.is_empty(), "nothing enforces {forgotten:#?}");
    let stale: Vec<_> = excused().difference(&silent).cloned().collect();
    assert!(stale.is_empty(), "enforced, or no rule: {stale:#?}");
}

#[test]
fn sec_73_every_rule_decides_as_in_keystone() {
    let grid: Grid = serde_json::from_str(include_str!("decisions.json")).unwrap();
    let rules = Rules::over(
        &Registry::keystone(),
        &Overrides::default(),
        &Settings::default(),
    );
    let rules = rules.strict().unwrap();
    assert!(rules.names().eq(grid.decisions.keys()));
    assert_eq!(grid.decisions.len(), 204);
    let mut wrong = Vec::new();
    for (rule, decided) in &grid.decisions {
        let mut bits = decided.chars().flat_map(|digit| {
            let digit = digit.to_digit(16).unwrap();
            (0..4).rev().map(move |place| digit >> place & 1 == 1)
        });
        for caller in &grid.callers {
            for target in &grid.targets {
                let ours = rules.enforce(rule, target, caller).is_ok();
                if Some(ours) != bits.next() {
                    wrong.push(format!("{rule}: {ours} for {caller} on {target}"));
                }
            }
        }
        // The last digit is padded with refusals.
        assert!(bits.all(|bit| !bit));
    }
    assert!(
        wrong.is_empty(),
        "{}\n{}",
        wrong.len(),
        wrong[..wrong.len().min(9)].join("\n")
    );
}
