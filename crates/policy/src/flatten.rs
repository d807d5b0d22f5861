//! Targets on one level, with dots in the names, as servers that are asked read them.

use serde_json::{Map, Value};

/// Names repeat what is above them: a small body must not become a large question.
const MAX_BYTES: usize = 4 << 20;

/// Puts what is nested on one level, as Keystone's `keystone/common/utils.py` does; an object without keys leaves
/// nothing. An attribute with dots in its name does not take the place of what the same dots lead to.
pub(crate) fn flatten(target: &Value) -> Result<Value, String> {
    if size(target, 0) > MAX_BYTES {
        return Err(format!("the target takes more than {MAX_BYTES} bytes"));
    }
    let mut flat = Map::new();
    add("", target, false, &mut flat);
    Ok(Value::Object(flat))
}

fn add(name: &str, value: &Value, dotted: bool, flat: &mut Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for (key, inner) in members {
                let dotted = dotted || key.contains('.');
                let name = match name {
                    "" => key.clone(),
                    _ => format!("{name}.{key}"),
                };
                add(&name, inner, dotted, flat);
            }
        }
        _ if dotted => {
            flat.entry(name).or_insert_with(|| value.clone());
        }
        _ => {
            flat.insert(name.to_owned(), value.clone());
        }
    }
}

/// The bytes of all names below one of this length.
fn size(value: &Value, name: usize) -> usize {
    match value {
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(key, inner)| size(inner, name + 1 + key.len()))
                .sum()
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_joined_by_dots() {
        let user = json!({
            "id": "u", "tags": ["a", {"b": 1}], "none": {}, "nothing": null,
            "domain": {"id": "d", "deep": {"er": true}},
        });
        let target = json!({ "user_id": "u", "target": { "user": user }, "is.flat": 1 });
        let expected = json!({
            "user_id": "u", "target.user.id": "u", "target.user.tags": ["a", {"b": 1}],
            "target.user.nothing": null, "target.user.domain.id": "d",
            "target.user.domain.deep.er": true, "is.flat": 1,
        });
        assert_eq!(flatten(&target).unwrap(), expected);
        assert_eq!(flatten(&expected).unwrap(), expected);
    }

    #[test]
    fn a_dotted_name_does_not_replace_a_nested_one() {
        let domain = json!({ "id": "theirs" });
        for user in [
            json!({ "domain.id": "mine", "domain": domain }),
            json!({ "domain": domain, "domain.id": "mine" }),
        ] {
            let flat = flatten(&json!({ "user": user })).unwrap();
            assert_eq!(flat, json!({ "user.domain.id": "theirs" }));
        }
    }

    #[test]
    fn a_target_that_grows_past_the_limit_is_refused() {
        let leaves: Map<String, Value> = (0..5000).map(|n| (n.to_string(), 1.into())).collect();
        assert!(flatten(&json!({ "x".repeat(900): leaves })).is_err());
        assert!(flatten(&json!({ "x".repeat(800): leaves })).is_ok());
    }
}
