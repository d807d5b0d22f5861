//! One run through a recording.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::Request;
use chrono::Duration;
use keystone::notify::Notifier;
use keystone::{Provider, Settings};
use keystone_testkit::{Answer, Cloud, Ids, fill, fill_text, passcode, sign_tokens, trusted_proxy};
use regex::Regex;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::hide::{self, Names};
use crate::recording::{Recording, Step};

/// Those that matter; of the last ones only that they are there.
const HEADERS: [&str; 11] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "content-type",
    "location",
    "vary",
    "www-authenticate",
];
const SECRET_HEADERS: [&str; 2] = ["openstack-auth-receipt", "x-subject-token"];

/// A one-time password: the secret, and the windows until its time.
static PASSCODE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{totp:([A-Z2-7]+)(?::(-?[0-9]+))?\}").expect("a literal pattern")
});

/// The cloud that is asked, and what its answers go by.
pub(crate) struct Replay {
    cloud: Cloud,
    ids: Ids,
    pub(crate) names: Names,
    tokens: HashMap<String, String>,
    /// The key pair of signed tokens.
    _keys: Option<TempDir>,
}

/// Plays a recording; tells every step whose answer differs.
pub(crate) async fn replay(name: &str) {
    let recording = Recording::read("recorded", name);
    let mut replay = Replay::new(recording.settings(), recording.variables()).await;
    let mut different = Vec::new();
    for (number, step) in recording.steps.iter().enumerate() {
        if replay.prepares(step).await {
            continue;
        }
        let answer = replay.ask(step).await;
        replay.learn(step, &answer);
        if let Some(difference) = replay.difference(step, &answer) {
            let who = step.who.as_deref().unwrap_or("nobody");
            let (method, path) = (&step.method, &step.path);
            let asked = json!([step.body, step.raw, step.headers, step.environ]);
            different.push(format!(
                "{number}: {method} {path} {asked} as {who}\n{difference}"
            ));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {} differ\n{}",
        different.len(),
        recording.steps.len(),
        different.join("\n")
    );
}

impl Replay {
    /// A cloud as bootstrap leaves it, behind a web server that may vouch for these variables.
    pub(crate) async fn new(mut settings: Settings, variables: BTreeSet<String>) -> Self {
        settings.api.trusted_proxy = Some(trusted_proxy(variables));
        let is_signed = settings.keys.provider == Provider::Jws;
        let keys = is_signed.then(|| sign_tokens(&mut settings));
        Self {
            cloud: Cloud::with(settings).await,
            ids: HashMap::new(),
            names: HashMap::new(),
            tokens: HashMap::new(),
            _keys: keys,
        }
    }

    /// Whether the step asks nothing: then time has passed, or a mapping is stored.
    pub(crate) async fn prepares(&self, step: &Step) -> bool {
        if let Some(seconds) = step.wait {
            self.cloud.advance(Duration::seconds(seconds));
        }
        if let Some(mapping) = &step.mapping {
            self.cloud.store_mapping(mapping, &self.ids).await;
        }
        step.wait.is_some() || step.mapping.is_some()
    }

    /// Who is told of what requests do.
    pub(crate) fn notifier(&self) -> Notifier {
        let notifier = self.cloud.keystone.notifier();
        notifier.expect("the settings name a sink")
    }

    pub(crate) async fn ask(&mut self, step: &Step) -> Answer {
        self.ask_from(step, None).await
    }

    /// The same on a connection from this address, unless it is the web server's in front.
    pub(crate) async fn ask_from(&mut self, step: &Step, address: Option<IpAddr>) -> Answer {
        self.learn_passcodes(step);
        let now = self.cloud.now().and_utc().timestamp();
        self.ids.insert("now".to_owned(), now.to_string());
        let path = fill_text(&step.path, &self.ids).replace(' ', "%20");
        let mut request = Request::builder().method(step.method.as_str()).uri(path);
        for (name, value) in step.headers.iter().flatten() {
            let value = value.as_str().expect("a header is text");
            request = request.header(name, fill_text(value, &self.ids));
        }
        let body = match (&step.body, &step.raw) {
            (Some(body), _) => {
                request = request.header("content-type", "application/json");
                fill(body, &self.ids).to_string()
            }
            (None, raw) => fill_text(raw.as_deref().unwrap_or_default(), &self.ids),
        };
        let request = request
            .body(Body::from(body))
            .expect("a recorded request is well-formed");
        let nobody = self.cloud.nobody();
        let nobody = match address.filter(|_| step.environ.is_empty()) {
            Some(address) => nobody.from(address),
            None => nobody,
        };
        let token = step.who.as_ref().and_then(|who| self.tokens.get(who));
        let session = token.map_or(nobody.clone(), |token| nobody.with_token(token));
        if step.environ.is_empty() {
            return session.send(request).await;
        }
        let environ = step.environ.iter();
        let environ: Vec<_> = environ
            .map(|(name, value)| (name.as_str(), fill_text(value, &self.ids)))
            .collect();
        let variables = environ.iter().map(|(name, value)| (*name, value.as_str()));
        session.send_vouched(request, variables).await
    }

    /// Learns the one-time passwords that a request has, as they are now.
    fn learn_passcodes(&mut self, step: &Step) {
        let body = step.body.as_ref().map(Value::to_string).unwrap_or_default();
        for found in PASSCODE.captures_iter(&body) {
            let windows = found.get(2).map_or("0", |windows| windows.as_str());
            let windows = windows.parse().expect("a number of windows");
            let time = self.cloud.now() + Duration::seconds(30) * windows;
            self.ids.insert(
                found[0].trim_matches(['{', '}']).to_owned(),
                passcode(&found[1], time),
            );
        }
    }

    pub(crate) fn learn(&mut self, step: &Step, answer: &Answer) {
        if let (Some(name), Some(receipt)) =
            (&step.receipt, answer.header("openstack-auth-receipt"))
        {
            self.ids
                .insert(format!("receipt:{name}"), receipt.to_owned());
        }
        let login = step.login.as_ref().or(step.token.as_ref());
        if let (Some(name), Some(token)) = (login, answer.header("x-subject-token")) {
            self.ids.insert(format!("token:{name}"), token.to_owned());
            self.tokens.insert(name.clone(), token.to_owned());
        }
        if let Some(save) = &step.save {
            // A form in place of JSON.
            let form: Map<String, Value> = match &answer.body {
                Value::String(text) => form_urlencoded::parse(text.as_bytes())
                    .map(|(name, value)| (name.into_owned(), Value::from(value)))
                    .collect(),
                _ => Map::new(),
            };
            let body = if form.is_empty() {
                answer.body.clone()
            } else {
                form.into()
            };
            for (name, value) in save.from(&body) {
                self.ids.insert(name.to_owned(), value.clone());
                // Which one a page ends with is chance; an id keeps the name that it got first.
                if !step.count {
                    self.names.entry(value).or_insert_with(|| name.to_owned());
                }
            }
        }
    }

    /// What Keystone answered and what came, where that is not the same.
    fn difference(&self, step: &Step, answer: &Answer) -> Option<String> {
        if step.dropped {
            let fails = answer.status >= 500;
            return fails.then(|| format!("  Keystone drops the connection, ours {answer:?}"));
        }
        let mut wanted = json!({ "status": step.status });
        let mut found = json!({ "status": answer.status });
        if step.login.is_none() {
            wanted["headers"] = Value::Object(step.answered.clone());
            wanted["body"] = hide::sorted(&step.answer);
            found["headers"] = self.headers(answer);
            found["body"] = if step.count {
                hide::counted(&answer.body)
            } else {
                hide::body(&answer.body, &self.names)
            };
        }
        let differs = hide::sorted(&wanted) != hide::sorted(&found);
        differs.then(|| format!("  reference {wanted}\n  ours      {found}"))
    }

    fn headers(&self, answer: &Answer) -> Value {
        let seen = HEADERS.into_iter().filter_map(|name| {
            let mut value = hide::text(answer.header(name)?, &self.names);
            if name == "allow" {
                let mut methods: Vec<&str> = value.split(", ").collect();
                methods.sort_unstable();
                value = methods.join(", ");
            }
            Some((name.to_owned(), value.into()))
        });
        let secret = SECRET_HEADERS
            .into_iter()
            .filter(|name| answer.header(name).is_some());
        let secret = secret.map(|name| (name.to_owned(), Value::from("{secret}")));
        Value::Object(seen.chain(secret).collect::<Map<_, _>>())
    }
}
