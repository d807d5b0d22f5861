//! The policies of OpenStack's services: what oslo.policy makes of them, as `services/record.py` recorded it, against
//! what this crate does.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

mod letter;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystone_policy::{
    DefaultRule, LoadError, Overrides, Registry, Request, Rules, ScopeType, Settings,
    keystone_defaults,
};
use keystone_python as python;
use serde::Deserialize;
use serde_json::{Map, Value};

use letter::letter;

const QUESTIONS: usize = 10_000;

/// What a check of a service says of a text of which its Python class makes no check, and so the whole file none.
const REFUSED: &str = "no such check";

/// What was recorded of a service.
#[derive(Deserialize)]
struct Recording {
    defaults: Option<Vec<DefaultRule>>,
    overrides: String,
    fields: BTreeMap<String, Value>,
    credentials: Pool,
    target: Pool,
    groups: Vec<Group>,
    groups_with_old_defaults: Vec<Group>,
    damaged: Vec<Damage>,
}

/// The values to draw from for each key; an empty list leaves the key out.
type Pool = Map<String, Value>;

/// Rules with one tree, and its decisions.
#[derive(Deserialize)]
struct Group {
    rules: Vec<String>,
    tree: String,
    scopes: Vec<ScopeType>,
    counts: BTreeMap<char, usize>,
    decisions: String,
}

/// Where a file is changed, how much is cut out there, what is put in, and which trees differ then, if it loads.
#[derive(Deserialize)]
struct Damage(
    usize,
    usize,
    String,
    Option<BTreeMap<String, Option<String>>>,
);

struct Service {
    recording: Recording,
    registry: Registry,
    /// The service's kinds of checks without its rules.
    kinds: Registry,
    sample: String,
    policy: String,
}

impl Service {
    fn read(name: &str) -> Self {
        let mut recording: Recording =
            serde_json::from_str(&text(&format!("{name}.json"))).unwrap();
        let defaults = recording.defaults.take();
        let defaults = defaults.unwrap_or_else(|| keystone_defaults().to_vec());
        let kinds = match name {
            "neutron" => checks_of_neutron(&recording.fields),
            "nova" => checks_of_nova(),
            _ => Registry::default(),
        };
        Self {
            registry: kinds.clone().and(defaults),
            kinds,
            recording,
            sample: text(&format!("{name}.sample.yaml")),
            policy: text(&format!("{name}.policy.yaml")),
        }
    }

    fn rules(&self, overrides: &Overrides, enforce_new_defaults: bool) -> Rules {
        let settings = Settings {
            enforce_new_defaults,
            ..Settings::default()
        };
        let loaded = Rules::over(&self.registry, overrides, &settings);
        loaded.strict().unwrap()
    }
}

fn text(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services");
    fs::read_to_string(directory.join(name)).unwrap()
}

fn file(text: &str) -> Result<Overrides, LoadError> {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("policy.yaml");
    fs::write(&path, text).unwrap();
    Overrides::from_file(&path)
}

/// `IsAdminCheck` of `nova/policy.py`.
fn checks_of_nova() -> Registry {
    Registry::default().check("is_admin", |wanted| {
        let expected = wanted.eq_ignore_ascii_case("true");
        Ok(move |request: &Request<'_>| {
            let found = request.credentials.get("is_admin");
            let found = found.ok_or("the credentials have no is_admin")?;
            Ok(*found == expected)
        })
    })
}

/// `FieldCheck` and `OwnerCheck` of `neutron/policy.py`; there is no plugin that could look a parent up.
fn checks_of_neutron(fields: &BTreeMap<String, Value>) -> Registry {
    let fields = fields.clone();
    let registry = Registry::default().check("field", move |wanted| {
        // Without the field a plugin would be asked for the port's or the subnet's network.
        let of_network = wanted.starts_with("networks:shared=");
        let (_, condition) = wanted.split_once(':').ok_or(REFUSED)?;
        let (field, value) = condition.split_once('=').ok_or(REFUSED)?;
        let (field, pattern) = (
            field.to_owned(),
            value.strip_prefix("~^").map(str::to_owned),
        );
        let value = fields.get(wanted).cloned().unwrap_or_else(|| value.into());
        Ok(
            move |request: &Request<'_>| match (request.target_value(&field), &pattern) {
                (None, _) if of_network => Err("no plugin".to_owned()),
                (None | Some(Value::Null), _) => Ok(false),
                (Some(Value::String(found)), Some(start)) => Ok(found.starts_with(start)),
                (Some(_), Some(_)) => Err("a pattern is for texts".to_owned()),
                (Some(found), None) => Ok(*found == value),
            },
        )
    });
    let owner = |kind: &'static str| {
        move |wanted: &str| {
            let field = wanted
                .strip_prefix("%(")
                .and_then(|rest| rest.strip_suffix(")s"));
            let field = field.ok_or(REFUSED)?.to_owned();
            Ok(move |request: &Request<'_>| {
                let owner = request.target_value(&field).ok_or("no plugin")?;
                let mine = request.credentials.get(kind);
                Ok(mine.is_some_and(|mine| python::str(mine) == python::str(owner)))
            })
        }
    };
    registry
        .check("project_id", owner("project_id"))
        .check("tenant_id", owner("tenant_id"))
}

/// `SplitMix64`, as the recorder has it.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ mixed >> 31) % count as u64).unwrap()
    }

    fn drawn(&mut self, pool: &Pool) -> Value {
        let mut made = Map::new();
        for (key, values) in pool {
            let values = values.as_array().unwrap();
            if let Some(value) = values[self.below(values.len())].get(0) {
                made.insert(key.clone(), value.clone());
            }
        }
        Value::Object(made)
    }
}

/// The tree as oslo.policy prints it: `FieldCheck` of `neutron/policy.py` has a colon where it was given an equals sign.
fn tree(rules: &Rules, name: &str) -> String {
    let text = rules.check(name).unwrap().to_string();
    let words = text.split(' ').map(|word| {
        let field = word.contains("field:");
        word.replacen('=', if field { ":" } else { "=" }, 1)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Every rule has the recorded tree and scopes, and each tree makes the recorded decisions.
fn decides_alike(service: &Service, groups: &[Group], seed: u64, new_defaults: bool) {
    let rules = service.rules(&Overrides::default(), new_defaults);
    let recorded: usize = groups.iter().map(|group| group.rules.len()).sum();
    assert_eq!(recorded, service.registry.defaults().len());
    let questions: Vec<_> = (0..QUESTIONS as u64)
        .map(|number| {
            let mut chance = Random(seed + number);
            let credentials = chance.drawn(&service.recording.credentials);
            (credentials, chance.drawn(&service.recording.target))
        })
        .collect();
    for group in groups {
        for name in &group.rules {
            assert_eq!(tree(&rules, name), group.tree, "{name}");
            let mut defaults = service.registry.defaults().iter();
            let default = defaults.find(|default| default.name == *name).unwrap();
            assert_eq!(default.scope_types, group.scopes, "{name}");
        }
        let bits = STANDARD.decode(&group.decisions).unwrap();
        assert_eq!(bits.len() * 8, QUESTIONS);
        let rule = &group.rules[0];
        let mut counts: BTreeMap<char, usize> = "TFSE".chars().map(|letter| (letter, 0)).collect();
        for (number, (credentials, target)) in questions.iter().enumerate() {
            let answer = rules.enforce(rule, target, credentials);
            let allowed = bits[number / 8] >> (7 - number % 8) & 1 == 1;
            assert_eq!(
                answer.is_ok(),
                allowed,
                "{credentials}\n{target}\n{}",
                rules.explain(rule, target, credentials)
            );
            *counts.entry(letter(&answer)).or_default() += 1;
        }
        assert_eq!(counts, group.counts, "{rule}");
    }
}

/// Files that load there load here, to the same trees; what is refused there is refused here.
fn loads_alike(service: &Service) {
    let defaults = service.registry.defaults().iter();
    let lines = defaults.map(|rule| format!("\"{}\": \"{}\"\n", rule.name, rule.check));
    let whole = lines.collect::<Vec<_>>().concat();
    let trees = |text: &str| {
        let overrides = file(text).map_err(|error| error.to_string())?;
        let loaded = Rules::over(&service.kinds, &overrides, &Settings::default());
        let mut faults = loaded.faults.iter().map(ToString::to_string);
        if let Some(refused) = faults.find(|fault| fault.contains(REFUSED)) {
            return Err(refused);
        }
        let names = loaded.rules.names();
        let trees = names.map(|name| (name.to_owned(), tree(&loaded.rules, name)));
        Ok::<BTreeMap<String, String>, String>(trees.collect())
    };
    let before = trees(&whole).unwrap();
    let mut wrong = Vec::new();
    for Damage(at, cut, put, changes) in &service.recording.damaged {
        let end = whole.len().min(at + cut);
        let text = format!("{}{put}{}", &whole[..*at], &whole[end..]);
        let expected = changes.as_ref().map(|changes| {
            let mut after = before.clone();
            for (name, tree) in changes {
                match tree {
                    Some(tree) => after.insert(name.clone(), tree.clone()),
                    None => after.remove(name),
                };
            }
            after
        });
        let found = trees(&text);
        if found.as_ref().ok() != expected.as_ref() {
            let near = &text[at.saturating_sub(40)..text.len().min(at + 40)];
            wrong.push(format!("{near:?}: {:?}, not {changes:?}", found.err()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        service.recording.damaged.len(),
        wrong.join("\n")
    );
}

/// Keystone has lists of methods, which Python prints as lists; here each method has a line.
fn with_a_line_for_each_method(sample: &str) -> String {
    let mut text = String::new();
    for line in sample.split_inclusive('\n') {
        match line
            .strip_prefix("# ['")
            .and_then(|rest| rest.split_once("']"))
        {
            Some((methods, path)) => {
                for method in methods.split("', '") {
                    text += &["# ", method, path].concat();
                }
            }
            None => text += line,
        }
    }
    text
}

/// The generated files are oslo.policy's, and the sample with its rules taken out of the comments changes nothing.
fn writes_alike(service: &Service) {
    let sample = with_a_line_for_each_method(&service.sample);
    assert_eq!(service.registry.sample(), sample);
    let overrides = file(&service.recording.overrides).unwrap();
    assert_eq!(service.registry.policy(&overrides), service.policy);
    let open = sample.replace("\n#\"", "\n\"");
    let same = service.rules(&file(&open).unwrap(), true);
    let before = service.rules(&Overrides::default(), true);
    assert_eq!(same.list(), before.list());
    for name in before.names() {
        assert_eq!(same.check(name), before.check(name), "{name}");
    }
}

macro_rules! services {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn decides_as_oslo_policy_does() {
                let service = Service::read(stringify!($name));
                decides_alike(&service, &service.recording.groups, 1, true);
            }

            #[test]
            fn decides_as_oslo_policy_does_with_old_defaults() {
                let service = Service::read(stringify!($name));
                let groups = &service.recording.groups_with_old_defaults;
                decides_alike(&service, groups, 1_000_000, false);
            }

            #[test]
            fn damaged_files_load_as_in_oslo_policy() {
                loads_alike(&Service::read(stringify!($name)));
            }

            #[test]
            fn files_are_written_as_oslo_policy_does() {
                writes_alike(&Service::read(stringify!($name)));
            }
        }
    )*};
}

services! { barbican cinder glance heat neutron nova }

/// What Keystone's rules decide is tested in `tests/surface` at the top of the tree.
mod keystone {
    use super::*;

    #[test]
    fn damaged_files_load_as_in_oslo_policy() {
        loads_alike(&Service::read("keystone"));
    }

    #[test]
    fn files_are_written_as_oslo_policy_does() {
        writes_alike(&Service::read("keystone"));
    }
}
