//! TLS that this server terminates itself, with the certificates of clients that show one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use clap::Args;
use keystone::api::Environment;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::error::{CommandError, Result};
use crate::serve::sockets::Stream;

/// HTTP/2 as clients and servers name it in handshakes.
const HTTP_2: &[u8] = b"h2";

/// The files of TLS; without them the server speaks plain HTTP.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TlsArguments {
    /// Serve HTTPS with this certificate, followed by those of its issuers: a file in PEM
    #[arg(
        long = "tls-certificate",
        id = "tls_certificate",
        value_name = "FILE",
        requires = "tls_key"
    )]
    certificate: Option<PathBuf>,
    /// The private key of --tls-certificate: a file in PEM
    #[arg(
        long = "tls-key",
        id = "tls_key",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    key: Option<PathBuf>,
    /// Take certificates of clients that these authorities have issued: a file in PEM
    #[arg(
        long = "tls-client-ca",
        id = "tls_client_ca",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    client_ca: Option<PathBuf>,
}

/// TLS with the certificates in force; clones share them.
#[derive(Clone)]
pub(crate) struct Tls {
    files: Arc<Files>,
    config: Arc<ArcSwap<ServerConfig>>,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

impl TlsArguments {
    /// Reads the files; none where the server is to speak plain HTTP.
    pub(crate) fn load(self) -> Result<Option<Tls>> {
        let Some((certificate, key)) = self.certificate.zip(self.key) else {
            return Ok(None);
        };
        let files = Files {
            certificate,
            key,
            client_ca: self.client_ca,
        };
        let config = ArcSwap::new(files.config()?);
        Ok(Some(Tls {
            files: files.into(),
            config: config.into(),
        }))
    }
}

impl Tls {
    /// Reads the files again, for connections that begin from now on: all of them, or nothing changes.
    pub(crate) fn reload(&self) -> Result<()> {
        self.config.store(self.files.config()?);
        Ok(())
    }

    /// Answers a client's handshake. The variables are those of its certificate, where it shows one.
    pub(crate) async fn accept(
        &self,
        stream: Stream,
    ) -> std::io::Result<(TlsStream<Stream>, Option<Environment>)> {
        let acceptor = TlsAcceptor::from(self.config.load_full());
        let stream = acceptor.accept(stream).await?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let environment = certificate.map(|der| Environment::of_certificate(der));
        let environment = environment.transpose().map_err(std::io::Error::other)?;
        Ok((stream, environment))
    }
}

impl Files {
    fn config(&self) -> Result<Arc<ServerConfig>> {
        let provider = Arc::new(default_provider());
        let of_files = |error: rustls::Error| {
            let (certificate, key) = (self.certificate.display(), self.key.display());
            CommandError::new(format!("TLS with {certificate} and {key}: {error}"))
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(of_files)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut authorities = RootCertStore::empty();
                for authority in certificates(path)? {
                    authorities
                        .add(authority)
                        .map_err(|error| unusable(path, &error))?;
                }
                let roots = Arc::new(authorities);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| unusable(path, &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::from_pem_file(&self.key);
        let key = key.map_err(|error| unusable(&self.key, &error))?;
        let chain = certificates(&self.certificate)?;
        let mut config = builder.with_single_cert(chain, key).map_err(of_files)?;
        config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Whether client and server have agreed on HTTP/2.
pub(crate) fn is_http2(stream: &TlsStream<Stream>) -> bool {
    let (_, session) = stream.get_ref();
    session.alpn_protocol() == Some(HTTP_2)
}

/// The certificates in a file: at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, &"there is no certificate in it"));
    }
    Ok(certificates)
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> CommandError {
    CommandError::new(format!("TLS with {}: {error}", path.display()))
}
