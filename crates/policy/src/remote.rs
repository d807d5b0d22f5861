//! `http:` and `https:` checks: another server decides.

use crate::settings::RemoteSettings;

/// Asks other servers, over connections that are kept.
#[derive(Debug)]
pub(crate) struct Remote {
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "nothing is asked"))]
    settings: RemoteSettings,
    #[cfg(feature = "http")]
    agent: std::sync::OnceLock<ureq::Agent>,
}

#[cfg(not(feature = "http"))]
impl Remote {
    pub(crate) fn new(settings: RemoteSettings) -> Self {
        Self { settings }
    }

    #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
    pub(crate) fn ask(
        &self,
        _address: &str,
        _rule: &str,
        _target: &serde_json::Value,
        _credentials: &serde_json::Value,
    ) -> Result<bool, String> {
        Err("built without the feature `http`".to_owned())
    }
}

#[cfg(feature = "http")]
mod client {
    use std::fs;
    use std::path::Path;
    use std::sync::{Arc, OnceLock};

    use keystone_python::{self as python, json};
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    use rustls::crypto::aws_lc_rs::default_provider;
    use serde_json::{Value, json};
    use ureq::tls::{
        Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem,
    };
    use ureq::{Agent, Error};

    use super::Remote;
    use crate::flatten::flatten;
    use crate::settings::{RemoteFormat, RemoteSettings};

    /// The characters that a URL must escape.
    const ILLEGAL: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'<')
        .add(b'>')
        .add(b'\\')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');

    impl Remote {
        pub(crate) fn new(settings: RemoteSettings) -> Self {
            Self {
                settings,
                agent: OnceLock::new(),
            }
        }

        /// Whether the server at `address` answers `True`.
        pub(crate) fn ask(
            &self,
            address: &str,
            rule: &str,
            target: &Value,
            credentials: &Value,
        ) -> Result<bool, String> {
            let mut credentials = credentials.clone();
            // oslo.policy keeps the older name beside the newer one.
            if let Some(map) = credentials.as_object_mut()
                && let Some(system) = map.get("system_scope").cloned().filter(python::is_true)
            {
                map.insert("system".to_owned(), system);
            }
            let target = flatten(target)?;
            let question = json!({"rule": rule, "target": target, "credentials": credentials});
            let (kind, body) = match self.settings.format {
                RemoteFormat::Form => ("application/x-www-form-urlencoded", form(&question)),
                RemoteFormat::Json if json::is_finite(&question) => {
                    ("application/json", json::write(&question))
                }
                // As `requests` has it, which sends for oslo.policy.
                RemoteFormat::Json => {
                    return Err(
                        "there is a NaN or an infinity, which JSON does not know".to_owned()
                    );
                }
            };
            let address = utf8_percent_encode(address, ILLEGAL).to_string();
            let post = self.agent()?.post(address).content_type(kind);
            let body = post
                .send(body)
                .and_then(|mut answer| answer.body_mut().read_to_string());
            let body = body.map_err(|error: Error| error.to_string())?;
            Ok(body.trim_matches('"') == "True")
        }

        fn agent(&self) -> Result<&Agent, String> {
            if let Some(agent) = self.agent.get() {
                return Ok(agent);
            }
            let config = Agent::config_builder()
                .timeout_global(Some(self.settings.timeout))
                .tls_config(tls(&self.settings)?)
                .build();
            Ok(self.agent.get_or_init(|| config.into()))
        }
    }

    /// Each member as a field with its JSON, as Python's `urlencode` writes it.
    fn form(question: &Value) -> String {
        let members = question.as_object().into_iter().flatten();
        let fields = members
            .map(|(name, value)| format!("{name}={}", python::quote_plus(&json::write(value))));
        fields.collect::<Vec<_>>().join("&")
    }

    fn tls(settings: &RemoteSettings) -> Result<TlsConfig, String> {
        let mut tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
            .disable_verification(!settings.verify);
        if let Some(path) = &settings.ca_file {
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates(path)?));
        }
        if let Some(path) = &settings.client_certificate {
            let chain = certificates(path)?;
            let key_path = settings.client_key.as_ref().unwrap_or(path);
            let key = PrivateKey::from_pem(&read(key_path)?)
                .map_err(|error| format!("{}: {error}", key_path.display()))?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        Ok(tls.build())
    }

    fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
        let pem = read(path)?;
        let items: Result<Vec<_>, _> = parse_pem(&pem).collect();
        let items = items.map_err(|error| format!("{}: {error}", path.display()))?;
        let certificate = |item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        };
        Ok(items.into_iter().filter_map(certificate).collect())
    }

    fn read(path: &Path) -> Result<Vec<u8>, String> {
        fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
    }
}
