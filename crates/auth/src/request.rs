//! What a client asks for when it authenticates.

use keystone_types::{Error, Result, Secret};
use serde_json::{Map, Value};

/// The `auth` object of `POST /v3/auth/tokens`, after its schema was checked.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) methods: Vec<Method>,
    pub(crate) scope: RequestedScope,
}

/// A method with its data.
#[derive(Debug)]
pub(crate) enum Method {
    Password { user: UserChoice, password: Secret },
    Token { id: String },
}

/// A user, by id or by name.
#[derive(Debug, Hash)]
pub(crate) enum UserChoice {
    Id(String),
    Name(String, DomainChoice),
}

/// A domain, by id or by name.
#[derive(Debug, Hash)]
pub(crate) enum DomainChoice {
    Id(String),
    Name(String),
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
        // The reference looks at the scope after the names and before what is in the methods.
        let supported =
            |name: &&str| configured.iter().any(|known| known == *name) && SUPPORTED.contains(name);
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

const SUPPORTED: [&str; 3] = ["external", "password", "token"];

fn unsupported(configured: &[String]) -> Error {
    Error::Authentication {
        message: "Attempted to authenticate with an unsupported method.".to_owned(),
        identity: Some(serde_json::json!({ "methods": configured })),
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

impl Method {
    fn parse(name: &str, data: &Value, configured: &[String]) -> Result<Self> {
        match name {
            "password" => {
                let user = data.get("user").and_then(Value::as_object);
                let user = user.ok_or_else(|| Error::expecting("user", "None"))?;
                let password = Secret::from(text(user, "password").unwrap_or_default());
                Ok(Self::Password {
                    user: UserChoice::parse(user)?,
                    password,
                })
            }
            "token" => {
                let id = data.get("id").and_then(Value::as_str);
                Ok(Self::Token {
                    id: id
                        .ok_or_else(|| Error::expecting("id", "token"))?
                        .to_owned(),
                })
            }
            // Nothing in front of this server vouches for anybody.
            "external" => Err(Error::unauthorized("nobody is authenticated externally")),
            _ => Err(unsupported(configured)),
        }
    }
}

impl UserChoice {
    fn parse(user: &Map<String, Value>) -> Result<Self> {
        // A name wins over an id.
        match (text(user, "name"), text(user, "id")) {
            (Some(name), _) if !name.is_empty() => {
                let domain = user
                    .get("domain")
                    .ok_or_else(|| Error::expecting("domain", "user"))?;
                Ok(Self::Name(name.to_owned(), DomainChoice::parse(domain)))
            }
            (_, Some(id)) if !id.is_empty() => Ok(Self::Id(id.to_owned())),
            _ => Err(Error::expecting("id or name", "user")),
        }
    }
}

impl DomainChoice {
    fn parse(domain: &Value) -> Self {
        match domain
            .get("name")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
        {
            Some(name) => Self::Name(name.to_owned()),
            None => Self::Id(
                domain
                    .get("id")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
            ),
        }
    }
}

impl RequestedScope {
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
            // The reference looks for the word in the text.
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

/// Whatever names a thing must say which: by id or by name.
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

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}
