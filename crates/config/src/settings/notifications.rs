//! Notifications: `[oslo_messaging_notifications]`, `[audit]`, and `[notifications]`, which Keystone does not have.

use std::path::PathBuf;

use keystone::notify::{
    Envelope, Format, RabbitSettings, Settings, SinkSettings, TransportUrl, Trust, WebhookUrl,
};

use super::{Reader, text};

const GROUP: &str = "notifications";
const MESSAGING: &str = "oslo_messaging_notifications";
const RABBIT: &str = "oslo_messaging_rabbit";

impl Reader<'_> {
    pub(super) fn notifications(&mut self) -> Settings {
        let config = self.config;
        let format = match config.string("DEFAULT", "notification_format") {
            "basic" => Format::Basic,
            _ => Format::Cadf,
        };
        Settings {
            format,
            opt_out: config.multi("DEFAULT", "notification_opt_out").to_vec(),
            publisher_id: text(config.optional_string("DEFAULT", "default_publisher_id")),
            namespace: config.string("audit", "namespace").to_owned(),
            sinks: self.sinks(),
        }
    }

    fn sinks(&mut self) -> Vec<SinkSettings> {
        let config = self.config;
        let mut sinks = Vec::new();
        for driver in config.multi(MESSAGING, "driver") {
            match driver.as_str() {
                "log" => sinks.push(SinkSettings::Log),
                "noop" | "test" | "" => {}
                "messaging" => sinks.extend(self.rabbit(Envelope::V1)),
                "messagingv2" => sinks.extend(self.rabbit(Envelope::V2)),
                "routing" => {
                    let problem = "this server has no driver routing, nor its routing_config; name a driver that sends all events, \
                                   with topics and notification_opt_out";
                    self.problem(MESSAGING, "driver", problem);
                }
                _ => {
                    let problem = format!(
                        "there is no driver {driver:?}; the drivers are messaging, messagingv2, log, test and noop"
                    );
                    self.problem(MESSAGING, "driver", problem);
                }
            }
        }
        if let Some(path) = text(config.optional_string(GROUP, "json_lines")) {
            sinks.push(SinkSettings::JsonLines(path.into()));
        }
        if let Some(url) = text(config.optional_string(GROUP, "webhook")) {
            match WebhookUrl::parse(&url) {
                Ok(url) => sinks.push(SinkSettings::Webhook(url)),
                Err(problem) => self.problem(GROUP, "webhook", problem),
            }
        }
        sinks
    }

    /// RabbitMQ, where the options name a broker of that kind.
    fn rabbit(&mut self, envelope: Envelope) -> Option<SinkSettings> {
        let config = self.config;
        let own = text(config.optional_string(MESSAGING, "transport_url"));
        let (group, written) = match own {
            Some(url) => (MESSAGING, url),
            None => (
                "DEFAULT",
                config.string("DEFAULT", "transport_url").to_owned(),
            ),
        };
        let url = match TransportUrl::parse(&written) {
            Ok(url) => url,
            Err(problem) => {
                self.problem(group, "transport_url", problem);
                return None;
            }
        };
        let topics = config.list(MESSAGING, "topics").to_vec();
        if topics.is_empty() {
            self.problem(MESSAGING, "topics", "expected the name of a queue or more");
        }
        if text(config.optional_string(RABBIT, "kombu_compression")).is_some() {
            let problem = "messages are sent without compression only";
            self.problem(RABBIT, "kombu_compression", problem);
        }
        let quorum = self.flag(&url, "rabbit_quorum_queue");
        let seconds = |name| u32::try_from(config.int(RABBIT, name)).unwrap_or(0);
        let rabbit = RabbitSettings {
            exchange: config.string("DEFAULT", "control_exchange").to_owned(),
            topics,
            envelope,
            retry: u32::try_from(config.int(MESSAGING, "retry")).ok(),
            durable: self.flag(&url, "amqp_durable_queues"),
            auto_delete: self.flag(&url, "amqp_auto_delete"),
            mirrored: self.flag(&url, "rabbit_ha_queues"),
            quorum: quorum.then(|| self.quorum_limits()),
            tls: self.rabbit_tls(&url),
            login_method: config.string(RABBIT, "rabbit_login_method").to_owned(),
            heartbeat: u16::try_from(config.int(RABBIT, "heartbeat_timeout_threshold"))
                .unwrap_or(0),
            pauses: [
                seconds("rabbit_retry_interval"),
                seconds("rabbit_retry_backoff"),
                seconds("rabbit_interval_max"),
            ],
            url,
        };
        Some(SinkSettings::Rabbit(Box::new(rabbit)))
    }

    fn quorum_limits(&self) -> Vec<(&'static str, i64)> {
        let limits = [
            ("x-delivery-limit", "rabbit_quorum_delivery_limit"),
            ("x-max-in-memory-length", "rabbit_quorum_max_memory_length"),
            ("x-max-in-memory-bytes", "rabbit_quorum_max_memory_bytes"),
        ];
        let limits = limits.map(|(argument, name)| (argument, self.config.int(RABBIT, name)));
        limits.into_iter().filter(|(_, limit)| *limit > 0).collect()
    }

    /// The certificates for brokers, where they are spoken to by TLS.
    fn rabbit_tls(&mut self, url: &TransportUrl) -> Option<Trust> {
        let file = |name| {
            let named = option(url, name).or(self.config.optional_string(RABBIT, name));
            text(named).map(PathBuf::from)
        };
        let (ca_file, certificate, key) = (
            file("ssl_ca_file"),
            file("ssl_cert_file"),
            file("ssl_key_file"),
        );
        if !self.flag(url, "ssl") {
            return None;
        }
        if certificate.is_some() != key.is_some() {
            let problem = "ssl_cert_file and ssl_key_file are set together or not at all";
            self.problem(RABBIT, "ssl_cert_file", problem);
        }
        Some(Trust {
            ca_file,
            client_certificate: certificate.zip(key),
            plain: false,
        })
    }

    /// A flag in the URL, or else of the section.
    fn flag(&self, url: &TransportUrl, name: &str) -> bool {
        let own = self.config.bool(RABBIT, name);
        let on = |text: &str| ["1", "true", "yes", "on"].contains(&text.to_lowercase().as_str());
        option(url, name).map_or(own, on)
    }
}

fn option<'a>(url: &'a TransportUrl, name: &str) -> Option<&'a str> {
    let mut options = url.options.iter();
    let found = options.find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}
