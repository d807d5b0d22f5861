//! Request bodies: JSON objects, checked against the schema of their route.

use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use keystone_types::{Error, Resource, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::context::{extension, route_key};
use crate::edge::header_text;
use crate::failure::Failure;
use crate::query::FLAGS;
use crate::{App, Live, schema};

/// The whole body.
#[derive(Debug)]
pub(crate) struct Body(pub(crate) Map<String, Value>);

/// The body of a request on its way to a handler.
#[derive(Clone, Debug, Default)]
struct Parsed(Map<String, Value>);

/// Reads the body of every request: what is no JSON object is refused where no handler wants it
/// too.
pub(crate) async fn read(request: Request, next: Next) -> Result<Response, Failure> {
    if request.body().is_end_stream() {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    check_type(&parts.headers)?;
    let app: Arc<App> = extension(&parts, "the services")?;
    let limit = app.settings.max_request_body_size;
    let bytes = axum::body::to_bytes(body, limit).await;
    let bytes = bytes.map_err(|_| Error::TooLarge)?;
    parts.extensions.insert(Parsed(parse(&bytes)?));
    let request = Request::from_parts(parts, axum::body::Body::empty());
    Ok(next.run(request).await)
}

impl FromRequest<Live> for Body {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Live) -> Result<Self, Failure> {
        let (mut parts, _) = request.into_parts();
        let matched = parts
            .extensions
            .get::<MatchedPath>()
            .map(MatchedPath::as_str);
        let route = route_key(&parts.method, matched.unwrap_or_default());
        let body = parts.extensions.remove::<Parsed>().unwrap_or_default().0;
        schema::body(&route, &Value::Object(body.clone())).map_err(Error::Validation)?;
        Ok(Self(body))
    }
}

fn check_type(headers: &HeaderMap) -> Result<()> {
    let kind = header_text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    let is_json = kind.is_empty()
        || kind == "application/json"
        || (kind.starts_with("application/") && kind.ends_with("+json"));
    if is_json {
        Ok(())
    } else {
        Err(Error::expecting("application/json", "Content-Type header"))
    }
}

/// An empty body is an empty object.
fn parse(bytes: &[u8]) -> Result<Map<String, Value>> {
    // Python reads past a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Error::expecting("valid JSON", "request body")),
    }
}

impl Body {
    /// The attributes of a new resource, under its name; colons and dashes in their names become
    /// underscores.
    pub(crate) fn member(self, name: &str) -> Result<Map<String, Value>> {
        Ok(normalized(self.changes(name)?))
    }

    /// The same, for a resource that has no flags.
    pub(crate) fn free_member(mut self, name: &str) -> Map<String, Value> {
        normalized(self.attributes(name))
    }

    /// What stands under a name, as it was sent.
    pub(crate) fn as_sent(&self, name: &str) -> Map<String, Value> {
        let member = self.0.get(name).and_then(Value::as_object);
        member.cloned().unwrap_or_default()
    }

    /// The attributes under the resource's name as they came; what the client calls `links` or
    /// `extra` is not one.
    pub(crate) fn changes(mut self, name: &str) -> Result<Map<String, Value>> {
        let member = self.attributes(name);
        // The schemas let the texts of flags through, which no column takes.
        for flag in FLAGS {
            if let Some(Value::String(text)) = member.get(flag) {
                return Err(Error::Validation(format!(
                    "Invalid input for field/attribute {flag}. Value: {text}. '{text}' is not of type 'boolean'"
                )));
            }
        }
        Ok(member)
    }

    fn attributes(&mut self, name: &str) -> Map<String, Value> {
        let Some(Value::Object(member)) = self.0.shift_remove(name) else {
            return Map::new();
        };
        let attributes = member
            .into_iter()
            .filter(|(key, _)| key != "links" && key != "extra");
        attributes.collect()
    }

    /// The attributes of a new resource where the schema does not insist on it, though nothing can be made without.
    pub(crate) fn required(self, name: &str) -> Result<Map<String, Value>> {
        if self.0.get(name).is_none_or(|member| !member.is_object()) {
            return Err(Error::Validation(format!(
                "'{name}' is a required property"
            )));
        }
        self.member(name)
    }

    /// The new resources in a list that a schema has checked.
    pub(crate) fn members<R: DeserializeOwned>(mut self, name: &str) -> Result<Vec<R>> {
        let members = self.0.shift_remove(name).unwrap_or_default();
        serde_json::from_value(members).map_err(|error| Error::Validation(error.to_string()))
    }

    /// The attributes of a `PATCH`, whose `id` may only repeat the one in the path.
    pub(crate) fn patch(self, name: &str, id: &str) -> Result<Map<String, Value>> {
        let mut member = self.changes(name)?;
        match member.shift_remove("id") {
            None | Some(Value::Null) => Ok(member),
            Some(same) if same == id => Ok(member),
            Some(_) => Err(Error::Validation("Cannot change ID".to_owned())),
        }
    }
}

fn normalized(attributes: Map<String, Value>) -> Map<String, Value> {
    attributes
        .into_iter()
        .map(|(key, value)| (key.replace([':', '-'], "_"), value))
        .collect()
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
