//! RabbitMQ, as oslo.messaging's notifier speaks to it: what it declares, and the envelopes of its drivers.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use keystone_http::Trust;
use keystone_types::{Error, Result, to_python_json};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use uuid::Uuid;

use crate::amqp::{Broken, Connection, Declaration, Field, Login, Socket};
use crate::message::Message;
use crate::sink::Failure;
use crate::transport::{Host, TransportUrl};

/// How long it may take until a broker is ready for messages.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a broker may take to confirm messages.
const CONFIRM: Duration = Duration::from_secs(30);

/// The broker's answer to a declaration that differs from what is there.
const PRECONDITION_FAILED: u16 = 406;

/// `[oslo_messaging_notifications]` with a driver for messages, and `[oslo_messaging_rabbit]`.
#[derive(Clone, Debug)]
pub struct RabbitSettings {
    /// `transport_url`, without what its query says.
    pub url: TransportUrl,
    /// `[DEFAULT] control_exchange`
    pub exchange: String,
    /// `topics`: each names a queue that gets every message.
    pub topics: Vec<String>,
    /// The driver.
    pub envelope: Envelope,
    /// How often a message is tried again after a failure; `None` as long as it has a place in the queue.
    pub retry: Option<u32>,
    /// `amqp_durable_queues`: exchange and queues outlive the broker.
    pub durable: bool,
    /// `amqp_auto_delete`: they do not outlive their last consumer.
    pub auto_delete: bool,
    /// `rabbit_ha_queues`
    pub mirrored: bool,
    /// `rabbit_quorum_queue`, with its limits by name where there are any.
    pub quorum: Option<Vec<(&'static str, i64)>>,
    /// `ssl`, with the certificates; the name of the broker is always verified.
    pub tls: Option<Trust>,
    /// `rabbit_login_method`
    pub login_method: String,
    /// `heartbeat_timeout_threshold`, in seconds; zero for none.
    pub heartbeat: u16,
    /// `rabbit_retry_interval`, `rabbit_retry_backoff` and `rabbit_interval_max`, in seconds: the first pause, what each further one
    /// is longer, and the longest.
    pub pauses: [u32; 3],
}

/// What is around a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Nothing: `driver = messaging`.
    V1,
    /// A version, with the message as text: `driver = messagingv2`.
    V2,
}

/// The brokers, and the connection to the one in use.
pub(crate) struct Rabbit {
    settings: RabbitSettings,
    hosts: Vec<Host>,
    tls: Option<TlsConnector>,
    /// How the brokers show the connection.
    name: String,
    connection: Option<Connection>,
    /// Which of the hosts is the next to try.
    next: usize,
    /// The exchange and the queues that the log has named because the broker has them with other properties.
    warned: HashSet<String>,
    /// Makes the ids of what this sink sends differ from those of another one.
    salt: u128,
}

impl std::fmt::Debug for Rabbit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rabbit")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Rabbit {
    pub(crate) fn new(settings: &RabbitSettings, name: &str) -> Result<Self> {
        let tls = settings.tls.as_ref().map(|trust| {
            let config = keystone_http::tls_config(trust).map_err(Error::internal)?;
            Ok(TlsConnector::from(Arc::new(config)))
        });
        let mut hosts = settings.url.hosts.clone();
        // Several servers are not to go all to one broker.
        hosts.sort_by_cached_key(|_| Uuid::new_v4());
        Ok(Self {
            settings: settings.clone(),
            hosts,
            tls: tls.transpose()?,
            name: name.to_owned(),
            connection: None,
            next: 0,
            warned: HashSet::new(),
            salt: Uuid::new_v4().as_u128(),
        })
    }

    /// Sends messages in order; returns how many of them are done, and why not all.
    pub(crate) async fn send(
        &mut self,
        messages: &[Arc<Message>],
        observer: Option<&str>,
    ) -> (usize, Option<Failure>) {
        if self.connection.is_none()
            && let Err(text) = self.connect().await
        {
            return (0, Some(Failure::away(text)));
        }
        let Some(mut connection) = self.connection.take() else {
            return (0, None);
        };
        let texts = self.texts(messages, observer);
        let mut confirmed = Vec::new();
        let published = connection.publish(&self.settings.exchange, &texts, &mut confirmed);
        let published = timeout(CONFIRM, published).await;
        let by_message = confirmed.chunks(self.settings.topics.len());
        let is_done = |topics: &&[_]| topics.iter().all(|it| *it == Some(true));
        let done = by_message.take_while(is_done).count();
        let failure = match published {
            Ok(Ok(())) => {
                self.connection = Some(connection);
                let refusal = || Failure::passing("the broker has refused it".to_owned());
                return (done, (done < messages.len()).then(refusal));
            }
            Ok(Err(broken)) => broken.to_string(),
            Err(_) => format!("no confirmation within {CONFIRM:?}"),
        };
        let host = &self.hosts[self.next];
        self.next = (self.next + 1) % self.hosts.len();
        (done, Some(Failure::away(format!("{host}: {failure}"))))
    }

    /// Listens to the broker, until a heartbeat is due.
    pub(crate) async fn listen(&mut self) {
        let Some(connection) = &mut self.connection else {
            return std::future::pending().await;
        };
        if let Err(broken) = connection.listen().await {
            self.lose(&broken);
        }
    }

    /// Sends a heartbeat.
    pub(crate) async fn send_heartbeat(&mut self) {
        if let Some(connection) = &mut self.connection
            && let Err(broken) = connection.send_heartbeat().await
        {
            self.lose(&broken);
        }
    }

    /// Closes the connection.
    pub(crate) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            // It has nothing to lose any more.
            let _ = timeout(Duration::from_secs(1), connection.close()).await;
        }
    }

    /// How long to wait after so many failures in a row.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let [first, more, longest] = self.settings.pauses;
        let pause = first.saturating_add(more.saturating_mul(failures.saturating_sub(1)));
        Duration::from_secs(pause.min(longest).into())
    }

    /// How often a message is tried again.
    pub(crate) fn retries(&self) -> Option<u32> {
        self.settings.retry
    }

    fn lose(&mut self, broken: &Broken) {
        let host = &self.hosts[self.next];
        tracing::info!(
            broker = host.to_string(),
            "the connection for notifications has ended: {broken}"
        );
        self.connection = None;
    }

    /// Connects to the first broker that can be reached, beginning with the next one.
    async fn connect(&mut self) -> Result<(), String> {
        let mut failures = Vec::new();
        let mut left = self.hosts.len();
        // Asked for each connection: a broker that was restarted may have lost them.
        let mut differing = Vec::new();
        while left > 0 {
            let host = self.hosts[self.next].clone();
            let known = differing.len();
            let opened = timeout(CONNECT, self.open(&host, &mut differing)).await;
            let failure = match opened {
                Ok(Ok(connection)) => {
                    tracing::info!(
                        broker = host.to_string(),
                        "notifications are sent to a broker"
                    );
                    self.connection = Some(connection);
                    return Ok(());
                }
                // The broker has closed the connection's channel over it.
                Ok(Err(broken)) if differing.len() > known => {
                    let name = &differing[known];
                    if self.warned.insert(name.clone()) {
                        tracing::warn!(
                            broker = host.to_string(),
                            "the {name} is not as it is configured here, and is used as it is: {broken}; all services of a cloud \
                             need the same amqp_durable_queues, amqp_auto_delete and rabbit_quorum_queue"
                        );
                    }
                    continue;
                }
                Ok(Err(broken)) => broken.to_string(),
                Err(_) => format!("no connection within {CONNECT:?}"),
            };
            failures.push(format!("{host}: {failure}"));
            self.next = (self.next + 1) % self.hosts.len();
            left -= 1;
        }
        Err(failures.join("; "))
    }

    /// Connects to a broker, and declares all but what it has with other properties; adds to those what else turns out to be
    /// such, where this fails.
    async fn open(&self, host: &Host, differing: &mut Vec<String>) -> Result<Connection, Broken> {
        let stream = TcpStream::connect((host.name.as_str(), host.port)).await?;
        stream.set_nodelay(true)?;
        let socket: Box<dyn Socket> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from(host.name.clone());
                let name = name.map_err(|_| Broken::Protocol("its name is none for TLS"))?;
                Box::new(tls.connect(name, stream).await?)
            }
        };
        let settings = &self.settings;
        let login = Login {
            mechanism: &settings.login_method,
            user: &host.user,
            password: host.password.reveal(),
            virtual_host: &settings.url.virtual_host,
            name: &self.name,
            heartbeat: settings.heartbeat,
        };
        let mut connection = Connection::open(socket, login).await?;
        let (exchange, queue) = settings.declarations();
        let name = format!("exchange {}", settings.exchange);
        if !differing.contains(&name) {
            let declared = connection.declare_exchange(&settings.exchange, &exchange);
            note_difference(declared.await, name, differing)?;
        }
        for topic in &settings.topics {
            let key = routing_key(topic);
            let name = format!("queue {key}");
            if !differing.contains(&name) {
                let declared = connection.declare_queue(&key, &queue);
                note_difference(declared.await, name, differing)?;
            }
            connection.bind_queue(&key, &settings.exchange).await?;
        }
        Ok(connection)
    }

    /// Each message for each topic, with the routing key.
    fn texts(&self, messages: &[Arc<Message>], observer: Option<&str>) -> Vec<(String, String)> {
        let topics = self.settings.topics.iter().zip(0..);
        let topics: Vec<(String, u128)> = topics.map(|(it, n)| (routing_key(it), n)).collect();
        let mut texts = Vec::with_capacity(messages.len() * topics.len());
        for message in messages {
            for (routing_key, topic) in &topics {
                let id = message.unique_id(self.salt.wrapping_add(*topic));
                let inner = message.text_with_id(observer, &id);
                let body = match self.settings.envelope {
                    Envelope::V1 => inner,
                    Envelope::V2 => to_python_json(&json!({
                        "oslo.version": "2.0",
                        "oslo.message": inner,
                    })),
                };
                texts.push((routing_key.clone(), body));
            }
        }
        texts
    }
}

impl RabbitSettings {
    /// What the exchange and the queues are declared as.
    fn declarations(&self) -> (Declaration, Declaration) {
        let exchange = Declaration {
            durable: self.durable || self.quorum.is_some(),
            auto_delete: self.auto_delete,
            arguments: Vec::new(),
        };
        let mut queue = exchange.clone();
        if self.mirrored {
            let all = Field::Text("all".to_owned());
            queue.arguments.push(("x-ha-policy", all));
        }
        if let Some(limits) = &self.quorum {
            let quorum = Field::Text("quorum".to_owned());
            queue.arguments.push(("x-queue-type", quorum));
            let limits = limits.iter().map(|(name, it)| (*name, Field::Number(*it)));
            queue.arguments.extend(limits);
        }
        (exchange, queue)
    }
}

/// Notes the name of what the broker has with other properties.
fn note_difference(
    declared: Result<(), Broken>,
    name: String,
    differing: &mut Vec<String>,
) -> Result<(), Broken> {
    if let Err(Broken::Closed(PRECONDITION_FAILED, _)) = declared {
        differing.push(name);
    }
    declared
}

/// The routing key of a topic, which is the name of its queue too. Keystone has no other priority.
fn routing_key(topic: &str) -> String {
    format!("{topic}.info")
}
