//! The certificates to trust and to show.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// The certificates of a client.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// A PEM file with the certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM files with the certificate to show, followed by those between it and its authority, and with its key.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// No `https:` will be asked for, so that the system needs no trusted certificates.
    pub plain: bool,
}

/// There are no certificates to trust, or a certificate or key can't be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct Unusable {
    /// The file, or where else they come from.
    pub what: String,
    /// The reason.
    pub reason: String,
}

/// What a client of TLS goes by, also one that speaks no HTTP.
///
/// # Errors
///
/// A certificate or key can't be used, or the system has none to trust.
pub fn tls_config(trust: &Trust) -> Result<ClientConfig, Unusable> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&"TLS", &error))?
        .with_root_certificates(roots(trust)?);
    let Some((certificate, key)) = &trust.client_certificate else {
        return Ok(config.with_no_client_auth());
    };
    let chain = certificates(certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(&key.display(), &error))?;
    let config = config.with_client_auth_cert(chain, key);
    config.map_err(|error| unusable(&certificate.display(), &error))
}

/// The certificates to trust: those of a file, or the system's.
fn roots(trust: &Trust) -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = &trust.ca_file {
        for certificate in certificates(file)? {
            let added = roots.add(certificate);
            added.map_err(|error| unusable(&file.display(), &error))?;
        }
    } else if !trust.plain {
        let native = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(native.certs);
        if added == 0 {
            let errors: Vec<_> = native.errors.iter().map(ToString::to_string).collect();
            let reason = format!("none can be used {}", errors.join("; "));
            return Err(unusable(
                &"the system's trusted certificates",
                &reason.trim_end(),
            ));
        }
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let unreadable = |error: rustls::pki_types::pem::Error| unusable(&file.display(), &error);
    let found = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(unreadable)?;
    if found.is_empty() {
        return Err(unusable(&file.display(), &"no certificate is in it"));
    }
    Ok(found)
}

fn unusable(what: &dyn Display, reason: &dyn Display) -> Unusable {
    Unusable {
        what: what.to_string(),
        reason: reason.to_string(),
    }
}
