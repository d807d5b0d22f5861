//! One run through a recording of what the policy was asked: the same requests make the same questions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use keystone::policy::{Settings, keystone_defaults};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use crate::hide;
use crate::recording::{Recording, Step};
use crate::replay::Replay;

/// What Keystone shows a policy and this server does not: secrets that are sealed where they lie, and a token in a
/// header of a request that is not about tokens.
const WITHHELD: [&str; 3] = [
    "target.credential.blob",
    "target.token.user.domain.id",
    "target.token.user_id",
];

/// A question: its content type, the rule, the target, and the credentials or where they stand in the recording.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Asked(String, String, Value, Value);

/// Plays a recording; tells every step that asks something else.
pub(crate) async fn replay(name: &str) {
    let recording = Recording::read("questions", name);
    let oracle = Oracle::start();
    let mut settings = recording.settings();
    settings.policy = Settings {
        file: Some(oracle.rules.path().to_owned()),
        ..recording.policy()
    };
    let mut replay = Replay::new(settings, recording.variables()).await;
    let mut different = Vec::new();
    for (number, step) in recording.steps.iter().enumerate() {
        if replay.prepares(step).await {
            continue;
        }
        let answer = replay.ask(step).await;
        replay.learn(step, &answer);
        let asked = oracle.take();
        if step.login.is_some() {
            continue;
        }
        let wanted = step.asked.iter().map(|asked| recording.question(asked));
        let found = asked.iter().map(|asked| {
            let Asked(kind, rule, target, credentials) = asked;
            let hidden = |value| hide::body(value, &replay.names);
            json!([kind, rule, hidden(target), hidden(credentials)])
        });
        // Questions about the members of a list come in the order of random ids.
        let sorted = |mut questions: Vec<Value>| {
            questions.sort_by_cached_key(Value::to_string);
            json!(questions)
        };
        let (wanted, found) = (sorted(wanted.collect()), sorted(found.collect()));
        let mut differences = Vec::new();
        compare("", &wanted, &found, &mut differences);
        if step.status != answer.status {
            differences.push(format!(
                "{} became {} {}",
                step.status, answer.status, answer.body
            ));
        }
        if !differences.is_empty() {
            different.push(told(number, step, &differences));
        }
    }
    let all = different.join("\n");
    assert!(different.is_empty(), "{} differ\n{all}", different.len());
}

fn told(number: usize, step: &Step, differences: &[String]) -> String {
    let who = step.who.as_deref().unwrap_or("nobody");
    let lines = differences.join("\n  ");
    format!(
        "{number}: {} {} as {who}\n  {lines}",
        step.method, step.path
    )
}

/// Tells where two values differ.
fn compare(at: &str, wanted: &Value, found: &Value, differences: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(one), Value::Object(other)) => {
            for (key, wanted) in one {
                match other.get(key) {
                    Some(found) => compare(&format!("{at}/{key}"), wanted, found, differences),
                    None if WITHHELD.contains(&key.as_str()) => {}
                    None => differences.push(format!("{at}/{key}: missing, wanted {wanted}")),
                }
            }
            let more = other.iter().filter(|(key, _)| !one.contains_key(*key));
            differences.extend(more.map(|(key, found)| format!("{at}/{key}: unwanted {found}")));
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (wanted, found)) in one.iter().zip(other).enumerate() {
                compare(&format!("{at}/{index}"), wanted, found, differences);
            }
        }
        _ if wanted == found => {}
        _ => differences.push(format!("{at}: {found} instead of {wanted}")),
    }
}

impl Recording {
    fn question(&self, Asked(kind, rule, target, credentials): &Asked) -> Value {
        let index = credentials
            .as_u64()
            .expect("credentials are recorded by their index");
        let credentials = &self.credentials[usize::try_from(index).expect("a small number")];
        json!([kind, rule, hide::sorted(target), hide::sorted(credentials)])
    }
}

/// A server that allows everything and keeps the questions.
struct Oracle {
    rules: NamedTempFile,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Oracle {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a port left");
        let address = listener.local_addr().expect("a listener has an address");
        let names = keystone_defaults().iter().map(|rule| &rule.name);
        let names = names.filter(|name| name.starts_with("identity:"));
        let rules: Map<String, Value> = names
            .map(|name| (name.to_owned(), format!("http://{address}/").into()))
            .collect();
        let mut file = NamedTempFile::new().expect("a file can be made");
        file.write_all(Value::Object(rules).to_string().as_bytes())
            .expect("a file can be written");
        let asked = Arc::default();
        let kept = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(stream, &kept).expect("a question is whole");
            }
        });
        Self { rules: file, asked }
    }

    /// The questions since the last time.
    fn take(&self) -> Vec<Asked> {
        let mut asked = self.asked.lock().expect("nobody panics while it is locked");
        std::mem::take(&mut *asked)
    }
}

/// Stores the question before it answers, so that the test sees it.
fn answer(stream: TcpStream, kept: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut kind, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_owned();
        if line.is_empty() {
            break;
        }
        match line.to_ascii_lowercase().split_once(": ") {
            Some(("content-type", value)) => value.clone_into(&mut kind),
            Some(("content-length", value)) => length = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let question = read(&kind, &body);
    let part = |name: &str| question[name].clone();
    let rule = question["rule"].as_str().unwrap_or_default().to_owned();
    let asked = Asked(kind, rule, part("target"), part("credentials"));
    kept.lock()
        .expect("nobody panics while it is locked")
        .push(asked);
    let reply = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nTrue";
    reader.get_mut().write_all(reply.as_bytes())
}

/// The members of a question, as they are in JSON or each in a field of a form.
fn read(kind: &str, body: &str) -> Value {
    if kind == "application/json" {
        return serde_json::from_str(body).expect("the body is JSON");
    }
    let fields = body.split('&').map(|field| {
        let (name, value) = field.split_once('=').expect("a field has a value");
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8_lossy();
        let value = serde_json::from_str(&value).expect("each field is JSON");
        (name.to_owned(), value)
    });
    Value::Object(fields.collect())
}
