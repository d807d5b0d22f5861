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
    let wrong = |reason: String| SettingsError {
        option: "tls_cacertfile",
        reason,
    };
    let rules = match settings.tls_req_cert {
        TlsReqCert::Allow | TlsReqCert::Never => None,
        TlsReqCert::Demand => {
            let trusted = trusted(settings)?;
            let mut roots = RootCertStore::empty();
            let (added, _) = roots.add_parsable_certificates(trusted.iter().cloned());
            if added == 0 {
                return Err(wrong("there is no certificate to trust".into()));
            }
            let chains =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                    .build()
                    .map_err(|error| wrong(error.to_string()))?;
            Some(Rules { chains, trusted })
        }
    };
    let verifier = Arc::new(Verifier {
        rules,
        provider: provider.clone(),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The certificates of the file, of the directory, or else of the system.
fn trusted(settings: &Settings) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    if let Some(file) = &settings.tls_cacertfile {
        return certificates(file).map_err(|reason| SettingsError {
            option: "tls_cacertfile",
            reason,
        });
    }
    if let Some(directory) = &settings.tls_cacertdir {
        let wrong = |reason| SettingsError {
            option: "tls_cacertdir",
            reason,
        };
        // Others beside them, as keys and READMEs, are no fault.
        let files = files(directory).map_err(wrong)?;
        return Ok(files
            .iter()
            .filter_map(|file| certificates(file).ok())
            .flatten()
            .collect());
    }
    Ok(rustls_native_certs::load_native_certs().certs)
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
