//! Shared by the generated suites: the recorded cloud, its holders of tokens, and the questions.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::Request;
use keystone_testkit::{Answer, Cloud, Ids, Session, fill, fill_text};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::snapshot::Snapshot;

const PASSWORD: &str = "secret";

/// A file that `record` made.
#[derive(Debug, Deserialize)]
pub(crate) struct Recording<R> {
    cast: Vec<Question>,
    pub(crate) holders: Vec<Holder>,
    pub(crate) rows: Vec<R>,
}

/// A request; `{name}` stands for an id.
#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// Whose token it is about.
    pub(crate) subject: Option<String>,
    #[serde(rename = "as")]
    pub(crate) who: Option<String>,
    save: Option<String>,
}

/// A token and the way to it.
#[derive(Debug, Deserialize)]
pub(crate) struct Holder {
    pub(crate) name: String,
    pub(crate) user: String,
    scope: Value,
    rescoped: bool,
}

/// The cloud of a recording, with a token for everybody.
pub(crate) struct Stage {
    /// The nodes.
    pub(crate) nodes: [Cloud; 2],
    pub(crate) ids: Ids,
    pub(crate) tokens: HashMap<String, String>,
    pub(crate) snapshot: Snapshot,
}

impl Stage {
    pub(crate) async fn set<R>(recording: &Recording<R>) -> Self {
        let cloud = Cloud::new().await;
        let admin = cloud.admin().await;
        let mut stage = Self {
            snapshot: Snapshot::default(),
            nodes: [cloud.clone(), cloud.neighbour().await],
            ids: HashMap::new(),
            tokens: HashMap::from([("admin".to_owned(), admin.token().to_owned())]),
        };
        for role in ["admin", "manager", "member", "reader"] {
            stage.ids.insert(role.to_owned(), cloud.role(role).await);
        }
        for step in &recording.cast {
            let answer = stage.ask(&stage.nodes[0], "admin", step).await;
            assert!(answer.status < 300, "{step:?}: {}", answer.body);
            if let Some(name) = &step.save {
                stage.ids.insert(name.clone(), id_of(&answer.body));
            }
        }
        for holder in &recording.holders {
            let token = stage.log_in(holder).await;
            stage.tokens.insert(holder.name.clone(), token);
        }
        stage.snapshot = Snapshot::take(cloud.keystone.db()).await;
        stage
    }

    async fn log_in(&self, holder: &Holder) -> String {
        let nobody = self.nodes[0].nobody();
        let scope = fill(&holder.scope, &self.ids);
        let unscoped = json!("unscoped");
        let user = json!({ "id": self.ids[&holder.user] });
        let first = if holder.rescoped { &unscoped } else { &scope };
        let token = token_of(&nobody.log_in(&user, PASSWORD, first).await);
        if !holder.rescoped {
            return token;
        }
        let identity = json!({ "methods": ["token"], "token": { "id": token } });
        let auth = json!({ "auth": { "identity": identity, "scope": scope } });
        token_of(&nobody.post("/v3/auth/tokens", &auth).await)
    }

    /// The answer of a node to somebody.
    pub(crate) async fn ask(&self, node: &Cloud, who: &str, question: &Question) -> Answer {
        let path = fill_text(&question.path, &self.ids);
        let mut request = Request::builder()
            .method(question.method.as_str())
            .uri(path);
        if let Some(subject) = &question.subject {
            let name = if subject == "self" { who } else { subject };
            request = request.header("x-subject-token", &self.tokens[name]);
        }
        let body = match &question.body {
            None => Body::empty(),
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(fill(body, &self.ids).to_string())
            }
        };
        let request = request
            .body(body)
            .expect("a recorded request is well-formed");
        self.session(node, who).send(request).await
    }

    /// Somebody at a node.
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

fn token_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let token = answer.header("x-subject-token");
    token.expect("a new token is in a header").to_owned()
}

/// The id of what was made, alone in its envelope or the first of a list.
fn id_of(body: &Value) -> String {
    let made = body.as_object().and_then(|body| body.values().next());
    let made = made.expect("what was made is in an envelope");
    let made = made.as_array().map_or(made, |list| &list[0]);
    let id = made["id"].as_str();
    id.expect("what was made has an id").to_owned()
}
