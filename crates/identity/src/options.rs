//! Resource options: the `*_option` tables, which have ids of four characters in place of names.

use keystone_storage::{Error as StorageError, Tx, sql};
use keystone_types::{Error, Result, json, to_python_json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Their ids in the tables and their names in the API.
const NAMES: [(&str, &str); 8] = [
    ("1000", "ignore_change_password_upon_first_use"),
    ("1001", "ignore_password_expiry"),
    ("1002", "ignore_lockout_failure_attempts"),
    ("1003", "lock_password"),
    ("1004", "ignore_user_inactivity"),
    ("IMMU", "immutable"),
    ("MFAE", "multi_factor_auth_enabled"),
    ("MFAR", "multi_factor_auth_rules"),
];

/// The options of a user, project or role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Options(pub Map<String, Value>);

impl Options {
    /// Whether a boolean option is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// Whether the resource may be neither changed nor deleted. Unlike for [`Self::is_on`], any value that is true in Python
    /// counts (`keystone/common/resource_options/options/immutable.py`).
    pub fn immutable(&self) -> bool {
        self.0
            .get("immutable")
            .is_some_and(keystone_python::is_true)
    }

    /// 403 for an immutable resource, unless the patch does nothing but make it mutable.
    pub(crate) fn check_update(
        &self,
        patch: &Map<String, Value>,
        kind: &str,
        id: &str,
    ) -> Result<()> {
        let immutable = patch
            .get("options")
            .and_then(|options| options.get("immutable"));
        let only_unlocks =
            patch.len() == 1 && matches!(immutable, Some(Value::Null | Value::Bool(false)));
        if self.immutable() && !only_unlocks {
            return Err(immutable_error("update", kind, id));
        }
        Ok(())
    }

    /// 403 for an immutable resource.
    pub(crate) fn check_delete(&self, kind: &str, id: &str) -> Result<()> {
        if self.immutable() {
            return Err(immutable_error("delete", kind, id));
        }
        Ok(())
    }

    /// Applies changes to the options: `null` removes one.
    pub(crate) fn apply(&mut self, changes: &Map<String, Value>) {
        for (name, value) in changes {
            if value.is_null() {
                self.0.remove(name);
            } else {
                self.0.insert(name.clone(), value.clone());
            }
        }
    }
}

/// 403: the resource has the option `immutable`.
pub(crate) fn immutable_error(verb: &str, kind: &str, id: &str) -> Error {
    // The stray backquote is Keystone's.
    Error::Refused(format!(
        "Unable to {verb} immutable {kind} resource: `{id}. Set resource option \"immutable\" to false first."
    ))
}

/// Reads what the queries select: each option's id and the hex of its JSON, joined by commas.
impl TryFrom<Option<String>> for Options {
    type Error = Corrupt;

    fn try_from(joined: Option<String>) -> Result<Self, Corrupt> {
        let mut options = Map::new();
        for entry in joined.iter().flat_map(|text| text.split(',')) {
            let (id, digits) = entry.split_at_checked(4).ok_or(Corrupt)?;
            let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == id) else {
                continue;
            };
            let text = hex::decode(digits).map_err(|_| Corrupt)?;
            let value = json::read(text).map_err(|_| Corrupt)?;
            options.insert((*name).to_owned(), value);
        }
        Ok(Self(options))
    }
}

impl Options {
    /// Reads options that were selected apart from the row of the table that they are of.
    pub(crate) fn stored(joined: Option<String>, table: &str, row: &str) -> Result<Self> {
        let read = Self::try_from(joined).map_err(|error| StorageError::Corrupt {
            table: table.to_owned(),
            row: row.to_owned(),
            column: "options".to_owned(),
            source: sqlx::Error::Decode(error.into()),
        });
        Ok(read?)
    }
}

/// An option that does not decode.
#[derive(Debug, thiserror::Error)]
#[error("an option's value is not JSON")]
pub struct Corrupt;

/// An `*_option` table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Table {
    User,
    Project,
    Role,
}

/// Takes the changes of options out of a patch.
pub(crate) fn take_changes(patch: &mut Map<String, Value>) -> Map<String, Value> {
    match patch.shift_remove("options") {
        Some(Value::Object(options)) => options,
        _ => Map::new(),
    }
}

/// Stores the options that `changes` names; `null` deletes one, unknown names are not stored.
pub(crate) async fn store_options(
    tx: &mut Tx,
    table: Table,
    id: &str,
    changes: &Map<String, Value>,
) -> Result<()> {
    let (delete, insert) = match table {
        Table::User => (
            "DELETE FROM user_option WHERE user_id = ? AND option_id = ?",
            "INSERT INTO user_option (user_id, option_id, option_value) VALUES (?, ?, ?)",
        ),
        Table::Project => (
            "DELETE FROM project_option WHERE project_id = ? AND option_id = ?",
            "INSERT INTO project_option (project_id, option_id, option_value) VALUES (?, ?, ?)",
        ),
        Table::Role => (
            "DELETE FROM role_option WHERE role_id = ? AND option_id = ?",
            "INSERT INTO role_option (role_id, option_id, option_value) VALUES (?, ?, ?)",
        ),
    };
    for (name, value) in changes {
        let Some((option, _)) = NAMES.iter().find(|(_, known)| known == name) else {
            continue;
        };
        sql(delete).bind(id).bind(*option).execute(&mut *tx).await?;
        if !value.is_null() {
            sql(insert)
                .bind(id)
                .bind(*option)
                .bind(to_python_json(value))
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_from_comma_joined_hex() {
        let joined = "IMMU74727565,MFAR5B5B2261222C2022C3A9225D5D,ZZZZ31";
        let options = Options::try_from(Some(joined.to_owned())).unwrap();
        let expected =
            serde_json::json!({"immutable": true, "multi_factor_auth_rules": [["a", "é"]]});
        assert_eq!(Value::Object(options.0), expected);
        assert!(Options::try_from(Some("IMMU7".to_owned())).is_err());
        assert!(Options::try_from(Some("IM".to_owned())).is_err());
    }

    #[test]
    fn immutable_follows_python_truth() {
        for (text, expected) in [
            ("true", true),
            ("false", false),
            ("null", false),
            ("1", true),
            ("0", false),
            ("-0.0", false),
            ("NaN", true),
            ("123456789012345678901", true),
            (r#""""#, false),
            (r#""false""#, true),
            ("[]", false),
            ("{}", false),
            ("[0]", true),
        ] {
            let value = json::read(text).unwrap();
            let options = Options(Map::from_iter([("immutable".to_owned(), value)]));
            assert_eq!(options.immutable(), expected, "{text}");
        }
    }
}
