//! A message, which is an event's payload in the envelope of oslo.messaging.

use std::ops::Range;

use keystone_types::{Clock, to_python_json};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::event::{Event, Subject, uuid5};
use crate::settings::{Format, Settings};

/// Writes events as messages.
#[derive(Debug)]
pub(crate) struct Writer {
    format: Format,
    opt_out: Vec<String>,
    pub(crate) publisher: String,
    namespace: Uuid,
    clock: Clock,
}

/// A message that waits to be sent.
#[derive(Debug)]
pub(crate) struct Message {
    event_type: String,
    /// JSON in ASCII, as Python writes it.
    text: String,
    /// Where in the text the id of the observer stands, of CADF. It is a new one until that of this service is known.
    observer: Option<Range<usize>>,
    /// From which the ids of what is sent are made, so that they are the same when it is sent again.
    id: u128,
}

/// The domain above all domains, which nobody sees (`keystone.domain.root`).
const ROOT: &str = "<<keystone.domain.root>>";

impl Writer {
    pub(crate) fn new(settings: &Settings, clock: Clock) -> Self {
        let digest = Sha256::digest(settings.namespace.as_bytes());
        let mut namespace = [0; 16];
        namespace.copy_from_slice(&digest[..16]);
        let host = settings.publisher_id.clone().unwrap_or_else(host_name);
        Self {
            format: settings.format,
            opt_out: settings.opt_out.clone(),
            publisher: format!("identity.{host}"),
            namespace: Uuid::from_bytes(namespace),
            clock,
        }
    }

    /// The message of an event, unless the operator does not want it.
    pub(crate) fn message(&self, event: &Event) -> Option<Message> {
        let name = event.name();
        let asked = match event.subject {
            Subject::Authentication => format!("{name}.{}", event.outcome.name()),
            Subject::Resource { .. } | Subject::Assignment(..) => name.clone(),
        };
        if self.opt_out.contains(&asked) {
            return None;
        }
        // Without the reason it would look as if something had changed.
        if self.format == Format::Basic && event.is_refused() {
            return None;
        }
        let now = self.clock.precise();
        let basic = match self.format {
            Format::Basic => event.basic(),
            Format::Cadf => None,
        };
        if basic.is_none() && matches!(&event.subject, Subject::Resource { id, .. } if id == ROOT) {
            return None;
        }
        let payload = basic.unwrap_or_else(|| {
            let time = now.format("%Y-%m-%dT%H:%M:%S%.6f+0000").to_string();
            event.cadf(&time, || self.new_id())
        });
        let envelope = json!({
            "message_id": Uuid::new_v4().hyphenated().to_string(),
            "publisher_id": self.publisher,
            "event_type": &name,
            "priority": "INFO",
            "payload": payload,
            "timestamp": now.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        });
        let text = to_python_json(&envelope);
        let observer = envelope["payload"]["observer"]["id"].as_str();
        // The id is new, so it occurs once.
        let observer = observer.and_then(|id| {
            let start = text.find(id)?;
            Some(start..start + id.len())
        });
        Some(Message {
            event_type: name,
            text,
            observer,
            id: Uuid::new_v4().as_u128(),
        })
    }

    /// A new id of CADF, made from the namespace.
    fn new_id(&self) -> String {
        let name = Uuid::new_v4().hyphenated().to_string();
        uuid5(self.namespace, &name).hyphenated().to_string()
    }
}

impl Message {
    /// `identity.user.created`
    pub(crate) fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The length of its text in bytes.
    pub(crate) fn size(&self) -> usize {
        self.text.len()
    }

    /// Whether it has a place for the id of the service that observed the event.
    pub(crate) fn names_observer(&self) -> bool {
        self.observer.is_some()
    }

    /// The message as JSON. The observer is the id of this service in the catalog; without one it has an id of its own.
    pub(crate) fn text(&self, observer: Option<&str>) -> String {
        let mut text = self.text.clone();
        if let (Some(place), Some(id)) = (&self.observer, observer) {
            let id = to_python_json(&id.into());
            // Both have quotation marks around them.
            text.replace_range(place.start - 1..=place.end, &id);
        }
        text
    }

    /// The same with an id, by which consumers know what they have got already.
    pub(crate) fn text_with_id(&self, observer: Option<&str>, id: &str) -> String {
        let mut text = self.text(observer);
        text.truncate(text.len() - 1);
        text.extend([", \"_unique_id\": \"", id, "\"}"]);
        text
    }

    /// An id of the message for one of its ways.
    pub(crate) fn unique_id(&self, way: u128) -> String {
        format!("{:032x}", self.id ^ way)
    }
}

/// The name of this machine.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.unwrap_or_default().trim().to_owned();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::Operation;

    #[test]
    fn observer_and_unique_id_are_put_into_the_text() {
        let writer = Writer::new(&Settings::default(), Clock::system());
        let event = Event::resource(Operation::Created, "user", "42");
        let message = writer.message(&event).unwrap();
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let mut wanted = read(&message.text(None));
        assert_ne!(wanted["payload"]["observer"]["id"], "a\"b");
        wanted["payload"]["observer"]["id"] = "a\"b".into();
        assert_eq!(read(&message.text(Some("a\"b"))), wanted);
        wanted["_unique_id"] = "7".into();
        assert_eq!(read(&message.text_with_id(Some("a\"b"), "7")), wanted);
    }
}
