#![doc = include_str!("../README.md")]

mod amqp;
mod event;
mod message;
mod notifier;
mod queue;
mod rabbit;
mod settings;
mod sink;
#[cfg(test)]
mod tests;
mod transport;

pub use event::{
    Assignment, Event, FederatedCredential, Initiator, Membership, Operation, Outcome, UnknownUser,
};
pub use keystone_http::Trust;
pub use notifier::{Announcer, Notifier, Observer};
pub use queue::Counts;
pub use rabbit::{Envelope, RabbitSettings};
pub use settings::{DEFAULT_OPT_OUT, Format, Settings, SinkSettings, WebhookUrl};
pub use sink::open_to_append;
pub use transport::{Host, TransportUrl};
