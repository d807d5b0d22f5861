//! Every `config.<getter>("group", "option")` in the sources names an option of that type, so that
//! no getter panics in a running program.

use std::fs;
use std::path::Path;

use keystone_config::Config;

type Getter = fn(&Config, &str, &str) -> String;

const GETTERS: [(&str, Getter); 14] = [
    ("string", |c, g, n| format!("{:?}", c.string(g, n))),
    ("optional_string", |c, g, n| {
        format!("{:?}", c.optional_string(g, n))
    }),
    ("bool", |c, g, n| format!("{:?}", c.bool(g, n))),
    ("optional_bool", |c, g, n| {
        format!("{:?}", c.optional_bool(g, n))
    }),
    ("int", |c, g, n| format!("{:?}", c.int(g, n))),
    ("optional_int", |c, g, n| {
        format!("{:?}", c.optional_int(g, n))
    }),
    ("float", |c, g, n| format!("{:?}", c.float(g, n))),
    ("optional_float", |c, g, n| {
        format!("{:?}", c.optional_float(g, n))
    }),
    ("list", |c, g, n| format!("{:?}", c.list(g, n))),
    ("multi", |c, g, n| format!("{:?}", c.multi(g, n))),
    ("lists", |c, g, n| format!("{:?}", c.lists(g, n))),
    ("is_set", |c, g, n| format!("{:?}", c.is_set(g, n))),
    ("origin", |c, g, n| format!("{:?}", c.origin(g, n))),
    ("diagnostic", |c, g, n| {
        format!("{:?}", c.diagnostic(g, n, ""))
    }),
];

/// Makes the getter calls in a text and returns their number.
fn check_calls(text: &str, config: &Config) -> usize {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join("");
    let mut calls = 0;
    for call in text.split("config.").skip(1) {
        let Some((getter, arguments)) = call.split_once("(\"") else {
            continue;
        };
        let Some((_, get)) = GETTERS.iter().find(|(name, _)| *name == getter) else {
            continue;
        };
        let mut names = arguments.splitn(5, '"');
        if let (Some(group), Some(","), Some(name)) = (names.next(), names.next(), names.next()) {
            get(config, group, name);
            calls += 1;
        }
    }
    calls
}

fn check_dir(dir: &Path, config: &Config) -> usize {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    let paths = entries.map(|entry| entry.expect("a directory entry").path());
    paths
        .map(|path| {
            if path.is_dir() {
                check_dir(&path, config)
            } else if path.file_name().is_some_and(|name| name == "tests.rs") {
                0
            } else {
                check_calls(&fs::read_to_string(&path).expect("a source file"), config)
            }
        })
        .sum()
}

#[test]
fn every_name_in_the_sources_is_an_option() {
    let config = Config::default();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documented = check_calls(include_str!("../README.md"), &config);
    assert!(documented >= 3, "only {documented} calls found");
    check_dir(&here.join("src"), &config);
    check_dir(&here.join("../server/src"), &config);
}

#[test]
#[should_panic(expected = "[token] expiration is of type Int")]
fn a_getter_of_the_wrong_type_panics() {
    check_calls(
        "config.string(\n    \"token\",\n    \"expiration\",\n)",
        &Config::default(),
    );
}
