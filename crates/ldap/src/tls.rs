//! Whom a connection trusts: each directory has a configuration of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::settings::{Settings, SettingsError, TlsReqCert};

/// Reads the certificates.
pub(crate) fn config(settings: &Settings) -> Result<Arc<ClientConfig>, SettingsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let rules = match settings.tls_req_cert {
        TlsReqCert::Demand => Some(rules(settings, &provider)?),
        TlsReqCert::Allow | TlsReqCert::Never => None,
    };
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of both versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { rules, provider }))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn rules(settings: &Settings, provider: &Arc<CryptoProvider>) -> Result<Rules, SettingsError> {
    let (option, trusted) = trusted(settings);
    let wrong = |reason| SettingsError { option, reason };
    let trusted = trusted.map_err(wrong)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let chains =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let chains = chains.map_err(|_| wrong("there is no certificate to trust".into()))?;
    Ok(Rules { chains, trusted })
}

/// The certificates of the file, of the directory, or else of the system, and the option that says so.
fn trusted(settings: &Settings) -> (&'static str, Result<Vec<CertificateDer<'static>>, String>) {
    if let Some(file) = &settings.tls_cacertfile {
        return ("tls_cacertfile", certificates(file));
    }
    let Some(directory) = &settings.tls_cacertdir else {
        return (
            "tls_cacertfile",
            Ok(rustls_native_certs::load_native_certs().certs),
        );
    };
    // Others beside them, as keys and READMEs, are no fault.
    let found = files(directory).map(|files| {
        files
            .iter()
            .filter_map(|file| certificates(file).ok())
            .flatten()
            .collect()
    });
    ("tls_cacertdir", found)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    let entries = std::fs::read_dir(directory).map_err(failed)?;
    entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
        .collect()
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error: rustls::pki_types::pem::Error| format!("{}: {error}", file.display());
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(failed)?
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    if found.is_empty() {
        return Err(format!("{}: there is no certificate in it", file.display()));
    }
    Ok(found)
}

/// Verifies a server's certificate, or takes any.
#[derive(Debug)]
struct Verifier {
    rules: Option<Rules>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Rules {
    chains: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(rules) = &self.rules else {
            return Ok(ServerCertVerified::assertion());
        };
        match rules
            .chains
            .verify_server_cert(certificate, between, name, stapled, now)
        {
            // A certificate that is its own authority, a common set-up of OpenLDAP. Its dates have been checked by now.
            Err(error)
                if is_own_authority(&error) && rules.trusted.iter().any(|it| it == certificate) =>
            {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Whether a chain was refused only for a server's certificate that may sign others. rustls has no variant for it.
fn is_own_authority(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            format!("{other:?}").contains("CaUsedAsEndEntity")
        }
        _ => false,
    }
}
