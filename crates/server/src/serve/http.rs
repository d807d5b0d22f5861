//! Sockets and connections: HTTP/1.1, timeouts, and a graceful shutdown.

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
use keystone::api::{Connection, Router, Scheme, with_environment};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::error::{CommandError, Result};
use crate::serve::tls::Tls;

/// How long a client may take to send a request's header, and how long an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);

/// How long requests in progress may take after the server is told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// For how long connections are still read after the server is told to stop, so that requests that have arrived are
/// answered. Their responses say `Connection: close`.
const DRAIN_TIME: Duration = Duration::from_millis(200);

/// How long to wait before accepting again when the system has no file descriptors left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Bound sockets.
#[derive(Debug)]
pub(crate) struct Listeners(Vec<TcpListener>);

impl Listeners {
    /// Binds each address; a host name stands for all its addresses.
    pub(crate) async fn bind(addresses: &[String]) -> Result<Self> {
        let mut listeners = Vec::new();
        for text in addresses {
            let found = lookup_host(text).await.map_err(|error| {
                CommandError::new(format!(
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

    /// Runs the housekeeping and answers requests until the process is told to stop. Then it finishes requests in progress,
    /// and shuts the library down.
    pub(crate) async fn serve(self, keystone: &Keystone, tls: Option<Tls>) -> Result<()> {
        keystone.start_housekeeping();
        if self.answer(keystone, tls).await? {
            keystone.shutdown().await;
        } else {
            keystone.db().close().await;
        }
        Ok(())
    }

    /// Answers requests until the process is told to stop; returns whether those in progress were finished.
    async fn answer(self, keystone: &Keystone, tls: Option<Tls>) -> Result<bool> {
        let mut signals = Signals::new()?;
        // Every listener and every connection holds a receiver: it signals the stop, and dropping it signals its end.
        let (stop, stopped) = watch::channel(false);
        for listener in self.0 {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "listening");
            }
            tokio::spawn(accept_connections(
                listener,
                keystone.clone(),
                tls.clone(),
                stopped.clone(),
            ));
        }
        drop(stopped);
        let name = signals.next().await;
        tracing::info!("stopping after {name}");
        stop.send_replace(true);
        tokio::select! {
            () = stop.closed() => return Ok(true),
            () = sleep(SHUTDOWN_TIMEOUT) => {
                tracing::warn!("requests were cut off that took longer than {SHUTDOWN_TIMEOUT:?}");
            }
            name = signals.next() => tracing::warn!("{name} again: requests were cut off"),
        }
        Ok(false)
    }
}

/// Accepts connections until the server is told to stop, and then those in the socket's backlog, which closing the socket
/// would reset.
async fn accept_connections(
    listener: TcpListener,
    keystone: Keystone,
    tls: Option<Tls>,
    mut stopped: watch::Receiver<bool>,
) {
    let router = keystone.router();
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    let told = stopped.clone();
    let admit = |stream: TcpStream, remote| {
        // Responses are written whole: Nagle's algorithm would only delay them.
        let _ = stream.set_nodelay(true);
        let scheme = if tls.is_some() {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let router = match stream.local_addr() {
            Ok(local) => Connection {
                remote,
                local,
                scheme,
            }
            .on(&router),
            Err(_) => router.clone(),
        };
        let (tls, protocol, stopped) = (tls.clone(), protocol.clone(), told.clone());
        tokio::spawn(async move {
            let ended = match tls {
                None => serve_stream(stream, router, &protocol, stopped).await,
                Some(tls) => serve_tls(&tls, stream, router, &protocol, stopped).await,
            };
            if let Err(error) = ended {
                tracing::debug!("a connection ended: {error}");
            }
        });
    };
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => admit(stream, remote),
                Err(error) => handle_accept_error(&error).await,
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

/// Serves a connection once its client has shaken hands, for which it has as long as for a request's header.
async fn serve_tls(
    tls: &Tls,
    stream: TcpStream,
    router: Router,
    protocol: &http1::Builder,
    mut stopped: watch::Receiver<bool>,
) -> std::result::Result<(), BoxError> {
    let (stream, environment) = tokio::select! {
        accepted = timeout(HEADER_TIMEOUT, tls.accept(stream)) => accepted??,
        () = drained(&mut stopped) => return Ok(()),
    };
    let router = match environment {
        Some(environment) => with_environment(&router, environment),
        None => router,
    };
    serve_stream(stream, router, protocol, stopped).await
}

async fn serve_stream(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    protocol: &http1::Builder,
    stopped: watch::Receiver<bool>,
) -> std::result::Result<(), BoxError> {
    let service = TowerToHyperService::new(router);
    let service = close_after_response(service, stopped.clone());
    let connection = protocol.serve_connection(TokioIo::new(stream), service);
    Ok(serve_connection(connection, stopped).await?)
}

/// Wraps a service so that responses say `Connection: close` once the server is told to stop.
fn close_after_response<S, B, A>(
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

/// Serves a connection; once the server is told to stop, only the requests that have arrived by then.
async fn serve_connection<C: GracefulConnection>(
    connection: C,
    mut stopped: watch::Receiver<bool>,
) -> C::Output {
    let mut connection = pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done,
        () = drained(&mut stopped) => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// Returns once the server is told to stop and what clients had sent by then has had time to arrive.
async fn drained(stopped: &mut watch::Receiver<bool>) {
    // A dropped sender means stop, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    sleep(DRAIN_TIME).await;
}

/// Ignores a connection that was closed before it was accepted; waits if file descriptors are lacking.
async fn handle_accept_error(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    let gone = [ConnectionAborted, ConnectionRefused, ConnectionReset];
    if !gone.contains(&error.kind()) {
        tracing::error!("a connection could not be accepted: {error}");
        sleep(ACCEPT_RETRY_DELAY).await;
    }
}

fn refused(address: SocketAddr, error: &io::Error) -> CommandError {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the address is in use; stop the other server or choose another with --listen"
                .to_owned()
        }
        _ => error.to_string(),
    };
    CommandError::new(format!("can't listen on {address}: {reason}"))
}

/// The signals that stop a server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                CommandError::new(format!("signals can't be listened to: {error}"))
            })
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
