//! The values that oslo.config itself reads, made by `tests/oslo/cases.py`.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Deserialize)]
struct Case {
    name: String,
    files: Vec<String>,
    environment: BTreeMap<String, String>,
    expected: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    group: String,
    option: String,
    value: serde_json::Value,
    error: bool,
}

fn as_json(value: Option<&Value>) -> serde_json::Value {
    match value {
        None => json!(null),
        Some(Value::Text(text)) => json!(text),
        Some(Value::Bool(truth)) => json!(truth),
        Some(Value::Int(number)) => json!(number),
        Some(Value::Float(number)) => json!(number),
        Some(Value::List(items)) => json!(items),
        Some(Value::Dict(map)) => json!(map),
        Some(Value::Lists(map)) => json!(map),
    }
}

#[test]
fn reads_what_oslo_config_reads() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../tests/oslo/cases.json")).unwrap();
    let mut differences = String::new();
    for case in &cases {
        let mut sources = Sources::new().environment(case.environment.clone());
        for (number, text) in case.files.iter().enumerate() {
            sources = sources.text(&format!("{number}.conf"), text);
        }
        let loaded = Config::load(&sources);
        let refused = case.expected.iter().any(|expected| expected.error);
        match loaded {
            Ok(_) if refused => writeln!(differences, "{}: accepted", case.name).unwrap(),
            Err(problems) if !refused => {
                writeln!(differences, "{}: {problems}", case.name).unwrap();
            }
            Err(_) => {}
            Ok((config, _)) => {
                for Expected {
                    group,
                    option,
                    value,
                    ..
                } in &case.expected
                {
                    let entry = &config.entries[position(group, option)];
                    let read = as_json(entry.value.as_ref());
                    if read != *value {
                        writeln!(differences, "{}: {read} is not {value}", case.name).unwrap();
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(cases.len() > 200);
}
