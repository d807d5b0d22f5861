//! Asks what Python Keystone was asked, and insists on its answers: `recorded/record` made them
//! from `recorded/scenarios.py`. `{name}` stands for the id of what an earlier step created.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::Request;
use chrono::Duration;
use keystone_testkit::{Answer, Cloud};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A request and its answer, a login, or time that passes.
#[derive(Debug, Deserialize)]
struct Step {
    #[serde(rename = "as")]
    who: Option<String>,
    #[serde(default)]
    method: String,
    #[serde(default)]
    path: String,
    body: Option<Value>,
    raw: Option<String>,
    headers: Option<Map<String, Value>>,
    save: Option<String>,
    /// Collection, name there, name here.
    #[serde(default)]
    pick: HashMap<String, HashMap<String, String>>,
    login: Option<String>,
    wait: Option<i64>,
    #[serde(default)]
    status: u16,
    answer: Option<Value>,
    answered: Option<Map<String, Value>>,
}

/// One run through a recording.
struct Replay {
    cloud: Cloud,
    ids: HashMap<String, String>,
    names: HashMap<String, String>,
    tokens: HashMap<String, String>,
}

impl Replay {
    async fn ask(&mut self, step: &Step) -> Answer {
        let path = self.fill_text(&step.path).replace(' ', "%20");
        let mut request = Request::builder().method(step.method.as_str()).uri(path);
        for (name, value) in step.headers.iter().flatten() {
            request = request.header(name, value.as_str().expect("a header is text"));
        }
        let body = match (&step.body, &step.raw) {
            (Some(body), _) => {
                request = request.header("content-type", "application/json");
                self.fill(body).to_string()
            }
            (None, raw) => raw.clone().unwrap_or_default(),
        };
        let request = request
            .body(Body::from(body))
            .expect("a recorded request is well-formed");
        let nobody = self.cloud.nobody();
        let token = step.who.as_ref().and_then(|who| self.tokens.get(who));
        let session = token.map_or(nobody.clone(), |token| nobody.with_token(token));
        session.send(request).await
    }

    fn learn(&mut self, step: &Step, answer: &Answer) {
        if let (Some(name), Some(token)) = (&step.login, answer.header("x-subject-token")) {
            self.tokens.insert(name.clone(), token.to_owned());
        }
        let id = |resource: &Value| {
            resource["id"]
                .as_str()
                .expect("a resource has an id")
                .to_owned()
        };
        if let Some(name) = &step.save {
            let members = answer.body.as_object().expect("a resource is an object");
            let resource = members
                .values()
                .next()
                .expect("a resource is in its envelope");
            self.name(name, id(resource));
        }
        for (collection, names) in &step.pick {
            for resource in answer.body[collection]
                .as_array()
                .expect("a collection is a list")
            {
                if let Some(name) = resource["name"].as_str().and_then(|name| names.get(name)) {
                    self.name(name, id(resource));
                }
            }
        }
    }

    fn name(&mut self, name: &str, id: String) {
        self.ids.insert(name.to_owned(), id.clone());
        self.names.insert(id, name.to_owned());
    }

    fn fill(&self, value: &Value) -> Value {
        map_text(value, &|text| self.fill_text(text))
    }

    fn fill_text(&self, text: &str) -> String {
        let known = self.ids.iter();
        known.fold(text.to_owned(), |text, (name, id)| {
            text.replace(&format!("{{{name}}}"), id)
        })
    }

    /// The body with names for ids and nines for times, its lists in a fixed order.
    fn hide(&self, value: &Value) -> Value {
        sorted(&map_text(value, &|text| {
            hide_times(&hide_ids(text, &self.names))
        }))
    }
}

/// The value with every text in it, keys too, replaced.
fn map_text(value: &Value, replace: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => replace(text).into(),
        Value::Array(items) => items.iter().map(|item| map_text(item, replace)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, inner)| (replace(key), map_text(inner, replace)))
            .collect(),
        other => other.clone(),
    }
}

/// The value with the items of its lists by their text, and the keys of its objects by theirs.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_cached_key(Value::to_string);
            items.into()
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            members
                .into_iter()
                .map(|(key, inner)| (key.clone(), sorted(inner)))
                .collect()
        }
        other => other.clone(),
    }
}

/// Every run of exactly 32 hexadecimal digits is an id.
fn hide_ids(text: &str, names: &HashMap<String, String>) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let id = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_id = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_id {
            let name = names.get(id).map_or("id", String::as_str);
            out.extend(["{", name, "}", &word[id.len()..]]);
        } else {
            out.push_str(word);
        }
    }
    out
}

/// `2026-01-01T12:00:00Z`, alone or in a message.
fn hide_times(text: &str) -> String {
    const FORM: &str = "9999-99-99T99:99:99";
    let is_time = |part: &str| {
        part.chars().zip(FORM.chars()).all(|(c, form)| {
            if form == '9' {
                c.is_ascii_digit()
            } else {
                c == form
            }
        })
    };
    let at = (0..text.len()).find(|at| text.get(*at..*at + FORM.len()).is_some_and(is_time));
    match at {
        None => text.to_owned(),
        Some(at) => {
            let end = text[at..]
                .find(|c: char| !c.is_ascii_digit() && !"-T:.".contains(c))
                .map_or(text.len(), |end| at + end);
            let nines: String = text[at..end]
                .chars()
                .map(|c| if c.is_ascii_digit() { '9' } else { c })
                .collect();
            format!("{}{nines}{}", &text[..at], hide_times(&text[end..]))
        }
    }
}

/// Plays a recording; tells every step whose answer differs.
async fn replay(recording: &str) {
    let steps: Vec<Step> = serde_json::from_str(recording).expect("a recording is a list of steps");
    let mut replay = Replay {
        cloud: Cloud::new().await,
        ids: HashMap::new(),
        names: HashMap::new(),
        tokens: HashMap::new(),
    };
    let mut different = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        if let Some(seconds) = step.wait {
            replay.cloud.advance(Duration::seconds(seconds));
            continue;
        }
        let answer = replay.ask(step).await;
        replay.learn(step, &answer);
        let mut wanted = json!({ "status": step.status });
        let mut found = json!({ "status": answer.status });
        if step.login.is_none() {
            let headers = step
                .answered
                .as_ref()
                .expect("a recorded answer has its headers");
            wanted["headers"] = Value::Object(headers.clone());
            wanted["body"] = sorted(step.answer.as_ref().unwrap_or(&Value::Null));
            found["headers"] = headers_of(&answer);
            // On the wire a HEAD has no body; that is the server's part.
            found["body"] = match step.method.as_str() {
                "HEAD" => Value::Null,
                _ => replay.hide(&answer.body),
            };
        }
        if sorted(&wanted) != sorted(&found) {
            let who = step.who.as_deref().unwrap_or("nobody");
            let (method, path) = (&step.method, &step.path);
            different.push(format!(
                "{number}: {method} {path} {:?} {:?} as {who}\n  reference {wanted}\n  ours      {found}",
                step.body, step.raw
            ));
        }
    }
    let total = steps.len();
    assert!(
        different.is_empty(),
        "{} of {total} differ\n{}",
        different.len(),
        different.join("\n")
    );
}

fn headers_of(answer: &Answer) -> Value {
    let names = ["allow", "content-type", "vary", "www-authenticate"];
    let present = names.into_iter().filter_map(|name| {
        let mut value = answer.header(name)?.to_owned();
        if name == "allow" {
            let mut methods: Vec<&str> = value.split(", ").collect();
            methods.sort_unstable();
            value = methods.join(", ");
        }
        Some((name.to_owned(), value.into()))
    });
    Value::Object(present.collect())
}

macro_rules! recordings {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            replay(include_str!(concat!("recorded/", stringify!($name), ".json"))).await;
        }
    )*};
}

recordings! { projects domains users groups roles grants catalog bad_input }
