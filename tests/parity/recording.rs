//! What a recording holds: options of `keystone.conf`, and questions with Keystone's answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use keystone::Settings;
use keystone_config::{Config, Sources};
use keystone_testkit::StoredMapping;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::questions::Asked;

/// Beside what the scenario sets: what Keystone was recorded with.
const STANDARD: &str = "[DEFAULT]\nmax_token_size = 255\n\
    [database]\nconnection = sqlite://\n\
    [token]\nallow_rescope_scoped_token = true\n\
    [identity]\npassword_hash_algorithm = bcrypt\npassword_hash_rounds = 4\n";

#[derive(Debug, Deserialize)]
pub(crate) struct Recording {
    /// Group, option, value.
    config: BTreeMap<String, BTreeMap<String, String>>,
    /// The recording whose steps come first, such as the cast's.
    after: Option<String>,
    pub(crate) steps: Vec<Step>,
    /// Those that the policy was asked with.
    #[serde(default)]
    pub(crate) credentials: Vec<Value>,
}

/// A request and its answer, a login, a mapping that is stored, or time that passes.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    #[serde(rename = "as")]
    pub(crate) who: Option<String>,
    #[serde(default)]
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) raw: Option<String>,
    pub(crate) headers: Option<Map<String, Value>>,
    /// Variables that a web server in front vouches for.
    #[serde(default)]
    pub(crate) environ: BTreeMap<String, String>,
    pub(crate) mapping: Option<StoredMapping>,
    pub(crate) save: Option<Save>,
    /// The name of the token that this answers; of a login's answer only the status matters.
    pub(crate) token: Option<String>,
    /// The name of the receipt that this answers.
    pub(crate) receipt: Option<String>,
    pub(crate) login: Option<String>,
    pub(crate) wait: Option<i64>,
    /// Only the lengths of lists are the same.
    #[serde(default)]
    pub(crate) count: bool,
    /// Keystone drops the connection; here there is an answer.
    #[serde(default)]
    pub(crate) dropped: bool,
    #[serde(default)]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) answer: Value,
    #[serde(default)]
    pub(crate) answered: Map<String, Value>,
    /// What was announced, in a recording of that.
    pub(crate) announced: Option<Vec<Value>>,
    /// What the policy was asked, in a recording of that.
    #[serde(default)]
    pub(crate) asked: Vec<Asked>,
}

/// Which parts of an answer later steps name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Save {
    /// The id of the one resource.
    Member(String),
    /// Names and paths, as `limits/resource_name=volumes/id`.
    Parts(BTreeMap<String, String>),
}

impl Recording {
    pub(crate) fn read(kind: &str, name: &str) -> Self {
        let text = fs::read_to_string(directory(kind).join(format!("{name}.json")))
            .expect("the recording is a file");
        let mut recording: Self =
            serde_json::from_str(&text).expect("a recording is options and steps");
        if let Some(first) = &recording.after {
            let first = Self::read("recorded", first).steps;
            recording.steps.splice(..0, first);
        }
        recording
    }

    /// The settings that the options come to, with the rules that are built in.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            policy: Settings::default().policy,
            ..self.all_settings()
        }
    }

    /// The variables that a web server in front vouches for in some request.
    pub(crate) fn variables(&self) -> BTreeSet<String> {
        let steps = self.steps.iter();
        steps
            .flat_map(|step| step.environ.keys().cloned())
            .collect()
    }

    /// How the policy is asked.
    pub(crate) fn policy(&self) -> keystone::policy::Settings {
        self.all_settings().policy
    }

    /// Unknown options are a mistake of the scenario.
    fn all_settings(&self) -> Settings {
        let groups = self.config.iter().map(|(group, options)| {
            let lines = options
                .iter()
                .map(|(name, value)| format!("{name} = {value}\n"));
            format!("[{group}]\n{}", lines.collect::<String>())
        });
        let text = STANDARD.to_owned() + &groups.collect::<String>();
        let sources = Sources::new().text("keystone.conf", &text);
        let (config, found) = Config::load(&sources).expect("the scenario's options are right");
        assert!(found.is_empty(), "{found:?}");
        let (settings, mut warnings) = config.settings(&sources).expect("they make settings");
        // No domain of a scenario has a file.
        warnings.retain(|it| it.option.as_deref() != Some("domain_config_dir"));
        assert!(warnings.is_empty(), "{warnings:?}");
        settings
    }
}

impl Save {
    /// What the answer has under which names.
    pub(crate) fn from<'a>(&'a self, body: &'a Value) -> Vec<(&'a str, String)> {
        let parts: Vec<(&str, Option<&Value>)> = match self {
            Self::Member(name) => {
                let member = body.as_object().and_then(|body| body.values().next());
                vec![(name, member.and_then(|member| member.get("id")))]
            }
            Self::Parts(parts) => {
                let parts = parts.iter();
                parts
                    .map(|(name, path)| (name.as_str(), at(body, path)))
                    .collect()
            }
        };
        let found = parts.into_iter().filter_map(|(name, value)| {
            let value = value?;
            Some((
                name,
                value.as_str().map_or(value.to_string(), str::to_owned),
            ))
        });
        found.collect()
    }
}

/// The value at a path of keys, indices, and `key=value` for the first of a list that has it.
fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/')
        .try_fold(body, |value, part| match part.split_once('=') {
            Some((key, wanted)) => value.as_array()?.iter().find(|item| item[key] == wanted),
            None if value.is_array() => value.get(part.parse::<usize>().ok()?),
            None => value.get(part),
        })
}

/// The names of the recordings of a kind, in order.
pub(crate) fn names(kind: &str) -> Vec<String> {
    let files = fs::read_dir(directory(kind)).expect("the recordings are in a directory");
    let mut names: Vec<String> = files
        .map(|file| file.expect("the directory can be read").path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    names
}

fn directory(kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("parity")
        .join(kind)
}
