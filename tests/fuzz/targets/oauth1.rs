//! Signed requests of `OAuth1`: a line with the URL, one that says `form` or nothing, the `Authorization` header, and a line
//! for each parameter of the query. No signature is right but those that the consumer has made, and none for another
//! request.

#![no_main]

use std::collections::HashSet;
use std::sync::LazyLock;

use chrono::DateTime;
use keystone::Settings;
use keystone::auth::oauth1::SignedRequest;
use keystone::auth::{Environment, Login};
use keystone::storage::sql;
use keystone_fuzz::{Cloud, members, recorded, text};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

const ENDPOINTS: [&str; 3] = ["request", "access", "login"];

struct Service {
    cloud: Cloud,
    recording: Value,
    /// The signatures of the recorded requests that oauthlib finds valid.
    signatures: HashSet<String>,
}

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    let recording = recorded(include_str!(
        "../../../crates/auth/tests/oauth1/vectors.json"
    ));
    let now = recording["now"]
        .as_i64()
        .and_then(|now| DateTime::from_timestamp(now, 0));
    let now = now.expect("a time").naive_utc();
    let mut service = Service {
        cloud: Cloud::at(now, Settings::default()),
        recording,
        signatures: HashSet::new(),
    };
    service.restore();
    for row in members(&service.recording["requests"]) {
        if text(&row[5]) != "valid" {
            continue;
        }
        let query = members(&row[2]).iter();
        let request = Request {
            url: text(&row[1]).to_owned(),
            query: query
                .map(|pair| (text(&pair[0]).to_owned(), text(&pair[1]).to_owned()))
                .collect(),
            is_form: row[3] == true,
            header: text(&row[4]).to_owned(),
        };
        service.signatures.insert(signature(&request.header));
        assert!(service.takes(text(&row[0]), &request), "{row}");
    }
    service
});

/// A request as its client has signed it.
#[derive(Clone, Debug)]
struct Request {
    url: String,
    query: Vec<(String, String)>,
    is_form: bool,
    header: String,
}

impl Request {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n').map(str::to_owned);
        Some(Self {
            url: lines.next()?,
            is_form: lines.next()? == "form",
            header: lines.next()?,
            query: lines
                .map(|line| {
                    let (name, value) = line.split_once('=').unwrap_or((&line, ""));
                    (name.to_owned(), value.to_owned())
                })
                .collect(),
        })
    }

    fn signed(&self) -> SignedRequest {
        SignedRequest {
            authorization: Some(self.header.clone()),
            url: self.url.clone(),
            query: self.query.clone(),
            is_form: self.is_form,
        }
    }

    /// Requests that another signature is for.
    fn others(&self) -> Vec<Self> {
        let changed = |change: &dyn Fn(&mut Self)| {
            let mut other = self.clone();
            change(&mut other);
            other
        };
        let mut others = vec![changed(&|other| other.url.push('x'))];
        // A header that names a realm leaves it out of what is signed.
        if !self.header.contains("realm") {
            let at = self.header.len();
            others.push(changed(&|other| other.header += &format!(", z{at}=\"1\"")));
            let places = 0..self.query.len();
            others.extend(places.map(|at| changed(&|other| other.query[at].1.push('x'))));
        }
        others
    }
}

impl Service {
    fn takes(&self, endpoint: &str, request: &Request) -> bool {
        let auth = self.cloud.auth();
        let signed = request.signed();
        match endpoint {
            "request" => {
                let project = Some(self.cloud.ids.project_id.as_str());
                let issued = auth.create_request_token(&signed, project);
                self.cloud.run(issued).is_ok()
            }
            "access" => {
                let is_taken = self.cloud.run(auth.create_access_token(&signed)).is_ok();
                if is_taken {
                    // The request token is used up.
                    self.restore();
                }
                is_taken
            }
            _ => {
                let login = Login {
                    signed,
                    environment: &Environment::default(),
                    ..Login::default()
                };
                let body = json!({ "identity": { "methods": ["oauth1"], "oauth1": {} } });
                self.cloud.run(auth.issue(&body, &login)).is_ok()
            }
        }
    }

    /// The consumer and its tokens as they were when Python Keystone was asked.
    fn restore(&self) {
        let secrets = &self.recording["secrets"];
        let [consumer, token] = ["consumer", "token"].map(|name| &secrets[name]);
        let roles = json!([self.cloud.ids.role_id]).to_string();
        let db = self.cloud.keystone.db();
        let statements = [
            sql("DELETE FROM access_token"),
            sql("DELETE FROM request_token"),
            sql("DELETE FROM consumer"),
            sql("INSERT INTO consumer (id, secret, extra) VALUES (?, ?, '{}')")
                .bind(text(&consumer[0]))
                .bind(text(&consumer[1])),
            sql("INSERT INTO request_token \
                   (id, request_secret, verifier, authorizing_user_id, requested_project_id, role_ids, consumer_id) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)")
                .bind(text(&token[0]))
                .bind(text(&token[1]))
                .bind(text(&secrets["verifier"]))
                .bind(&self.cloud.ids.user_id)
                .bind(&self.cloud.ids.project_id)
                .bind(&roles)
                .bind(text(&consumer[0])),
            sql("INSERT INTO access_token \
                   (id, access_secret, authorizing_user_id, project_id, role_ids, consumer_id) VALUES (?, ?, ?, ?, ?, ?)")
                .bind(text(&token[0]))
                .bind(text(&token[1]))
                .bind(&self.cloud.ids.user_id)
                .bind(&self.cloud.ids.project_id)
                .bind(&roles)
                .bind(text(&consumer[0])),
        ];
        for statement in statements {
            let done = self.cloud.run(statement.execute(db));
            done.expect("the database takes the rows");
        }
    }
}

fuzz_target!(init: { let _ = LazyLock::force(&SERVICE); }, |data: &[u8]| {
    let text = std::str::from_utf8(data).ok();
    let Some(request) = text.and_then(Request::parse) else {
        return;
    };
    for endpoint in ENDPOINTS {
        if !SERVICE.takes(endpoint, &request) {
            continue;
        }
        let header = decoded(&request.header);
        let is_known = SERVICE
            .signatures
            .iter()
            .any(|known| header.contains(known));
        assert!(is_known, "nobody made the signature of {request:?}");
        // It stands for the secrets, whatever the request is.
        if header.contains("PLAINTEXT") {
            continue;
        }
        for other in request.others() {
            assert!(
                !SERVICE.takes(endpoint, &other),
                "{other:?} for {request:?}"
            );
        }
    }
});

/// A header without escapes of either kind.
fn decoded(header: &str) -> String {
    let bare = header.replace('\\', "");
    percent_decode_str(&bare).decode_utf8_lossy().into_owned()
}

/// The signature in a recorded header.
fn signature(header: &str) -> String {
    let (_, rest) = header.rsplit_once("oauth_signature=").expect("a signature");
    let value = rest.trim_start_matches('"').split(['"', ',']).next();
    decoded(value.unwrap_or_default())
}
