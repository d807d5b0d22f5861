//! The parsed request of an authentication.

use keystone_types::{Error, Result};
use serde_json::Value;

use crate::choice::DomainChoice;
use crate::methods::{Method, unsupported};

/// The `auth` object of `POST /v3/auth/tokens`, after its schema was checked.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) methods: Vec<Method>,
    pub(crate) scope: RequestedScope,
}

/// The scope as asked for.
#[derive(Debug)]
pub(crate) enum RequestedScope {
    /// Nothing was said: the user's default project, or none.
    Default,
    Unscoped,
    System,
    Domain(DomainChoice),
    ProjectId(String),
    ProjectName(String, DomainChoice),
    Trust,
}

impl Request {
    /// Reads the request; `configured` are the methods that a client may name.
    pub(crate) fn parse(auth: &Value, configured: &[String]) -> Result<Self> {
        check_names(auth)?;
        let identity = &auth["identity"];
        let names = method_names(identity);
        for name in &names {
            if identity.get(*name).is_none() {
                return Err(Error::expecting(name, "identity"));
            }
        }
        let methods = names
            .iter()
            .map(|name| Method::parse(name, &identity[*name], configured));
        // Keystone looks at the scope after the names and before what is in the methods.
        let supported =
            |name: &&str| configured.iter().any(|known| known == *name) && Method::is_known(name);
        if !names.iter().all(supported) {
            return Err(unsupported(configured));
        }
        let scope = RequestedScope::parse(auth.get("scope"))?;
        Ok(Self {
            methods: methods.collect::<Result<_>>()?,
            scope,
        })
    }
}

/// The names, each once, in order.
fn method_names(identity: &Value) -> Vec<&str> {
    let mut names = Vec::new();
    for name in identity["methods"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

impl RequestedScope {
    pub(crate) fn is_project_or_domain(&self) -> bool {
        matches!(
            self,
            Self::Domain(_) | Self::ProjectId(_) | Self::ProjectName(..)
        )
    }

    fn parse(scope: Option<&Value>) -> Result<Self> {
        const KINDS: [&str; 5] = ["project", "domain", "unscoped", "system", "OS-TRUST:trust"];
        let Some(scope) = scope else {
            return Ok(Self::Default);
        };
        let named: Vec<&str> = match scope {
            Value::Object(scope) => KINDS
                .into_iter()
                .filter(|kind| scope.contains_key(*kind))
                .collect(),
            // `in` of Python finds the word in the text (`keystone/auth/core.py`).
            Value::String(text) => KINDS
                .into_iter()
                .filter(|kind| text.contains(kind))
                .collect(),
            _ => Vec::new(),
        };
        let [kind] = named[..] else {
            return Err(Error::expecting(
                "system, project, domain, OS-TRUST:trust or unscoped",
                "scope",
            ));
        };
        let content = scope.get(kind);
        match (kind, content) {
            ("system", _) => Ok(Self::System),
            ("unscoped", _) => Ok(Self::Unscoped),
            ("domain", Some(domain)) => Ok(Self::Domain(DomainChoice::parse(domain))),
            ("project", Some(project)) => Self::project(project),
            ("OS-TRUST:trust", Some(trust)) => match trust.get("id").and_then(Value::as_str) {
                Some(id) if !id.is_empty() => Ok(Self::Trust),
                _ => Err(Error::expecting("trust_id", "trust")),
            },
            _ => Err(Error::Validation(
                "string indices must be integers, not 'str'".to_owned(),
            )),
        }
    }

    fn project(project: &Value) -> Result<Self> {
        match project
            .get("name")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
        {
            Some(name) => {
                let domain = project
                    .get("domain")
                    .ok_or_else(|| Error::expecting("domain", "project"))?;
                Ok(Self::ProjectName(
                    name.to_owned(),
                    DomainChoice::parse(domain),
                ))
            }
            None => Ok(Self::ProjectId(
                project
                    .get("id")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
            )),
        }
    }
}

/// 400 for an object that has neither an id nor a name.
fn check_names(auth: &Value) -> Result<()> {
    for path in [
        "identity/password/user",
        "identity/password/user/domain",
        "scope/project",
        "scope/project/domain",
        "scope/domain",
    ] {
        let thing = auth
            .pointer(&format!("/{path}"))
            .filter(|thing| !thing.is_null());
        if thing.is_some_and(|thing| thing.get("id").is_none() && thing.get("name").is_none()) {
            return Err(Error::Validation(format!(
                "Invalid input for field {path}: id or name must be present."
            )));
        }
    }
    Ok(())
}
