//! A proxy in front of a server that loses connections as real ones do: without notice.

use std::{
    io::ErrorKind,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// A proxy that listens on a port of its own, until it is dropped.
pub(crate) struct Relay {
    pub(crate) port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    server: u16,
    accepted: AtomicUsize,
    swallowed: AtomicUsize,
    frozen: watch::Sender<bool>,
}

impl Relay {
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            server,
            accepted: AtomicUsize::new(0),
            swallowed: AtomicUsize::new(0),
            frozen: watch::Sender::new(false),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { port, state, task }
    }

    /// How many connections were made through it.
    pub(crate) fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// From now on nothing is forwarded on the open connections, which stay open.
    pub(crate) fn swallow(&self) {
        let accepted = self.accepted();
        self.state.swallowed.store(accepted, Ordering::SeqCst);
    }

    /// Stops or resumes forwarding on all connections, old and new.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.state.frozen.send_replace(frozen);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let number = state.accepted.fetch_add(1, Ordering::SeqCst);
        let state = Arc::clone(&state);
        connections.spawn(async move {
            state.thaw().await;
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, state.server)).await?;
            tokio::select! {
                ended = state.pass(number, &client, &server) => ended,
                ended = state.pass(number, &server, &client) => ended,
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

impl State {
    async fn thaw(&self) {
        let mut frozen = self.frozen.subscribe();
        frozen.wait_for(|frozen| !frozen).await.unwrap();
    }

    /// Forwards data until the sender closes the connection.
    async fn pass(&self, number: usize, from: &TcpStream, to: &TcpStream) -> std::io::Result<()> {
        let mut buffer = vec![0; 65_536];
        loop {
            from.readable().await?;
            let read = match from.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            self.thaw().await;
            let mut rest = &buffer[..read];
            while !rest.is_empty() && number >= self.swallowed.load(Ordering::SeqCst) {
                to.writable().await?;
                match to.try_write(rest) {
                    Ok(written) => rest = &rest[written..],
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
