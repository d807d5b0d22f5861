//! Sockets and connections: HTTP/1.1, time limits, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::body::Body;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use keystone::Keystone;
use keystone::api::Connection;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::failure::{Failure, Result};

/// How long a client may take to send a request's head, and how long an idle connection is kept.
const HEAD_LIMIT: Duration = Duration::from_mins(1);

/// How long requests that are under way have when the server is told to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(30);

/// For how long connections are read from after that, so that what has arrived is read. Those who ask meanwhile are told
/// that the connection ends with the answer.
const FAREWELL: Duration = Duration::from_millis(200);

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
        // Every listener and every connection holds a receiver: it tells them of the end, and they tell it of theirs.
        let (stop, stopped) = watch::channel(false);
        for listener in self.0 {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "listening");
            }
            tokio::spawn(attend(listener, keystone.clone(), stopped.clone()));
        }
        drop(stopped);
        let name = signals.next().await;
        tracing::info!("stopping after {name}");
        housekeeping.abort();
        stop.send_replace(true);
        tokio::select! {
            () = stop.closed() => {}
            () = sleep(LAST_REQUESTS) => {
                tracing::warn!("requests were cut off that took longer than {LAST_REQUESTS:?}");
            }
            name = signals.next() => tracing::warn!("{name} again: requests were cut off"),
        }
        Ok(())
    }
}

/// Takes connections until the server is told to stop, and then those that the system has already accepted: closing the
/// socket cuts them off.
async fn attend(listener: TcpListener, keystone: Keystone, mut stopped: watch::Receiver<bool>) {
    let router = keystone.router();
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT);
    let told = stopped.clone();
    let admit = |stream: TcpStream, remote| {
        // Answers are written whole: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let router = match stream.local_addr() {
            Ok(local) => Connection { remote, local }.on(&router),
            Err(_) => router.clone(),
        };
        let service = TowerToHyperService::new(router);
        let service = farewell(service, told.clone());
        let connection = protocol.serve_connection(TokioIo::new(stream), service);
        let stopped = told.clone();
        tokio::spawn(async move {
            if let Err(error) = to_the_end(connection, stopped).await {
                tracing::debug!("a connection ended: {error}");
            }
        });
    };
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => admit(stream, remote),
                Err(error) => survive(&error).await,
            },
        }
    }
    let Ok(listener) = listener.into_std() else {
        return;
    };
    while let Ok((stream, remote)) = listener.accept() {
        let set = stream.set_nonblocking(true);
        if let Ok(stream) = set.and_then(|()| TcpStream::from_std(stream)) {
            admit(stream, remote);
        }
    }
}

/// The same service, which tells clients that the connection ends with the answer once the server stops.
fn farewell<S, B, A>(
    service: S,
    stopped: watch::Receiver<bool>,
) -> impl Service<Request<B>, Response = Response<A>, Error = S::Error, Future: Send> + Send
where
    S: Service<Request<B>, Response = Response<A>, Future: Send> + Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    A: Body,
    B: Body,
{
    service_fn(move |request| {
        let answer = service.call(request);
        let stopped = stopped.clone();
        async move {
            let mut answer = answer.await?;
            if *stopped.borrow() {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
            }
            Ok(answer)
        }
    })
}

/// Serves a connection: once the server stops, only what has arrived by then.
async fn to_the_end<C: GracefulConnection>(
    connection: C,
    mut stopped: watch::Receiver<bool>,
) -> C::Output {
    let mut connection = pin!(connection);
    let end = async {
        // That nobody is there who could tell is the end as well.
        let _ = stopped.wait_for(|stopped| *stopped).await;
        sleep(FAREWELL).await;
    };
    tokio::select! {
        done = connection.as_mut() => return done,
        () = end => connection.as_mut().graceful_shutdown(),
    }
    connection.await
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
