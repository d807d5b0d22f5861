//! A server of a test's own: Debian's `slapd`, or the program that `KEYSTONE_TEST_SLAPD` names. The tests of the API start it,
//! too.

use std::fmt::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

pub(crate) const PASSWORD_OF_ROOT: &str = "root-secret";

/// What a server is to be like.
pub(crate) struct Setup {
    /// The name of its certificate in `keys/`, and then it speaks TLS too.
    pub(crate) certificate: Option<&'static str>,
    /// Lines for its configuration.
    pub(crate) lines: &'static str,
    /// Entries beside the fixture's.
    pub(crate) entries: String,
    /// Who reads entries: the service only, so that a search in another name finds nothing.
    pub(crate) access: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            certificate: None,
            lines: "",
            entries: String::new(),
            access: "access to attrs=userPassword by anonymous auth by * none\n\
                     access to * by dn.exact=\"cn=keystone,ou=Services,dc=example,dc=org\" read by * none",
        }
    }
}

/// A server, which ends with the test.
pub(crate) struct Slapd {
    directory: TempDir,
    child: Child,
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
}

impl Slapd {
    /// `None` where there is no `slapd`.
    pub(crate) async fn start(setup: Setup) -> Option<Self> {
        let program = program()?;
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        // Under the name of the package's program, AppArmor would keep it from the test's files.
        let copied = Command::new("cp")
            .arg(program)
            .arg(path.join("slapd"))
            .status()
            .unwrap();
        assert!(copied.success());
        std::fs::create_dir(path.join("db")).unwrap();
        std::fs::write(path.join("slapd.conf"), configuration(path, &setup)).unwrap();
        std::fs::write(
            path.join("all.ldif"),
            include_str!("fixture.ldif").to_owned() + "\n" + &setup.entries,
        )
        .unwrap();
        let loaded = Command::new(path.join("slapd"))
            .args(["-T", "add", "-q", "-f"])
            .arg(path.join("slapd.conf"))
            .arg("-l")
            .arg(path.join("all.ldif"))
            .output()
            .unwrap();
        assert!(
            loaded.status.success(),
            "{}",
            String::from_utf8_lossy(&loaded.stderr)
        );
        loop {
            let (port, tls_port) = (free_port(), free_port());
            let mut child = spawn(path, port, tls_port, setup.certificate.is_some());
            if is_up(&mut child, path).await {
                return Some(Self {
                    directory,
                    child,
                    port,
                    tls_port,
                });
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// The URL of a socket.
    pub(crate) fn socket(&self) -> String {
        socket(self.directory.path())
    }

    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn start_again(&mut self) {
        self.stop();
        let path = self.directory.path();
        self.child = spawn(path, self.port, self.tls_port, false);
        assert!(is_up(&mut self.child, path).await);
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file in `keys/`.
pub(crate) fn key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/slapd/keys")
        .join(name)
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn program() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are configured by the environment"
    )]
    let named = std::env::var("KEYSTONE_TEST_SLAPD").ok();
    let program = PathBuf::from(named.clone().unwrap_or_else(|| "/usr/sbin/slapd".into()));
    if named.is_none() && !program.exists() {
        eprintln!("there is no {}: not tested", program.display());
        return None;
    }
    Some(program)
}

fn configuration(path: &Path, setup: &Setup) -> String {
    let mut text = String::new();
    for schema in ["core", "cosine", "nis", "inetorgperson"] {
        writeln!(text, "include /etc/ldap/schema/{schema}.schema").unwrap();
    }
    text += include_str!("schema.conf");
    if let Some(name) = setup.certificate {
        let certificate = key(&format!("{name}.pem"));
        let private = key(&format!("{name}.key"));
        writeln!(text, "TLSCertificateFile {}", certificate.display()).unwrap();
        writeln!(text, "TLSCertificateKeyFile {}", private.display()).unwrap();
    }
    let Setup { lines, access, .. } = setup;
    let database = path.join("db");
    writeln!(
        text,
        "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n\
         database mdb\nsuffix dc=example,dc=org\nrootdn cn=root,dc=example,dc=org\nrootpw {PASSWORD_OF_ROOT}\n\
         directory {}\nmaxsize 268435456\nindex objectClass,uid,member eq\n{access}\n{lines}\noverlay memberof",
        database.display()
    )
    .unwrap();
    text
}

fn spawn(path: &Path, port: u16, tls_port: u16, tls: bool) -> Child {
    let mut urls = format!("ldap://127.0.0.1:{port}");
    if tls {
        write!(urls, " ldaps://127.0.0.1:{tls_port}").unwrap();
    }
    write!(urls, " {}", socket(path)).unwrap();
    // It stays in the foreground if it is asked to debug.
    Command::new(path.join("slapd"))
        .args(["-d", "0", "-h", &urls, "-f"])
        .arg(path.join("slapd.conf"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn socket(path: &Path) -> String {
    let path = path.join("socket").display().to_string();
    format!("ldapi://{}", path.replace('/', "%2F"))
}

/// Waits until it listens everywhere: at its socket, which is the last and nobody else's. It ends where another process has
/// one of the ports.
async fn is_up(child: &mut Child, path: &Path) -> bool {
    loop {
        if UnixStream::connect(path.join("socket")).is_ok() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
