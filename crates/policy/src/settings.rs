//! The `[oslo_policy]` options.

use std::path::PathBuf;
use std::time::Duration;

/// Where the operator's rules are and how the defaults are read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The policy file; none, or one that is missing at the start, leaves the defaults.
    pub file: Option<PathBuf>,
    /// Directories whose files are laid over the policy file, in the order of their names.
    pub dirs: Vec<PathBuf>,
    /// Rules in JSON or YAML that the program lays over those of the files.
    pub overrides: Option<String>,
    /// `false` also allows what the deprecated predecessor of a default allowed.
    pub enforce_new_defaults: bool,
    /// The rule that answers for names that are not defined.
    pub default_rule: String,
    /// How `http:` and `https:` checks ask.
    pub remote: RemoteSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            file: None,
            dirs: Vec::new(),
            overrides: None,
            enforce_new_defaults: true,
            default_rule: "default".to_owned(),
            remote: RemoteSettings::default(),
        }
    }
}

/// The `remote_*` options.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// The form of the question.
    pub format: RemoteFormat,
    /// How long one question may take.
    pub timeout: Duration,
    /// Whether the certificate of an `https:` server is verified.
    pub verify: bool,
    /// The certificates that verification trusts instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The certificate shown to the server.
    pub client_certificate: Option<PathBuf>,
    /// The key of that certificate.
    pub client_key: Option<PathBuf>,
}

impl Default for RemoteSettings {
    fn default() -> Self {
        Self {
            format: RemoteFormat::Form,
            timeout: Duration::from_mins(1),
            verify: false,
            ca_file: None,
            client_certificate: None,
            client_key: None,
        }
    }
}

/// `remote_content_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteFormat {
    /// `application/x-www-form-urlencoded`: three fields, each one a JSON text.
    Form,
    /// `application/json`: one object.
    Json,
}
