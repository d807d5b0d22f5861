//! TLS of `keystone serve`, with certificates that `tls/make` has made.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use keystone::Keystone;
use keystone::storage::sql;
use keystone::types::{NotValidated, Validate, Wanted};
use keystone_middleware::{Remote, ServiceUser};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::sandbox::{Run, Sandbox, Server};

fn fixture(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    directory.join("tests/commands/tls").join(name)
}

/// A sandbox whose `server.pem` and `server.key` are those of the first authority.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::ready();
    for name in ["server.pem", "server.key"] {
        std::fs::copy(fixture(name), sandbox.path(name)).unwrap();
    }
    sandbox
}

fn serve(sandbox: &Sandbox) -> Server {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_keystone"));
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--config-file",
        "keystone.conf",
    ]);
    command.args([
        "--tls-certificate",
        "server.pem",
        "--tls-key",
        "server.key",
        "--tls-client-ca",
    ]);
    Server::start(command.arg(fixture("ca.pem")))
}

/// Asks as a client that trusts one authority and shows a certificate, where one is named; none if the server is not
/// trusted or does not let the client in.
fn ask(
    server: &Server,
    authority: &str,
    client: Option<&str>,
    lines: &str,
) -> Option<(u16, Value)> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(fixture(authority)).unwrap();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some(name) => {
            let chain = CertificateDer::from_pem_file(fixture(&format!("{name}.pem"))).unwrap();
            let key = PrivateKeyDer::from_pem_file(fixture(&format!("{name}.key"))).unwrap();
            config.with_client_auth_cert(vec![chain], key).unwrap()
        }
    };
    let name = "localhost".try_into().unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(session, TcpStream::connect(&server.address).unwrap());
    let request = format!("{lines}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // A server need not say goodbye.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or_default()))
}

#[test]
fn links_lead_back_to_https() {
    let sandbox = sandbox();
    let server = serve(&sandbox);
    let (status, body) = ask(&server, "ca.pem", None, "GET /v3 HTTP/1.1").unwrap();
    assert_eq!(status, 200);
    assert_eq!(body["version"]["links"][0]["href"], "https://localhost/v3/");
    assert_eq!(ask(&server, "other-ca.pem", None, "GET /v3 HTTP/1.1"), None);
}

#[tokio::test]
async fn the_certificate_of_a_client_stands_for_a_token() {
    let sandbox = sandbox();
    sandbox.configure("[tokenless_auth]\ntrusted_issuer = CN=ca,O=test\n");
    let database = format!("sqlite:///{}", sandbox.path("keystone.db").display());
    let keystone = Keystone::builder()
        .database(database)
        .build()
        .await
        .unwrap();
    let rules = json!([{
        "remote": [{ "type": "SSL_CLIENT_S_DN_CN" }],
        "local": [{ "user": { "name": "{0}", "domain": { "id": "default" }, "type": "local" } }],
    }]);
    // As Python Keystone stores them: a text.
    let rules = Value::from(rules.to_string()).to_string();
    // SHA-256 of the issuer.
    let idp = "b5f519185b4351a0aff5c1fdb293c4a42c49a76b91319e65cf49c80949481669";
    for insert in [
        sql("INSERT INTO mapping (id, rules) VALUES ('m', ?)").bind(rules),
        sql("INSERT INTO identity_provider (id, enabled, domain_id) VALUES (?, 1, 'default')")
            .bind(idp),
        sql("INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES (?, 'x509', 'm')")
            .bind(idp),
    ] {
        insert.execute(keystone.db()).await.unwrap();
    }
    let server = serve(&sandbox);
    let users = "GET /v3/users HTTP/1.1\r\nX-Project-Name: admin\r\nX-Project-Domain-Id: default";
    let (status, body) = ask(&server, "ca.pem", Some("client"), users).unwrap();
    assert_eq!((status, &body["users"][0]["name"]), (200, &json!("admin")));
    let (status, _) = ask(&server, "ca.pem", None, users).unwrap();
    assert_eq!(status, 401);
    // The server takes no certificate of this authority.
    assert_eq!(ask(&server, "ca.pem", Some("other-client"), users), None);
}

#[tokio::test]
async fn the_client_of_the_guard_trusts_its_authority_and_shows_its_certificate() {
    let sandbox = sandbox();
    let server = serve(&sandbox);
    let port = server.address.rsplit(':').next().unwrap();
    let url = format!("https://localhost:{port}/v3");
    let ask = async |authority: &str, client: Option<&str>| {
        let user = ServiceUser::password("admin", "s3cret").project_name("admin");
        let mut remote = Remote::builder(&url, user).ca_file(fixture(authority));
        if let Some(name) = client {
            let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
            remote = remote.client_certificate(fixture(&certificate), fixture(&key));
        }
        let remote = remote.build().unwrap();
        remote.validate("garbage", Wanted::default()).await
    };
    // Keystone has said so.
    assert_eq!(ask("ca.pem", None).await, Err(NotValidated::Invalid));
    assert_eq!(
        ask("ca.pem", Some("client")).await,
        Err(NotValidated::Invalid)
    );
    for (authority, client) in [("other-ca.pem", None), ("ca.pem", Some("other-client"))] {
        let outcome = ask(authority, client).await;
        assert!(
            matches!(outcome, Err(NotValidated::Unreachable { .. })),
            "{outcome:?}"
        );
    }
}

#[test]
fn sighup_replaces_the_certificate_or_changes_nothing() {
    let sandbox = sandbox();
    let server = serve(&sandbox);
    let discovery = "GET /v3 HTTP/1.1";
    let read_again = |expected: &str| {
        server.signal(Signal::SIGHUP);
        server.logs(expected);
        server.logs("the configuration was read again");
    };
    std::fs::copy(fixture("other-server.pem"), sandbox.path("server.pem")).unwrap();
    read_again("the certificates stay as they were: TLS with server.pem and server.key:");
    assert!(ask(&server, "ca.pem", None, discovery).is_some());
    std::fs::copy(fixture("other-server.key"), sandbox.path("server.key")).unwrap();
    read_again("the certificates were read again");
    assert!(ask(&server, "other-ca.pem", None, discovery).is_some());
    assert_eq!(ask(&server, "ca.pem", None, discovery), None);
}

#[test]
fn files_that_are_no_certificate_or_key_are_refused() {
    let sandbox = sandbox();
    let key = sandbox.path("server.key");
    let refused = |certificate: &str, text: &str| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_keystone"));
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--config-file",
            "keystone.conf",
        ]);
        command
            .args(["--tls-certificate", certificate, "--tls-key"])
            .arg(&key);
        Run::of(&mut command).exits_with(1).says(text);
    };
    refused("nowhere.pem", "TLS with nowhere.pem: ");
    refused(
        "keystone.conf",
        "TLS with keystone.conf: there is no certificate in it",
    );
    std::fs::copy(fixture("client.key"), &key).unwrap();
    refused("server.pem", "TLS with server.pem and ");
}
