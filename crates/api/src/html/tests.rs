use axum::response::Response;
use serde_json::{Value, json};

use super::{Format, TooLarge};
use crate::discovery::tests::{ACCEPTS, recorded, seen};

async fn check(response: Response, status: u16, headers: Value, body: &str) {
    let answer = seen(response).await;
    assert_eq!(answer, (status, recorded(&headers), body.to_owned()));
}

#[tokio::test]
async fn an_unrouted_path_is_an_html_404() {
    let headers = json!({
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": "207",
        "Vary": "X-Auth-Token",
    });
    let body = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.</p>\n";
    check(super::not_found(), 404, headers, body).await;
}

#[tokio::test]
async fn an_unknown_method_of_discovery_is_an_html_405() {
    let headers = json!({
        "Content-Type": "text/html; charset=utf-8",
        "Allow": "HEAD, OPTIONS, GET",
        "Content-Length": "153",
        "Vary": "X-Auth-Token",
    });
    let body = "<!doctype html>\n<html lang=en>\n<title>405 Method Not Allowed</title>\n<h1>Method Not Allowed</h1>\n<p>The method is not allowed for the requested URL.</p>\n";
    check(super::method_not_allowed_html(), 405, headers, body).await;
}

#[tokio::test]
async fn an_unknown_method_of_a_resource_is_a_json_405() {
    for allow in ["HEAD, POST, OPTIONS, GET", "POST"] {
        let headers = json!({
            "Content-Type": "application/json",
            "Content-Length": "64",
            "Allow": allow,
            "Vary": "X-Auth-Token",
        });
        let body = "{\"message\": \"The method is not allowed for the requested URL.\"}\n";
        check(super::method_not_allowed_json(allow), 405, headers, body).await;
    }
}

#[tokio::test]
async fn options_name_the_methods() {
    let headers = json!({
        "Content-Type": "text/html; charset=utf-8",
        "Allow": "HEAD, POST, OPTIONS, GET",
        "Vary": "X-Auth-Token",
        "Content-Length": "0",
    });
    let response = super::options("HEAD, POST, OPTIONS, GET");
    check(response, 200, headers, "").await;
}

#[tokio::test]
async fn a_large_body_that_was_announced() {
    let answer = |accept| super::too_large(accept, TooLarge::Announced);
    let plain = json!({"Content-Type": "text/plain; charset=UTF-8", "Content-Length": "96"});
    let body = "413 Request Entity Too Large\n\nRequest is too large. Larger than max_request_body_size (%s).\n\n   ";
    check(answer(None), 413, plain, body).await;
    let html = json!({"Content-Type": "text/html; charset=UTF-8", "Content-Length": "213"});
    let body = "<html>\n <head>\n  <title>413 Request Entity Too Large</title>\n </head>\n <body>\n  <h1>413 Request Entity Too Large</h1>\n  Request is too large. Larger than max_request_body_size (%s).<br /><br />\n\n\n\n </body>\n</html>";
    check(answer(Some("*/*")), 413, html, body).await;
    let json = json!({"Content-Type": "application/json", "Content-Length": "171"});
    let body = r#"{"message": "Request is too large. Larger than max_request_body_size (%s).<br /><br />\n\n\n", "code": "413 Request Entity Too Large", "title": "Request Entity Too Large"}"#;
    check(answer(Some("application/json")), 413, json, body).await;
}

#[tokio::test]
async fn a_large_body_that_was_read() {
    let headers = json!({"Content-Type": "text/plain; charset=UTF-8", "Content-Length": "76"});
    let body = "413 Request Entity Too Large\n\nRequest is too large. Larger than 114688.\n\n   ";
    let response = super::too_large(None, TooLarge::Read(114_688));
    check(response, 413, headers, body).await;
}

#[test]
fn the_format_of_413_is_negotiated_as_recorded() {
    let accepts: Value = serde_json::from_str(ACCEPTS).unwrap();
    let accepts = accepts.as_array().unwrap().iter();
    for case in accepts.filter(|case| !case[2].is_null()) {
        let header = case[0].as_str().unwrap();
        let format = match Format::choose(header) {
            Format::Html => "text/html",
            Format::Json => "application/json",
            Format::Plain => "text/plain",
        };
        assert_eq!(case[2], format, "{header:?}");
    }
}
