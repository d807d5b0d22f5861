//! What a provider says about somebody, and the names under which mappings find it.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// The claims about somebody whom a provider vouches for.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    issuer: String,
    claims: Map<String, Value>,
}

impl Claims {
    pub(crate) fn new(issuer: &str, mut claims: Map<String, Value>) -> Self {
        // Userinfo and introspection need not say it.
        claims.insert("iss".into(), issuer.into());
        Self {
            issuer: issuer.to_owned(),
            claims,
        }
    }

    /// The provider.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Who it is there: a token of a program, without a user, has none.
    pub fn subject(&self) -> Option<&str> {
        self.claims.get("sub")?.as_str()
    }

    /// A claim as the provider wrote it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// The attributes, as the Apache module `mod_auth_openidc` spells them for programs behind it: a claim is `OIDC-<claim>`
    /// and `HTTP_OIDC_<CLAIM>`, and `REMOTE_USER` is the subject at the issuer. Lists stay lists; the members of an object
    /// have the names `<claim>.<member>` too. No two attributes have the same name: the first claim counts.
    pub fn attributes(&self) -> Vec<(String, Vec<String>)> {
        let mut attributes = Attributes::default();
        if let Some(subject) = self.subject() {
            let user = remote_user(subject, &self.issuer);
            attributes.push("REMOTE_USER".into(), vec![user]);
        }
        for (name, value) in &self.claims {
            attributes.claim(name, value);
        }
        attributes.list
    }
}

/// The name of a subject of an issuer, as `REMOTE_USER` has it.
pub fn remote_user(subject: &str, issuer: &str) -> String {
    let issuer = issuer.strip_prefix("https://").unwrap_or(issuer);
    format!("{subject}@{issuer}")
}

#[derive(Default)]
struct Attributes {
    list: Vec<(String, Vec<String>)>,
    names: HashSet<String>,
}

impl Attributes {
    fn claim(&mut self, name: &str, value: &Value) {
        let values: Vec<String> = match value {
            Value::Null => return,
            Value::Array(elements) => elements.iter().filter_map(text).collect(),
            one => text(one).into_iter().collect(),
        };
        let header = header_name(name);
        let variable = header.to_ascii_uppercase().replace('-', "_");
        self.push(format!("OIDC-{header}"), values.clone());
        self.push(format!("HTTP_OIDC_{variable}"), values);
        if let Value::Object(members) = value {
            for (member, value) in members {
                self.claim(&format!("{name}.{member}"), value);
            }
        }
    }

    fn push(&mut self, name: String, values: Vec<String>) {
        if self.names.insert(name.clone()) {
            self.list.push((name, values));
        }
    }
}

/// One value as text (`oidc_util_set_app_infos` of the module).
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(u8::from(*truth).to_string()),
        Value::Number(number) if number.is_f64() => Some(format!("{:.6}", number.as_f64()?)),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) => None,
    }
}

/// A claim's name as part of a header's: what can't stand there becomes a dash (`oidc_normalize_header_name`).
fn header_name(claim: &str) -> String {
    let fits = |c: char| c.is_ascii_graphic() && !r#"()<>@,;:\"/[]?={}"#.contains(c);
    let dashed = |c| if fits(c) { c } else { '-' };
    claim.chars().map(dashed).collect()
}
