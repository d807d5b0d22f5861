//! The router has no path that the reference has not.

use std::collections::BTreeSet;

use serde::Deserialize;

#[derive(Deserialize)]
struct Route {
    path: String,
}

#[test]
fn no_route_is_beyond_the_reference_s() {
    let routes = include_str!("../../../../tests/parity/routes.json");
    let routes: Vec<Route> = serde_json::from_str(routes).unwrap();
    let known: BTreeSet<_> = routes.iter().map(|route| route.path.as_str()).collect();
    // Nothing else tells which paths a router has.
    let shown = format!("{:?}", super::routes());
    let (_, node) = shown.split_once("paths: {").unwrap();
    let paths: BTreeSet<_> = node
        .split('"')
        .filter(|text| text.starts_with("/v3"))
        .collect();
    assert!(paths.len() > 50, "{shown}");
    let beyond: Vec<_> = paths.difference(&known).collect();
    assert!(beyond.is_empty(), "{beyond:#?}");
}
