//! Request bodies: JSON objects in one reading, which the schema, the policy, the checks and the
//! store share.
//!
//! Python Keystone asks the policy about the names as they were sent and renames `-` and `:` to `_`
//! for the store later. Here the names are final before anything looks, and two that become one are
//! refused, so that a rule and the store can't see different objects. [`Body`] is used up by what it
//! is asked for: no handler gets a second reading.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use keystone_types::{Error, Resource, Result, json};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::context::{extension, route_key};
use crate::error::ApiError;
use crate::middleware::header_text;
use crate::v3::CONSUMER;
use crate::{App, Live, schema};

/// The whole body.
#[derive(Debug)]
pub(crate) struct Body(Map<String, Value>);

/// The body of a request, read.
#[derive(Clone, Debug)]
struct Parsed(Arc<Value>);

/// A body that is neither JSON nor a form, as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw(pub(crate) Bytes);

/// The fields of a form.
#[derive(Clone, Debug)]
pub(crate) struct Form(Arc<Vec<(String, String)>>);

impl Form {
    /// The first value of a field.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Live> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Live) -> Result<Self, ApiError> {
        let form = request.extensions().get::<Self>().cloned();
        Ok(form.unwrap_or_else(|| Self(Arc::default())))
    }
}

/// Whether the bodies of a route are forms: `keystone/server/flask/request_processing/json_body.py`, and what an OpenID
/// provider sends.
fn is_form(route: &str) -> bool {
    route.contains("/v3/OS-OAUTH2/") || route.ends_with("/oidc/backchannel_logout")
}

impl FromRequest<Live> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Live) -> Result<Self, ApiError> {
        Ok(request.extensions().get().cloned().unwrap_or_default())
    }
}

/// Reads the body of every request, and refuses one that is not a JSON object even where no handler reads it. The limits
/// of its size and time are here rather than in the server, so that they hold for an embedded router too.
///
/// `renaming` has the keys of the routes that rename attributes.
pub(crate) async fn read(
    State(renaming): State<Arc<HashSet<String>>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if request.body().is_end_stream() {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let route = route(&parts);
    let is_form = is_form(&route);
    let is_raw = route.ends_with(CONSUMER);
    if !is_form && !is_raw {
        check_type(&parts.headers)?;
    }
    let app: Arc<App> = extension(&parts, "the services")?;
    let limit = app.settings.max_request_body_size;
    let bytes = timeout(app.settings.body_arrival, axum::body::to_bytes(body, limit)).await;
    let bytes = bytes.map_err(|_| Error::TooSlow)?;
    let bytes = bytes.map_err(|_| Error::TooLarge)?;
    if is_raw {
        parts.extensions.insert(Raw(bytes));
        let request = Request::from_parts(parts, axum::body::Body::empty());
        return Ok(next.run(request).await);
    }
    if is_form {
        let fields = match media_type(&parts.headers).as_str() {
            "application/x-www-form-urlencoded" => {
                form_urlencoded::parse(&bytes).into_owned().collect()
            }
            _ => Vec::new(),
        };
        parts.extensions.insert(Form(Arc::new(fields)));
        let request = Request::from_parts(parts, axum::body::Body::empty());
        return Ok(next.run(request).await);
    }
    let renamed = renaming.contains(&route);
    let body = normalized(parse(&bytes)?, renamed)?;
    parts.extensions.insert(Parsed(Arc::new(body.into())));
    let request = Request::from_parts(parts, axum::body::Body::empty());
    Ok(next.run(request).await)
}

/// The body of a request as all that look at it see it; where there is none, an empty object.
pub(crate) fn of(parts: &Parts) -> Arc<Value> {
    let parsed = parts.extensions.get::<Parsed>();
    parsed.map_or_else(|| Arc::new(Map::new().into()), |body| Arc::clone(&body.0))
}

impl FromRequest<Live> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Live) -> Result<Self, ApiError> {
        let (parts, _) = request.into_parts();
        let body = of(&parts);
        schema::body(&route(&parts), &body).map_err(Error::Validation)?;
        drop(parts);
        match Arc::unwrap_or_clone(body) {
            Value::Object(body) => Ok(Self(body)),
            _ => Ok(Self(Map::new())),
        }
    }
}

/// The key of the request's route among the schemas.
fn route(parts: &Parts) -> String {
    let matched = parts.extensions.get::<MatchedPath>();
    let matched = matched.map(MatchedPath::as_str).unwrap_or_default();
    route_key(&parts.method, matched)
}

/// Normalizes the names of the attributes of each resource in a body.
fn normalized(mut body: Map<String, Value>, renamed: bool) -> Result<Map<String, Value>> {
    let members = body.iter_mut().flat_map(|(_, value)| match value {
        Value::Array(items) => items.as_mut_slice(),
        value => std::slice::from_mut(value),
    });
    for member in members {
        if let Value::Object(attributes) = member {
            *attributes = normalized_names(std::mem::take(attributes), renamed)?;
        }
    }
    Ok(body)
}

fn normalized_names(attributes: Map<String, Value>, renamed: bool) -> Result<Map<String, Value>> {
    let mut names: HashMap<String, String> = HashMap::with_capacity(attributes.len());
    let mut normalized = Map::with_capacity(attributes.len());
    for (sent, value) in attributes {
        let name = sent.replace([':', '-'], "_");
        if let Some(other) = names.insert(name.clone(), sent.clone()) {
            return Err(Error::Validation(format!(
                "Invalid input: '{other}' and '{sent}' name the same attribute."
            )));
        }
        normalized.insert(if renamed { name } else { sent }, value);
    }
    Ok(normalized)
}

fn check_type(headers: &HeaderMap) -> Result<()> {
    let kind = media_type(headers);
    let is_json = kind.is_empty()
        || kind == "application/json"
        || (kind.starts_with("application/") && kind.ends_with("+json"));
    if is_json {
        Ok(())
    } else {
        Err(Error::expecting("application/json", "Content-Type header"))
    }
}

pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let kind = header_text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

/// An empty body is an empty object.
fn parse(bytes: &[u8]) -> Result<Map<String, Value>> {
    let text = json::decoded(bytes);
    if text.is_empty() {
        return Ok(Map::new());
    }
    match json::read(text) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Error::expecting("valid JSON", "request body")),
    }
}

impl Body {
    /// The attributes under the resource's name; what the client calls `links` or `extra` is not one.
    pub(crate) fn member(self, name: &str) -> Result<Map<String, Value>> {
        let member = self.value(name).map(attributes).unwrap_or_default();
        // The schemas let the texts of flags through, which no column takes.
        for flag in flags(name) {
            if let Some(Value::String(text)) = member.get(*flag) {
                return Err(Error::Validation(format!(
                    "Invalid input for field/attribute {flag}. Value: {text}. '{text}' is not of type 'boolean'"
                )));
            }
        }
        Ok(member)
    }

    /// The same for a member that the schema does not require but the handler does.
    pub(crate) fn required(self, name: &str) -> Result<Map<String, Value>> {
        if self.0.get(name).is_none_or(|member| !member.is_object()) {
            return Err(Error::Validation(format!(
                "'{name}' is a required property"
            )));
        }
        self.member(name)
    }

    /// The attributes of a `PATCH`, whose `id` may only repeat the one in the path.
    pub(crate) fn patch(self, name: &str, id: &str) -> Result<Map<String, Value>> {
        without_id(self.member(name)?, id)
    }

    /// The new resources in a list that a schema has checked.
    pub(crate) fn members<R: DeserializeOwned>(self, name: &str) -> Result<Vec<R>> {
        let members = self.value(name).unwrap_or_default();
        serde_json::from_value(members).map_err(|error| Error::Validation(error.to_string()))
    }

    /// All of it.
    pub(crate) fn whole(self) -> Map<String, Value> {
        self.0
    }

    /// The value of a name.
    pub(crate) fn value(mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }
}

/// The attributes among the members of an object.
pub(crate) fn attributes(value: Value) -> Map<String, Value> {
    let Value::Object(mut attributes) = value else {
        return Map::new();
    };
    attributes.retain(|name, _| name != "links" && name != "extra");
    attributes
}

/// A patch without its `id`, which must be the one in the path as it is written there; what the database takes for the same is
/// another here (`keystone/server/flask/common.py`).
pub(crate) fn without_id(mut patch: Map<String, Value>, id: &str) -> Result<Map<String, Value>> {
    match patch.shift_remove("id") {
        None | Some(Value::Null) => Ok(patch),
        Some(same) if same == id => Ok(patch),
        Some(_) => Err(Error::Validation("Cannot change ID".to_owned())),
    }
}

/// The columns of a resource that are true or false.
fn flags(member: &str) -> &'static [&'static str] {
    match member {
        "domain" | "project" => &["enabled", "is_domain"],
        "endpoint" | "identity_provider" | "service" | "service_provider" | "user" => &["enabled"],
        _ => &[],
    }
}

/// Reads a resource that a schema has checked.
pub(crate) fn resource<R: Resource + DeserializeOwned>(
    mut member: Map<String, Value>,
) -> Result<R> {
    // Ids are the server's to choose.
    member.shift_remove("id");
    parse_member(member)
}

/// The same, with the client's id.
pub(crate) fn parse_member<R: DeserializeOwned>(member: Map<String, Value>) -> Result<R> {
    serde_json::from_value(Value::Object(member))
        .map_err(|error| Error::Validation(error.to_string()))
}
