//! Answers, with assertions about them.

use axum::http::HeaderMap;
use serde_json::Value;

/// An answer whose body was JSON, or text where it was not.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null if there was none, a string if it was not JSON.
    pub body: Value,
}

impl Answer {
    /// The body of a 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        self.with(200)
    }

    /// The body of a 201.
    #[track_caller]
    pub fn created(self) -> Value {
        self.with(201)
    }

    /// Insists on a 204 without a body.
    #[track_caller]
    pub fn no_content(self) {
        assert_eq!(self.with(204), Value::Null);
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub fn with(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The message of an error with this status.
    #[track_caller]
    pub fn refused(self, status: u16) -> String {
        let body = self.with(status);
        assert_eq!(body["error"]["code"], status, "{body}");
        body["error"]["message"]
            .as_str()
            .expect("an error has a message")
            .to_owned()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
