//! A directory with a `keystone.conf`, and the commands run on it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Sandbox {
    dir: TempDir,
}

/// The output of a command.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let sandbox = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        sandbox.configure("");
        sandbox
    }

    /// A sandbox whose database is at head, with keys and an administrator whose password is `s3cret`.
    pub(crate) fn ready() -> Self {
        let sandbox = Self::new();
        for command in ["fernet_setup", "credential_setup"] {
            sandbox.manage(&owned(&[command])).succeeds();
        }
        sandbox.manage(&["db_sync"]).succeeds();
        sandbox
            .manage(&["bootstrap", "--bootstrap-password", "s3cret"])
            .succeeds();
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Writes `keystone.conf`: everything in this directory, and `more`.
    pub(crate) fn configure(&self, more: &str) -> String {
        let dir = self.dir.path().display();
        let text = format!(
            "[database]\nconnection = sqlite:///{dir}/keystone.db\n\
             [fernet_tokens]\nkey_repository = {dir}/fernet-keys\n\
             [fernet_receipts]\nkey_repository = {dir}/fernet-keys\n\
             [credential]\nkey_repository = {dir}/credential-keys\n{more}"
        );
        self.write("keystone.conf", &text)
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// `keystone-manage`, not yet started, with the configuration of this sandbox.
    pub(crate) fn manage_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_keystone-manage"));
        command
            .arg("--config-file")
            .arg(self.path("keystone.conf"))
            .args(arguments);
        command
    }

    pub(crate) fn manage(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.manage_command(arguments))
    }

    /// `keystone serve` at an address, not yet started.
    pub(crate) fn serve_command(&self, listen: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_keystone"));
        command
            .args(["serve", "--listen", listen, "--config-file"])
            .arg(self.path("keystone.conf"));
        command
    }

    /// `keystone serve` on a port that the system chooses, once it listens or has ended.
    pub(crate) fn serve(&self) -> Server {
        Server::start(&mut self.serve_command("127.0.0.1:0"))
    }
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let (ended, end) = channel();
        std::thread::spawn(move || ended.send(child.wait_with_output()));
        let output = end.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            kill(id, Signal::SIGKILL).unwrap();
            panic!("{command:?} does not end");
        });
        let output = output.unwrap();
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        self.exits_with(0)
    }

    #[track_caller]
    pub(crate) fn exits_with(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} not in {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert_eq!(self.stdout, text, "{self:#?}");
        self
    }
}

/// A server under test; it is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// What it logged before it listened.
    pub(crate) preparation: Vec<String>,
    log: Receiver<String>,
}

impl Server {
    /// Waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (lines, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let mut server = Self {
            child,
            address: String::new(),
            preparation: Vec::new(),
            log,
        };
        let mut before = Vec::new();
        let line = server.log_line("listening address=", &mut before);
        server.preparation = before;
        let (_, address) = line.split_once("address=").unwrap();
        address.trim().clone_into(&mut server.address);
        server
    }

    /// The next line of the log that has `text`.
    #[track_caller]
    pub(crate) fn logs(&self, text: &str) -> String {
        self.log_line(text, &mut Vec::new())
    }

    /// The same; the lines before it are added to others.
    #[track_caller]
    fn log_line(&self, text: &str, before: &mut Vec<String>) -> String {
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => before.push(line),
                Err(error) => panic!(
                    "{error}; {text:?} is not in the log:\n{}",
                    before.join("\n")
                ),
            }
        }
    }

    /// Whether nothing is logged for a moment, as while the server waits.
    pub(crate) fn is_quiet(&self) -> bool {
        let moment = Duration::from_millis(300);
        self.log.recv_timeout(moment) == Err(RecvTimeoutError::Timeout)
    }

    /// What the kernel says of the process, as in `/proc/PID/status`.
    pub(crate) fn status(&self, name: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let mut lines = status.lines().filter_map(|line| line.split_once(':'));
        lines.find(|line| line.0 == name).unwrap().1.trim().into()
    }

    /// How much memory the server has, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let text = self.status("VmRSS");
        text.trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(id), signal).unwrap();
    }

    /// Ends the server as an operator does, and gives its exit status.
    pub(crate) fn stop(mut self, signal: Signal) -> i32 {
        self.signal(signal);
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Status and body of the answer to a request.
    pub(crate) fn ask(&self, request: &str, body: &str) -> (u16, String, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: keystone\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        (status, head.to_owned(), body)
    }

    /// The status of a login of the administrator to the project `admin`, and the token's body.
    pub(crate) fn log_in(&self, password: &str) -> (u16, Value) {
        let user = serde_json::json!({"name": "admin", "domain": {"name": "Default"}, "password": password});
        let body = serde_json::json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "admin", "domain": {"name": "Default"}}},
        }});
        let (status, _, token) = self.ask("POST /v3/auth/tokens", &body.to_string());
        (status, token)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The arguments, and the owner that root has to name.
pub(crate) fn owned<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = arguments.to_vec();
    if Uid::effective().is_root() {
        all.extend(["--keystone-user", "root", "--keystone-group", "root"]);
    }
    all
}

/// The permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The names in a directory, in order.
pub(crate) fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
