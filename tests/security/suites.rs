//! Shared by the generated suites: the recorded cloud, its holders of tokens, and the questions.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::Request;
use keystone::Settings;
use keystone_testkit::{
    Answer, Cloud, Ids, Session, StoredMapping, fill, fill_text, passcode, trusted_proxy,
};
use serde::Deserialize;
use serde_json::Value;

use crate::snapshot::Snapshot;

/// The time of the cloud, in seconds.
const NOW: &str = "1767268800";

/// The secret of the recordings' one-time passwords.
const PASSCODE_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// Of the recordings' certificates.
const ISSUER: &str = "CN=ca,O=Test";

/// A file that `record` made.
#[derive(Debug, Deserialize)]
pub(crate) struct Recording<R> {
    cast: Vec<Question>,
    #[serde(default)]
    mappings: Vec<StoredMapping>,
    pub(crate) holders: Vec<Holder>,
    pub(crate) rows: Vec<R>,
}

/// A request; `{name}` stands for an id.
#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// A body that is not JSON.
    raw: Option<String>,
    /// Where in the answer the token is, if not in the header.
    token: Option<String>,
    /// The holder of the token that the request is about.
    pub(crate) subject: Option<String>,
    #[serde(rename = "as")]
    pub(crate) who: Option<String>,
    #[serde(default)]
    headers: HashMap<String, String>,
    /// What a web server in front vouches for.
    #[serde(default)]
    environ: HashMap<String, String>,
    save: Option<Save>,
}

/// A token, and the requests that give it.
#[derive(Debug, Deserialize)]
pub(crate) struct Holder {
    pub(crate) name: String,
    pub(crate) user: String,
    steps: Vec<Question>,
    /// In place of the token, which requests are then only about.
    certificate: Option<Certificate>,
}

/// A certificate that a web server in front has verified, and headers beside it.
#[derive(Clone, Debug, Deserialize)]
struct Certificate {
    headers: HashMap<String, String>,
    environ: HashMap<String, String>,
}

/// What a recording keeps of an answer.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Save {
    /// The id of the created resource.
    Id(String),
    /// Values at these paths, by name.
    Values(HashMap<String, String>),
}

/// The cloud of a recording, with a token for each holder.
pub(crate) struct Stage {
    /// The nodes.
    pub(crate) nodes: [Cloud; 2],
    pub(crate) ids: Ids,
    pub(crate) tokens: HashMap<String, String>,
    /// Of the holders who show one in place of a token.
    certificates: HashMap<String, Certificate>,
    pub(crate) snapshot: Snapshot,
}

impl Stage {
    pub(crate) async fn set<R>(recording: &Recording<R>) -> Self {
        let mut settings = Settings::default();
        settings.auth.methods.push("totp".to_owned());
        settings.auth.tokenless.trusted_issuers = vec![ISSUER.to_owned()];
        settings.api.trusted_proxy = Some(trusted_proxy([
            "SSL_CLIENT_I_DN",
            "SSL_CLIENT_S_DN_CN",
            "NAME",
        ]));
        let cloud = Cloud::with_change_log(settings).await;
        let admin = cloud.admin().await;
        let code = passcode(PASSCODE_SECRET, cloud.now());
        let mut stage = Self {
            snapshot: Snapshot::default(),
            nodes: [cloud.clone(), cloud.neighbour().await],
            ids: HashMap::from([
                ("now".to_owned(), NOW.to_owned()),
                (format!("totp:{PASSCODE_SECRET}"), code),
            ]),
            tokens: HashMap::from([("admin".to_owned(), admin.token().to_owned())]),
            certificates: HashMap::new(),
        };
        for role in ["admin", "manager", "member", "reader"] {
            stage.ids.insert(role.to_owned(), cloud.role(role).await);
        }
        for step in &recording.cast {
            stage.make(step, "admin").await;
        }
        for mapping in &recording.mappings {
            cloud.store_mapping(mapping, &stage.ids).await;
        }
        for holder in &recording.holders {
            let name = &holder.name;
            for step in &holder.steps {
                let answer = stage.make(step, name).await;
                let header = answer.header("x-subject-token").map(str::to_owned);
                let token = step.token.as_ref();
                let token = token.map(|path| value_at(&answer.body, path)).or(header);
                if let Some(token) = token {
                    stage.ids.insert("token".to_owned(), token.clone());
                    stage.tokens.insert(name.clone(), token);
                }
            }
            if let Some(certificate) = &holder.certificate {
                let certificate = certificate.clone();
                stage.certificates.insert(name.clone(), certificate);
            }
        }
        stage.snapshot = Snapshot::take(cloud.keystone.db()).await;
        stage
    }

    /// Sends a request of the recording that creates something, for `holder` where it is its own.
    async fn make(&mut self, step: &Question, holder: &str) -> Answer {
        let who = step.who.as_deref().unwrap_or("admin");
        let who = if who == "self" { holder } else { who };
        let answer = self.ask(&self.nodes[0], who, step).await;
        assert!(answer.status < 300, "{step:?}: {}", answer.body);
        match &step.save {
            Some(Save::Id(name)) => {
                self.ids.insert(name.clone(), id_of(&answer.body));
            }
            Some(Save::Values(paths)) => {
                for (name, path) in paths {
                    self.ids.insert(name.clone(), value_at(&answer.body, path));
                }
            }
            None => {}
        }
        answer
    }

    /// The answer of a node to a holder.
    pub(crate) async fn ask(&self, node: &Cloud, who: &str, question: &Question) -> Answer {
        let path = fill_text(&question.path, &self.ids);
        let mut request = Request::builder()
            .method(question.method.as_str())
            .uri(path);
        let certificate = self.certificates.get(who);
        let besides = certificate.into_iter().flat_map(|shown| &shown.headers);
        for (name, value) in question.headers.iter().chain(besides) {
            request = request.header(name, fill_text(value, &self.ids));
        }
        if let Some(subject) = &question.subject {
            let name = if subject == "self" { who } else { subject };
            request = request.header("x-subject-token", &self.tokens[name]);
        }
        let body = match (&question.body, &question.raw) {
            (None, raw) => Body::from(fill_text(raw.as_deref().unwrap_or_default(), &self.ids)),
            (Some(body), _) => {
                request = request.header("content-type", "application/json");
                Body::from(fill(body, &self.ids).to_string())
            }
        };
        let request = request
            .body(body)
            .expect("a recorded request is well-formed");
        let vouched = certificate.map_or(&question.environ, |shown| &shown.environ);
        if vouched.is_empty() {
            return self.session(node, who).send(request).await;
        }
        let vouched = vouched.iter();
        let vouched = vouched.map(|(name, value)| (name.as_str(), value.as_str()));
        node.nobody().send_vouched(request, vouched).await
    }

    /// A holder at a node.
    pub(crate) fn session(&self, node: &Cloud, who: &str) -> Session {
        match self.tokens.get(who) {
            Some(token) => node.nobody().with_token(token),
            None => node.nobody(),
        }
    }

    pub(crate) async fn restore(&self) {
        let db = self.nodes[0].keystone.db();
        self.snapshot.restore(db).await;
    }
}

/// The text at a path in an answer of JSON, or in a form.
fn value_at(body: &Value, path: &str) -> String {
    let found = match body {
        Value::String(form) => form_urlencoded::parse(form.as_bytes())
            .find(|(name, _)| name == path)
            .map(|(_, value)| value.into_owned()),
        body => body
            .pointer(&format!("/{path}"))
            .and_then(Value::as_str)
            .map(str::to_owned),
    };
    found.unwrap_or_else(|| panic!("{path} in {body}"))
}

/// The id of the created resource, which is alone in its envelope or the first of a list.
fn id_of(body: &Value) -> String {
    let made = body.as_object().and_then(|body| body.values().next());
    let made = made.expect("a created resource is in an envelope");
    let made = made.as_array().map_or(made, |list| &list[0]);
    let id = made["id"].as_str();
    id.expect("a created resource has an id").to_owned()
}
