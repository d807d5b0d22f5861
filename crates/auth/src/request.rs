//! The parsed request of an authentication.

use keystone_types::{Error, Result};
use serde_json::{Value, json};

use crate::methods::{Method, unsupported};
use crate::scope::RequestedScope;

/// The `auth` object of `POST /v3/auth/tokens`, after its schema was checked.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) methods: Vec<Method>,
    pub(crate) scope: RequestedScope,
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
        let scope = auth.get("scope");
        if scope.is_some() && names.iter().any(|name| Method::dictates_scope(name)) {
            return Err(Error::Authentication {
                message: "Error authenticating with application credential: Application credentials cannot request a \
                          scope."
                    .to_owned(),
                identity: Some(json!({})),
            });
        }
        let scope = RequestedScope::parse(scope)?;
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
