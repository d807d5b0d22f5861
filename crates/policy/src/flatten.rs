//! Targets as rules read them: one level, with dots in the names.

use serde_json::{Map, Value};

/// Adds what is below a name as `name.key.key`; an object without keys leaves nothing, as in the reference's
/// `keystone/common/utils.py`.
///
/// An attribute with dots in its name does not take the place of what the same dots lead to.
pub fn flatten(name: &str, value: &Value, flat: &mut Map<String, Value>) {
    add(name, value, false, flat);
}

fn add(name: &str, value: &Value, dotted: bool, flat: &mut Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for (key, inner) in members {
                let dotted = dotted || key.contains('.');
                add(&format!("{name}.{key}"), inner, dotted, flat);
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
        let mut flat = Map::from_iter([("user_id".to_owned(), json!("u"))]);
        flatten("target", &json!({ "user": user }), &mut flat);
        let expected = json!({
            "user_id": "u", "target.user.id": "u", "target.user.tags": ["a", {"b": 1}],
            "target.user.nothing": null, "target.user.domain.id": "d",
            "target.user.domain.deep.er": true,
        });
        assert_eq!(Value::Object(flat), expected);
    }

    #[test]
    fn a_name_with_dots_takes_nobody_s_place() {
        let inner = json!({ "domain": { "id": "theirs" } });
        for user in [
            json!({ "domain.id": "mine", "domain": inner["domain"] }),
            json!({ "domain": inner["domain"], "domain.id": "mine" }),
        ] {
            let mut flat = Map::new();
            flatten("user", &user, &mut flat);
            assert_eq!(flat["user.domain.id"], "theirs", "{user}");
        }
    }
}
