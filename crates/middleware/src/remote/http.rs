//! Requests with time limits and another try.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Connections;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{sleep, timeout};

use super::{Limits, RemoteBuilder, RemoteError};

/// The longest answer: many times a token with a large catalog.
const MAX_BODY: usize = 16 << 20;

/// The pause before the first further try.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a connection is kept that is of no use: less than servers do.
const IDLE: Duration = Duration::from_secs(30);

/// Sends requests over connections that it keeps.
pub(super) struct Client {
    connections: Connections<HttpsConnector<HttpConnector>, Full<Bytes>>,
    limits: Limits,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut client = f.debug_struct("Client");
        client.field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(settings: &RemoteBuilder, with_tls: bool) -> Result<Self, RemoteError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(settings.limits.connect));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(settings, with_tls)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let connections = Connections::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(https);
        Ok(Self {
            connections,
            limits: settings.limits,
        })
    }

    /// Sends a request, again if there is no connection or it breaks: those of this crate change nothing. What can't
    /// be helped is returned as a text for the operator.
    pub(super) async fn send(
        &self,
        request: impl Fn() -> http::Result<Request<Full<Bytes>>>,
    ) -> Result<Answer, String> {
        let mut pause = PAUSE;
        for tries_left in (0..=self.limits.retries).rev() {
            let request = request().map_err(|error| error.to_string())?;
            let limit = self.limits.answer;
            let Ok(outcome) = timeout(limit, self.attempt(request)).await else {
                return Err(format!("no answer within {limit:?}"));
            };
            match outcome {
                Ok(answer) => return Ok(answer),
                Err(error) if tries_left == 0 => return Err(chain(error.as_ref())),
                Err(error) => {
                    tracing::debug!(error = chain(error.as_ref()), "asking Keystone once more");
                    sleep(pause).await;
                    pause *= 2;
                }
            }
        }
        Err("no try is left".to_owned())
    }

    async fn attempt(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let (head, body) = self.connections.request(request).await?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }
}

/// An error with its causes, of which the last is what an operator can do something about.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn tls(settings: &RemoteBuilder, needed: bool) -> Result<ClientConfig, RemoteError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&"TLS", &error))?
        .with_root_certificates(roots(settings.ca_file.as_deref(), needed)?);
    let Some((certificate, key)) = &settings.client_certificate else {
        return Ok(config.with_no_client_auth());
    };
    let chain = certificates(certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(&key.display(), &error))?;
    let config = config.with_client_auth_cert(chain, key);
    config.map_err(|error| unusable(&certificate.display(), &error))
}

/// The certificates to trust: those of a file, or the system's.
fn roots(file: Option<&Path>, needed: bool) -> Result<RootCertStore, RemoteError> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = file {
        for certificate in certificates(file)? {
            let added = roots.add(certificate);
            added.map_err(|error| unusable(&file.display(), &error))?;
        }
    } else if needed {
        let native = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(native.certs);
        if added == 0 {
            let errors: Vec<_> = native.errors.iter().map(ToString::to_string).collect();
            let reason = format!("none can be used {}", errors.join("; "));
            return Err(unusable(
                &"the system's trusted certificates",
                &reason.trim_end(),
            ));
        }
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, RemoteError> {
    let unreadable = |error: rustls::pki_types::pem::Error| unusable(&file.display(), &error);
    let found = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(unreadable)?;
    if found.is_empty() {
        return Err(unusable(&file.display(), &"no certificate is in it"));
    }
    Ok(found)
}

fn unusable(what: &dyn Display, reason: &dyn Display) -> RemoteError {
    RemoteError::Certificates {
        what: what.to_string(),
        reason: reason.to_string(),
    }
}
