use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A server that sends this to everyone, and then nothing more.
async fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read_u8().await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            kept.push(stream);
        }
    });
    url
}

async fn ask(url: &str, limits: Limits) -> Result<Answer, Failure> {
    let trust = Trust {
        plain: true,
        ..Trust::default()
    };
    let client = Client::new(&trust, limits).unwrap();
    client
        .send(Request::get(url).body(Bytes::new()).unwrap())
        .await
}

#[tokio::test]
async fn without_idle_time_each_request_has_its_connection() {
    // The server answers once on each.
    let url = server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
    let trust = Trust {
        plain: true,
        ..Trust::default()
    };
    let limits = Limits {
        idle: Duration::ZERO,
        answer: Duration::from_secs(2),
        ..Limits::default()
    };
    let client = Client::new(&trust, limits).unwrap();
    for _ in 0..2 {
        let request = Request::get(&url).body(Bytes::new()).unwrap();
        assert_eq!(client.send(request).await.unwrap().body.len(), 5);
    }
}

/// A certificate or key that the tests of the server have.
fn tls(file: &str) -> PathBuf {
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server");
    server.join("tests/commands/tls").join(file)
}

/// A server with a certificate of `ca.pem`, which answers once a request has arrived.
async fn tls_server() -> String {
    let chain = CertificateDer::pem_file_iter(tls("server.pem")).unwrap();
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(tls("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                stream.read_u8().await.unwrap();
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    format!("https://localhost:{port}/")
}

#[tokio::test]
async fn sec_21_a_server_with_a_certificate_that_is_not_trusted_is_not_asked() {
    let url = tls_server().await;
    let ask = async |ca_file: Option<PathBuf>| {
        let trust = Trust {
            ca_file,
            ..Trust::default()
        };
        let client = Client::new(&trust, Limits::default()).unwrap();
        let request = Request::get(&url).body(Bytes::new()).unwrap();
        client.send(request).await.map(|answer| answer.status)
    };
    let status = ask(Some(tls("ca.pem"))).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    for ca_file in [Some(tls("other-ca.pem")), None] {
        let failure = ask(ca_file).await.unwrap_err().to_string();
        assert!(failure.contains("invalid peer certificate"), "{failure}");
    }
}

#[tokio::test]
async fn an_answer_is_whole() {
    let url = server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
    let answer = ask(&url, Limits::default()).await.unwrap();
    assert_eq!(
        (answer.status, &answer.body[..]),
        (StatusCode::OK, &b"hello"[..])
    );
}

#[tokio::test]
async fn debug_shows_nothing_of_an_answer() {
    let url =
        server("HTTP/1.1 200 OK\r\nSet-Cookie: a=s3cret\r\nContent-Length: 6\r\n\r\ns3cret").await;
    let answer = ask(&url, Limits::default()).await.unwrap();
    assert_eq!(
        format!("{answer:?}"),
        "Answer { status: 200, length: 6, .. }"
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let url = server("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n").await;
    let answer = ask(&url, Limits::default()).await.unwrap();
    assert_eq!(answer.status, StatusCode::FOUND);
}

#[tokio::test]
async fn a_longer_body_than_allowed_is_refused() {
    let url = server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
    let limits = Limits {
        body: 4,
        ..Limits::default()
    };
    let failure = ask(&url, limits).await.unwrap_err();
    assert_eq!(failure.to_string(), "length limit exceeded");
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_late() {
    let url = server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell").await;
    let limits = Limits {
        answer: Duration::from_millis(50),
        ..Limits::default()
    };
    let failure = ask(&url, limits).await.unwrap_err();
    assert_eq!(failure.to_string(), "no answer within 50ms");
}

#[tokio::test]
async fn what_does_not_listen_is_named_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let failure = ask(&url, Limits::default()).await.unwrap_err();
    assert!(
        failure.to_string().contains("Connection refused"),
        "{failure}"
    );
}

#[test]
fn a_file_without_certificates_is_named() {
    let trust = Trust {
        ca_file: Some("Cargo.toml".into()),
        ..Trust::default()
    };
    let unusable = Client::new(&trust, Limits::default()).unwrap_err();
    assert_eq!(unusable.to_string(), "Cargo.toml: no certificate is in it");
}
