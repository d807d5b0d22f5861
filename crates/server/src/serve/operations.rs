//! The listener for who operates the server: `/metrics` for Prometheus, `/ready` for probes.
//!
//! It is apart from the API, so that neither strangers nor load on the API reach it, and off unless it is asked for: a server
//! that takes Python Keystone's place opens no port that this did not have.

mod process;
mod ready;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use keystone::Keystone;
use keystone::api::Exposition;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::serve::http::{Listeners, Traffic, protocol};
use ready::Readiness;

/// The most connections at a time: those of the API, which have a limit of their own, must keep file descriptors.
const MOST_CONNECTIONS: usize = 50;

/// What is told.
#[derive(Debug)]
pub(crate) struct Operations {
    keystone: Keystone,
    traffic: Traffic,
    started: SystemTime,
    readiness: Readiness,
}

impl Operations {
    pub(crate) fn new(keystone: Keystone, traffic: Traffic) -> Self {
        Self {
            keystone,
            traffic,
            started: SystemTime::now(),
            readiness: Readiness::default(),
        }
    }

    /// Answers until the future is dropped: while requests are drained, too.
    pub(crate) async fn serve(self, listeners: Listeners) {
        let operations = Arc::new(self);
        let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut loops = JoinSet::new();
        for listener in listeners.0 {
            let (operations, free) = (Arc::clone(&operations), Arc::clone(&free));
            tracing::info!(address = %listener.name(), "answering /metrics and /ready");
            loops.spawn(async move {
                let mut connections = JoinSet::new();
                loop {
                    let (stream, _) = listener.next().await;
                    let permit = Arc::clone(&free).acquire_owned().await;
                    while connections.try_join_next().is_some() {}
                    let operations = Arc::clone(&operations);
                    connections.spawn(async move {
                        let answer = service_fn(|request| operations.answer(request));
                        let served = protocol().serve_connection(TokioIo::new(stream), answer);
                        if let Err(error) = served.await {
                            tracing::debug!("a connection for metrics ended: {error}");
                        }
                        drop(permit);
                    });
                }
            });
        }
        loops.join_all().await;
    }

    async fn answer<B>(&self, request: Request<B>) -> Result<Response<String>, Infallible> {
        let asks = matches!(*request.method(), Method::GET | Method::HEAD);
        let (status, media, text) = match request.uri().path() {
            "/metrics" if asks => (StatusCode::OK, Exposition::MEDIA_TYPE, self.metrics()),
            "/ready" if asks => {
                let report = self.readiness.look(&self.keystone, &self.traffic).await;
                let status = if report.is_ready() {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                (status, "application/json", report.json() + "\n")
            }
            "/metrics" | "/ready" => (StatusCode::METHOD_NOT_ALLOWED, PLAIN, String::new()),
            _ => {
                let text = "Here are /metrics and /ready.\n".to_owned();
                (StatusCode::NOT_FOUND, PLAIN, text)
            }
        };
        let mut response = Response::new(text);
        *response.status_mut() = status;
        let media = HeaderValue::from_static(media);
        response.headers_mut().insert(CONTENT_TYPE, media);
        Ok(response)
    }

    fn metrics(&self) -> String {
        let mut text = Exposition::default();
        self.keystone.write_metrics(&mut text);
        self.traffic.write(&mut text);
        process::write(&mut text, self.started);
        text.finish()
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
