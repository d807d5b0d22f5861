//! The check of a mapping's structure, against Keystone's answer for each of its vectors.

use keystone_federation::check_structure;
use serde_json::{Value, json};

#[test]
fn every_vector_has_the_structure_that_keystone_sees() {
    let vectors: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let vectors = vectors["engine"].as_array().unwrap();
    let mut wrong = Vec::new();
    for vector in vectors {
        let checked = check_structure(&vector["mapping"]).map_err(|error| error.to_string());
        let theirs = &vector["structure"];
        let good = match &checked {
            Ok(()) => theirs == "valid",
            // Nobody handles a version that is unknown there: here it is named.
            Err(text) if theirs["unhandled"] == true => {
                text.ends_with("is not one of ['1.0', '2.0', '3.0']")
            }
            Err(text) => theirs["class"] == "ValidationError" && theirs["message"] == *text,
        };
        if !good {
            wrong.push(format!("{}: {checked:?}, not {theirs}", vector["id"]));
        }
    }
    assert_eq!(vectors.len(), 298);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_object_has_no_structure() {
    for mapping in [json!(null), json!([]), json!("x"), json!(5)] {
        let text = check_structure(&mapping).unwrap_err().to_string();
        assert!(text.ends_with("is not of type 'object'\n"), "{text}");
    }
}
