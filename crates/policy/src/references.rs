//! Rules that refer to nothing, or to themselves.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::check::Check;
use crate::error::Flaw;
use crate::rules::Rules;

/// Longer chains of references are cut, so that no file can exhaust the stack.
const MAX_CHAIN: usize = 50;

/// The flaws of references between rules.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    /// The flaws, by rule.
    pub(crate) flaws: Vec<(String, Flaw)>,
    /// References that must not be followed: from which rule, to which.
    pub(crate) cut: Vec<(String, String)>,
}

/// The rules that each refers to.
type References<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Looks at every reference once.
pub(crate) fn examine(rules: &Rules) -> Problems {
    let mut problems = Problems::default();
    let mut references = References::new();
    for name in rules.names() {
        let mut found = BTreeSet::new();
        if let Some(check) = rules.check(name) {
            collect(check, &mut found);
        }
        for missing in found.iter().filter(|other| rules.check(other).is_none()) {
            let flaw = Flaw::Undefined((*missing).to_owned());
            problems.flaws.push((name.to_owned(), flaw));
        }
        references.insert(name, found);
    }
    cut_cycles(rules, &mut references, &mut problems);
    cut_chains(rules, &mut references, &mut problems);
    problems
}

fn collect<'a>(check: &'a Check, found: &mut BTreeSet<&'a str>) {
    if let Check::Rule(name) = check {
        found.insert(name);
    }
    for part in check.parts() {
        collect(part, found);
    }
}

/// Removes the references within each cycle; the rules keep their other references.
fn cut_cycles<'a>(rules: &'a Rules, references: &mut References<'a>, problems: &mut Problems) {
    let cyclic_rules = cyclic(rules, references);
    let cycles: BTreeMap<&str, Vec<String>> = cyclic_rules
        .iter()
        .filter_map(|name| Some((*name, cycle(rules, references, &cyclic_rules, name)?)))
        .collect();
    for (name, cycle) in &cycles {
        let flaw = Flaw::Cycle(cycle.clone());
        problems.flaws.push(((*name).to_owned(), flaw));
    }
    cut(references, problems, |name, other| {
        cycles.contains_key(name)
            && rules
                .resolve(other)
                .is_some_and(|to| cycles.contains_key(to))
    });
}

/// The rules that are on a cycle or lead to one: what is left when all that end are taken away.
fn cyclic<'a>(rules: &'a Rules, references: &References<'a>) -> BTreeSet<&'a str> {
    let ending = heights(rules, references);
    let names = references.keys().copied();
    names.filter(|name| !ending.contains_key(name)).collect()
}

/// How many references follow each other below a rule, for those rules where that has an end.
fn heights<'a>(rules: &'a Rules, references: &References<'a>) -> HashMap<&'a str, usize> {
    let mut open: HashMap<&str, usize> = HashMap::new();
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut ready = VecDeque::new();
    for (name, found) in references {
        let targets: BTreeSet<_> = found
            .iter()
            .filter_map(|name| rules.resolve(name))
            .collect();
        if targets.is_empty() {
            ready.push_back((*name, 0));
        }
        open.insert(name, targets.len());
        for target in targets {
            users.entry(target).or_default().push(name);
        }
    }
    let mut heights = HashMap::new();
    // Rules leave the queue in ascending order of height, so that the last reference of a rule is its highest.
    while let Some((name, height)) = ready.pop_front() {
        heights.insert(name, height);
        for user in users.get(name).into_iter().flatten() {
            let Some(waiting) = open.get_mut(user) else {
                continue;
            };
            *waiting -= 1;
            if *waiting == 0 {
                ready.push_back((user, height + 1));
            }
        }
    }
    heights
}

/// The shortest way from a rule back to itself.
fn cycle<'a>(
    rules: &'a Rules,
    references: &References<'a>,
    among: &BTreeSet<&'a str>,
    start: &'a str,
) -> Option<Vec<String>> {
    let mut came_from: HashMap<&str, &str> = HashMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(name) = waiting.pop_front() {
        let targets = references.get(name).into_iter().flatten();
        for target in targets.filter_map(|other| rules.resolve(other)) {
            if target == start {
                let (mut cycle, mut at) = (vec![start], name);
                while at != start {
                    cycle.push(at);
                    at = came_from[at];
                }
                cycle.push(start);
                return Some(cycle.into_iter().rev().map(str::to_owned).collect());
            }
            if among.contains(target) && !came_from.contains_key(target) {
                came_from.insert(target, name);
                waiting.push_back(target);
            }
        }
    }
    None
}

fn cut_chains<'a>(rules: &'a Rules, references: &mut References<'a>, problems: &mut Problems) {
    let heights = heights(rules, references);
    let height = |name: &str| heights.get(name).copied().unwrap_or_default();
    let tall = references.keys().filter(|name| height(name) > MAX_CHAIN);
    let flaws = tall.map(|name| ((*name).to_owned(), Flaw::Depth(MAX_CHAIN)));
    problems.flaws.extend(flaws);
    cut(references, problems, |name, other| {
        height(name) > MAX_CHAIN
            && rules
                .resolve(other)
                .is_some_and(|to| height(to) >= MAX_CHAIN)
    });
}

/// Takes away the references that are `wrong`.
fn cut(
    references: &mut References<'_>,
    problems: &mut Problems,
    wrong: impl Fn(&str, &str) -> bool,
) {
    for (name, found) in references {
        found.retain(|other| {
            let wrong = wrong(name, other);
            if wrong {
                problems.cut.push(((*name).to_owned(), (*other).to_owned()));
            }
            !wrong
        });
    }
}
