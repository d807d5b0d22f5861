//! What stands between a client and a server, and fails when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ldap3::asn1::parse_tag;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a proxy does.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    /// It passes everything on.
    Pass,
    /// Answers stay with it.
    Stall,
    /// A connection ends with the next request on it.
    Cut,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    mode: watch::Sender<Mode>,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, modes) = watch::channel(Mode::Pass);
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(AtomicUsize::new(0));
        let (counted, asked) = (connections.clone(), requests.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(pass(client, server, modes.clone(), asked.clone()));
            }
        });
        Self {
            port,
            mode,
            connections,
            requests,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Connections that are new from here on are as the others.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many requests there have been, binds among them.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn pass(
    client: TcpStream,
    server: u16,
    mut modes: watch::Receiver<Mode>,
    requests: Arc<AtomicUsize>,
) -> Option<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let server = TcpStream::connect(("127.0.0.1", server)).await.ok()?;
    let (mut from_server, mut to_server) = server.into_split();
    let (mut question, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    // What has come of a request that is not whole.
    let mut begun = Vec::new();
    loop {
        tokio::select! {
            read = from_client.read(&mut question) => {
                let read = read.ok().filter(|read| *read > 0)?;
                if *modes.borrow() == Mode::Cut {
                    return None;
                }
                begun.extend_from_slice(&question[..read]);
                while let Ok((rest, _)) = parse_tag(&begun) {
                    begun = rest.to_vec();
                    requests.fetch_add(1, Ordering::SeqCst);
                }
                to_server.write_all(&question[..read]).await.ok()?;
            }
            read = from_server.read(&mut answer) => {
                let read = read.ok().filter(|read| *read > 0)?;
                modes.wait_for(|mode| *mode != Mode::Stall).await.ok()?;
                to_client.write_all(&answer[..read]).await.ok()?;
            }
        }
    }
}
