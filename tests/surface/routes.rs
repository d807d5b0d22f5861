//! Every route and every method of Keystone is served, and no other.

use std::collections::{BTreeMap, BTreeSet};

use keystone::api;
use keystone_testkit::{Answer, Cloud};

use crate::{Call, ROUTES, filled, unknown};

/// Where the administrator's answer differs from Keystone's, and why.
const DIFFERENT: [(&str, u16, &str); 0] = [];

/// The routes that Keystone has not: it leaves SAML to a module of Apache.
const OWN: [&str; 2] = [
    "/v3/auth/OS-FEDERATION/saml2/acs",
    "/v3/OS-FEDERATION/saml2/sp/metadata",
];

/// Whether an answer is the page of Keystone's framework for a path without a route.
fn is_unrouted(answer: &Answer) -> bool {
    answer.status == 404
        && answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
}

#[test]
fn the_route_table_is_that_of_keystone() {
    let mut served: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for route in api::routes() {
        if OWN.contains(&route.path) {
            continue;
        }
        let mut methods: BTreeSet<_> = route.methods.iter().map(ToString::to_string).collect();
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        served.insert(route.path, methods);
    }
    let wanted = ROUTES
        .iter()
        .filter(|route| route.path.starts_with("/v3/"))
        // A path of its own in Keystone, here one of a limit's (`crates/api/src/v3/limits.rs`).
        .filter(|route| route.path != "/v3/limits/model")
        .map(|route| (route.path.as_str(), route.methods.iter().cloned().collect()));
    assert_eq!(served, wanted.collect());
}

#[tokio::test]
async fn every_route_and_method_is_served() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let mut wrong = Vec::new();
    for call in Call::all() {
        let answer = admin
            .request(call.method, &call.url(unknown), call.body())
            .await;
        let expected = call.recorded().map_or(200, |[.., status]| status);
        if is_unrouted(&answer) {
            wrong.push(format!("{}: no such route", call.key()));
        } else if expected != 0 && (answer.status == 405) != (expected == 405) {
            wrong.push(format!("{}: {}, not {expected}", call.key(), answer.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_administrator_gets_the_status_of_keystone() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin().await;
    let mut wrong = Vec::new();
    for call in Call::all() {
        let answer = admin
            .request(call.method, &call.url(unknown), call.body())
            .await;
        let Some([.., theirs]) = call.recorded() else {
            continue;
        };
        let ours = DIFFERENT.iter().find(|(key, ..)| *key == call.key());
        let expected = ours.map_or(theirs, |(_, status, _)| *status);
        // Where Keystone drops the connection, an error that says why is better.
        let good = if expected == 0 {
            400..500
        } else {
            expected..expected + 1
        };
        if !good.contains(&answer.status) {
            wrong.push(format!("{}: {}, not {theirs}", call.key(), answer.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_path_allows_exactly_the_methods_of_keystone() {
    let cloud = Cloud::new().await;
    let nobody = cloud.nobody();
    let mut wrong = Vec::new();
    let served = ROUTES.iter().filter(|route| route.path.starts_with("/v3/"));
    for route in served {
        let answer = nobody
            .request("OPTIONS", &filled(&route.path, unknown), None)
            .await;
        let allow = answer.header("allow").unwrap_or_default();
        let mut allowed: Vec<_> = allow.split(", ").collect();
        allowed.sort_unstable();
        // `/v3/limits/model` is a limit's path too, and Keystone tells the methods of both.
        let alike = ROUTES
            .iter()
            .filter(|other| covers(&other.path, &route.path));
        let mut expected: Vec<_> = alike
            .flat_map(|other| other.methods.iter().map(String::as_str))
            .collect();
        expected.push("OPTIONS");
        expected.sort_unstable();
        expected.dedup();
        if allowed != expected {
            wrong.push(format!("{}: {allowed:?}, not {expected:?}", route.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the paths of one template are among those of another.
fn covers(template: &str, path: &str) -> bool {
    let (segments, other) = (template.split('/'), path.split('/'));
    segments.clone().count() == other.clone().count()
        && segments
            .zip(other)
            .all(|(segment, other)| segment.starts_with('{') || segment == other)
}
