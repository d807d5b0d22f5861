//! Rules of mappings and the attributes of an assertion: a mapping that may be stored can be read, and an attribute that no rule
//! names changes nothing.

#![no_main]

use keystone::federation::{Assertion, Mapping, check_structure};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// No rule of a seed names it; where one does, this is left out.
const UNNAMED: &str = "nobody-names-this";

fuzz_target!(|data: &[u8]| {
    let Ok(Value::Object(case)) = serde_json::from_slice(data) else {
        return;
    };
    let Some(mapping) = case.get("mapping").filter(|it| check_structure(it).is_ok()) else {
        return;
    };
    let version = mapping.get("schema_version").and_then(Value::as_str);
    let mapping = Mapping::new("m", version.unwrap_or("1.0"), mapping["rules"].clone());
    let mapping = mapping.expect("rules of this structure can be read");
    let environment = case.get("environment").and_then(Value::as_object);
    let attributes = environment.into_iter().flatten();
    let attributes = attributes.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let attributes: Vec<_> = attributes.collect();
    let apply = |more: Option<(&str, &str)>| {
        let assertion: Assertion = attributes.iter().copied().chain(more).collect();
        let mapped = mapping.apply(&assertion).ok();
        mapped.map(|mapped| serde_json::to_value(mapped).expect("what is mapped is JSON"))
    };
    if !mapping.rules().to_string().contains(UNNAMED) {
        assert_eq!(apply(None), apply(Some((UNNAMED, "a;b"))));
    }
});
