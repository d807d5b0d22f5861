//! Requests that are signed with EC2 credentials, by EC2's and by S3's protocol, as a service describes them in JSON. No
//! signature is right but those that the holder of the secret has made, and none for another request.

#![no_main]

use std::collections::HashSet;
use std::sync::LazyLock;

use chrono::Duration;
use keystone::Settings;
use keystone::auth::{Delegation, SigningProtocol};
use keystone::identity::Credential;
use keystone::types::{Extra, json as python_json};
use keystone_fuzz::{Cloud, members, recorded, text};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

/// The secret of most recorded requests, whose access key is `a`.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

const PROTOCOLS: [(&str, SigningProtocol); 2] =
    [("ec2", SigningProtocol::Ec2), ("s3", SigningProtocol::S3)];

struct Service {
    cloud: Cloud,
    /// The signatures of the recorded requests that Python Keystone finds right.
    signatures: HashSet<String>,
}

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    let mut settings = Settings::default();
    settings.auth.signature_life = Duration::days(1_000_000);
    let now = "2026-01-01T12:00:00".parse().expect("a time");
    let cloud = Cloud::at(now, settings);
    let credential = Credential {
        extra: Extra::default(),
        id: String::new(),
        user_id: cloud.ids.user_id.clone(),
        project_id: Some(cloud.ids.project_id.clone()),
        credential_type: "ec2".to_owned(),
    };
    let blob = json!({ "access": "a", "secret": SECRET }).to_string();
    let auth = cloud.auth();
    let made = cloud.run(
        auth.credentials()
            .create(credential, blob, Delegation::None),
    );
    made.expect("a credential is stored");
    let mut service = Service {
        cloud,
        signatures: HashSet::new(),
    };
    let rows = recorded(include_str!("../../../crates/auth/src/ec2/vectors.json"));
    // A right signature may be for a time that nobody can read.
    let mut taken = 0;
    for row in members(&rows) {
        let (protocol, described) = (text(&row[0]), row[3].as_object());
        if text(&row[1]) != SECRET || text(&row[2]) != "right" {
            continue;
        }
        let described = described.expect("a request is an object");
        let signature = text(&described["signature"]).to_owned();
        service.signatures.insert(signature);
        taken += usize::from(service.takes(protocol, described));
    }
    let known = service.signatures.len();
    assert!(2 * taken > known, "{taken} of {known} requests are taken");
    service
});

impl Service {
    fn takes(&self, protocol: &str, described: &Map<String, Value>) -> bool {
        let known = PROTOCOLS.iter().find(|(name, _)| *name == protocol);
        let (_, protocol) = known.expect("there are two");
        let body = Map::from_iter([("credentials".to_owned(), described.clone().into())]);
        let auth = self.cloud.auth();
        let issued = auth.issue_for_signature(*protocol, &body);
        self.cloud.run(issued).is_ok()
    }
}

fuzz_target!(init: { let _ = LazyLock::force(&SERVICE); }, |data: &[u8]| {
    let text = std::str::from_utf8(data).ok();
    let Some(Value::Object(described)) = text.and_then(|text| python_json::read(text).ok()) else {
        return;
    };
    for (protocol, _) in PROTOCOLS {
        if !SERVICE.takes(protocol, &described) {
            continue;
        }
        let signature = described["signature"].as_str().unwrap_or_default();
        let is_known = SERVICE.signatures.contains(signature);
        assert!(is_known, "nobody made the signature {signature}");
        for path in covered(protocol, &described) {
            let mut other = Value::Object(described.clone());
            let Some(Value::String(text)) = other.pointer_mut(&path) else {
                continue;
            };
            // Four digits of base64 in front of others are three bytes in front of theirs.
            text.insert_str(0, "eHh4");
            let other = other.as_object().expect("it is an object still");
            assert!(!SERVICE.takes(protocol, other), "{path} of {described:?}");
        }
    }
});

/// The texts that the signature is for, by their paths.
fn covered(protocol: &str, described: &Map<String, Value>) -> Vec<String> {
    if protocol == "s3" {
        return vec!["/token".to_owned()];
    }
    let params = described.get("params").and_then(Value::as_object);
    let version = params.and_then(|params| params.get("SignatureVersion"));
    let version = version.and_then(Value::as_str);
    let verb = described.get("verb").and_then(Value::as_str);
    let is_posted = verb.is_some_and(|verb| verb.to_uppercase() == "POST");
    let is_covered = |name: &&String| match version {
        Some("0") => *name == "Action" || *name == "Timestamp",
        Some("1") => *name != "SignatureVersion",
        Some("2") => *name != "SignatureVersion" && *name != "SignatureMethod",
        // The parameters of the signature itself decide the version.
        _ => !is_posted && !name.starts_with("X-Amz-"),
    };
    let names = params.into_iter().flat_map(Map::keys).filter(is_covered);
    let escaped = names.map(|name| name.replace('~', "~0").replace('/', "~1"));
    let params = escaped.map(|name| format!("/params/{name}"));
    let more: &[&str] = match version {
        Some("0" | "1") => &[],
        Some("2") => &["/verb", "/path"],
        _ => &["/verb", "/path", "/body_hash"],
    };
    params.chain(more.iter().map(ToString::to_string)).collect()
}
