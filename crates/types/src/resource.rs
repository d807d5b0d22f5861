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
