//! Rules that refer to nothing, or to themselves.

use std::collections::HashMap;

use crate::check::Check;
use crate::error::Flaw;
use crate::rules::Rules;

/// Longer chains of references are refused, so that no file can exhaust the stack.
const LONGEST: usize = 50;

/// What is wrong with the references among the rules.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The flaws, by rule.
    pub(crate) flaws: Vec<(String, Flaw)>,
    /// Rules that would not end, or not soon enough.
    pub(crate) endless: Vec<String>,
}

/// Follows every reference once.
pub(crate) fn examine(rules: &Rules) -> Findings {
    let mut walk = Walk {
        rules,
        trail: Vec::new(),
        done: HashMap::new(),
        findings: Findings::default(),
    };
    for name in rules.names() {
        walk.visit(name);
    }
    walk.findings
}

/// What following a rule to its ends came to.
#[derive(Clone, Copy)]
enum Reach {
    /// It ends, after so many steps.
    Ends(usize),
    Never,
}

struct Walk<'a> {
    rules: &'a Rules,
    trail: Vec<&'a str>,
    done: HashMap<&'a str, Reach>,
    findings: Findings,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, name: &'a str) -> Reach {
        if let Some(reach) = self.done.get(name) {
            return *reach;
        }
        if let Some(start) = self.trail.iter().position(|other| *other == name) {
            let mut circle: Vec<_> = self.trail[start..]
                .iter()
                .map(ToString::to_string)
                .collect();
            circle.push(name.to_owned());
            self.fault(name, Flaw::Cycle(circle));
            return Reach::Never;
        }
        let Some(check) = self.rules.check(name) else {
            return Reach::Ends(0);
        };
        if self.trail.len() > LONGEST {
            self.fault(self.trail[0], Flaw::Depth(LONGEST));
            return Reach::Never;
        }
        self.trail.push(name);
        let mut reach = self.follow(name, check);
        self.trail.pop();
        if matches!(reach, Reach::Ends(steps) if steps > LONGEST) {
            self.fault(name, Flaw::Depth(LONGEST));
            reach = Reach::Never;
        }
        if let Reach::Never = reach {
            self.findings.endless.push(name.to_owned());
        }
        self.done.insert(name, reach);
        reach
    }

    fn follow(&mut self, name: &str, check: &'a Check) -> Reach {
        if let Check::Rule(other) = check {
            if self.rules.check(other).is_none() {
                self.fault(name, Flaw::Undefined(other.clone()));
            }
            return match self.visit(other) {
                Reach::Ends(steps) => Reach::Ends(steps + 1),
                Reach::Never => Reach::Never,
            };
        }
        let mut reach = Reach::Ends(0);
        for part in check.parts() {
            reach = match (reach, self.follow(name, part)) {
                (Reach::Ends(one), Reach::Ends(other)) => Reach::Ends(one.max(other)),
                _ => Reach::Never,
            };
        }
        reach
    }

    fn fault(&mut self, rule: &str, flaw: Flaw) {
        let flaw = (rule.to_owned(), flaw);
        if !self.findings.flaws.contains(&flaw) {
            self.findings.flaws.push(flaw);
        }
    }
}
