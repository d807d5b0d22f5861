//! The whole interface: every route, every rule, every listing.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also in what its cases share"
)]

mod aliases;
mod injection;
mod own_rules;
mod policies;
mod routes;
mod statements;
mod unauthenticated;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

/// A route of Keystone.
#[derive(Debug, Deserialize)]
struct Route {
    path: String,
    methods: Vec<String>,
    family: String,
}

/// Calls with a well-formed body that are not recorded yet.
const UNRECORDED: [&str; 2] = [
    "POST /v3/credentials",
    "POST /v3/users/{user_id}/application_credentials",
];

/// An id that no resource has.
const UNKNOWN: &str = "11111111111111111111111111111111";

static ROUTES: LazyLock<Vec<Route>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../parity/routes.json")).unwrap());

/// A well-formed body for each call that needs one.
static BODIES: LazyLock<BTreeMap<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("bodies.json")).unwrap());

/// Keystone's statuses for no token and no body, for no token and a well-formed body, and for the
/// administrator with it, where the path's ids are unknown; 0 where it drops the connection.
static STATUSES: LazyLock<BTreeMap<String, [u16; 3]>> =
    LazyLock::new(|| serde_json::from_str(include_str!("statuses.json")).unwrap());

/// One method of one route.
#[derive(Clone, Copy, Debug)]
struct Call {
    method: &'static str,
    path: &'static str,
}

impl Call {
    /// Every call that is to be served.
    fn all() -> impl Iterator<Item = Self> {
        let routes = ROUTES.iter();
        let routes = routes.filter(|route| route.family != "static");
        routes.flat_map(|route| {
            route.methods.iter().map(|method| Self {
                method,
                path: &route.path,
            })
        })
    }

    fn key(self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Keystone's statuses, where they are recorded.
    fn recorded(self) -> Option<[u16; 3]> {
        let key = self.key();
        let found = STATUSES.get(&key).copied();
        assert_ne!(found.is_some(), UNRECORDED.contains(&key.as_str()), "{key}");
        found
    }

    fn body(self) -> Option<&'static Value> {
        BODIES.get(&self.key())
    }

    /// The path with its parameters filled in.
    fn url(self, value: impl Fn(&str) -> String) -> String {
        filled(self.path, value)
    }
}

fn filled(template: &str, value: impl Fn(&str) -> String) -> String {
    let segments = template.split('/').map(|segment| {
        let name = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        name.map_or_else(|| segment.to_owned(), &value)
    });
    segments.collect::<Vec<_>>().join("/")
}

/// A value for a path parameter that names no existing resource.
fn unknown(parameter: &str) -> String {
    let value = match parameter {
        "group" => "identity",
        "option" => "driver",
        "value" => "blue",
        _ => UNKNOWN,
    };
    value.to_owned()
}
