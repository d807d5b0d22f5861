//! Sockets and connections: HTTP/1.1, time limits, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use keystone::Keystone;
use keystone::api::Connection;
use tokio::net::{TcpListener, lookup_host};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::failure::{Failure, Result};

/// How long a client may take to send a request's head, and how long an idle connection is kept.
const HEAD_LIMIT: Duration = Duration::from_mins(1);

/// How long requests that are under way have when the server is told to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(30);

/// How long to wait when the system has no file descriptors for another connection.
const SHORT_OF_DESCRIPTORS: Duration = Duration::from_millis(200);

/// Bound sockets.
#[derive(Debug)]
pub(crate) struct Listeners(Vec<TcpListener>);

impl Listeners {
    /// Binds each address; a host name stands for all that it resolves to.
    pub(crate) async fn bind(addresses: &[String]) -> Result<Self> {
        let mut listeners = Vec::new();
        for text in addresses {
            let found = lookup_host(text).await.map_err(|error| {
                Failure::new(format!(
                    "--listen {text}: expected an address and a port, such as 0.0.0.0:5000: {error}"
                ))
            })?;
            for address in found {
                let bound = TcpListener::bind(address).await;
                listeners.push(bound.map_err(|error| refused(address, &error))?);
            }
        }
        Ok(Self(listeners))
    }

    /// The addresses, with the ports that the system chose.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let address = |listener: &TcpListener| listener.local_addr().ok();
        self.0.iter().filter_map(address).collect()
    }

    /// Answers requests and keeps house until the process is told to stop, then finishes what is under way.
    pub(crate) async fn serve(self, keystone: &Keystone) -> Result<()> {
        let mut signals = Signals::new()?;
        let house = keystone.clone();
        let housekeeping = tokio::spawn(async move { house.housekeeping().await });
        let (stop, stopped) = watch::channel(());
        let mut accepting = JoinSet::new();
        for listener in self.0 {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "listening");
            }
            accepting.spawn(accept(listener, keystone.clone(), stopped.clone()));
        }
        let name = signals.next().await;
        tracing::info!("stopping after {name}");
        housekeeping.abort();
        drop(stop);
        tokio::select! {
            _ = accepting.join_all() => {}
            () = sleep(LAST_REQUESTS) => {
                tracing::warn!("requests were cut off that took longer than {LAST_REQUESTS:?}");
            }
            name = signals.next() => tracing::warn!("{name} again: requests were cut off"),
        }
        Ok(())
    }
}

/// Takes connections until the end of `stopped`, and ends with the last of them.
async fn accept(listener: TcpListener, keystone: Keystone, mut stopped: watch::Receiver<()>) {
    let router = keystone.router();
    let connections = GracefulShutdown::new();
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT);
    loop {
        let (stream, remote) = tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok(taken) => taken,
                Err(error) => {
                    survive(&error).await;
                    continue;
                }
            },
        };
        // Answers are written whole: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let router = match stream.local_addr() {
            Ok(local) => Connection { remote, local }.on(&router),
            Err(_) => router.clone(),
        };
        let service = TowerToHyperService::new(router);
        let connection = protocol.serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection ended: {error}");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// A connection that was gone before it was taken is nothing; a lack of descriptors passes.
async fn survive(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    let gone = [ConnectionAborted, ConnectionRefused, ConnectionReset];
    if !gone.contains(&error.kind()) {
        tracing::error!("a connection could not be taken: {error}");
        sleep(SHORT_OF_DESCRIPTORS).await;
    }
}

fn refused(address: SocketAddr, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the address is in use; stop the other server or choose another with --listen"
                .to_owned()
        }
        _ => error.to_string(),
    };
    Failure::new(format!("can't listen on {address}: {reason}"))
}

/// The signals that end a server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::new(format!("signals can't be listened to: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
