//! REST resources and their ids.

use serde::Serialize;
use uuid::Uuid;

/// A REST resource: how it is named on the wire.
pub trait Resource: Serialize {
    /// The key of one: `project`.
    const MEMBER: &'static str;
    /// The key of many: `projects`.
    const COLLECTION: &'static str;
    /// Where the collection is below `/v3`, if that is not just its key.
    const PATH: &'static str = Self::COLLECTION;

    /// The id in its URL.
    fn id(&self) -> &str;
}

/// A fresh id: 32 lower-case hex digits of a random UUID.
pub fn new_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Whether two ids are one to the databases, which compare them without case and, in `MariaDB`, without spaces at the
/// end. Rows that Python Keystone wrote may refer to a row in the spelling that a client used.
pub fn same_id(one: &str, other: &str) -> bool {
    one.trim_end_matches(' ')
        .eq_ignore_ascii_case(other.trim_end_matches(' '))
}
