//! The request of an authentication, made by a caller of the library or read from a body.

use keystone_types::{Error, Result, Secret};
use serde_json::{Value, json};

use crate::choice::UserChoice;
use crate::methods::{Method, unsupported};
use crate::scope::RequestedScope;

/// A request for a token: who authenticates, by which methods, and for which scope. Without one, the user's default project
/// counts, as over HTTP.
#[derive(Debug)]
#[must_use]
pub struct TokenRequest {
    pub(crate) methods: Vec<Method>,
    pub(crate) scope: RequestedScope,
}

impl TokenRequest {
    /// A user with a password.
    pub fn password(user: UserChoice, password: impl Into<Secret>) -> Self {
        Self::by(Method::password(user, password.into()))
    }

    /// A user with a time-based one-time password.
    pub fn totp(user: UserChoice, passcode: impl Into<Secret>) -> Self {
        Self::by(Method::totp(user, passcode.into()))
    }

    /// A program with an application credential, by id, and its secret. No scope can be asked for: the credential has one.
    pub fn application_credential(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::by(Method::application_credential(id.into(), secret.into()))
    }

    /// A token that is exchanged for one on another scope.
    pub fn token(id: impl Into<Secret>) -> Self {
        Self::by(Method::token(id.into()))
    }

    /// Asks for this scope.
    pub fn on(mut self, scope: RequestedScope) -> Self {
        self.scope = scope;
        self
    }

    /// The same with the methods of another request: each of them must succeed.
    pub fn and(mut self, other: Self) -> Self {
        self.methods.extend(other.methods);
        self
    }

    fn by(method: Method) -> Self {
        Self {
            methods: vec![method],
            scope: RequestedScope::Default,
        }
    }

    /// Checks what parsing checks in a body.
    pub(crate) fn check(&self, configured: &[String]) -> Result<()> {
        let names = || self.methods.iter().map(Method::name);
        if !names().all(|name| configured.iter().any(|known| known == name)) {
            return Err(unsupported(configured));
        }
        let asks = !matches!(self.scope, RequestedScope::Default);
        if asks && names().any(Method::dictates_scope) {
            return Err(scope_is_dictated());
        }
        Ok(())
    }

    /// Reads the `auth` object of `POST /v3/auth/tokens`, whose schema was checked; `configured` are the methods that a
    /// client may name.
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
            return Err(scope_is_dictated());
        }
        let scope = RequestedScope::parse(scope)?;
        Ok(Self {
            methods: methods.collect::<Result<_>>()?,
            scope,
        })
    }
}

fn scope_is_dictated() -> Error {
    Error::Authentication {
        message: "Error authenticating with application credential: Application credentials cannot request a scope."
            .to_owned(),
        identity: Some(json!({})),
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
