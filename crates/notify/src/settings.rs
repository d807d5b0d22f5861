//! What the operator decides.

use std::fmt;
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

/// The URL of a webhook. Its path and its query may be what lets this server in, so only the host is shown.
#[derive(Clone)]
pub struct WebhookUrl(pub(crate) Uri);

impl WebhookUrl {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// It is none of a web server, or has a user and a password, which would not be sent. The text repeats no part of it.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let no_url = "expected the URL of a web server: https://…";
        let url: Uri = url.parse().map_err(|_| no_url)?;
        if url.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err("the user and the password in the URL would not be sent: remove them");
        }
        match (url.scheme_str(), url.host()) {
            (Some("http" | "https"), Some(_)) => Ok(Self(url)),
            _ => Err(no_url),
        }
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host().unwrap_or_default();
        write!(f, "WebhookUrl({host}/[redacted])")
    }
}

/// Where messages go.
#[derive(Clone, Debug)]
pub enum SinkSettings {
    /// The server's log: `[oslo_messaging_notifications] driver = log`.
    Log,
    /// A file with a message on each line.
    JsonLines(PathBuf),
    /// A server that gets each message by `POST`.
    Webhook(WebhookUrl),
    /// RabbitMQ: `driver = messaging` or `messagingv2`.
    Rabbit(Box<RabbitSettings>),
}
