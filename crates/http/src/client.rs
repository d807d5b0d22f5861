//! Requests with limits, over connections that are kept.

use std::error::Error;
use std::fmt::{self, Formatter};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Connections;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::tls::{self, Trust, Unusable};

/// Sends requests over connections that it keeps.
pub struct Client {
    connections: Connections<HttpsConnector<HttpConnector>, Full<Bytes>>,
    limits: Limits,
}

/// How long things may take and be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long an answer may take, with the connection for it.
    pub answer: Duration,
    /// How long a connection is kept that is of no use, best less than servers do: one that the server closes meanwhile costs the
    /// next request an error. Zero keeps none.
    pub idle: Duration,
    /// The longest body of an answer, in bytes.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            body: 16 << 20,
        }
    }
}

/// A whole answer.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer, as a text for the operator.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// There is no connection, or it broke, or the answer is too long.
    #[error("{0}")]
    Broken(String),
}

impl Client {
    /// Reads the certificates; connections are made later.
    ///
    /// # Errors
    ///
    /// A certificate or key can't be used, or the system has none to trust.
    pub fn new(trust: &Trust, limits: Limits) -> Result<Self, Unusable> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(limits.connect));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls::tls_config(trust)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let mut connections = Connections::builder(TokioExecutor::new());
        connections.pool_idle_timeout(limits.idle);
        connections.pool_timer(TokioTimer::new());
        if limits.idle.is_zero() {
            connections.pool_max_idle_per_host(0);
        }
        let connections = connections.build(https);
        Ok(Self {
            connections,
            limits,
        })
    }

    /// Sends a request once.
    ///
    /// # Errors
    ///
    /// There is no whole answer within the limits.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Answer, Failure> {
        let limit = self.limits.answer;
        let Ok(outcome) = timeout(limit, self.attempt(request.map(Full::new))).await else {
            return Err(Failure::Late(limit));
        };
        outcome.map_err(|error| Failure::Broken(chain(error.as_ref())))
    }

    async fn attempt(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let (head, body) = self.connections.request(request).await?.into_parts();
        let body = Limited::new(body, self.limits.body).collect().await?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }
}

impl fmt::Debug for Answer {
    /// Not what is in it: that may be a token.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut answer = f.debug_struct("Answer");
        answer.field("status", &self.status);
        answer
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut client = f.debug_struct("Client");
        client.field("limits", &self.limits).finish_non_exhaustive()
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

#[cfg(test)]
mod tests;
