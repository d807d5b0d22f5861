//! One run through a recording of what was announced: the same requests announce the same, in the same order.

use std::fs;
use std::sync::LazyLock;

use keystone::notify::{Format, SinkSettings};
use regex::{Captures, Regex};
use serde_json::Value;

use crate::hide;
use crate::recording::{Recording, Step};
use crate::replay::Replay;

static UUID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}").expect("a literal pattern")
});
static STAMP: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}";
    Regex::new(pattern).expect("a literal pattern")
});

/// Plays a recording; tells every step that announces something else.
pub(crate) async fn replay(name: &str) {
    let recording = Recording::read("announced", name);
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("announced");
    let mut settings = recording.settings();
    let format = settings.notifications.format;
    let sink = SinkSettings::JsonLines(path.clone());
    settings.notifications.sinks.push(sink);
    let mut replay = Replay::new(settings, recording.variables()).await;
    let notifier = replay.notifier();
    let mut read = 0;
    let mut different = Vec::new();
    for (number, step) in recording.steps.iter().enumerate() {
        if replay.prepares(step).await {
            continue;
        }
        let answer = replay.ask_from(step, Some([127, 0, 0, 1].into())).await;
        replay.learn(step, &answer);
        notifier.flush().await;
        let all = fs::read_to_string(&path).unwrap_or_default();
        let new = all[read..].lines();
        read = all.len();
        let mut found: Vec<Value> = new
            .map(|line| {
                let message = serde_json::from_str(line).expect("a line is JSON");
                uncounted(&hide::body(&message, &replay.names), None)
            })
            .collect();
        let Some(mut wanted) = wanted(step, format) else {
            continue;
        };
        wanted.sort_by_key(is_of_unknown_user);
        found.sort_by_key(is_of_unknown_user);
        if step.status != answer.status || wanted != found {
            let show = |messages: &[Value]| {
                let lines = messages.iter().map(|it| format!("\n    {it}"));
                lines.collect::<String>()
            };
            different.push(format!(
                "{number}: {} {} as {:?}: {} became {}\n  reference {}\n  ours {}",
                step.method,
                step.path,
                step.who,
                step.status,
                answer.status,
                show(&wanted),
                show(&found)
            ));
        }
    }
    let all = different.join("\n");
    assert!(different.is_empty(), "{} differ\n{all}", different.len());
}

/// Whether it is about a user who does not exist. Such an event is made beside the request, so it may come after the others.
fn is_of_unknown_user(message: &Value) -> bool {
    message["payload"]["reason"]["reasonCode"] == "404"
}

/// What Keystone announced, without what is left out on purpose: an update that the rules of passwords refused, which only CADF
/// gives a reason for.
fn wanted(step: &Step, format: Format) -> Option<Vec<Value>> {
    let mut wanted = step.announced.clone()?;
    let refused = |it: &Value| it["event_type"] == "identity.user.updated" && step.status >= 400;
    wanted.retain(|it| format == Format::Cadf || !refused(it));
    Some(
        wanted
            .iter()
            .map(|it| hide::sorted(&without_nulls(it)))
            .collect(),
    )
}

/// Keystone has null for the domain of a user who is sought by id and does not exist.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, inner)| !inner.is_null())
            .map(|(key, inner)| (key.clone(), without_nulls(inner)))
            .collect(),
        other => other.clone(),
    }
}

/// A message without what is new each time, and with stars for what the recorded driver takes for a secret by its name.
fn uncounted(value: &Value, key: Option<&str>) -> Value {
    let nines = |found: &Captures<'_>| found[0].replace(|c: char| c.is_ascii_digit(), "9");
    match value {
        Value::String(_) if key == Some("token") => "***".into(),
        // The web server in front, which was on the machine of the recorded server.
        Value::String(text) if text == "10.0.0.1" => "127.0.0.1".into(),
        Value::String(text) => {
            let text = UUID.replace_all(text, "{uuid}");
            STAMP.replace_all(&text, nines).into_owned().into()
        }
        Value::Array(items) => items.iter().map(|item| uncounted(item, None)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, inner)| (key.clone(), uncounted(inner, Some(key))))
            .collect(),
        other => other.clone(),
    }
}
