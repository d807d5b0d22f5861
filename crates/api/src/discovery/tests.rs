//! Compared with answers recorded from Keystone.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::response::Response;
use serde_json::Value;

use super::{v3, versions, wants_json_home};
use crate::html;

const BASE: &str = "http://keystone.example.com:5000";
const EXCHANGES: &str = include_str!("../../tests/discovery/exchanges.json");
const HOMES: &str = include_str!("../../tests/discovery/json-home.json");
pub(crate) const ACCEPTS: &str = include_str!("../../tests/discovery/accept.json");

/// An answer as a client sees it: status, headers (with the length that the server adds) and body.
pub(crate) async fn seen(response: Response) -> (u16, BTreeMap<String, String>, String) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut headers: BTreeMap<_, _> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.insert("content-length".to_owned(), body.len().to_string());
    let body = String::from_utf8(body.to_vec()).unwrap();
    (parts.status.as_u16(), headers, body)
}

pub(crate) fn recorded(headers: &Value) -> BTreeMap<String, String> {
    let headers = headers.as_object().unwrap().iter();
    headers
        .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()))
        .collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn answer(exchange: &Value) -> Response {
    let request = &exchange["request"];
    let accept = request["headers"]["Accept"].as_str();
    match (
        request["method"].as_str().unwrap(),
        request["path"].as_str().unwrap(),
    ) {
        ("GET" | "HEAD", "" | "/") => versions(accept, BASE),
        ("GET" | "HEAD", "/v3" | "/v3/") => v3(accept, BASE),
        ("OPTIONS", "/") => html::options(exchange["headers"]["Allow"].as_str().unwrap()),
        ("GET", "/v2.0") => html::not_found(),
        (method, path) => panic!("no answer for {method} {path}"),
    }
}

#[tokio::test]
async fn every_recorded_exchange() {
    let exchanges = json(EXCHANGES);
    let exchanges = exchanges.as_array().unwrap();
    assert_eq!(exchanges.len(), 14);
    for exchange in exchanges {
        let request = &exchange["request"];
        let (status, headers, body) = seen(answer(exchange)).await;
        assert_eq!(exchange["status"], status, "{request}");
        assert_eq!(recorded(&exchange["headers"]), headers, "{request}");
        if let Some(text) = exchange["body_text"].as_str() {
            assert_eq!(text, body, "{request}");
        } else if exchange["body"].is_object() {
            assert_eq!(exchange["body"], json(&body), "{request}");
        }
    }
}

#[tokio::test]
async fn json_home_from_the_root_and_from_v3() {
    let homes = json(HOMES);
    let accept = Some("application/json-home");
    for (path, response) in [("/", versions(accept, BASE)), ("/v3", v3(accept, BASE))] {
        let home = &homes[path];
        let (status, headers, body) = seen(response).await;
        assert_eq!(home["status"], status, "{path}");
        assert_eq!(recorded(&home["headers"]), headers, "{path}");
        let body = json(&body);
        assert_eq!(home["body"], body, "{path}");
        assert_eq!(body["resources"].as_object().unwrap().len(), 121, "{path}");
    }
}

#[test]
fn accept_is_negotiated_as_recorded() {
    let accepts = json(ACCEPTS);
    for case in accepts.as_array().unwrap() {
        let header = case[0].as_str().unwrap();
        assert_eq!(case[1], wants_json_home(Some(header)), "{header:?}");
    }
    assert!(!wants_json_home(None));
}

#[tokio::test]
async fn links_carry_the_prefix_of_the_base() {
    let base = "https://cloud.example/identity";
    let (_, headers, body) = seen(versions(None, base)).await;
    let href = "https://cloud.example/identity/v3/";
    assert_eq!(headers["location"], href);
    let link = &json(&body)["versions"]["values"][0]["links"][0];
    assert_eq!(link["href"], href);
}

#[tokio::test]
async fn a_base_that_no_header_can_carry_is_still_valid_json() {
    let (status, headers, body) = seen(versions(None, "http://a\"\nb")).await;
    assert_eq!(status, 300);
    assert!(!headers.contains_key("location"));
    let link = &json(&body)["versions"]["values"][0]["links"][0];
    assert_eq!(link["href"], "http://a\"\nb/v3/");
}
