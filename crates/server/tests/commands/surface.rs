//! The commands and options of Python Keystone's `keystone-manage`, which `surface.py` has written to `surface.json`.

use serde_json::Value;

use crate::sandbox::Sandbox;

fn commands() -> Vec<Value> {
    let commands: Value = serde_json::from_str(include_str!("surface.json")).unwrap();
    commands.as_array().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// An option as it is given, with a value that it accepts.
fn given(option: &Value) -> Vec<&str> {
    let flag = text(&option["flag"]);
    if !flag.starts_with("--") {
        return vec!["value"];
    }
    let mut arguments = vec![flag];
    if option["takes_value"] == true {
        arguments.push(option["choices"][0].as_str().unwrap_or("value"));
    }
    arguments
}

#[test]
fn every_command_and_option_of_keystone_is_there() {
    let sandbox = Sandbox::new();
    let mut missing = Vec::new();
    for command in commands() {
        let name = text(&command["command"]);
        if sandbox.manage(&[name, "--help"]).status != 0 {
            missing.push(name.to_owned());
            continue;
        }
        for option in command["options"].as_array().unwrap() {
            // What stands before --help is read first: an unknown option, or a value too many or too few, is an error.
            let arguments = [&[name], given(option).as_slice(), &["--help"]].concat();
            sandbox.manage(&arguments).succeeds();
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_keystone_requires_and_excludes_is_required_and_excluded() {
    let sandbox = Sandbox::new();
    for command in commands() {
        let name = text(&command["command"]);
        let options = command["options"].as_array().unwrap();
        let required: Vec<&Value> = options.iter().filter(|it| it["required"] == true).collect();
        for left_out in &required {
            let others = required.iter().filter(|it| it["flag"] != left_out["flag"]);
            let others: Vec<&str> = others.flat_map(|it| given(it)).collect();
            sandbox
                .manage(&[&[name], others.as_slice()].concat())
                .exits_with(2)
                .says("required arguments were not provided")
                .says(text(&left_out["flag"]));
        }
        for group in command["exclusive"].as_array().unwrap() {
            let flags: Vec<&str> = group.as_array().unwrap().iter().map(text).collect();
            for (place, flag) in flags.iter().enumerate() {
                for other in &flags[..place] {
                    sandbox
                        .manage(&[name, flag, other])
                        .exits_with(2)
                        .says("cannot be used with");
                }
            }
        }
    }
}
