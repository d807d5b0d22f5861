//! Requests with another try.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use keystone_http::{Client as Connections, Failure, Limits, Trust};
use tokio::time::sleep;

use super::{RemoteBuilder, RemoteError};

pub(super) use keystone_http::Answer;

/// The longest answer: many times a token with a large catalog.
const MAX_BODY: usize = 16 << 20;

/// The pause before the first further try.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a connection is kept that is of no use: less than servers do.
const IDLE: Duration = Duration::from_secs(30);

/// Sends requests over connections that it keeps.
#[derive(Debug)]
pub(super) struct Client {
    connections: Connections,
    retries: u32,
}

impl Client {
    pub(super) fn new(settings: &RemoteBuilder, with_tls: bool) -> Result<Self, RemoteError> {
        let trust = Trust {
            ca_file: settings.ca_file.clone(),
            client_certificate: settings.client_certificate.clone(),
            plain: !with_tls,
        };
        let limits = Limits {
            connect: settings.limits.connect,
            answer: settings.limits.answer,
            idle: IDLE,
            body: MAX_BODY,
        };
        let connections =
            Connections::new(&trust, limits).map_err(|unusable| RemoteError::Certificates {
                what: unusable.what,
                reason: unusable.reason,
            })?;
        Ok(Self {
            connections,
            retries: settings.limits.retries,
        })
    }

    /// Sends a request, again if there is no connection or it breaks: those of this crate change nothing. What can't
    /// be helped is returned as a text for the operator.
    pub(super) async fn send(
        &self,
        request: impl Fn() -> http::Result<Request<Bytes>>,
    ) -> Result<Answer, String> {
        let mut pause = PAUSE;
        let mut tries_left = self.retries;
        loop {
            let request = request().map_err(|error| error.to_string())?;
            match self.connections.send(request).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Broken(reason)) if tries_left > 0 => {
                    tracing::debug!(error = reason, "asking Keystone once more");
                    sleep(pause).await;
                    pause *= 2;
                    tries_left -= 1;
                }
                Err(failure) => return Err(failure.to_string()),
            }
        }
    }
}
