//! Connections: HTTP/1.1 and, over TLS, HTTP/2; limits of time and number, and a graceful shutdown.

use std::convert::Infallible;
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONNECTION, COOKIE, HOST, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use keystone::Keystone;
use keystone::api::{Connection, Exposition, Router, Scheme, with_environment};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::error::{CommandError, Result};
use crate::serve::sockets::{Ends, Listener, Stream};
use crate::serve::systemd;
use crate::serve::tls::{Tls, is_http2};

pub(crate) use crate::serve::sockets::Listeners;

/// How long a client may take to send a request's header, and how long an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a client of HTTP/2 may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The most requests at a time on a connection of HTTP/2, and the most bytes of a request's headers.
const MOST_STREAMS: u32 = 100;
const MOST_HEADERS: u32 = 64 << 10;

/// How much of an answer a client of HTTP/2 has to take in [`HEADER_TIMEOUT`], in bytes: a frame of the usual size.
const PART: usize = 16 << 10;

/// How long requests in progress may take after the server is told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// For how long connections are still read after the server is told to stop, so that requests that have arrived are
/// answered. Their responses say `Connection: close`.
const DRAIN_TIME: Duration = Duration::from_millis(200);

/// How often a full server is told of: at each so many connections that wait.
const WARN_EVERY: u64 = 1000;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The connections of the API: how many there are and may be; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Traffic(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    limit: usize,
    free: Arc<Semaphore>,
    accepted: AtomicU64,
    /// How often a connection had to wait for another one's end.
    waited: AtomicU64,
    stopping: AtomicBool,
}

impl Traffic {
    /// No connections yet, and so many at a time at most.
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Counts {
            limit,
            free: Arc::new(Semaphore::new(limit)),
            accepted: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Whether the process was told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Relaxed)
    }

    pub(crate) fn write(&self, to: &mut Exposition) {
        let Counts {
            limit,
            free,
            accepted,
            waited,
            ..
        } = &*self.0;
        let open = limit - free.available_permits().min(*limit);
        to.gauge("keystone_connections_open", "Connections of clients.", open);
        to.gauge(
            "keystone_connections_limit",
            "The most connections of clients.",
            limit,
        );
        let accepted = accepted.load(Relaxed);
        to.counter(
            "keystone_connections_accepted",
            "Connections accepted.",
            accepted,
        );
        let help = "Connections that waited until another one had ended, because of the limit.";
        to.counter("keystone_connections_delayed", help, waited.load(Relaxed));
    }

    /// Waits until the limit lets a connection in.
    async fn admit(&self) -> Option<OwnedSemaphorePermit> {
        self.0.accepted.fetch_add(1, Relaxed);
        let free = Arc::clone(&self.0.free);
        if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
            return Some(permit);
        }
        if self
            .0
            .waited
            .fetch_add(1, Relaxed)
            .is_multiple_of(WARN_EVERY)
        {
            tracing::warn!(
                limit = self.0.limit,
                "clients wait for the end of other connections: raise --max-connections, and LimitNOFILE with it"
            );
        }
        free.acquire_owned().await.ok()
    }
}

impl Listeners {
    /// Runs the housekeeping and answers requests until the process is told to stop. Then it finishes requests in progress,
    /// and shuts the library down. A second signal ends it at once, whatever it waits for.
    pub(crate) async fn serve(
        self,
        keystone: &Keystone,
        tls: Option<Tls>,
        traffic: &Traffic,
    ) -> Result<()> {
        let mut signals = Signals::new()?;
        keystone.start_housekeeping();
        // Every listener and every connection holds a receiver: it signals the stop, and dropping it signals its end.
        let (stop, stopped) = watch::channel(false);
        for listener in self.0 {
            tracing::info!(address = %listener.name(), "listening");
            tokio::spawn(accept_connections(
                listener,
                keystone.router(),
                tls.clone(),
                traffic.clone(),
                stopped.clone(),
            ));
        }
        drop(stopped);
        let name = signals.next().await;
        tracing::info!("stopping after {name}");
        traffic.0.stopping.store(true, Relaxed);
        systemd::notify("STOPPING=1");
        tokio::select! {
            () = end(keystone, stop) => {}
            name = signals.next() => {
                tracing::warn!("{name} again: the server ends with what it was doing");
                keystone.drop_notifications().await;
            }
        }
        Ok(())
    }
}

/// Waits for requests in progress, and shuts the library down.
async fn end(keystone: &Keystone, stop: watch::Sender<bool>) {
    stop.send_replace(true);
    if timeout(SHUTDOWN_TIMEOUT, stop.closed()).await.is_ok() {
        return keystone.shutdown().await;
    }
    tracing::warn!("requests were cut off that took longer than {SHUTDOWN_TIMEOUT:?}");
    // What was done is told. A statement of a request that was cut off is not waited for.
    if let Some(notifier) = keystone.notifier() {
        notifier.close().await;
    }
    keystone.db().close().await;
}

/// HTTP/1.1 with its limits of time.
pub(crate) fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    protocol
}

/// Accepts connections until the server is told to stop, and then those in the socket's backlog, which closing the socket
/// would reset.
async fn accept_connections(
    listener: Listener,
    router: Router,
    tls: Option<Tls>,
    traffic: Traffic,
    mut stopped: watch::Receiver<bool>,
) {
    let told = stopped.clone();
    let admit = |stream: Stream, ends: Option<Ends>, permit: Option<OwnedSemaphorePermit>| {
        let tls = tls.clone().filter(|_| !stream.is_local());
        let scheme = if tls.is_some() {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let router = match ends {
            Some(Ends { remote, local }) => Connection {
                remote,
                local,
                scheme,
            }
            .on(&router),
            None => router.clone(),
        };
        let stopped = told.clone();
        tokio::spawn(async move {
            let ended = match tls {
                None => serve_stream(stream, router, stopped).await,
                Some(tls) => serve_tls(&tls, stream, router, stopped).await,
            };
            drop(permit);
            if let Err(error) = ended {
                tracing::debug!("a connection ended: {error}");
            }
        });
    };
    loop {
        let (stream, ends) = tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.next() => accepted,
        };
        tokio::select! {
            // It was accepted, and is answered.
            _ = stopped.changed() => {
                admit(stream, ends, None);
                break;
            }
            permit = traffic.admit() => admit(stream, ends, permit),
        }
    }
    for (stream, ends) in listener.rest() {
        admit(stream, ends, None);
    }
}

/// Serves a connection once its client has shaken hands, for which it has as long as for a request's header.
async fn serve_tls(
    tls: &Tls,
    stream: Stream,
    router: Router,
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
    if is_http2(&stream) {
        return serve_http2(stream, router, stopped).await;
    }
    serve_stream(stream, router, stopped).await
}

/// Serves a connection on which client and server have agreed on HTTP/2.
async fn serve_http2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    stopped: watch::Receiver<bool>,
) -> std::result::Result<(), BoxError> {
    let service = TowerToHyperService::new(router);
    // A request holds it until its answer begins, or its client gives it up. It counts those that have begun, and the parts of
    // answers that clients take: a client that leaves no window for an answer can keep it, and the connection, no longer.
    let progress = Arc::new(AtomicU64::new(0));
    let weak = Arc::downgrade(&progress);
    let idle = || none_for_a_while(weak.clone());
    let service = service_fn(move |request| {
        progress.fetch_add(1, Relaxed);
        let running = Arc::clone(&progress);
        let answer = service.call(as_http1(request));
        async move {
            let answer = answer.await?;
            let progress = Arc::downgrade(&running);
            let rest = Bytes::new();
            Ok::<_, Infallible>(answer.map(|body| InParts {
                body,
                rest,
                progress,
            }))
        }
    });
    let mut protocol = http2::Builder::new(TokioExecutor::new());
    protocol
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(MOST_HEADERS)
        .keep_alive_interval(HEADER_TIMEOUT)
        .keep_alive_timeout(PING_TIMEOUT);
    let connection = protocol.serve_connection(TokioIo::new(stream), service);
    serve_connection(connection, stopped, idle).await
}

/// A request as the API knows it from HTTP/1.1: with the path alone, the host among the headers, and one header of cookies,
/// of which HTTP/2 lets clients make several (RFC 9113, section 8.2.3).
fn as_http1<B>(mut request: Request<B>) -> Request<B> {
    let uri = request.uri();
    let host = uri
        .authority()
        .map(|host| HeaderValue::try_from(host.as_str()));
    let path = uri.path_and_query().cloned().map(Uri::from);
    let headers = request.headers_mut();
    if let Some(Ok(host)) = host {
        headers.entry(HOST).or_insert(host);
    }
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().collect();
    if cookies.len() > 1 {
        let joined = cookies.iter().map(|it| it.as_bytes()).collect::<Vec<_>>();
        if let Ok(joined) = HeaderValue::from_bytes(&joined.join(&b"; "[..])) {
            headers.insert(COOKIE, joined);
        }
    }
    if let Some(path) = path {
        *request.uri_mut() = path;
    }
    request
}

/// The body of an answer in parts that are counted. One is asked for when the client has taken those before it.
struct InParts<B> {
    body: B,
    /// Of the body's frame that was read last.
    rest: Bytes,
    progress: Weak<AtomicU64>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for InParts<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        if let Some(progress) = this.progress.upgrade() {
            progress.fetch_add(1, Relaxed);
        }
        let part = this.rest.split_to(PART.min(this.rest.len()));
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

/// Returns once no request has run or come, and no answer was taken, for as long as a connection may be idle.
async fn none_for_a_while(progress: Weak<AtomicU64>) {
    let count = || progress.upgrade().map(|progress| progress.load(Relaxed));
    let mut before = count();
    loop {
        sleep(HEADER_TIMEOUT).await;
        let now = count();
        // The connection's own is left.
        if now == before && progress.strong_count() <= 1 {
            return;
        }
        before = now;
    }
}

async fn serve_stream(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    stopped: watch::Receiver<bool>,
) -> std::result::Result<(), BoxError> {
    let service = TowerToHyperService::new(router);
    let service = close_after_response(service, stopped.clone());
    let connection = protocol().serve_connection(TokioIo::new(stream), service);
    serve_connection(connection, stopped, pending).await
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

/// Serves a connection; once it is idle or the server is told to stop, only the requests that have arrived by then, and until it
/// is idle again.
async fn serve_connection<C, I>(
    connection: C,
    mut stopped: watch::Receiver<bool>,
    idle: impl Fn() -> I,
) -> std::result::Result<(), BoxError>
where
    C: GracefulConnection<Error: Into<BoxError>>,
    I: Future<Output = ()>,
{
    let mut connection = pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done.map_err(Into::into),
        () = drained(&mut stopped) => connection.as_mut().graceful_shutdown(),
        () = idle() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        done = connection => done.map_err(Into::into),
        () = idle() => Err("its client took nothing of its answers".into()),
    }
}

/// Returns once the server is told to stop and what clients had sent by then has had time to arrive.
async fn drained(stopped: &mut watch::Receiver<bool>) {
    // A dropped sender means stop, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    sleep(DRAIN_TIME).await;
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

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use hyper::body::Incoming;
    use hyper::client::conn::http2;
    use keystone::notify::{Event, Operation, SinkSettings};
    use tokio::task::JoinHandle;

    use super::*;

    #[test]
    fn requests_of_http2_look_like_those_of_http1() {
        let request = Request::get("https://id.example:5000/v3/users?limit=1")
            .header(COOKIE, "one=1")
            .header(COOKIE, "two=2")
            .body(());
        let request = as_http1(request.unwrap());
        assert_eq!(request.uri(), "/v3/users?limit=1");
        assert_eq!(request.headers()[HOST], "id.example:5000");
        let cookies: Vec<_> = request.headers().get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["one=1; two=2"]);
    }

    #[tokio::test]
    async fn notifications_end_also_where_requests_are_cut_off() {
        let mut settings = keystone::Settings::default();
        settings.notifications.sinks = vec![SinkSettings::Log];
        let cloud = Keystone::builder().settings(settings).ephemeral();
        let cloud = cloud.await.unwrap();
        let keystone = cloud.keystone();
        let (stop, _request) = watch::channel(false);
        tokio::time::pause();
        end(keystone, stop).await;
        let notifier = keystone.notifier().unwrap();
        notifier.send(&Event::resource(Operation::Created, "region", "late"));
        // What its sinks had was given time, and nothing is taken any more.
        assert_eq!(notifier.counts()[0].dropped, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_once_no_request_runs_or_comes() {
        let progress = Arc::new(AtomicU64::new(1));
        let running = Arc::clone(&progress);
        let mut idle = pin!(none_for_a_while(Arc::downgrade(&progress)));
        assert!(timeout(HEADER_TIMEOUT * 10, idle.as_mut()).await.is_err());
        drop(running);
        assert!(timeout(HEADER_TIMEOUT * 2, idle).await.is_ok());
    }

    /// A client of HTTP/2 that lets a server send so many bytes of an answer of twenty parts, once it has the answer's head.
    struct Client {
        answer: Response<Incoming>,
        /// Dropping it would stop the server, and end the connection.
        _kept: (watch::Sender<bool>, http2::SendRequest<String>),
        served: JoinHandle<std::result::Result<(), BoxError>>,
    }

    async fn asking(window: u32) -> Client {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().fallback(|| async { "x".repeat(20 * PART) });
        let served = tokio::spawn(serve_http2(far, router, stopped));
        let mut protocol = http2::Builder::new(TokioExecutor::new());
        protocol
            .timer(TokioTimer::new())
            .initial_stream_window_size(window);
        let (mut sender, connection) = protocol.handshake(TokioIo::new(near)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("https://id.example/v3/users").body(String::new());
        let answer = sender.send_request(request.unwrap()).await.unwrap();
        Client {
            answer,
            _kept: (stop, sender),
            served,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_of_http2_that_takes_nothing_of_an_answer_loses_its_connection() {
        let client = asking(0).await;
        let ended = timeout(HEADER_TIMEOUT * 5, client.served).await.unwrap();
        let error = ended.unwrap().unwrap_err().to_string();
        assert_eq!(error, "its client took nothing of its answers");
        drop(client.answer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_of_http2_gets_all_of_a_long_answer() {
        let mut client = asking(16 << 10).await;
        let mut length = 0;
        while let Some(frame) = client.answer.body_mut().frame().await {
            length += frame.unwrap().data_ref().unwrap().len();
            sleep(HEADER_TIMEOUT * 5 / 6).await;
        }
        assert_eq!(length, 20 * PART);
    }
}
