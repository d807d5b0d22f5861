use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Recorded {
    patterns: Vec<String>,
    paths: Vec<String>,
    fitting: Vec<(String, String)>,
    plain: std::collections::BTreeMap<String, String>,
}

fn recorded() -> Recorded {
    serde_json::from_str(include_str!("../../tests/python.json")).unwrap()
}

#[test]
fn patterns_fit_the_paths_that_they_fit_in_python() {
    let recorded = recorded();
    let mut differing = Vec::new();
    for pattern in &recorded.patterns {
        for path in &recorded.paths {
            let pair = (pattern.clone(), path.clone());
            if matches(pattern, path) != recorded.fitting.contains(&pair) {
                differing.push(pair);
            }
        }
    }
    assert!(differing.is_empty(), "{differing:?}");
}

#[test]
fn paths_have_one_spelling_as_in_python() {
    for (path, plain) in recorded().plain {
        assert_eq!(plain_path(&path), plain, "{path}");
    }
}

#[test]
fn characters_that_mean_something_in_regular_expressions_stand_for_themselves() {
    assert!(!matches("/v2.1/servers", "/v2x1/servers"));
    assert!(!matches("/a|/b", "/b"));
    assert!(matches("/a|/b", "/a|/b"));
}

#[test]
fn long_patterns_are_decided_in_bounded_time() {
    let pattern = "/{a}*".repeat(200);
    let path = format!("{}/", "/aaaa".repeat(400));
    assert!(!matches(&pattern, &path));
}

#[test]
fn a_rule_is_for_one_service_and_one_method() {
    let rule = AccessRule {
        service: "image".to_owned(),
        method: "GET".to_owned(),
        path: "/v2/images/*".to_owned(),
    };
    assert!(rule.permits("image", "GET", "/v2/images/1"));
    assert!(!rule.permits("compute", "GET", "/v2/images/1"));
    assert!(!rule.permits("image", "DELETE", "/v2/images/1"));
    assert!(!rule.permits("image", "get", "/v2/images/1"));
    assert!(!rule.permits("image", "GET", "/v2/images"));
}
