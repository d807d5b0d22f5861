//! Sockets: those that the server binds, of the network or as files, and those that systemd hands over.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use listenfd::ListenFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, lookup_host};
use tokio::time::{Sleep, sleep};

use crate::environment;
use crate::error::{CommandError, Result};

/// How long to wait before accepting again when the system has no file descriptors left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// How long a client may take nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// In front of the path of a socket that is a file.
const UNIX: &str = "unix:";

/// Who may connect to a socket that is a file: its owner and group.
const SOCKET_MODE: u32 = 0o660;

/// The name in `FileDescriptorName=` of a socket for metrics.
const METRICS: &str = "metrics";

/// Bound sockets.
#[derive(Debug, Default)]
pub(crate) struct Listeners(pub(crate) Vec<Listener>);

/// A bound socket.
#[derive(Debug)]
pub(crate) struct Listener {
    // Dropped first: a file whose socket is closed is taken for one that was left behind, and may be another server's by then.
    origin: Origin,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Whose a socket is.
#[derive(Debug)]
enum Origin {
    /// This process's.
    Bound,
    /// The same, and so is the file.
    File { _file: SocketFile },
    /// systemd's, which keeps it, and the connections that wait, for the next process.
    Inherited,
}

/// The file of a socket, which is removed when it is dropped: nobody finds it any more.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A connection. A client that takes nothing of an answer for [`WRITE_TIMEOUT`] loses it, and no longer holds the answer's memory.
#[derive(Debug)]
pub(crate) struct Stream {
    io: Io,
    /// Since the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Io {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The addresses of a connection's two ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// The sockets that systemd has bound: those of the API and those of metrics.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    pub(crate) api: Listeners,
    pub(crate) metrics: Listeners,
}

impl Inherited {
    /// Takes the sockets that this process was given; none where it was not started by a socket unit.
    pub(crate) fn take() -> Result<Self> {
        let names = environment::variables().remove("LISTEN_FDNAMES");
        let names: Vec<_> = names.iter().flat_map(|names| names.split(':')).collect();
        let mut given = ListenFd::from_env();
        let mut inherited = Self::default();
        for at in 0..given.len() {
            let name = names.get(at).copied().unwrap_or_default();
            let unusable = |error: io::Error| {
                let text = format!("the socket {name:?} that systemd hands over: {error}");
                CommandError::new(text)
            };
            let socket = match given.take_tcp_listener(at) {
                Ok(Some(socket)) => {
                    socket.set_nonblocking(true).map_err(unusable)?;
                    Socket::Tcp(TcpListener::from_std(socket).map_err(unusable)?)
                }
                Ok(None) => continue,
                // It is of another kind.
                Err(_) => {
                    let socket = given.take_unix_listener(at).map_err(unusable)?;
                    let Some(socket) = socket else { continue };
                    socket.set_nonblocking(true).map_err(unusable)?;
                    Socket::Unix(UnixListener::from_std(socket).map_err(unusable)?)
                }
            };
            let origin = Origin::Inherited;
            let listener = Listener { origin, socket };
            let list = if name == METRICS {
                &mut inherited.metrics
            } else {
                &mut inherited.api
            };
            list.0.push(listener);
        }
        Ok(inherited)
    }
}

impl Listeners {
    /// Binds each address, which an option of this name has; a host name stands for all its addresses.
    pub(crate) async fn bind(option: &str, addresses: &[String]) -> Result<Self> {
        let mut listeners = Vec::new();
        for text in addresses {
            if let Some(path) = text.strip_prefix(UNIX) {
                listeners.push(bind_file(option, Path::new(path)).await?);
                continue;
            }
            let found = lookup_host(text).await.map_err(|error| {
                CommandError::new(format!(
                    "{option} {text}: expected an address and a port, such as 0.0.0.0:5000, or a file, such as \
                     unix:/run/keystone/api.sock: {error}"
                ))
            })?;
            for address in found {
                let bound = TcpListener::bind(address).await;
                let refused = |error| refused(option, &address.to_string(), &error);
                let socket = Socket::Tcp(bound.map_err(refused)?);
                let origin = Origin::Bound;
                listeners.push(Listener { origin, socket });
            }
        }
        Ok(Self(listeners))
    }

    /// The addresses of the network, with the ports that the system chose.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let address = |listener: &Listener| match &listener.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(_) => None,
        };
        self.0.iter().filter_map(address).collect()
    }
}

/// Binds a file. One that a server has left behind, which ended abruptly, is replaced: nobody listens there, which is not so of one
/// that takes no connection for another reason.
async fn bind_file(option: &str, path: &Path) -> Result<Listener> {
    let refused = |error: &io::Error| refused(option, &path.display().to_string(), error);
    let is_socket = path
        .symlink_metadata()
        .is_ok_and(|found| found.file_type().is_socket());
    if is_socket
        && let Err(error) = UnixStream::connect(path).await
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        std::fs::remove_file(path).map_err(|error| refused(&error))?;
    }
    let bound = UnixListener::bind(path).map_err(|error| refused(&error))?;
    let file = SocketFile(path.to_owned());
    let mode = std::fs::Permissions::from_mode(SOCKET_MODE);
    std::fs::set_permissions(path, mode).map_err(|error| refused(&error))?;
    Ok(Listener {
        origin: Origin::File { _file: file },
        socket: Socket::Unix(bound),
    })
}

fn refused(option: &str, address: &str, error: &io::Error) -> CommandError {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("the address is in use; stop the other server or choose another with {option}")
        }
        _ => error.to_string(),
    };
    CommandError::new(format!("can't listen on {address}: {reason}"))
}

impl Listener {
    /// The address, as a log has it.
    pub(crate) fn name(&self) -> String {
        match &self.socket {
            Socket::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.to_string(),
                Err(error) => error.to_string(),
            },
            Socket::Unix(listener) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|it| it.as_pathname());
                format!("{UNIX}{}", path.unwrap_or(Path::new("?")).display())
            }
        }
    }

    /// The next connection, and its ends where they have addresses.
    pub(crate) async fn next(&self) -> (Stream, Option<Ends>) {
        loop {
            let accepted = match &self.socket {
                Socket::Tcp(listener) => listener.accept().await.map(tcp),
                Socket::Unix(listener) => listener.accept().await.map(unix),
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) => handle_accept_error(&error).await,
            }
        }
    }

    /// The connections that wait to be accepted, where the next process would not find them. The socket is closed behind them.
    pub(crate) fn rest(self) -> Vec<(Stream, Option<Ends>)> {
        let mut rest = Vec::new();
        if let Origin::Inherited = self.origin {
            return rest;
        }
        // From now on nobody finds the file.
        drop(self.origin);
        match self.socket {
            Socket::Tcp(listener) => {
                let Ok(listener) = listener.into_std() else {
                    return rest;
                };
                while let Ok((stream, remote)) = listener.accept() {
                    let set = stream.set_nonblocking(true);
                    let stream = set.and_then(|()| TcpStream::from_std(stream));
                    rest.extend(stream.map(|stream| tcp((stream, remote))));
                }
            }
            Socket::Unix(listener) => {
                let Ok(listener) = listener.into_std() else {
                    return rest;
                };
                while let Ok((stream, remote)) = listener.accept() {
                    let set = stream.set_nonblocking(true);
                    let stream = set.and_then(|()| UnixStream::from_std(stream));
                    rest.extend(stream.map(|stream| unix((stream, remote))));
                }
            }
        }
        rest
    }
}

fn tcp((stream, remote): (TcpStream, SocketAddr)) -> (Stream, Option<Ends>) {
    // Responses are written whole: Nagle's algorithm would only delay them.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().ok();
    let ends = local.map(|local| Ends { remote, local });
    (Stream::of(Io::Tcp(stream)), ends)
}

fn unix<A>((stream, _): (UnixStream, A)) -> (Stream, Option<Ends>) {
    (Stream::of(Io::Unix(stream)), None)
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

impl Stream {
    fn of(io: Io) -> Self {
        Self { io, stalled: None }
    }

    /// Whether it is of a program on this machine, by a file.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.io, Io::Unix(_))
    }

    /// What became of a write, which fails once the client has taken nothing for too long.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Calls the method of whichever stream it is.
macro_rules! forward {
    ($stream:expr, $method:ident($($argument:expr),*)) => {
        match &mut $stream.io {
            Io::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Io::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = forward!(self, poll_write(cx, bytes));
        self.written(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = forward!(self, poll_write_vectored(cx, parts));
        self.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixDatagram;

    use super::*;

    #[tokio::test]
    async fn a_file_is_replaced_only_where_nobody_listens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.sock");
        // A program has it that takes no connections of this kind.
        let other = UnixDatagram::bind(&path).unwrap();
        let refused = bind_file("--listen", &path).await.unwrap_err();
        assert!(refused.text.contains("is in use"), "{refused}");
        drop(other);
        let bound = bind_file("--listen", &path).await.unwrap();
        let asked = UnixStream::connect(&path).await.unwrap();
        bound.next().await;
        drop((asked, bound));
        assert!(!path.exists());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_loses_its_connection() {
        let (client, server) = UnixStream::pair().unwrap();
        let (mut stream, _) = unix((server, ()));
        let answer = vec![0; 16 << 20];
        let ended = stream.write_all(&answer).await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
