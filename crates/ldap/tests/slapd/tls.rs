//! Whom a connection trusts.

use keystone_ldap::{Error, Settings, TlsReqCert};

use crate::directory;
use crate::server::{Setup, Slapd, key};
use crate::slapd;

fn setup(certificate: &'static str) -> Setup {
    Setup {
        certificate: Some(certificate),
        ..Setup::default()
    }
}

/// `ldaps:`, trusting a file.
fn ldaps(slapd: &Slapd, host: &str, trusted: &str) -> Settings {
    let url = format!("ldaps://{host}:{}", slapd.tls_port);
    Settings {
        url,
        tls_cacertfile: Some(key(trusted)),
        ..slapd.settings()
    }
}

/// `StartTLS`, trusting a file.
fn start_tls(slapd: &Slapd, host: &str, trusted: &str) -> Settings {
    let url = format!("ldap://{host}:{}", slapd.port);
    Settings {
        url,
        use_tls: true,
        tls_cacertfile: Some(key(trusted)),
        ..slapd.settings()
    }
}

async fn works(settings: &Settings) {
    assert_eq!(directory(settings).users(&[]).await.unwrap().len(), 17);
}

async fn refused(settings: &Settings, reason: &str) {
    let error = directory(settings).users(&[]).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains(reason), "{error}");
}

#[tokio::test]
async fn a_certificate_of_the_authority_is_trusted() {
    let slapd = slapd!(setup("server"));
    for make in [ldaps, start_tls] {
        for host in ["127.0.0.1", "localhost"] {
            works(&make(&slapd, host, "authority.pem")).await;
        }
        refused(
            &make(&slapd, "localhost", "own.pem"),
            "invalid peer certificate: UnknownIssuer",
        )
        .await;
        // The system has no such authority.
        let system = Settings {
            tls_cacertfile: None,
            ..make(&slapd, "localhost", "")
        };
        refused(&system, "invalid peer certificate: UnknownIssuer").await;
        for any in [TlsReqCert::Never, TlsReqCert::Allow] {
            works(&Settings {
                tls_req_cert: any,
                ..make(&slapd, "localhost", "own.pem")
            })
            .await;
            works(&Settings {
                tls_req_cert: any,
                ..system.clone()
            })
            .await;
        }
        // Another directory in the process trusts as before.
        refused(&system, "invalid peer certificate: UnknownIssuer").await;
    }
}

#[tokio::test]
async fn a_directory_of_certificates_is_read_whole() {
    let slapd = slapd!(setup("server"));
    let trusted = tempfile::TempDir::new().unwrap();
    let settings = Settings {
        tls_cacertfile: None,
        tls_cacertdir: Some(trusted.path().into()),
        ..ldaps(&slapd, "localhost", "")
    };
    let error = keystone_ldap::Directory::new(&settings).unwrap_err();
    assert_eq!(error.option, "tls_cacertdir");
    std::fs::copy(key("own.pem"), trusted.path().join("a.pem")).unwrap();
    std::fs::write(trusted.path().join("README"), "no certificate").unwrap();
    refused(&settings, "UnknownIssuer").await;
    std::fs::copy(key("authority.pem"), trusted.path().join("b.pem")).unwrap();
    works(&settings).await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let slapd = slapd!(setup("elsewhere"));
    for make in [ldaps, start_tls] {
        let settings = make(&slapd, "localhost", "authority.pem");
        refused(&settings, "certificate not valid for name \"localhost\"").await;
        works(&Settings {
            tls_req_cert: TlsReqCert::Never,
            ..settings
        })
        .await;
    }
}

#[tokio::test]
async fn a_certificate_that_is_its_own_authority_is_trusted_where_it_is_the_trusted_one() {
    let slapd = slapd!(setup("own"));
    for make in [ldaps, start_tls] {
        works(&make(&slapd, "localhost", "own.pem")).await;
        works(&make(&slapd, "127.0.0.1", "own.pem")).await;
        for other in ["authority.pem", "own-elsewhere.pem", "own-expired.pem"] {
            refused(
                &make(&slapd, "localhost", other),
                "invalid peer certificate",
            )
            .await;
        }
    }
}

#[tokio::test]
async fn a_trusted_certificate_for_another_name_is_refused() {
    let slapd = slapd!(setup("own-elsewhere"));
    refused(
        &ldaps(&slapd, "localhost", "own-elsewhere.pem"),
        "certificate not valid for name \"localhost\"",
    )
    .await;
}

#[tokio::test]
async fn a_trusted_certificate_that_is_out_of_date_is_refused() {
    let slapd = slapd!(setup("own-expired"));
    refused(
        &ldaps(&slapd, "localhost", "own-expired.pem"),
        "certificate expired",
    )
    .await;
    works(&Settings {
        tls_req_cert: TlsReqCert::Never,
        ..ldaps(&slapd, "localhost", "own-expired.pem")
    })
    .await;
}

#[tokio::test]
async fn a_server_without_tls_gets_no_password() {
    let slapd = slapd!();
    refused(&start_tls(&slapd, "localhost", "authority.pem"), "StartTLS").await;
}
