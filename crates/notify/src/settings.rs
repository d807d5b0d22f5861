//! What the operator decides.

use std::path::PathBuf;

use http::Uri;

use crate::rabbit::RabbitSettings;

/// The events that are not announced by default: `[DEFAULT] notification_opt_out`.
pub const DEFAULT_OPT_OUT: [&str; 2] = [
    "identity.authenticate.success",
    "identity.authenticate.pending",
];

/// Which events are announced, in which format, and to which sinks; by default there is no sink.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[DEFAULT] notification_format`
    pub format: Format,
    /// `[DEFAULT] notification_opt_out`: names of events, with the outcome at the end for `identity.authenticate`.
    pub opt_out: Vec<String>,
    /// `[DEFAULT] default_publisher_id`, or else the name of this machine.
    pub publisher_id: Option<String>,
    /// `[audit] namespace`, from which the ids of CADF are made.
    pub namespace: String,
    /// Where messages go.
    pub sinks: Vec<SinkSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: Format::Cadf,
            opt_out: DEFAULT_OPT_OUT.map(str::to_owned).to_vec(),
            publisher_id: None,
            namespace: "openstack".to_owned(),
            sinks: Vec::new(),
        }
    }
}

/// The form of payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The id of what has changed, and the request.
    Basic,
    /// The Cloud Auditing Data Federation of the DMTF: who did it, from where, and with what outcome.
    Cadf,
}

/// Where messages go.
#[derive(Clone, Debug)]
pub enum SinkSettings {
    /// The server's log: `[oslo_messaging_notifications] driver = log`.
    Log,
    /// A file with a message on each line.
    JsonLines(PathBuf),
    /// A server that gets each message by `POST`.
    Webhook(Uri),
    /// RabbitMQ: `driver = messaging` or `messagingv2`.
    Rabbit(Box<RabbitSettings>),
}
