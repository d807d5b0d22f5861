//! Where messages go.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use keystone_http::{Client, Limits, Trust};
use keystone_types::{Error, Result};

use crate::message::Message;
use crate::rabbit::Rabbit;
use crate::settings::{SinkSettings, WebhookUrl};

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A sink with its connection or its file.
#[derive(Debug)]
pub(crate) enum Sink {
    Log,
    JsonLines(JsonLines),
    Webhook {
        client: Box<Client>,
        url: WebhookUrl,
    },
    Rabbit(Box<Rabbit>),
}

/// Why the first message that is not done was not sent.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) text: String,
    pub(crate) kind: FailureKind,
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// This message, and another attempt would not help.
    Refused,
    /// This message, and another attempt may help.
    Passing,
    /// The sink can't be reached, with any message.
    Away,
}

impl Sink {
    /// `publisher` is how the other side shows a connection.
    pub(crate) fn new(settings: &SinkSettings, publisher: &str) -> Result<Self> {
        Ok(match settings {
            SinkSettings::Log => Self::Log,
            SinkSettings::JsonLines(path) => {
                check_regular(path).map_err(|error| {
                    Error::internal(format!("{} can't be written: {error}", path.display()))
                })?;
                Self::JsonLines(JsonLines {
                    path: path.clone(),
                    file: None,
                    broken: false,
                })
            }
            SinkSettings::Rabbit(settings) => {
                Self::Rabbit(Box::new(Rabbit::new(settings, publisher)?))
            }
            SinkSettings::Webhook(url) => {
                let trust = Trust {
                    plain: url.0.scheme_str() == Some("http"),
                    ..Trust::default()
                };
                let client = Client::new(&trust, Limits::default()).map_err(Error::internal)?;
                Self::Webhook {
                    client: client.into(),
                    url: url.clone(),
                }
            }
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::JsonLines(_) => "json_lines",
            Self::Webhook { .. } => "webhook",
            Self::Rabbit(_) => "rabbit",
        }
    }

    /// Sends messages in order; returns how many of them are done, and why not all.
    pub(crate) async fn send(
        &mut self,
        messages: &[Arc<Message>],
        observer: Option<&str>,
    ) -> (usize, Option<Failure>) {
        match self {
            Self::Log => {
                for message in messages {
                    // One target: those of `tracing` are literals.
                    tracing::info!(
                        target: "oslo.messaging.notification",
                        event_type = message.event_type(),
                        "{}",
                        message.text(observer)
                    );
                }
                (messages.len(), None)
            }
            Self::JsonLines(lines) => match lines.append(messages, observer).await {
                Ok(()) => (messages.len(), None),
                Err(error) => {
                    let path = lines.path.display();
                    let text = format!("{path} can't be written: {error}");
                    (0, Some(Failure::passing(text)))
                }
            },
            Self::Rabbit(rabbit) => rabbit.send(messages, observer).await,
            Self::Webhook { client, url } => {
                for (done, message) in messages.iter().enumerate() {
                    let sent = post(client, &url.0, message.text(observer)).await;
                    if let Err(failure) = sent {
                        return (done, Some(failure));
                    }
                }
                (messages.len(), None)
            }
        }
    }

    /// Reads from a connection while there is nothing to send, until a heartbeat is due. It can be cancelled.
    pub(crate) async fn listen(&mut self) {
        match self {
            Self::Rabbit(rabbit) => rabbit.listen().await,
            Self::Log | Self::JsonLines(_) | Self::Webhook { .. } => std::future::pending().await,
        }
    }

    /// Sends a heartbeat where the connection has one.
    pub(crate) async fn send_heartbeat(&mut self) {
        if let Self::Rabbit(rabbit) = self {
            rabbit.send_heartbeat().await;
        }
    }

    /// Closes the connection.
    pub(crate) async fn close(&mut self) {
        if let Self::Rabbit(rabbit) = self {
            rabbit.close().await;
        }
    }

    /// How often a message is tried again; `None` for as long as it has a place in the queue.
    pub(crate) fn retries(&self) -> Option<u32> {
        match self {
            Self::Rabbit(rabbit) => rabbit.retries(),
            Self::Log | Self::JsonLines(_) | Self::Webhook { .. } => None,
        }
    }

    /// How long to wait after so many failures in a row.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        if let Self::Rabbit(rabbit) = self {
            return rabbit.pause(failures);
        }
        let doubled = 1 << failures.saturating_sub(1).min(5);
        Duration::from_secs(doubled).min(LONGEST_PAUSE)
    }
}

impl Failure {
    pub(crate) fn passing(text: String) -> Self {
        let kind = FailureKind::Passing;
        Self { text, kind }
    }

    pub(crate) fn away(text: String) -> Self {
        let kind = FailureKind::Away;
        Self { text, kind }
    }
}

/// A file to which lines are added. It is opened anew where its name stands for another file than before, or for none.
#[derive(Debug)]
pub(crate) struct JsonLines {
    path: PathBuf,
    file: Option<File>,
    /// The last line may be half a line.
    broken: bool,
}

impl JsonLines {
    async fn append(
        &mut self,
        messages: &[Arc<Message>],
        observer: Option<&str>,
    ) -> io::Result<()> {
        let mut text = String::new();
        if self.broken {
            text.push('\n');
        }
        for message in messages {
            text.push_str(&message.text(observer));
            text.push('\n');
        }
        let (path, file) = (self.path.clone(), self.file.take());
        let written = tokio::task::spawn_blocking(move || {
            let mut file = if let Some(file) = file.filter(|file| is_at(&path, file)) {
                file
            } else {
                check_regular(&path)?;
                open_to_append(&path)?
            };
            file.write_all(text.as_bytes())?;
            Ok(file)
        });
        let written = written.await.map_err(io::Error::other);
        let written = written.and_then(|written| written);
        self.broken = written.is_err();
        self.file = Some(written?);
        Ok(())
    }
}

/// Refuses what is there and is no file: a pipe without a reader would keep a thread, and the end of the process, for ever.
fn check_regular(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(io::Error::other("it is not a regular file")),
        // What is missing is made; other errors come again with the file.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Opens a file that users, projects and addresses are written to, which only its owner and its group may read. A new one belongs to
/// whom its directory belongs, where that can be done: a command of root must not keep the server from it.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).mode(0o640);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
            if let Ok(owner) = directory.unwrap_or(Path::new(".")).metadata() {
                fchown(&file, Some(owner.uid()), Some(owner.gid())).ok();
            }
            Ok(file)
        }
        // Behind a link the file itself may be missing.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create(true).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Whether the path stands for this file.
fn is_at(path: &Path, file: &File) -> bool {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let (there, here) = (fs::metadata(path), file.metadata());
    match (there, here) {
        (Ok(there), Ok(here)) => identity(there) == identity(here),
        _ => false,
    }
}

/// Sends one message. A server that refuses it would refuse it again.
async fn post(client: &Client, url: &Uri, body: String) -> Result<(), Failure> {
    let request = Request::post(url)
        .header(CONTENT_TYPE, "application/json")
        .body(Bytes::from(body));
    let request = request.map_err(|error| Failure::passing(error.to_string()))?;
    let host = url.host().unwrap_or_default();
    let answer = client.send(request).await;
    let answer = answer.map_err(|error| Failure::passing(format!("{host}: {error}")))?;
    if answer.status.is_success() {
        return Ok(());
    }
    let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    let is_final = answer.status.is_client_error() && !later.contains(&answer.status);
    Err(Failure {
        text: format!("{host} answered {}", answer.status),
        kind: if is_final {
            FailureKind::Refused
        } else {
            FailureKind::Passing
        },
    })
}
